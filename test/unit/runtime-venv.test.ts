/** The environment on the volume, as images come and go: what is its own is kept, what is the image's is put right. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { evaluate } from "../support/runtime-scripts.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "comfyui-venv-"))));
afterEach(() => rmSync(folder, { recursive: true }));

const volume = () => join(folder, "volume/venv");
const site = (minor = "3.14") => join(volume(), `lib/python${minor}/site-packages`);
const text = (...path: string[]) => readFileSync(join(volume(), ...path), "utf8");

function write(file: string, content: string, mode = 0o644): void {
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, content, { mode });
}

function record(where: string, name: string, extra: Readonly<Record<string, string>> = {}): string {
  const made = join(where, `${name}.dist-info`);
  for (const [file, content] of Object.entries({ METADATA: `Name: ${name}\n`, WHEEL: "w", RECORD: "", INSTALLER: "pip\n", ...extra })) write(join(made, file), content);
  return made;
}

/** What a layer with a Python looks like from outside; `packages` as in `numpy-2.5.5`. */
function image(name: string, packages: readonly string[], version = "3.14.8"): string {
  const prefix = join(folder, name);
  write(join(prefix, "python/bin/python3"), "#!/bin/sh\necho broken 1.0 wants another numpy\nexit 1\n", 0o755);
  write(join(prefix, "pyvenv.cfg"), `home = ${prefix}/python/bin\ninclude-system-site-packages = false\nversion = ${version}\n`);
  write(join(prefix, "bin/python"), "", 0o755);
  write(join(prefix, "bin/pip"), `#!${prefix}/bin/python\nimport pip\n`, 0o755);
  write(join(prefix, "bin/jq"), "\x7fELF", 0o755);
  const records = packages.map((each) => record(join(prefix, "site"), each));
  write(join(prefix, "share/image/distributions"), records.map((each) => `${each}\n`).join(""));
  write(join(prefix, "share/image/constraints.txt"), "");
  return prefix;
}

/** Puts the environment right for the images, one after the other; answers what the last one told. */
async function seat(...prefixes: readonly string[]): Promise<string[]> {
  const path = prefixes.map((prefix) => `${volume()}/bin:${prefix}/bin`);
  return (await evaluate("venv", `[venv.Venv(Path(given[0]), venv.find_image(path, Path(given[0]))).seat() for path in given[1]][-1]`, [volume(), path])) as string[];
}

test("a new one: links, order, scripts of its own Python, and a record without RECORD of each package of the image", async () => {
  const first = image("first", ["numpy-2.5.5", "PyYAML-6.0.3"]);
  assert.deepEqual(await seat(first), []);
  assert.equal(readlinkSync(join(volume(), "bin/python")), `${first}/python/bin/python3`);
  assert.equal(readlinkSync(join(volume(), "bin/python3.14")), "python");
  assert.match(text("pyvenv.cfg"), new RegExp(`^home = ${first}/python/bin$`, "m"));
  assert.match(text("bin/pip"), new RegExp(`^#!${volume()}/bin/python\n#.*\nimport pip\n$`));
  assert.ok(!existsSync(join(volume(), "bin/jq")), "only Python's scripts");
  assert.equal(text("pip.conf"), `[global]\nconstraint = ${first}/share/image/constraints.txt\n`);
  assert.deepEqual(readdirSync(join(site(), "numpy-2.5.5.dist-info")).sort(), ["INSTALLER", "METADATA", "WHEEL"]);
});

test("another image: nothing of the old one is left, what was installed stays, and what disagrees is told", async () => {
  const first = image("first", ["numpy-2.5.5", "gone-1.0"]);
  const second = image("second", ["numpy-2.6.0"]);
  await seat(first);
  record(site(), "node_dependency-1.0");
  write(join(volume(), "bin/tool"), "#!/bin/sh\n", 0o755);
  assert.deepEqual(await seat(second), ["with this image's packages: broken 1.0 wants another numpy"]);
  assert.deepEqual(readdirSync(site()).sort(), ["00-image.pth", "node_dependency-1.0.dist-info", "numpy-2.6.0.dist-info"]);
  for (const name of ["pyvenv.cfg", "pip.conf", "bin/pip", `lib/python3.14/site-packages/00-image.pth`]) assert.ok(!text(name).includes(first), name);
  assert.equal(text("bin/tool"), "#!/bin/sh\n");
  assert.deepEqual(await seat(second), [], "the second start of an image has nothing to tell");
});

test("a package that the image now has itself is put away, and is back with an image that does not have it", async () => {
  const [without, having] = [image("without", ["numpy-2.5.5"]), image("having", ["numpy-2.5.5", "einops-0.8.2"])];
  await seat(without);
  record(site(), "einops-0.7.0");
  const told = await seat(having);
  assert.match(told[0] ?? "", /^einops-0\.7\.0 in .*\/venv is not used: the image has the package itself/);
  assert.deepEqual(readdirSync(site()).filter((name) => name.startsWith("einops")), ["einops-0.8.2.dist-info"]);
  await seat(without);
  assert.deepEqual(readdirSync(site()).filter((name) => name.startsWith("einops")), ["einops-0.7.0.dist-info"]);
});

test("another Python: the packages stay where they are, and the command that installs them again is told until it was run", async () => {
  const [old, next] = [image("old", ["numpy-2.5.5"]), image("next", ["numpy-2.5.5"], "3.15.1")];
  await seat(old);
  record(site(), "node_dependency-1.0+local");
  record(site(), "from_git-2", { "direct_url.json": JSON.stringify({ url: "https://host/node", vcs_info: { vcs: "git", commit_id: "0123abc" } }) });
  const [told = ""] = await seat(next);
  assert.match(told, /^2 packages were installed for python3\.14, and this image has python3\.15: `pip install -r .*\/venv\/python3\.14-packages\.txt`/);
  assert.deepEqual(text("python3.14-packages.txt").split("\n").filter(Boolean).sort(), ["from-git @ git+https://host/node@0123abc", "node-dependency>=1.0"]);
  assert.equal(readlinkSync(join(volume(), "bin/python3.15")), "python");
  record(site("3.15"), "node_dependency-1.1");
  record(site("3.15"), "from_git-3");
  assert.deepEqual(await seat(next), []);
  assert.ok(existsSync(join(site("3.14"), "node_dependency-1.0+local.dist-info")), "for the way back");
  await seat(old);
  assert.match(text("pyvenv.cfg"), /^version = 3\.14\.8$/m);
});

test("the topmost layer with a Python counts, and a cut-off start is made good by the next", async () => {
  const [lower, upper] = [image("lower", ["numpy-2.5.5"]), image("upper", ["numpy-2.5.5", "node-1"])];
  await evaluate("venv", "venv.Venv(Path(given[0]), venv.find_image(given[1], Path(given[0]))).seat()", [volume(), `${volume()}/bin:${upper}/bin:${lower}/bin`]);
  assert.ok(existsSync(join(site(), "node-1.dist-info")));
  rmSync(join(site(), "00-image.pth"));
  rmSync(join(volume(), "bin/python"));
  rmSync(join(site(), "node-1.dist-info"), { recursive: true });
  await seat(upper);
  assert.ok(existsSync(join(site(), "node-1.dist-info/METADATA")) && existsSync(join(site(), "00-image.pth")));
});
