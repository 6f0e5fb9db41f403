/**
 * Builders beside the build host: two machines to which its Nix hands derivations; one of them dies in the
 * middle of a build.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { HostMachine } from "../support/host-machine.ts";
import { HostStack } from "../support/host-stack.ts";
import type { RawGraph } from "../support/layer-edits.ts";
import { outputs } from "../support/outputs.ts";
import { startUp, up } from "../support/pulumi.ts";

let stack: HostStack;
let builders: readonly HostMachine[];

before(async () => {
  stack = await HostStack.start({ server: "harmonia" });
  builders = await Promise.all(["builder-1", "builder-2"].map((name) => stack.machine({ name })));
  const entry = ({ address, hostKey }: HostMachine) => ({ host: address, hostKey, admin: "root", systems: ["x86_64-linux"], maxJobs: 1 });
  const { private: key } = stack.network.adminKey;
  await stack.configure({ builders: { kind: "ssh", hosts: builders.map(entry) } }, { "builders.hosts[0].privateKey": key, "builders.hosts[1].privateKey": key });
});
after(() => stack?.stop());

/** How many derivations each builder was given, by all logs of the stack's layers. */
async function given(): Promise<number[]> {
  const logs = await stack.onBuildHost("cat comfyui/local/.local/host/logs/layer*/*.log");
  return builders.map((_, at) => [...logs.matchAll(new RegExp(`^building '.*' on 'ssh-ng://comfyui-builder-${at}'`, "gm"))].length);
}

test("up sets up build host and builders, and both of these build", async (t) => {
  const { ran, process } = await up(stack.laptop, { timeout: 900_000 });
  for (const at of [1, 2]) assert.ok(ran.includes(`comfyui-builder-${at}-bootstrap`), ran.join(" "));
  const counts = await given();
  t.diagnostic(`the builders built ${counts.join(" and ")} derivations; ${process.seconds.toFixed(0)} s`);
  assert.ok(Math.min(...counts) > 0, counts.join(" and "));
  const { image, layers } = await outputs(stack.laptop);
  assert.equal(await stack.published(image.tag), image.digest);
  assert.ok(Object.values(layers).every(({ cached }) => cached));
});

/** Layer 6 is run once by a builder, for its smoke test: that it takes a while there is the edit. */
function slowSmokeTest(seconds: number): void {
  const file = stack.laptop.host("layers/layers.json");
  const graph = JSON.parse(readFileSync(file, "utf8")) as RawGraph;
  for (const layer of graph.layers) if (layer.attr === "layer6-app") layer.smoke = ["bash", "-c", `sleep ${seconds}`];
  writeFileSync(file, JSON.stringify(graph));
}

test("a builder dies in the middle of a build: the other one takes it over, and up ends well", async () => {
  slowSmokeTest(12.5);
  const started = await startUp(stack.laptop, { allowFailure: true });
  const builds = async (machine: HostMachine) => (await machine.bash("pgrep -f '^sleep 12.5$'", { allowFailure: true })).code === 0;
  let victim: HostMachine | undefined;
  while (victim === undefined && !started.running.ended) {
    for (const builder of builders) if (await builds(builder)) victim = builder;
    await sleep(100);
  }
  assert.ok(victim !== undefined, started.running.output().stdout);
  await victim.stop();
  const update = await started.finish();
  assert.equal(update.process.code, 0, update.process.stdout);
  assert.match(update.process.stdout, /layer6-app: a builder was lost: attempt 2 of 3/);
  const { layers, image } = await outputs(stack.laptop);
  assert.ok((layers["layer6-app"]?.built ?? 0) > 0);
  assert.equal(await stack.published(image.tag), image.digest);
});
