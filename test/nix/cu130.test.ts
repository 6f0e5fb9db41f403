/** Flavor cu130, on nixpkgs: the real code and locks, evaluated against a stand-in, since nixpkgs cannot be had here. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { onClosure, parseLayerGraph } from "../../infra/layer-graph.ts";
import { lockedLayers } from "../../infra/lock/assignment.ts";
import { type LockedFile, parseLockFile, type System } from "../../infra/lock/lock-file.ts";
import { parseRequirements } from "../../infra/lock/requirements-file.ts";
import { CHECKOUT } from "../support/checkout.ts";
import { addNodesLock, nodesLock } from "../support/layer-edits.ts";
import { EMPTY_STORE, Sandbox } from "../support/sandbox.ts";
import { knownAttributes, StandIn } from "../support/stand-in.ts";

const SYSTEMS: readonly System[] = ["x86_64-linux", "aarch64-linux"];
const LAYERS = ["layer0-base", "layer1-python", "layer2-wheels", "layer3-pytorch", "layer4-deps", "layer5-perf", "layer6-app"];

const read = (path: string) => readFileSync(join(CHECKOUT, "layers", path), "utf8");
const graph = parseLayerGraph(read("layers.json"));
const requirements = parseRequirements(read("flavors/cu130/requirements.json"), "requirements.json", lockedLayers(graph));
const locks = new Map(LAYERS.filter((layer) => existsSync(join(CHECKOUT, `layers/locks/cu130/${layer}.lock.json`)))
  .map((layer) => [layer, parseLockFile(read(`locks/cu130/${layer}.lock.json`), layer).files] as const));
const entriesOf = (system: System, layers: readonly string[] = LAYERS): LockedFile[] =>
  layers.flatMap((layer) => locks.get(layer) ?? []).filter((entry) => (entry.system ?? system) === system);
const filesOf = (system: System, layers: readonly string[]): string[] => entriesOf(system, layers).map(({ file }) => file).sort();
const allFiles = new Set([...locks.values()].flatMap((files) => files.map(({ file }) => file)));
const packages = (JSON.parse(read("flavors/cu130/layer1-python.json")) as { packages: string[] }).packages;

/** What Nix makes of each layer. */
type Layers = Record<string, { readonly contents: string; readonly site: string | null; readonly parts: string[]; readonly distributions: Record<string, { version: string; locked: boolean }> }>;
const DESCRIBE = `builtins.mapAttrs (_: layer: {
  contents = layer.drvPath;
  parts = map (part: part.drvPath) ((if layer ? blob then [ layer.blob ] else [ ]) ++ (if layer ? checks then [ layer.checks ] else [ ]));
  site = if (layer.ownSite or [ ]) == [ ] then null else (builtins.head layer.ownSite).drvPath;
  distributions = if (layer.ownSite or [ ]) == [ ] then { } else (builtins.head layer.ownSite).distributions;
})`;

let sandbox: Sandbox;
let standIn: StandIn;
const layers = new Map<System, Layers>();
const used = new Set<string>();

before(async () => {
  sandbox = await Sandbox.create({ store: EMPTY_STORE });
  standIn = await StandIn.create(sandbox, "cu130");
  for (const system of SYSTEMS) {
    const evaluated = await standIn.evaluate<Layers>(system, DESCRIBE);
    layers.set(system, evaluated.value);
    for (const name of evaluated.used) used.add(name);
  }
});
after(() => sandbox.stop());

const layerOf = (system: System, attr: string) => (layers.get(system) as Layers)[attr] as Layers[string];

/** A copy in which one file of layers/ is another; undone afterwards. */
async function edited<T>(path: string, change: (text: string) => string, run: () => Promise<T>): Promise<T> {
  const file = join(standIn.copy.folder, path);
  const text = readFileSync(file, "utf8");
  assert.notEqual(change(text), text);
  writeFileSync(file, change(text));
  try {
    return await run();
  } finally {
    writeFileSync(file, text);
  }
}

test("with a pinned node there is an eighth layer, and the others are as they were", async () => {
  addNodesLock(standIn.copy.folder, "cu130");
  try {
    const { "layer7-nodes": nodes, comfyui, ...others } = (await standIn.evaluate<Layers>("x86_64-linux", DESCRIBE)).value;
    const { comfyui: image, ...before } = layers.get("x86_64-linux") as Layers;
    assert.deepEqual(others, before);
    assert.ok(nodes !== undefined && comfyui?.contents !== image?.contents);
    assert.deepEqual(nodes.distributions, { "some-package": { version: "1", locked: true } });
  } finally {
    rmSync(join(standIn.copy.folder, nodesLock("cu130")));
  }
});

for (const system of SYSTEMS) {
  test(`${system}: all seven layers and the image have derivations`, () => {
    assert.deepEqual(Object.keys(layers.get(system) as Layers).sort(), ["comfyui", ...LAYERS]);
    for (const [attr, { contents, parts }] of Object.entries(layers.get(system) as Layers)) {
      for (const path of [contents, ...parts]) assert.match(path, /^\/nix\/store\/[a-z0-9]{32}-.+\.drv$/, attr);
    }
  });

  test(`${system}: a layer reaches the files of its own group and of those below, layer2-wheels all that layers above download`, async () => {
    for (const attr of LAYERS.filter((each) => each !== "layer2-wheels")) {
      const reached = [...(await standIn.reached(layerOf(system, attr).contents))].filter((name) => allFiles.has(name)).sort();
      assert.deepEqual(reached, filesOf(system, onClosure(graph, attr).map((layer) => layer.attr)), attr);
    }
    const wheels = [...(await standIn.reached(layerOf(system, "layer2-wheels").contents))].filter((name) => allFiles.has(name)).sort();
    assert.deepEqual(wheels, filesOf(system, ["layer3-pytorch", "layer4-deps", "layer5-perf"]));
  });

  test(`${system}: CUDA's libraries come from layer3-pytorch's wheels alone; layer0-base has the compiler, and nothing is nixpkgs built for CUDA`, async () => {
    const nvidia = filesOf(system, LAYERS).filter((file) => file.startsWith("nvidia_"));
    assert.equal(nvidia.length, 15);
    for (const attr of LAYERS.filter((each) => layerOf(system, each).site !== null)) {
      const inputs = await standIn.inputs(layerOf(system, attr).site as string);
      assert.deepEqual([...inputs].filter((name) => nvidia.includes(name)).sort(), attr === "layer3-pytorch" ? nvidia : [], attr);
    }
    const names = [...(await standIn.reached(layerOf(system, "comfyui").contents))];
    const cuda = (list: readonly string[]) => list.filter((name) => /cuda|cudnn|cublas|nccl/i.test(name) && !allFiles.has(name)).sort();
    const compiler = ["cuda-toolkit-13.0", "stub-cuda_cccl", "stub-cuda_crt", "stub-cuda_cudart", "stub-cuda_nvcc"];
    assert.deepEqual(cuda(names), compiler);
    const { stdout } = await sandbox.bash(`cat $(nix-store --query --requisites ${layerOf(system, "layer0-base").contents} | grep -e '-cuda-toolkit-13.0.drv')`);
    assert.match(stdout, /"disallowedReferences","[^"]*stub-cuda_cudart-lib/);
  });

  test(`${system}: no distribution is in two layers, and none that is locked is what a lower layer has from nixpkgs`, () => {
    const all = LAYERS.flatMap((attr) => Object.keys(layerOf(system, attr).distributions).map((name) => ({ attr, name })));
    const twice = [...Map.groupBy(all, ({ name }) => name)].filter(([, places]) => places.length > 1);
    assert.deepEqual(twice, []);
    const held = Object.entries(layerOf(system, "layer1-python").distributions).filter(([, { locked }]) => !locked).map(([name]) => name);
    for (const name of packages) assert.ok(held.includes(name), name);
    assert.deepEqual(entriesOf(system).map(({ name }) => name).filter((name) => held.includes(name)), []);
  });
}

test("every attribute of nixpkgs that the layers use is known to exist, and each that is listed is used", async () => {
  const switched = await edited("layers.json", (text) => text.replace('"torch": "wheels"', '"torch": "nixpkgs"'), () => standIn.evaluate<Layers>("x86_64-linux", DESCRIBE));
  const all = new Set([...used, ...switched.used]);
  const known = knownAttributes();
  assert.deepEqual([...all].filter((name) => !known.has(name)), []);
  assert.deepEqual([...known.keys()].filter((name) => !all.has(name)), []);
  for (const [name, seen] of known) assert.match(seen, /^pkgs\/\S+\.nix(, .+| at [0-9a-f]{12,40})$|^used by \S+ at nixpkgs [0-9a-f]{12}|^built in |^not looked up: /, name);
});

test("PyTorch from nixpkgs: no wheel of it and no CUDA wheel, and nothing that layer1-python has already", async () => {
  await edited("layers.json", (text) => text.replace('"torch": "wheels"', '"torch": "nixpkgs"'), async () => {
    for (const system of SYSTEMS) {
      const { value } = await standIn.evaluate<Layers>(system, DESCRIBE);
      const { site, distributions } = value["layer3-pytorch"] as Layers[string];
      assert.deepEqual(Object.keys(distributions).sort(), ["sympy", "torch", "torchaudio", "torchvision"]);
      const inputs = [...(await standIn.inputs(site as string))].filter((name) => name.startsWith("stub-python3-14-"));
      for (const name of ["torch", "torchaudio", "torchvision"]) assert.ok(inputs.includes(`stub-python3-14-${name}-with-cuda`), inputs.join(" "));
      const image = await standIn.reached((value["comfyui"] as Layers[string]).contents);
      const wheels = await standIn.reached((value["layer2-wheels"] as Layers[string]).contents);
      for (const file of filesOf(system, ["layer3-pytorch"])) assert.ok(!image.has(file) && !wheels.has(file), file);
    }
  });
});

test("what nixpkgs has not is an error that names it; nothing else is taken in its place", async () => {
  const cases: readonly [string, (text: string) => string, RegExp][] = [
    ["flavors/cu130/layer0-base.json", (text) => text.replace('"cudaPackages_13_0"', '"cudaPackages_13_9"'), /attribute 'cudaPackages_13_9' missing/],
    ["flavors/cu130/layer0-base.json", (text) => text.replace('"git"', '"gitt"'), /attribute 'gitt' missing/],
    ["flavors/cu130/layer1-python.json", (text) => text.replace('"numpy"', '"numpyy"'), /attribute 'numpyy' missing/],
    ["layers.json", (text) => text.replace('"torch": "wheels"', '"torch": "wheel"'), /attribute 'wheel' missing/],
    ["package-sets/nixpkgs/default.nix", (text) => text.replace("overlays = [ ]", "overlays = [ (_: _: { }) ]"), /nixpkgs is changed as a whole/],
    ["package-sets/nixpkgs/default.nix", (text) => text.replace(/config = .*? \/\/ more/, "config = { allowUnfreePredicate = _: false; } // more"), /stub-cuda_\S+ is not free/],
  ];
  for (const [path, change, error] of cases) {
    const { code, stderr } = await edited(path, change, () => standIn.tryEvaluate("x86_64-linux", DESCRIBE));
    assert.notEqual(code, 0, path);
    assert.match(stderr, error);
  }
});

test("aarch64-linux does without what has no wheel for it: by a rule with a reason each, and nothing else differs", () => {
  const names = (system: System) => new Set(entriesOf(system).map(({ name }) => name));
  const [x86, arm] = [names("x86_64-linux"), names("aarch64-linux")];
  assert.deepEqual([...x86].filter((name) => !arm.has(name)).sort(), requirements.leaveOut.map(({ name }) => name).sort());
  assert.ok(requirements.leaveOut.every(({ system, reason }) => system === "aarch64-linux" && reason.length > 10));
  assert.deepEqual([...arm].filter((name) => !x86.has(name)), ["onnxruntime"]);
  const versions = (name: string) => SYSTEMS.map((system) => entriesOf(system).find((entry) => entry.name === name)?.version);
  assert.deepEqual(versions("sageattention"), ["2.2.0+cu130torch2.10.0", "1.0.6"]);
  assert.deepEqual(versions("torch"), ["2.10.0+cu130", "2.10.0+cu130"]);
});

test("no branch names, no placeholder hashes: every source is a commit, every file has a hash of its own", () => {
  const entries = [...locks.values()].flat();
  for (const entry of entries) if ("git" in entry) assert.match(entry.rev, /^[0-9a-f]{40}$/);
  const byHash = Map.groupBy(entries, ({ hash }) => hash);
  assert.deepEqual([...byHash.values()].filter((same) => same.length > 1).map((same) => same.map(({ file }) => file)), []);
  assert.ok(entries.length > 180, String(entries.length));
});

for (const system of SYSTEMS) {
  test(`${system}: a container finds the driver, then CUDA's libraries, and what compiles kernels; the Manager is on, since it is installed`, async () => {
    const { value: words } = await standIn.evaluate<string[]>(system, "set: set.comfyui.imageConfig.Env");
    const env = new Map(words.map((word) => [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)]));
    const driver = `/usr/lib64:/usr/lib/${system.replace("-linux", "-linux-gnu")}:/run/opengl-driver/lib`;
    const libraries = "/nix/store/\\S{32}-layer3-pytorch-site/lib/python3.14/site-packages/nvidia";
    assert.match(env.get("LD_LIBRARY_PATH") ?? "", new RegExp(`^${driver}:${libraries}/cu13/lib:${libraries}/cudnn/lib$`));
    assert.deepEqual(["NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES", "COMFYUI_NVIDIA_DRIVER"].map((name) => env.get(name)), ["all", "compute,utility,video", "580"]);
    assert.match(env.get("LIBRARY_PATH") ?? "", /^\/nix\/store\/\S{32}-layer3-pytorch\/lib$/);
    assert.match(env.get("CC") ?? "", /\/bin\/gcc$/);
    assert.match(env.get("NVCC_PREPEND_FLAGS") ?? "", new RegExp(`^-I${env.get("CUDA_HOME")}/include `));
    for (const name of ["FONTCONFIG_FILE", "SSL_CERT_FILE"]) assert.ok(env.get(name), name);
    const { stdout } = await sandbox.bash(`nix-store --query --references ${layerOf(system, "layer6-app").contents} | grep -- -comfyui-runtime.drv | xargs nix derivation show`);
    assert.match(stdout, /--base-directory[^)]*--enable-manager/);
  });
}
