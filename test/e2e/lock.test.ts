/** The lock tool with the real uv, against a package index on loopback that a test fills and breaks. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { fingerprintLayers } from "../../infra/fingerprint.ts";
import { readLayerInputs } from "../../infra/input-files.ts";
import { graphOfFlavor, readLayerGraph } from "../../infra/read-plan.ts";
import { LockProject } from "../support/lock-project.ts";
import type { Result } from "../support/process.ts";

const NATIVE = "cp314-cp314-manylinux_2_17_x86_64";

let project: LockProject;
let clean: ReadonlyMap<string, string>;

/** What every test starts from: packages for each layer, locked and committed. */
before(async () => {
  project = await LockProject.create();
  const { index } = project;
  index.wheel({ name: "base", version: "1.0" });
  index.wheel({ name: "shared", version: "1.0" });
  index.wheel({ name: "shared", version: "2.0" });
  index.wheel({ name: "tensor", version: "1.0", tags: NATIVE, requires: ["base", "helper; python_version >= '3'"] });
  index.wheel({ name: "tensor", version: "1.0", tags: "cp313-cp313-manylinux_2_17_x86_64" });
  index.wheel({ name: "tensor", version: "1.0", tags: "cp314-cp314-manylinux_2_34_x86_64" });
  index.wheel({ name: "helper", version: "1.0" });
  index.wheel({ name: "model", version: "1.0", requires: ["tensor>=1", "shared<2"], extras: { fast: ["speedup"] } });
  index.wheel({ name: "speedup", version: "1.0" });
  index.wheel({ name: "kernel", version: "1.0", tags: NATIVE, requires: ["tensor", "shared"] });
  index.wheel({ name: "unstated", version: "1.0" }, { stated: false });
  index.source("legacy", "1.0");
  project.require({
    layers: { "layer1-python": ["base"], "layer3-pytorch": ["tensor"], "layer4-deps": ["legacy", "model"], "layer5-perf": ["kernel"] },
    fromSource: { legacy: { requires: ["base"] } },
  });
  assertDone(await project.lock());
  await project.commit();
  clean = project.locks();
  index.keep();
});
after(() => project[Symbol.asyncDispose]());
beforeEach(async () => {
  project.index.restore();
  await project.git("checkout", "--quiet", "--", "layers");
});

function assertDone(result: Result): void {
  assert.equal(result.code, 0, result.stderr);
}

/** The run failed with exactly these codes, says so with a cure, and every lock is as it was. */
function assertFault(result: Result, codes: readonly string[], says: readonly string[], locks: ReadonlyMap<string, string> = clean): void {
  assert.deepEqual([result.code, result.stdout], [1, ""], result.stderr);
  assert.deepEqual([...result.stderr.matchAll(/^error\[([A-Z_]+)\]/gm)].map(([, code]) => code), codes, result.stderr);
  assert.equal([...result.stderr.matchAll(/^ {2}fix: {6}\S/gm)].length, codes.length, result.stderr);
  for (const words of says) assert.ok(result.stderr.includes(words), `${words} is not in:\n${result.stderr}`);
  assert.deepEqual(project.locks(), locks, "the locks are as they were");
}

const entries = (layer: string): { [key: string]: unknown }[] => (JSON.parse(readFileSync(join(project.root, project.path(layer)), "utf8")) as { files: { [key: string]: unknown }[] }).files;

describe("locking", () => {
  test("each distribution is in the one layer that all in need of it have: what two siblings need is hoisted below both", () => {
    assert.deepEqual(project.locked(), {
      "layer1-python": ["base 1.0"],
      "layer3-pytorch": ["helper 1.0", "shared 1.0", "tensor 1.0"],
      "layer4-deps": ["legacy 1.0", "model 1.0"],
      "layer5-perf": ["kernel 1.0"],
      "layer6-app": [],
    });
  });

  test("hashes and sizes are those that the index states, nothing is downloaded for them; of several wheels the one that fits is taken", () => {
    const file = `tensor-1.0-${NATIVE}.whl`;
    const tensor = entries("layer3-pytorch").find(({ name }) => name === "tensor");
    assert.deepEqual(tensor, { index: "pypi", name: "tensor", version: "1.0", file, hash: project.index.sri(file), size: project.index.size(file), system: "x86_64-linux" });
    assert.deepEqual(project.index.requests.filter((url) => url.startsWith("/files/") && !url.endsWith(".metadata")), []);
  });

  test("a second run asks, and changes nothing", async () => {
    const result = await project.lock();
    assertDone(result);
    assert.match(result.stdout, /Nothing to do/);
    assert.deepEqual(project.locks(), clean);
  });

  test("a newer version at the index does not move what is locked", async () => {
    project.index.wheel({ name: "base", version: "1.1" });
    assertDone(await project.lock());
    assert.deepEqual(project.locks(), clean);
  });

  test("where the index states no hash, the file is downloaded and hashed; later runs keep the hash without a download", async () => {
    const { index } = project;
    const first = await project.lock(["add", "unstated"]);
    assertDone(first);
    assert.match(first.stderr, /unstated-1\.0-py3-none-any\.whl: no hash at the index, downloading/);
    const [file] = entries("layer4-deps").filter(({ name }) => name === "unstated");
    assert.deepEqual([file?.["hash"], file?.["size"]], ["unstated-1.0-py3-none-any.whl"].flatMap((name) => [index.sri(name), index.size(name)]));
    const again = await project.lock();
    assertDone(again);
    assert.ok(!again.stderr.includes("downloading"), again.stderr);
    assert.match(again.stdout, /Nothing to do/);
  });

  test("the index is pip's where uv has none; its login goes along, and nowhere else", async () => {
    const { index } = project;
    index.login = "user:pa ss";
    const url = index.url.replace("://", "://user:pa%20ss@");
    const result = await project.lock(["add", "unstated"], { env: { UV_DEFAULT_INDEX: "", PIP_INDEX_URL: url } });
    assertDone(result);
    assert.ok(![result.stdout, result.stderr, ...project.locks().values()].some((text) => text.includes("127.0.0.1") || text.includes("ss@")), "neither host nor login is written");
    const refused = await project.lock([], { env: { UV_DEFAULT_INDEX: index.url } });
    assert.match(refused.stderr, /^error\[LOCK_INDEX\].*\n {2}found: {4}HTTP 401/m);
  });

  test("what a killed run left half written is swept away", async () => {
    const leftover = join(project.root, `${project.path("layer4-deps")}.new`);
    writeFileSync(leftover, "{");
    assertDone(await project.lock());
    assert.deepEqual(project.locks(), clean);
  });

  test("LOCK_INDEX: a download that breaks off", async () => {
    project.index.mood = "cut off";
    assertFault(await project.lock(["add", "unstated"]), ["LOCK_INDEX"], ["/files/unstated-1.0-py3-none-any.whl"]);
    assert.deepEqual(project.requirements().layers["layer4-deps"], ["legacy", "model"]);
  });

  test("LOCK_NO_FILE: a distribution built from source that has no source", async () => {
    project.require({ layers: { "layer4-deps": ["model"] }, fromSource: { model: { requires: [] } } });
    const result = await project.lock();
    assertFault(result, ["LOCK_UNSOLVABLE"], ["model"]);
  });

  test("LOCK_UNSOLVABLE: requirements that contradict each other, in uv's words", async () => {
    project.require({ layers: { "layer4-deps": ["model"] }, bounds: ["shared>=2"] });
    assertFault(await project.lock(), ["LOCK_UNSOLVABLE"], ["no set of versions fits all requirements on x86_64-linux", "model", "shared"]);
  });

  test("LOCK_NO_PLACE: two layers need it and no layer with a lock is below both", async () => {
    const layers = join(project.root, "layers/layers.json");
    const graph = JSON.parse(readFileSync(layers, "utf8")) as { layers: { attr: string; on: string[] }[] };
    for (const layer of graph.layers) if (layer.attr === "layer5-perf") layer.on = ["layer0-base"];
    writeFileSync(layers, JSON.stringify(graph));
    assertFault(await project.lock(), ["LOCK_NO_PLACE", "LOCK_NO_PLACE", "LOCK_NO_PLACE", "LOCK_NO_PLACE"], ["tensor is needed by layers", "layer3-pytorch and layer4-deps and layer5-perf"]);
  });
});

describe("several systems, and files that no index has", () => {
  const systems = { "x86_64-linux": "manylinux_2_28", "aarch64-linux": "manylinux_2_28" };
  const address = "https://example.org/compiled-1.0+cu130-cp314-cp314-manylinux_2_28_x86_64.whl";
  const outside = { name: "compiled", version: "1.0+cu130", url: address, file: "compiled-1.0+cu130-cp314-cp314-manylinux_2_28_x86_64.whl", hash: `sha256-${"C".repeat(43)}=`, system: "x86_64-linux" as const };
  const offer = () => {
    project.index.wheel({ name: "tensor", version: "1.0", tags: "cp314-cp314-manylinux_2_28_aarch64", requires: ["base", "helper"] });
    project.index.wheel({ name: "compiled", version: "1.0", tags: "cp314-cp314-manylinux_2_28_aarch64", requires: ["base"] });
  };

  test("a native wheel is one entry for each system, a pure one serves all; a URL's file is locked unseen, with what it is said to need", async () => {
    offer();
    project.require({ systems, layers: { "layer3-pytorch": ["tensor"], "layer4-deps": ["compiled"] }, files: [{ ...outside, requires: ["speedup", "base"] }] });
    assertDone(await project.lock());
    assert.deepEqual(entries("layer3-pytorch").map(({ name, system }) => `${String(name)} ${String(system)}`), ["base undefined", "helper undefined", "tensor aarch64-linux", "tensor x86_64-linux"]);
    const [onArm, compiled, speedup] = entries("layer4-deps");
    assert.deepEqual([onArm?.["version"], onArm?.["system"]], ["1.0", "aarch64-linux"]);
    assert.deepEqual(compiled, outside);
    // Pure, but only one system's compiled needs it.
    assert.deepEqual([speedup?.["name"], speedup?.["system"]], ["speedup", "x86_64-linux"]);
    assertDone(await project.lock(["--check"]));
    project.require({ ...project.requirements(), layers: { "layer3-pytorch": ["tensor"], "layer4-deps": ["compiled>=1.1"] } });
    assertFault(await project.lock(["--check"]), ["LOCK_STALE", "LOCK_STALE"], ["found:    compiled 1.0+cu130", "expected: compiled>=1.1"], project.locks());
    assertFault(await project.lock(), ["LOCK_UNSOLVABLE"], ["compiled>=1.1"], project.locks());
  });

  test("what has no wheel on a system fails there, until a rule leaves it out, with its reason", async () => {
    offer();
    project.require({ systems, layers: { "layer3-pytorch": ["tensor"], "layer5-perf": ["kernel"] } });
    assertFault(await project.lock(), ["LOCK_UNSOLVABLE"], ["on aarch64-linux", "kernel"]);
    project.require({ ...project.requirements(), leaveOut: [{ name: "kernel", system: "aarch64-linux", reason: "has no wheel there" }] });
    assertDone(await project.lock());
    assert.deepEqual(entries("layer5-perf").map(({ name, system }) => `${String(name)} ${String(system)}`), ["kernel x86_64-linux", "shared x86_64-linux"]);
  });
});

describe("add", () => {
  test("a package goes to layer4-deps: one line more in the requirements, in the lock those that come along; nothing else", async () => {
    const result = await project.lock(["add", "Model[fast]>=1"]);
    assertDone(result);
    assert.deepEqual(project.requirements().layers["layer4-deps"], ["legacy", "Model[fast]>=1"]);
    assert.equal((await project.git("diff", "--numstat")).trim().split("\n").length, 2);
    assert.deepEqual(project.locked()["layer4-deps"], ["legacy 1.0", "model 1.0", "speedup 1.0"]);
    assert.match(result.stdout, /^speedup +- +1\.0 +layer4-deps$/m);
    assert.match(result.stdout, /^Rebuilt by the next `pulumi up`: layer2-wheels, layer4-deps, layer6-app$/m);
  });

  test("the layer can be named", async () => {
    assertDone(await project.lock(["add", "speedup", "--layer", "layer1-python"]));
    assert.deepEqual(project.locked()["layer1-python"], ["base 1.0", "speedup 1.0"]);
  });

  test("LOCK_UNKNOWN_NAME, LOCK_LAYER_UNKNOWN, LOCK_REQUIRED_TWICE: refused, and the requirements are as they were", async () => {
    assertFault(await project.lock(["add", "no-such-thing"]), ["LOCK_UNKNOWN_NAME"], ["found:    no-such-thing"]);
    assertFault(await project.lock(["add", "speedup", "--layer", "layer9"]), ["LOCK_LAYER_UNKNOWN"], ["found:    layer9", "layer1-python, layer3-pytorch, layer4-deps, layer5-perf, layer6-app"]);
    assertFault(await project.lock(["add", "kernel"]), ["LOCK_REQUIRED_TWICE"], ["layer5-perf requires kernel already", "fix:      npm run lock -- add 'kernel' --layer layer5-perf"]);
    assert.equal(await project.git("status", "--porcelain", "layers"), "");
  });
});

describe("update", () => {
  test("one package of layer 5: only its lock changes, and layers 2, 5 and 6 have a new fingerprint, no other", async () => {
    project.index.wheel({ name: "kernel", version: "1.1", tags: NATIVE, requires: ["tensor", "shared"] });
    project.index.wheel({ name: "tensor", version: "1.1", tags: NATIVE, requires: ["base", "helper"] });
    const fingerprints = () => {
      const graph = graphOfFlavor(readLayerGraph(join(project.root, "layers")), "sample", join(project.root, "layers"));
      return fingerprintLayers(graph, readLayerInputs(graph, "sample", join(project.root, "layers")), { flavor: "sample", system: "x86_64-linux", compression: "zstd" });
    };
    const old = fingerprints();
    const result = await project.lock(["update", "kernel"]);
    assertDone(result);
    assert.equal(await project.git("diff", "--name-only"), `${project.path("layer5-perf")}\n`);
    assert.match(result.stdout, /^NAME +OLD +NEW +LAYER\nkernel +1\.0 +1\.1 +layer5-perf\n/);
    const changed = [...fingerprints()].filter(([layer, fingerprint]) => old.get(layer) !== fingerprint).map(([layer]) => layer);
    assert.deepEqual(changed, ["layer2-wheels", "layer5-perf", "layer6-app"]);
    assert.match(result.stdout, new RegExp(`^Rebuilt by the next \`pulumi up\`: ${changed.join(", ")}$`, "m"));
  });

  test("without names: everything, within the bounds", async () => {
    project.index.wheel({ name: "base", version: "1.1" });
    project.index.wheel({ name: "helper", version: "3.0" });
    project.require({ ...project.requirements(), bounds: ["base<1.1"] });
    const result = await project.lock(["update"]);
    assertDone(result);
    assert.deepEqual(project.locked()["layer1-python"], ["base 1.0"]);
    assert.deepEqual(project.locked()["layer3-pytorch"], ["helper 3.0", "shared 1.0", "tensor 1.0"]);
  });

  test("LOCK_UNKNOWN_NAME: a name that is not locked", async () => {
    assertFault(await project.lock(["update", "base", "nothing"]), ["LOCK_UNKNOWN_NAME"], ["flavor sample locks no distribution of this name", "found:    nothing"]);
  });
});

describe("what goes wrong", () => {
  test("LOCK_INDEX: an index that is down, busy, or of another kind", async () => {
    const { index } = project;
    const down = await project.lock([], { env: { UV_DEFAULT_INDEX: "http://user:secret@127.0.0.1:1/simple" } });
    assertFault(down, new Array(5).fill("LOCK_INDEX") as string[], ["http://127.0.0.1:1/simple/base/: the index cannot be asked"]);
    assert.ok(!down.stderr.includes("secret"), "a password is not shown");
    index.mood = "busy";
    assertFault(await project.lock(), new Array(5).fill("LOCK_INDEX") as string[], ["HTTP 503"]);
    index.mood = "html";
    assertFault(await project.lock(), new Array(5).fill("LOCK_INDEX") as string[], ["does not speak JSON", "found:    text/html"]);
  });

  test("LOCK_HASH: the index states another hash than the one locked", async () => {
    const file = project.index.wheel({ name: "base", version: "0.9" });
    project.require({ ...project.requirements(), bounds: ["base<1"] });
    assertDone(await project.lock());
    await project.commit();
    const locks = project.locks();
    project.index.lie(file);
    const lied = `sha256-${"A".repeat(43)}=`;
    assertFault(await project.lock(), ["LOCK_HASH"], ["another hash for base-0.9-py3-none-any.whl", `found:    ${lied}`, `expected: ${project.index.sri(file)}`], locks);
    assertFault(await project.lock(["--check"]), ["LOCK_HASH"], [`${project.path("layer1-python")}: files[0] (base)`], locks);
    await project.git("reset", "--quiet", "--hard", "HEAD~1");
  });

  test("LOCK_YANKED: a locked file that was taken back; update takes another", async () => {
    project.index.wheel({ name: "helper", version: "0.9" });
    project.index.yank("helper-1.0-py3-none-any.whl", "broken on Mondays");
    assertFault(await project.lock(["--check"]), ["LOCK_YANKED"], ["helper 1.0 was taken back by its maintainers (yanked): broken on Mondays", "fix:      npm run lock -- update helper"]);
    assertDone(await project.lock(["update", "helper"]));
    assert.ok(project.locked()["layer3-pytorch"]?.includes("helper 0.9"));
  });

  test("LOCK_BROKEN: a lock that was cut off while it was written; the error names the command that restores it", async () => {
    project.edit("layer4-deps", (text) => text.slice(0, 100));
    const locks = project.locks();
    for (const args of [[], ["--check"], ["update"], ["add", "speedup"]]) {
      assertFault(await project.lock(args), ["LOCK_BROKEN"], ["not whole JSON", `fix:      git restore ${project.path("layer4-deps")}`], locks);
    }
  });

  test("LOCK_WRITE: a full disk leaves every lock and the requirements as they were, and no file more", async () => {
    project.index.wheel({ name: "bulk", version: "1.0", requires: Array.from({ length: 40 }, (_, at) => `part-${at}`) });
    for (let at = 0; at < 40; at++) project.index.wheel({ name: `part-${at}`, version: "1.0" });
    const folder = join(project.root, "layers/locks/sample");
    // A disk of five blocks, four of them taken by the locks: one that really says ENOSPC.
    const full = `cp -a "$1" "$1.kept"; mount -t tmpfs -o size=20k tmpfs "$1"; cp -a "$1.kept/." "$1/"; rm -rf "$1.kept"; shift; code=0; "$@" || code=$?; ls -A "${folder}" >&2; cat "${folder}"/* | sha256sum >&2; exit "$code"`;
    const sums = (await project.lock(["--help"], { within: ["unshare", "--mount", "bash", "-euc", `cat "${folder}"/* | sha256sum >&2; exec "$@"`, "sums"] })).stderr;
    const result = await project.lock(["add", "bulk"], { within: ["unshare", "--mount", "bash", "-euc", full, "full", folder] });
    assertFault(result, ["LOCK_WRITE"], ["ENOSPC", "every old one is as it was"]);
    assert.ok(result.stderr.endsWith(`${readdirSync(folder).sort().join("\n")}\n${sums}`), result.stderr);
    assert.deepEqual(project.requirements().layers["layer4-deps"], ["legacy", "model"]);
  });

  test("LOCK_UV: without uv there is a clear word", async () => {
    assertFault(await project.lock([], { env: { PATH: "/nowhere" } }), ["LOCK_UV"], ["uv does not start"]);
  });

  test("LOCK_USAGE and LOCK_FLAVOR_UNKNOWN: what cannot be meant", async () => {
    assertFault(await project.lock(["upgrade"]), ["LOCK_USAGE"], ["found:    upgrade"]);
    assertFault(await project.lock(["--flavor", "none"]), ["LOCK_FLAVOR_UNKNOWN"], ["expected: sample, pypi"]);
  });
});

describe("--check", () => {
  test("right locks are right, and nothing is written", async () => {
    const result = await project.lock(["--check"]);
    assertDone(result);
    assert.match(result.stdout, /^The locks of sample are right: 7 files/);
    assert.deepEqual(project.locks(), clean);
  });

  test("LOCK_STALE: a requirement that came, one that went, and a bound that moved", async () => {
    const { layers, ...rest } = project.requirements();
    project.require({ ...rest, layers: { ...layers, "layer4-deps": ["legacy", "model>=1.1", "speedup"] } });
    assertFault(await project.lock(["--check"]), ["LOCK_STALE", "LOCK_STALE"], ["found:    model 1.0", "expected: model>=1.1", "speedup is not locked for x86_64-linux"]);
    project.require({ ...rest, layers: { ...layers, "layer5-perf": [] } });
    assertFault(await project.lock(["--check"]), ["LOCK_STALE", "LOCK_STALE"], [`${project.path("layer5-perf")}: kernel`, "expected: nothing", "found:    1.0 in layer3-pytorch", "expected: 1.0 in layer4-deps"]);
  });

  test("every kind of fault in one run: parts of an entry, another address, tags, names, twice, out of bounds, gone from the index", async () => {
    const hash = (layer: string, name: string) => String(entries(layer).find((entry) => entry["name"] === name)?.["hash"]);
    const other = `sha256-${"B".repeat(43)}=`;
    project.edit("layer1-python", (text) => text.replace(hash("layer1-python", "base"), other));
    project.edit("layer3-pytorch", (text) => text.replace(`tensor-1.0-${NATIVE}`, "tensor-1.0-cp313-cp313-manylinux_2_17_x86_64"));
    project.edit("layer4-deps", (text) => text.replace("model-1.0-py3", "model-1.1-py3").replace("{\"index\": \"pypi\", \"name\": \"legacy\"", `${JSON.stringify(entries("layer1-python")[0])},\n    {"index": "pypi", "name": "legacy"`));
    const edited = project.locks();
    assertFault(
      await project.lock(["--check"]),
      ["LOCK_TAGS", "LOCK_FILE_NAME", "LOCK_TWICE", ...new Array<string>(4).fill("LOCK_ADDRESS"), ...new Array<string>(4).fill("LOCK_HASH"), "LOCK_NO_FILE"],
      ["the hash changed and the address stayed", "the address changed and the hash stayed", "base is locked more than once", "the wheel does not fit x86_64-linux", "the index has no such file", "another size for tensor"],
      edited,
    );
  });

  test("LOCK_ENTRY: a hash without a version, and the reverse, beside what else is wrong", async () => {
    project.edit("layer1-python", (text) => text.replace('"version": "1.0", ', ""));
    project.edit("layer5-perf", (text) => text.replace(/"hash": "[^"]+", /, ""));
    project.edit("layer4-deps", (text) => text.replace("model-1.0-py3", "model-1.1-py3"));
    assertFault(await project.lock(["--check"]), ["LOCK_ENTRY", "LOCK_ENTRY", "LOCK_FILE_NAME", "LOCK_ADDRESS", "LOCK_NO_FILE"], ["files[0].version (base)", "files[0].hash (kernel)"], project.locks());
  });
});
