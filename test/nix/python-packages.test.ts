/** How layers/lib makes a layer's Python packages: built from source, joined from the package set, libraries found by RPATH. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { after, before, test } from "node:test";
import { searchPaths } from "../support/elf.ts";
import { buildSite, siteExpression, tryBuildSite } from "../support/python-site.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { warmSandbox } from "../support/warm.ts";

const PACKAGES = "lib/python3.14/site-packages";

let sandbox: Sandbox;
before(async () => {
  sandbox = await warmSandbox();
});
after(() => sandbox.stop());

/** Puts files into a folder of the sandbox; its path inside. */
function tree(name: string, files: Readonly<Record<string, string>>): string {
  const folder = `${sandbox.at}/tmp/${name}`;
  for (const [path, text] of Object.entries(files)) {
    const target = sandbox.host(`${folder}/${path}`);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
  }
  return folder;
}

const SOURCE = {
  "setup.py": `
import os
from setuptools import setup
open("relaxed.py", "w").write(f"switch = {os.environ.get('RELAXED_SWITCH')!r}\\n")
setup(name="relaxed", version="1.0", py_modules=["relaxed"], install_requires=["NumPy<2; python_version > '3'", "ftfy==6.1.1", "tqdm"])
`,
};

async function given(path: string): Promise<object> {
  await sandbox.run("nix-store", ["--add-fixed", "sha256", path]);
  const { stdout } = await sandbox.run("nix", ["hash", "file", path]);
  return { given: true, name: "relaxed", version: "1.0", file: path.split("/").at(-1), hash: stdout.trim() };
}

async function sourceDistribution(): Promise<object> {
  const folder = tree("relaxed-1.0", SOURCE);
  const archive = `${folder}.tar.gz`;
  await sandbox.run("tar", ["-czf", archive, "-C", dirname(folder), "relaxed-1.0"]);
  return given(archive);
}

async function metadata(site: string): Promise<{ requires: string[]; switch: string }> {
  const program = "import importlib.metadata as m, json, relaxed; print(json.dumps({'requires': m.requires('relaxed'), 'switch': relaxed.switch}))";
  const { stdout } = await sandbox.run("sh", ["-c", `PYTHONPATH=${site}/${PACKAGES} /nix/store/*-layer1-python/bin/python -B -c "$0"`, program]);
  return JSON.parse(stdout) as { requires: string[]; switch: string };
}

test("a source distribution is built with its environment, and without the requirements that are relaxed", async () => {
  const entry = await sourceDistribution();
  const site = await buildSite(sandbox, { files: [{ ...entry, build: { env: { RELAXED_SWITCH: "it's 0" }, relax: ["numpy", "ftfy"] } }] });
  assert.deepEqual(await metadata(site), { requires: ["tqdm"], switch: "it's 0" });
  const [folder] = readdirSync(sandbox.nix(`${site}/${PACKAGES}`)).filter((name) => name.endsWith(".dist-info"));
  const read = (name: string) => readFileSync(sandbox.nix(`${site}/${PACKAGES}/${folder}/${name}`));
  const digest = createHash("sha256").update(read("METADATA")).digest("base64url");
  assert.ok(read("RECORD").toString().includes(`${folder}/METADATA,sha256=${digest},${read("METADATA").length}\n`), "RECORD knows the changed file");

  const plain = await buildSite(sandbox, { files: [entry] });
  assert.deepEqual(await metadata(plain), { requires: ['NumPy<2; python_version > "3"', "ftfy==6.1.1", "tqdm"], switch: null });
});

test("a requirement to relax that the wheel has not ends the build", async () => {
  const { code, stderr } = await tryBuildSite(sandbox, { files: [{ ...(await sourceDistribution()), build: { relax: ["ftfy", "timm"] } }] });
  assert.notEqual(code, 0);
  assert.match(stderr, /these are to be relaxed, but the wheel does not require them: timm/);
});

test("a git revision is built from its tree", async () => {
  const folder = tree("relaxed-tree", SOURCE);
  await sandbox.run("nix-store", ["--add-fixed", "--recursive", "sha256", folder]);
  const { stdout } = await sandbox.run("nix", ["hash", "path", folder]);
  const entry = { git: "https://github.com/owner/relaxed", rev: "0".repeat(40), name: "relaxed", version: "1.0", file: "relaxed-tree", hash: stdout.trim() };
  assert.deepEqual((await metadata(await buildSite(sandbox, { files: [entry] }))).switch, null);
  // Another host, the same tree: the same store path.
  await buildSite(sandbox, { files: [{ ...entry, git: "https://git.example.org/relaxed.git" }] });
});

test("an entry of a lock says in exactly one way where its bytes are", async () => {
  const entry = { name: "x", version: "1", file: "x-1.tar.gz", hash: `sha256-${"A".repeat(43)}=` };
  for (const bad of [entry, { ...entry, index: "pypi", given: true }]) {
    const { stderr } = await tryBuildSite(sandbox, { files: [bad] });
    assert.match(stderr, /the lock's entry for x needs exactly one of git given index url/);
  }
});

/** Packages as nixpkgs has them: `alpha` propagates `beta` and `Gamma_Delta`, all in one namespace. */
const PACKAGE_SET = `pkgs: let
  package = pname: version: propagated: pkgs.runCommand "python3.14-\${pname}" { } ''
    site=$out/${PACKAGES}
    mkdir -p "$site/space" "$site/\${pname}-\${version}.dist-info" "$out/bin"
    echo "name = '\${pname}'" > "$site/space/\${pname}.py"
    printf 'Metadata-Version: 2.1\\nName: \${pname}\\nVersion: \${version}\\n' > "$site/\${pname}-\${version}.dist-info/METADATA"
    printf '[console_scripts]\\nrun-\${pname} = space.\${pname}:name.title\\n' > "$site/\${pname}-\${version}.dist-info/entry_points.txt"
    echo wrapped > "$out/bin/run-\${pname}"
  '' // { inherit pname version; requiredPythonModules = propagated; };
  gamma = package "Gamma_Delta" "3" [ ];
  beta = package "beta" "2" [ gamma ];
in rec {
  alpha = package "alpha" "1" [ beta gamma ];
  inherit beta;
  requiredPythonModules = chosen: [ pkgs.python314 ] ++ chosen ++ builtins.concatMap (each: each.requiredPythonModules) chosen;
}`;
const namesIn = (site: string) => readdirSync(sandbox.nix(`${site}/${PACKAGES}`)).filter((name) => name.endsWith(".dist-info")).sort();

test("packages of the package set come with what they propagate, joined file by file, with commands of their own", async () => {
  const site = await buildSite(sandbox, { packages: ["alpha"], more: PACKAGE_SET });
  assert.deepEqual(namesIn(site), ["Gamma_Delta-3.dist-info", "alpha-1.dist-info", "beta-2.dist-info"]);
  assert.match(readlinkSync(sandbox.nix(`${site}/${PACKAGES}/space/beta.py`)), /^\/nix\/store\/[^/]+-python3\.14-beta\/lib\//);
  assert.match(readFileSync(sandbox.nix(`${site}/bin/run-alpha`), "utf8"), /^#!.*python[^]*space\.alpha/);
});

test("a distribution that is below already, or that the lock has, is not brought again; two locks with one are a fault", async () => {
  const { files } = JSON.parse(readFileSync(sandbox.host("layers/locks/sample/layer4-deps.lock.json"), "utf8")) as { files: { name: string }[] };
  const einops = files.find(({ name }) => name === "einops") as object;
  const layers = `${sandbox.root}/layers`;
  const below = siteExpression(layers, { packages: ["beta"], more: PACKAGE_SET });
  assert.deepEqual(namesIn(await buildSite(sandbox, { packages: ["alpha"], more: PACKAGE_SET, below: [below] })), ["alpha-1.dist-info"]);

  // The lock's name is normalized: this is Gamma_Delta.
  const locked = { ...einops, name: "gamma-delta" };
  const both = await buildSite(sandbox, { files: [locked], packages: ["alpha"], more: PACKAGE_SET });
  assert.deepEqual(namesIn(both), ["alpha-1.dist-info", "beta-2.dist-info", "einops-0.8.2.dist-info"]);
  assert.deepEqual(namesIn(await buildSite(sandbox, { files: [locked], below: [below] })), []);

  const inLock = siteExpression(layers, { files: [einops] });
  assert.match((await tryBuildSite(sandbox, { files: [einops], below: [inLock] })).stderr, /test-site: these are in its lock and in that of a layer below, or among its packages: einops/);
  assert.match((await tryBuildSite(sandbox, { files: [{ ...einops, name: "alpha" }], packages: ["alpha"], more: PACKAGE_SET })).stderr, /among its packages: alpha/);
});

test("two packages with different bytes for one file end the build", async () => {
  const clash = `pkgs: let set = (${PACKAGE_SET}) pkgs; in set // { other = pkgs.runCommand "other" { } "mkdir -p $out/${PACKAGES}/space; echo > $out/${PACKAGES}/space/beta.py" // { pname = "other"; version = "1"; requiredPythonModules = [ ]; }; }`;
  const { stderr } = await tryBuildSite(sandbox, { packages: ["beta", "other"], more: clash });
  assert.match(stderr, /two packages bring different files: \S+\/space\/beta\.py and \S+-other\//);
});

test("a distribution that another one stands for is there for whoever asks for it, in that one's version", async () => {
  const { files } = JSON.parse(readFileSync(sandbox.host("layers/locks/sample/layer4-deps.lock.json"), "utf8")) as { files: { name: string }[] };
  const einops = files.filter(({ name }) => name === "einops");
  const site = await buildSite(sandbox, { files: einops, standsFor: { einops: ["ein-ops"], "not-here": ["nor-this"] } });
  assert.deepEqual(namesIn(site), ["ein_ops-0.8.2.dist-info", "einops-0.8.2.dist-info"]);
  const { stdout } = await sandbox.bash(`PYTHONPATH=${site}/${PACKAGES} /nix/store/*-layer1-python/bin/python -B -m pip show --files ein-ops`);
  assert.match(stdout, /^Name: ein-ops\nVersion: 0\.8\.2\nSummary: Its modules are those of einops\.$/m);
});

test("libraries of wheels have a DT_RPATH, never a DT_RUNPATH, which would not hold for what they load at run time", async (t) => {
  const { stdout } = await sandbox.bash(`find /nix/store/*-layer[1345]-*-site/ -type f -name '*.so*'`);
  const found = stdout.trim().split("\n").map((path) => [path, searchPaths(sandbox.nix(path))] as const);
  const runpath = found.filter(([, paths]) => paths?.runpath !== undefined).map(([path]) => path);
  const rpath = found.filter(([, paths]) => paths?.rpath !== undefined);
  t.diagnostic(`${found.length} libraries, ${rpath.length} with a DT_RPATH`);
  assert.deepEqual(runpath, []);
  assert.ok(rpath.length > 30);
  assert.ok(rpath.some(([, paths]) => paths?.rpath?.startsWith("$ORIGIN/../pillow.libs:/nix/store/")), "what a wheel had itself stays, in front");
});

test("a distribution in two places is named with both", async () => {
  const folders = ["one", "two"].map((name) =>
    tree(name, { "Some_Thing-1.dist-info/METADATA": `Metadata-Version: 2.1\nName: ${name === "one" ? "Some_Thing" : "some.thing"}\nVersion: 1.${name.length}\n` }),
  );
  const check = `/nix/store/*-layer1-python/bin/python -B ${sandbox.root}/layers/layer6-app/no_distribution_twice.py`;
  const { code, stderr } = await sandbox.bash(`PYTHONPATH=${folders.join(":")} ${check}`, { allowFailure: true });
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`some-thing: 1\\.3 in ${folders[0]} and 1\\.3 in ${folders[1]}`));
  const { stdout } = await sandbox.bash(`PYTHONPATH=${folders[0]} ${check}`);
  assert.match(stdout, /^\d+ distributions, none of them twice$/m);
});
