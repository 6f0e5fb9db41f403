/** What the program declares for a stack with machines of its own: names, order, what each is keyed by, and what is a secret. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Registered } from "../support/mocked-program.ts";
import { declaredBy } from "../support/remote-program.ts";
import { privateKey } from "../support/in-process-ssh.ts";
import { newSigningKey, publicKeyOf } from "../../infra/config/signing-key.ts";
import { publicLineOf } from "../../infra/ssh/host-key.ts";
import { remoteConfig, secrets } from "../support/ssh-config.ts";

type Resources = ReadonlyMap<string, Registered>;
const find = (all: Resources, name: string): Registered => all.get(name) ?? assert.fail(`no ${name} among ${[...all.keys()].join(" ")}`);
const LAYERS = ["layer0-base", "layer1-python", "layer2-wheels", "layer3-pytorch", "layer4-deps", "layer5-perf", "layer6-app"].map((attr) => `comfyui-${attr}`);

/** Everything that is certainly there before the resource: what it depends on, and so on. */
function before(all: Resources, name: string, seen = new Set<string>()): Set<string> {
  for (const each of find(all, name).dependsOn) {
    if (!seen.has(each)) before(all, each, seen.add(each));
  }
  return seen;
}

/** All inputs as a text, without what is in a secret: what a state's file shows. */
function shownInputs({ inputs }: Registered): string {
  return JSON.stringify(inputs, (_key, value: unknown) => (value !== null && typeof value === "object" && "secret" in value ? "a secret" : value));
}

function revealed(value: unknown): unknown {
  assert.ok(value !== null && typeof value === "object" && "secret" in value, "it is a secret");
  return value.secret;
}

const remote = await declaredBy(remoteConfig);

test("a stack with machines of its own has these resources, and children are named after their component", () => {
  const components = ["comfyui-build-host", "comfyui-binary-cache", "comfyui-builder"];
  const children = ["comfyui-build-host-bootstrap", "comfyui-build-host-ready", "comfyui-build-host-upload", "comfyui-build-host-sources", "comfyui-binary-cache-bootstrap", "comfyui-builder-1-bootstrap", "comfyui-builder-2-bootstrap"];
  const names = [...remote.keys()].filter((name) => name !== "comfyui-dev");
  assert.deepEqual(names.sort(), ["comfyui", "comfyui-publish", "comfyui-publish-image", "comfyui-host", "comfyui-cache", ...LAYERS, ...components, ...children].sort());
  for (const name of children) {
    const { parent } = find(remote, name);
    assert.ok(components.includes(parent ?? "") && name.startsWith(`${parent}-`), `${name} is a child of ${parent}`);
  }
});

test("a local stack has none of them", async () => {
  const local = [...(await declaredBy({})).keys()];
  assert.deepEqual(local.filter((name) => /build-host|binary-cache|builder/.test(name)), []);
});

test("a further system's layers are a component of their own, named after it, and wait for their own layers alone", async () => {
  const two = await declaredBy({ ...remoteConfig, flavor: { kind: "cu130" }, systems: ["x86_64-linux", "aarch64-linux"] });
  const one = await declaredBy({ ...remoteConfig, flavor: { kind: "cu130" } });
  const further = ["comfyui-aarch64", ...LAYERS.map((name) => name.replace("comfyui", "comfyui-aarch64"))];
  assert.deepEqual([...two.keys()].filter((name) => !one.has(name)).sort(), further.sort());
  for (const name of LAYERS) assert.equal(find(two, name).inputs["stdin"], find(one, name).inputs["stdin"], name);
  assert.equal(find(two, "comfyui-aarch64-layer0-base").parent, "comfyui-aarch64");
  const waited = before(two, "comfyui-aarch64-layer6-app");
  assert.ok(waited.has("comfyui-aarch64-layer0-base") && waited.has("comfyui-builder-1-bootstrap"));
  assert.deepEqual(LAYERS.filter((name) => waited.has(name)), []);
  assert.ok([...LAYERS, "comfyui-aarch64-layer6-app"].filter((name) => !name.endsWith("wheels")).every((name) => before(two, "comfyui-publish-image").has(name)));
});

test("each waits for what it needs: the host, its sources, the cache's key, the machines, the layers below", () => {
  const chain = ["comfyui-build-host-bootstrap", "comfyui-build-host-ready", "comfyui-build-host-upload", "comfyui-build-host-sources", "comfyui-host", "comfyui-cache", "comfyui-binary-cache-bootstrap", "comfyui-layer0-base", "comfyui-layer6-app", "comfyui-publish-image"];
  for (let at = 1; at < chain.length; at++) assert.ok(before(remote, chain[at] as string).has(chain[at - 1] as string), `${chain[at]} waits for ${chain[at - 1]}`);
  for (const layer of LAYERS) {
    for (const machine of ["comfyui-builder-1-bootstrap", "comfyui-builder-2-bootstrap", "comfyui-binary-cache-bootstrap"]) assert.ok(before(remote, layer).has(machine), `${layer} waits for ${machine}`);
  }
});

test("each resource of a machine looks for the machine first", () => {
  for (const { name, type, hooks } of remote.values()) {
    if (type.startsWith("command:")) assert.equal(hooks.length, 1, `${name} has one look`);
  }
  assert.deepEqual(find(remote, "comfyui-build-host-ready").hooks, ["comfyui-build-host-probe"]);
  assert.deepEqual(find(remote, "comfyui-build-host-upload").hooks, ["comfyui-build-host-folder-probe"]);
  assert.deepEqual(find(remote, "comfyui-layer6-app").hooks, ["comfyui-build-host-sources-probe"]);
  assert.deepEqual(find(remote, "comfyui-builder-2-bootstrap").hooks, ["comfyui-builder-2-bootstrap-probe"]);
});

test("who logs in where, and through what", () => {
  const connection = (name: string) => revealed(find(remote, name).inputs["connection"]) as Record<string, unknown>;
  const parts = (name: string) => [connection(name)["user"], connection(name)["host"], connection(name)["privateKey"]];
  assert.deepEqual(parts("comfyui-build-host-bootstrap"), ["root", "build.example", secrets.build]);
  assert.deepEqual(parts("comfyui-layer6-app"), ["comfyui", "build.example", secrets.build]);
  assert.deepEqual(parts("comfyui-binary-cache-bootstrap"), ["root", "cache.example", secrets.cache]);
  assert.deepEqual(parts("comfyui-builder-2-bootstrap"), ["debian", "b2.example", secrets.builder]);
  const { host, port, user } = connection("comfyui-layer6-app")["proxy"] as Record<string, unknown>;
  assert.deepEqual([host, port, user], ["jump.example", 2222, "gate"]);
  assert.match(String(find(remote, "comfyui-builder-2-bootstrap").inputs["create"]), /^exec sudo -n bash -s$/);
});

test("no secret is in clear in what the state would hold", () => {
  const all = [secrets.build, secrets.cache, secrets.builder, secrets.jump, secrets.signing, secrets.password];
  const parts = all.flatMap((secret) => secret.split("\n").filter((line) => line.length > 10 && !line.startsWith("---")));
  for (const resource of remote.values()) {
    const text = shownInputs(resource);
    assert.deepEqual(parts.filter((part) => text.includes(part)), [], resource.name);
  }
  // They do get where they are needed.
  assert.ok(String(revealed(find(remote, "comfyui-cache").inputs["stdin"])).includes(secrets.signing));
  assert.ok(String(revealed(find(remote, "comfyui-build-host-bootstrap").inputs["stdin"])).includes(secrets.password));
  assert.equal(find(remote, "comfyui-cache").inputs["logging"], "none");
});

test("the machines get each other's keys as the build host made them", () => {
  const text = (name: string) => String(revealed(find(remote, name).inputs["stdin"]));
  assert.ok(text("comfyui-binary-cache-bootstrap").includes("ssh-ed25519 PUSH"));
  assert.ok(text("comfyui-builder-1-bootstrap").includes("ssh-ed25519 BUILDER"));
  assert.ok(!text("comfyui-binary-cache-bootstrap").includes(secrets.signing.slice(10)), "the cache host has no signing key");
});

/** The names of the resources whose inputs differ, by the inputs that do. */
function changes(one: Resources, other: Resources): Record<string, string[]> {
  const changed = [...one.values()].map(({ name, inputs }) => {
    const others = find(other, name).inputs;
    return [name, Object.keys({ ...inputs, ...others }).filter((key) => JSON.stringify(inputs[key]) !== JSON.stringify(others[key]))] as const;
  });
  return Object.fromEntries(changed.filter(([, keys]) => keys.length > 0));
}

test("another address or key of the build host changes no request: the same commands run again over the new connection", async () => {
  const moved = { ...remoteConfig.buildHost, host: "other.example", hostKey: publicLineOf(privateKey()) };
  const changed = changes(remote, await declaredBy({ ...remoteConfig, buildHost: moved }));
  assert.deepEqual(changed["comfyui-build-host-upload"], ["connection", "triggers"], "the new host gets the sources again");
  for (const name of ["comfyui-build-host-bootstrap", "comfyui-host", "comfyui-cache", ...LAYERS, "comfyui-publish-image"]) assert.deepEqual(changed[name], ["connection"], name);
  assert.ok(!("comfyui-binary-cache-bootstrap" in changed) && !("comfyui-builder-1-bootstrap" in changed));
});

test("another address of the cache host re-runs no layer", async () => {
  const moved = { ...remoteConfig.binaryCache, host: { ...remoteConfig.binaryCache.host, host: "other.example" } };
  const changed = changes(remote, await declaredBy({ ...remoteConfig, binaryCache: moved }));
  assert.deepEqual(Object.keys(changed).sort(), ["comfyui-binary-cache-bootstrap", "comfyui-build-host-bootstrap", "comfyui-builder-1-bootstrap", "comfyui-builder-2-bootstrap", "comfyui-cache"]);
});

test("another password and a further trusted key re-run no layer; another signing key re-runs them all", async () => {
  const cacheWith = async (more: object) => changes(remote, await declaredBy({ ...remoteConfig, binaryCache: { ...remoteConfig.binaryCache, ...more } }));
  const read = await cacheWith({ auth: { user: "reader", password: "another-password" }, trusted: [`old-1:${"A".repeat(43)}=`] });
  assert.deepEqual(LAYERS.filter((name) => name in read), []);
  assert.ok("comfyui-cache" in read && "comfyui-binary-cache-bootstrap" in read);
  const rotated = await cacheWith({ signingKey: newSigningKey("test-2"), trusted: [publicKeyOf(secrets.signing)] });
  assert.deepEqual(LAYERS.filter((name) => !rotated[name]?.includes("stdin")), []);
});

test("another builder re-runs no layer", async () => {
  const fewer = { ...remoteConfig.builders, hosts: remoteConfig.builders.hosts.slice(0, 1) };
  const changed = changes(await declaredBy({ ...remoteConfig, builders: fewer }), remote);
  assert.deepEqual(Object.keys(changed).sort(), ["comfyui-build-host-bootstrap", "comfyui-host"]);
});
