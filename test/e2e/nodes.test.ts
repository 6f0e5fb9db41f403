/** Custom nodes from a repository to a container: pinned, previewed, built as an eighth layer, updated, taken out; and every refusal. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { after, afterEach, before, describe, test } from "node:test";
import { protocol } from "../../infra/request.ts";
import { Docker } from "../support/docker.ts";
import { type GitRepository, gitRepository } from "../support/git-repository.ts";
import { firstAnswer } from "../support/http.ts";
import { outputs } from "../support/outputs.ts";
import type { PackageIndex } from "../support/package-index.ts";
import { freePort } from "../support/ports.ts";
import type { Result } from "../support/process.ts";
import { preview, up } from "../support/pulumi.ts";
import { changedFiles } from "../../infra/preview/steps.ts";
import { sampleIndex } from "../support/sample-index.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { warmSandbox } from "../support/warm.ts";

const LAYER = "comfyui-layer7-nodes";
const PUBLISH = "comfyui-publish-image";
const LOCK = "layers/locks/sample/layer7-nodes.lock.json";
const REQUIREMENTS = "layers/flavors/sample/requirements.json";

/** A node that uses what it requires. */
const nodeCode = (greeting: string) => `import helper_of_nodes


class Greeting:
    CATEGORY = "${greeting} " + helper_of_nodes.version


NODE_CLASS_MAPPINGS = {"Greeting": Greeting}
`;

let sandbox: Sandbox;
let index: PackageIndex;
let node: GitRepository;
/** Requirements as they are without nodes. */
let clean: string;
let locks: string;

before(async () => {
  sandbox = await warmSandbox();
  index = await sampleIndex(sandbox);
  index.wheel({ name: "helper-of-nodes", version: "1.0", requires: ["numpy>=1"] });
  index.wheel({ name: "attrs", version: "99.0" });
  const folder = sandbox.host(`${sandbox.at}/tmp/repositories/ComfyUI-Greeting`);
  mkdirSync(folder, { recursive: true });
  symlinkSync("__init__.py", `${folder}/link.py`);
  node = await gitRepository(sandbox, "ComfyUI-Greeting", { "__init__.py": nodeCode("hello"), "web/run.sh": "", "requirements.txt": "helper_of_nodes>=1 # says hello\nPillow\n" }, ["v1.0"]);
  clean = readFileSync(sandbox.host(REQUIREMENTS), "utf8");
  locks = (await sandbox.bash("cat layers/locks/sample/*")).stdout;
});
after(async () => {
  await index[Symbol.asyncDispose]();
  await sandbox.stop();
});

const indexes = () => ({ UV_DEFAULT_INDEX: index.url, PIP_INDEX_URL: index.url, UV_HTTP_RETRIES: "0" });

async function lock(...args: readonly string[]): Promise<Result> {
  return sandbox.run("node", ["infra/lock.ts", ...args], { env: indexes(), allowFailure: true, timeout: 120_000 });
}

async function locked(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await lock(...args);
  assert.equal(code, 0, stderr);
  return stdout;
}

/** What `npm run setup` does for the locks. */
async function prefetch(): Promise<{ downloaded: number }> {
  const input = JSON.stringify({ protocol, flavor: "sample", relock: false });
  const { stdout } = await sandbox.run("bash", ["infra/hosts/prefetch.sh"], { input, env: { ...indexes(), COMFYUI_DOWNLOADS: `${sandbox.at}/tmp/downloads` } });
  return JSON.parse(stdout) as { downloaded: number };
}

const ops = async () => new Map([...(await preview(sandbox)).rows].map(([name, { op }]) => [name, op]));

describe("a node's life", () => {
  let image: string;

  test("add-node pins the tag's commit and what it requires beyond the layers below: one more layer in the preview", async () => {
    image = (await outputs(sandbox)).image.digest;
    const said = await locked("add-node", node.url, "v1.0");
    assert.match(said, /^comfyui-greeting +- +1\.0 +layer7-nodes\nhelper-of-nodes +- +1\.0 +layer7-nodes\n/m);
    assert.match(said, /^Rebuilt by the next `pulumi up`: layer7-nodes$/m);
    const { files } = JSON.parse(readFileSync(sandbox.host(LOCK), "utf8")) as { files: { name: string }[] };
    assert.deepEqual(files.map(({ name }) => name), ["comfyui-greeting", "helper-of-nodes"], "numpy and Pillow are below");
    assert.deepEqual(files[0], { git: node.url, rev: node.rev, ref: "v1.0", name: "comfyui-greeting", version: "1.0", file: `ComfyUI-Greeting-${node.rev.slice(0, 12)}`, hash: node.hash });
    assert.deepEqual(await ops(), new Map([[LAYER, "create"], [PUBLISH, "update"]]));
  });

  test("the locks are right, and a second add-node changes nothing", async () => {
    assert.match(await locked("--check"), /are right/);
    assert.match(await locked("add-node", node.url, "v1.0"), /^Nothing to do/);
  });

  test("up builds that layer alone and publishes it; the container has the node, with what it requires", async (t) => {
    assert.equal((await prefetch()).downloaded, 2, "the node, and what it requires");
    assert.deepEqual((await up(sandbox)).ran, [LAYER, PUBLISH]);
    await using docker = await Docker.start();
    const { stdout } = await sandbox.run("nix", ["run", "path:./layers#load"], { env: docker.env });
    const reference = stdout.trim().split("\n").at(-1) as string;
    await t.test("its own python sees it", async () => {
      const script = "import helper_of_nodes, os; print(helper_of_nodes.version, os.listdir(os.environ['COMFYUI_NODES']))";
      assert.equal((await docker.run(["run", "--rm", "--read-only", "--network=none", reference, "python", "-c", script])).stdout, "1.0 ['ComfyUI-Greeting']\n");
    });
    await t.test("the program has loaded it", async () => {
      const port = await freePort();
      const { stdout: id } = await docker.run(["run", "--detach", "--read-only", "--tmpfs", "/tmp", "--network=host", reference, "--listen", "127.0.0.1", "--port", `${port}`]);
      const response = await firstAnswer(`http://127.0.0.1:${port}/object_info`, async () => (await docker.run(["logs", id.trim()])).stderr);
      assert.deepEqual(await response.json(), { Greeting: { name: "Greeting", category: "hello 1.0", python_module: "custom_nodes.ComfyUI-Greeting" } });
    });
  });

  test("update follows the tag: the table says from where to where, and layer 7 alone runs again", async () => {
    await gitRepository(sandbox, "ComfyUI-Greeting", { "__init__.py": nodeCode("good morning") }, ["v1.1", "nightly"]);
    assert.match(await locked("update", "comfyui-greeting"), /^comfyui-greeting +1\.0 +1\.1 +layer7-nodes$/m);
    const { rows } = await preview(sandbox);
    assert.deepEqual([[...rows.keys()].sort(), changedFiles(rows.get(LAYER))], [[LAYER, PUBLISH], ["locks/sample/layer7-nodes.lock.json"]]);
    await prefetch();
    assert.deepEqual((await up(sandbox)).ran, [LAYER, PUBLISH]);
    assert.match(await locked("update", "comfyui-greeting"), /Nothing to do/);
  });

  test("remove-node takes out the layer with its last node: the image is the one before", async () => {
    assert.match(await locked("remove-node", "ComfyUI-Greeting"), /^Taken away by the next `pulumi up`: layer7-nodes$/m);
    assert.ok(!existsSync(sandbox.host(LOCK)));
    assert.equal(readFileSync(sandbox.host(REQUIREMENTS), "utf8"), clean);
    assert.deepEqual(await ops(), new Map([[LAYER, "delete"], [PUBLISH, "update"]]));
    await up(sandbox);
    const now = (await outputs(sandbox)).image;
    assert.deepEqual([now.digest, now.status, now.sentBytes], [image, "already published", 0]);
  });
});

describe("refusals: nothing is written", () => {
  afterEach(async () => {
    assert.equal(readFileSync(sandbox.host(REQUIREMENTS), "utf8"), clean);
    assert.equal((await sandbox.bash("cat layers/locks/sample/*")).stdout, locks);
  });

  async function assertFault(codes: readonly string[], args: readonly string[], says: readonly string[]): Promise<void> {
    const { code, stdout, stderr } = await lock(...args);
    assert.deepEqual([code, stdout], [1, ""], stderr);
    assert.deepEqual([...stderr.matchAll(/^error\[([A-Z_]+)\]/gm)].map(([, found]) => found), codes, stderr);
    assert.equal([...stderr.matchAll(/^ {2}fix: {6}\S/gm)].length, codes.length, stderr);
    for (const words of says) assert.ok(stderr.includes(words), `${words} is not in:\n${stderr}`);
  }

  test("LOCK_USAGE: what add-node and remove-node are not told", async () => {
    await assertFault(["LOCK_USAGE"], ["add-node", node.url], ["expected: add-node URL REV"]);
    await assertFault(["LOCK_USAGE"], ["remove-node"], ["expected: remove-node NAME"]);
    await assertFault(["LOCK_USAGE"], ["update", "--without", "x"], ["--without belongs to add-node"]);
  });

  test("LOCK_GIT_FETCH, LOCK_GIT_REV: an address where nothing is, a tag and a commit that are not there", async () => {
    await assertFault(["LOCK_GIT_FETCH"], ["add-node", "file:///never/there", "v1"], ["error[LOCK_GIT_FETCH]: file:///never/there:"]);
    await assertFault(["LOCK_GIT_REV"], ["add-node", node.url, "v9"], ["found:    v9", "v1.0, v1.1, main"]);
    await assertFault(["LOCK_GIT_FETCH"], ["add-node", node.url, "1".repeat(40)], ["111111111111 cannot be fetched", "not our ref"]);
  });

  test("LOCK_NODE_SHAPE, LOCK_NODE_REQUIREMENT: all that keeps a repository from being a node, at once", async () => {
    const bad = await gitRepository(sandbox, "no-node", { "node.py": "", ".gitmodules": "", "requirements.txt": "git+https://localhost/o/sam.git@main\n-e .\n" }, ["v1"]);
    await assertFault(["LOCK_NODE_SHAPE", "LOCK_NODE_SHAPE", "LOCK_NODE_REQUIREMENT", "LOCK_NODE_REQUIREMENT"], ["add-node", bad.url, "v1"], ["an __init__.py at its top", "found:    git+https://localhost/o/sam.git@main", "found:    -e ."]);
  });

  test("LOCK_NODE_CONFLICT: a node for which a layer below would change; without that requirement it is pinned", async () => {
    const wants = await gitRepository(sandbox, "wants-more", { "__init__.py": "NODE_CLASS_MAPPINGS = {}\n", "requirements.txt": "attrs>=99\n" });
    await assertFault(["LOCK_NODE_CONFLICT"], ["add-node", wants.url, "main"], ["would change layer1-python", "found:    attrs 99.0"]);
    assert.match(await locked("add-node", wants.url, "main", "--without", "attrs"), new RegExp(`^wants-more +- +0\\+${wants.rev.slice(0, 12)} +layer7-nodes$`, "m"));
    await locked("remove-node", "wants-more");
  });

  test("LOCK_UNKNOWN_NAME: nixpkgs, in a flavor that takes nothing from it", () => assertFault(["LOCK_UNKNOWN_NAME"], ["update", "nixpkgs"], ["flavor sample locks no distribution of this name"]));

  test("LOCK_NODE_CLASH, LOCK_NODE_UNKNOWN: a name that is taken, and one that is not there", async () => {
    const taken = await gitRepository(sandbox, "pillow", { "__init__.py": "" }, ["v1"]);
    await assertFault(["LOCK_NODE_CLASH"], ["add-node", taken.url, "v1"], ["found:    pillow 13"]);
    await assertFault(["LOCK_NODE_UNKNOWN"], ["remove-node", "comfyui-greeting"], ["there is no custom node comfyui-greeting"]);
  });
});

describe("a flavor over nixpkgs, with a source from git", () => {
  const FLAKE = "layers/flake.lock";
  let standIn: GitRepository;
  let source: GitRepository;

  const GITHUB = { owner: "NixOS", ref: "main", repo: "nixpkgs", type: "github" };

  function pinNixpkgs(original: Readonly<Record<string, string>>): void {
    const { ref: _, ...rest } = original;
    const locked = { lastModified: 0, narHash: `sha256-${"A".repeat(43)}=`, ...rest, rev: "0".repeat(40) };
    writeFileSync(sandbox.host(FLAKE), JSON.stringify({ nodes: { nixpkgs: { locked, original }, root: { inputs: { nixpkgs: "nixpkgs" } } }, root: "root", version: 7 }, null, 2));
  }

  before(async () => {
    // In GitHub's place: git itself goes elsewhere for this address.
    standIn = await gitRepository(sandbox, "nixpkgs", { "flake.nix": "{ outputs = _: { }; }\n", "pkgs/default.nix": "{ }\n" });
    await sandbox.bash(`git config --global url.'${standIn.url}'.insteadOf https://github.com/NixOS/nixpkgs`);
    source = await gitRepository(sandbox, "a-source", { "setup.py": "" }, ["v1.0"]);
    const graph = JSON.parse(readFileSync(sandbox.host("layers/layers.json"), "utf8")) as { layers: object[] };
    const layers = graph.layers.map((layer) => ({ ...layer, smoke: [] }));
    writeFileSync(sandbox.host("layers/layers.json"), JSON.stringify({ ...graph, layers, flavors: { nix: { packageSet: "nixpkgs" } } }));
    const pinned = { git: source.url, rev: source.rev, ref: "v1.0", name: "a-source", version: "1.0", file: `a-source-1.0-${source.rev.slice(0, 12)}`, hash: source.hash, requires: [] };
    const given = { given: true, name: "a-file", version: "1.0", file: "a_file-1.0.tar.gz", hash: `sha256-${"A".repeat(43)}=`, requires: [] };
    const requirements = { python: "3.14", systems: { "x86_64-linux": "manylinux_2_28" }, layers: { "layer4-deps": ["a-file", "a-source"] }, files: [given, pinned] };
    mkdirSync(sandbox.host("layers/flavors/nix"));
    writeFileSync(sandbox.host("layers/flavors/nix/requirements.json"), JSON.stringify(requirements));
    pinNixpkgs(GITHUB);
    await locked("--flavor", "nix");
  });

  test("update nixpkgs pins the branch's head, by the hash that Nix has for it, and names all layers", async () => {
    const said = await locked("update", "nixpkgs", "--flavor", "nix");
    assert.match(said, new RegExp(`^nixpkgs +000000000000 \\(1970-01-01\\) +${standIn.rev.slice(0, 12)} \\(\\d{4}-\\d\\d-\\d\\d\\) +all$`, "m"));
    assert.match(said, /^Written: flake\.lock\nRebuilt by the next `pulumi up`: layer0-base, layer1-python, layer2-wheels, .*, layer6-app$/m);
    const { nodes } = JSON.parse(readFileSync(sandbox.host(FLAKE), "utf8")) as { nodes: { nixpkgs: { locked: object; original: object } } };
    const { stdout } = await sandbox.run("git", ["-C", standIn.folder, "show", "--no-patch", "--format=%ct", standIn.rev]);
    const { ref: _, ...rest } = GITHUB;
    assert.deepEqual(nodes.nixpkgs, { locked: { lastModified: Number(stdout), narHash: standIn.hash, ...rest, rev: standIn.rev }, original: GITHUB });
  });

  test("update without a name: nothing newer, and what stays because nobody can tell; then the tag that follows", async () => {
    assert.match(await locked("update", "--flavor", "nix"), /^Nothing to do.*\na-file 1\.0 stays: given by hand\n$/);
    const newer = await gitRepository(sandbox, "a-source", { "setup.py": "import x\n" }, ["v1.1"]);
    assert.match(await locked("update", "a-source", "--flavor", "nix"), /^a-source +1\.0 +1\.1 +layer4-deps\nWritten: .*\nRebuilt by the next `pulumi up`: layer2-wheels, layer4-deps, layer6-app$/m);
    const { files } = JSON.parse(readFileSync(sandbox.host("layers/locks/nix/layer4-deps.lock.json"), "utf8")) as { files: object[] };
    assert.deepEqual(files[1], { git: newer.url, rev: newer.rev, ref: "v1.1", name: "a-source", version: "1.1", file: `a-source-1.1-${newer.rev.slice(0, 12)}`, hash: newer.hash });
  });

  test("LOCK_GIT_REV: the tag that is followed is gone", async () => {
    await sandbox.bash(`git -C '${source.folder}' tag --delete v1.0 v1.1`);
    const { code, stderr } = await lock("update", "a-source", "--flavor", "nix");
    assert.equal(code, 1);
    assert.match(stderr, /^error\[LOCK_GIT_REV\]: .*no longer has the tag or branch of a-source\n {2}found: {4}v1\.1$/m);
  });

  const flakes: [string, Readonly<Record<string, string>>, string][] = [
    ["LOCK_FLAKE", { type: "path", path: "/x" }, 'found:    {"type":"path","path":"/x"}'],
    ["LOCK_GIT_FETCH", { ...GITHUB, owner: "never" }, "error[LOCK_GIT_FETCH]: https://github.com/never/nixpkgs: the repository cannot be asked"],
    ["LOCK_GIT_REV", { ...GITHUB, ref: "nixos-never" }, "found:    nixos-never"],
  ];
  for (const [code, original, says] of flakes) {
    test(`${code}: nixpkgs cannot be followed; flake.lock is as it was`, async () => {
      pinNixpkgs(original);
      await sandbox.bash("git config --global --replace-all url.file:///never/there.insteadOf https://github.com/never");
      const before = readFileSync(sandbox.host(FLAKE), "utf8");
      const { code: exit, stderr } = await lock("update", "nixpkgs", "--flavor", "nix");
      assert.equal(exit, 1);
      assert.deepEqual([...stderr.matchAll(/^error\[([A-Z_]+)\]/gm)].map(([, found]) => found), [code], stderr);
      assert.ok(stderr.includes(says), stderr);
      assert.equal(readFileSync(sandbox.host(FLAKE), "utf8"), before);
    });
  }
});
