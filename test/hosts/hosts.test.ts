/**
 * Build host and cache as machines of their own, bare at first: Debian 13 with nothing but sshd. They are driven from a machine
 * that was set up without Nix. The tests go on from each other's state.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { newSigningKey, publicKeyOf } from "../../infra/config/signing-key.ts";
import type { Changes } from "../../infra/preview/changes.ts";
import { CHECKOUT, projectEnvironment } from "../support/checkout.ts";
import { HostMachine } from "../support/host-machine.ts";
import { storeName } from "../support/host-scripts.ts";
import { HostStack } from "../support/host-stack.ts";
import { setCheck } from "../support/layer-edits.ts";
import { outputs } from "../support/outputs.ts";
import { destroy, up, type Update } from "../support/pulumi.ts";
import { secretLines, textsOfHost, textsOfLaptop } from "../support/secret-search.ts";

const PASSWORD = "read-the-cache-0815";
const HOSTS = ["comfyui-binary-cache-bootstrap", "comfyui-build-host-bootstrap", "comfyui-build-host-ready", "comfyui-build-host-sources", "comfyui-build-host-upload"];
const EDITED = ["comfyui-build-host-sources", "comfyui-build-host-upload", "comfyui-layer6-app", "comfyui-publish-image"];
const LAYERS = ["layer0-base", "layer1-python", "layer2-wheels", "layer3-pytorch", "layer4-deps", "layer5-perf", "layer6-app"];
const EVERYTHING = [...HOSTS, "comfyui-cache", "comfyui-host", ...LAYERS.map((layer) => `comfyui-${layer}`), "comfyui-publish-image"].sort();

let stack: HostStack;
/** What all runs of pulumi said. */
let said = "";

before(async () => {
  const env = await projectEnvironment(CHECKOUT, "/tmp/comfyui-sandbox/project");
  stack = await HostStack.start({ server: "nix-serve", password: PASSWORD, bare: true, laptop: { tools: "none", env: { ...env, COMFYUI_HOST_PATIENCE: "5" } } });
  await stack.laptop.bash("bash infra/setup.sh --no-nix");
});
after(() => stack?.stop());

async function upAndRecord(options: Parameters<typeof up>[1] = {}): Promise<Update> {
  const update = await up(stack.laptop, { timeout: 900_000, allowFailure: true, ...options });
  said += update.process.stdout + update.process.stderr;
  if (!options.allowFailure) assert.equal(update.process.code, 0, update.process.stdout);
  return update;
}

let edits = 0;
/** Another layer 6. */
async function edit(): Promise<void> {
  setCheck(stack.laptop.host("layers"), "layer6-app", `true ${++edits}`);
  await stack.build.bash("touch /root/edited");
}

/** What was built on the build host since the last edit, by all of the stack's logs. */
async function builtSinceEdit(): Promise<string[]> {
  const { stdout: log } = await stack.build.bash("find /home/comfyui/comfyui/local/.local/host/logs -type f -newer /root/edited -exec cat {} +");
  return [...log.matchAll(/^building '([^']+)\.drv'/gm)].map(([, path = ""]) => storeName(path));
}

test("from two bare machines: one up sets them up, builds, signs, pushes and publishes; the machine that runs pulumi has no Nix", async (t) => {
  await assert.rejects(stack.laptop.run("nix", ["--version"]), /nix.*No such file or directory/);
  await stack.configure();
  const update = await upAndRecord();
  t.diagnostic(`the first up took ${update.process.seconds.toFixed(0)} s`);
  assert.deepEqual(update.ran, EVERYTHING);
  const { layers, image } = await outputs(stack.laptop);
  assert.deepEqual(Object.entries(layers).map(([layer, { cached, built }]) => [layer, cached, built > 0]), LAYERS.map((layer) => [layer, true, true]));
  assert.equal(image.status, "published");
  assert.equal(await stack.published(image.tag), image.digest);

  const again = await upAndRecord();
  assert.deepEqual(again.ran, []);
  t.diagnostic(`a second one, which runs nothing, took ${again.process.seconds.toFixed(0)} s`);
});

test("images are looked at and promoted on the build host, from the machine that runs pulumi", async () => {
  const { image } = await outputs(stack.laptop);
  const ops = async (...args: string[]) => JSON.parse((await stack.laptop.run("node", ["infra/ops.ts", ...args, "--json"])).stdout) as Record<string, unknown>;
  const bom = (await ops("sbom", image.tag)) as { metadata: { component: { version: string } }; components: { purl?: string; hashes?: object[] }[] };
  assert.equal(bom.metadata.component.version, image.digest);
  assert.ok(bom.components.filter(({ purl, hashes }) => /^pkg:(pypi|deb)/.test(purl ?? "") && hashes?.length === 1).length > 50, "packages, each with the hash of its file");
  assert.deepEqual((await ops("promote", "--from", "local", "--to", "local"))["status"], "already there");
  assert.equal(await stack.published("stable"), image.digest);
  assert.equal((await ops("diff", image.tag, "stable"))["same"], true);
});

test("a third machine that trusts the public key alone takes the whole closure, and builds nothing; with another key or without the password, nothing", async () => {
  const { layers, image } = await outputs(stack.laptop);
  const paths = Object.values(layers).map(({ storePath }) => storePath);
  const [imagePath = ""] = (await stack.onBuildHost(`readlink comfyui/local/.local/host/roots/images/${image.tag}`)).trim().split("\n");
  await using reader = await HostMachine.start(stack.network, { name: "reader" });
  await reader.bash("apt-get update -qq && apt-get install -qq -y --no-install-recommends nix-bin ca-certificates >/dev/null");
  const netrc = `machine ${stack.cache.address} login reader password ${PASSWORD}`;
  await reader.bash("umask 077; cat >/root/netrc; mkdir -p /nix/store", { input: netrc });
  const take = (store: string, key: string, file = "/root/netrc") =>
    reader.bash(
      `nix --extra-experimental-features nix-command copy --from 'http://${stack.cache.address}' --to '${store}' --option netrc-file ${file} --option trusted-public-keys '${key}' ${[...paths, imagePath].join(" ")}`,
      { allowFailure: true },
    );
  assert.match((await take("/root/wrong", stack.signing.public, "/dev/null")).stderr, /HTTP error 401/);
  const wrong = await take("/root/wrong", publicKeyOf(newSigningKey("team-1")));
  assert.notEqual(wrong.code, 0);
  assert.match(wrong.stderr, /lacks a signature by a trusted key|lacks a valid signature/);
  assert.equal((await reader.bash("ls /root/wrong/nix/store 2>/dev/null | grep -v -x -e .links || :")).stdout, "");

  const settings = `--option substituters 'http://${stack.cache.address}' --option trusted-public-keys '${stack.signing.public}' --option netrc-file /root/netrc --option require-sigs true --max-jobs 0`;
  const { stderr } = await reader.bash(`nix-store --realise ${settings} ${[...paths, imagePath].join(" ")}`);
  assert.doesNotMatch(stderr, /^building/m);
  const closure = `nix-store --query --requisites ${[...paths, imagePath].join(" ")} | sort`;
  assert.equal((await reader.bash(closure)).stdout, await stack.onBuildHost(closure));
  await reader.bash(`nix --extra-experimental-features nix-command store verify --all --sigs-needed 1 --option trusted-public-keys '${stack.signing.public}'`);
});

test("another way to the build host, through a jump host: everything runs again, and nothing is built", async () => {
  const { address, hostKey } = stack.cache;
  const jump = { host: address, hostKey, user: "root" };
  await stack.configure({ buildHost: { jump } }, { "buildHost.jump.privateKey": stack.network.adminKey.private });
  const { ran } = await upAndRecord();
  assert.deepEqual(ran, EVERYTHING.filter((command) => command !== "comfyui-binary-cache-bootstrap"));
  const { layers, image } = await outputs(stack.laptop);
  assert.ok(Object.values(layers).every(({ reused }) => reused));
  assert.equal(image.status, "already published");
});

test("an edit of layer 6 runs it and the publish, as `ops plan` says, which knows what the hosts answered", async () => {
  await edit();
  const { code, stdout } = await stack.laptop.run("node", ["infra/ops.ts", "plan", "--json"], { allowFailure: true });
  said += stdout;
  const { layers, publish, others } = JSON.parse(stdout) as Changes;
  const names = [...layers, publish].flatMap((each) => (each?.runs ? [each.resource] : []));
  const update = await upAndRecord();
  assert.deepEqual(update.ran, EDITED);
  assert.deepEqual([code, [...names, ...others.map(({ resource }) => resource)].sort()], [2, update.ran]);
  assert.ok(layers.every(({ last }) => last !== null && last.seconds > 0), stdout);
});

/** What an edit of layer 6 builds on a host that had nothing: of that layer alone; all else comes from the cache. */
async function assertLayer6Alone(): Promise<void> {
  const { layers } = await outputs(stack.laptop);
  const built = await builtSinceEdit();
  const below = built.filter((name) => !name.startsWith("layer6-app") && name !== "comfyui-image");
  assert.deepEqual(below, []);
  assert.ok(built.includes("layer6-app"));
  assert.ok((layers["layer6-app"]?.substituted ?? 0) > 0);
}

test("the build host's store is wiped: the next edit of layer 6 builds that layer's derivations alone", async () => {
  await stack.build.stopUnits();
  await stack.build.bash("rm -rf /nix/store /nix/var && systemd-tmpfiles --create nix-daemon.conf && nix-store --init && mkdir -p /nix/var/nix/builds");
  await stack.build.startUnits();
  await edit();
  assert.deepEqual((await upAndRecord()).ran, EDITED);
  await assertLayer6Alone();
});

test("HOST_LOGIN_REFUSED: a bare host with the build host's address and key takes its place; the command that the message names sets it up, and it builds layer 6 alone", async () => {
  await stack.replaceBuildHost();
  await edit();
  const { process } = await upAndRecord({ allowFailure: true });
  assert.match(process.stdout, /error\[HOST_LOGIN_REFUSED\]/);
  const [, words = ""] = /fix: .*pulumi up (.*)/.exec(process.stdout) ?? [];
  const { ran } = await upAndRecord({ args: words.split(" ").map((word) => word.replaceAll("'", "")) });
  for (const command of ["comfyui-build-host-bootstrap", ...EDITED]) assert.ok(ran.includes(command), command);
  await assertLayer6Alone();
});

/** An operators' command of the stack; its texts are among those that hold no secret. */
async function ops(...args: string[]): Promise<{ code: number | null; stdout: string }> {
  const { code, stdout, stderr } = await stack.laptop.run("node", ["infra/ops.ts", ...args], { allowFailure: true });
  said += stdout + stderr;
  assert.notEqual(code, 1, stderr);
  return { code, stdout };
}

test("the operators look at the cache, take old images out of it, and change its key; at no moment is a path refused", async () => {
  const { image } = await outputs(stack.laptop);
  const status = await ops("cache", "status");
  assert.deepEqual([status.code, status.stdout.split("\n").filter((line) => line.length > 80)], [0, []], status.stdout);
  assert.equal((await ops("cache", "verify", "--deep")).code, 0);

  const planned = await ops("cache", "gc", "--keep", "1", "--dry-run", "--json");
  const { generations, bytes } = JSON.parse(planned.stdout) as { generations: { tag: string; stays: boolean }[]; bytes: number };
  assert.deepEqual(generations.filter(({ stays }) => stays).map(({ tag }) => tag), [image.tag]);
  assert.ok(planned.code === 2 && generations.length > 2 && bytes > 0, planned.stdout);
  assert.equal((await ops("cache", "gc", "--keep", "1")).code, 0);
  assert.deepEqual((await stack.cache.bash("ls /nix/var/nix/gcroots/comfyui/local/images")).stdout.trim(), image.tag);
  assert.equal((await ops("cache", "verify")).code, 0);

  for (const step of ["start", "switch", "sign", "finish"]) {
    await ops("cache", "rotate-key", step);
    if (step !== "sign") await upAndRecord();
    assert.equal((await ops("cache", "verify")).code, 0, step);
  }
  const { step, current, trusted } = JSON.parse((await ops("cache", "rotate-key", "--json")).stdout) as Record<string, unknown>;
  assert.deepEqual([step, trusted], [null, []]);
  assert.notEqual(current, stack.signing.public);
  assert.equal((await ops("drift")).code, 0);
});

test("what is damaged on the cache's host, or signed by nobody, is put in order there from the build host", async () => {
  const { layers } = await outputs(stack.laptop);
  const [damaged = "", unsigned = ""] = ["layer6-app", "layer5-perf"].map((layer) => layers[layer]?.storePath);
  await stack.cache.bash("apt-get install -qq -y --no-install-recommends sqlite3 >/dev/null");
  await stack.cache.bash(`chmod u+w ${damaged} && touch ${damaged}/spoilt && sqlite3 /nix/var/nix/db/db.sqlite "update ValidPaths set sigs = '' where path = '${unsigned}'"`);
  const found = await ops("cache", "verify", "--deep", "--json");
  const { bad } = JSON.parse(found.stdout) as { bad: { path: string; trouble: string }[] };
  assert.deepEqual([found.code, bad.map(({ path, trouble }) => [`/nix/store/${path}`, trouble]).sort()], [2, [[damaged, "damaged"], [unsigned, "unsigned"]].sort()]);
  const mended = await ops("cache", "verify", "--deep", "--mend");
  assert.deepEqual([mended.code, /^2 were put in order$/m.test(mended.stdout)], [0, true], mended.stdout);
  assert.equal((await ops("cache", "verify", "--deep")).code, 0);
  const archives = "find /nix/store -maxdepth 1 -name '*.nar'";
  assert.equal(await stack.onBuildHost(archives) + (await stack.cache.bash(archives)).stdout, "");
});

test("no secret is in the state, in what pulumi said, in the hosts' logs, or in a Nix store", async () => {
  const secrets = secretLines([...Object.values(stack.secrets()), await stack.onBuildHost("cat comfyui/local/.local/keys/push")]);
  assert.ok(secrets.length > 6);
  const texts = new Map([["pulumi's output", said], ...(await textsOfLaptop(stack.laptop))]);
  for (const machine of [stack.build, stack.cache]) for (const [name, text] of await textsOfHost(machine)) texts.set(`${machine.name}:${name}`, text);
  assert.ok(texts.size > 20);
  const found = [...texts].flatMap(([name, text]) => secrets.filter((secret) => text.includes(secret)).map((secret) => `${name}: ${secret.slice(0, 8)}…`));
  assert.deepEqual(found, []);
  for (const machine of [stack.build, stack.cache]) {
    const { stdout } = await machine.bash("grep -r -l -F -f - /nix/store || [ $? -eq 1 ]", { input: `${secrets.join("\n")}\n` });
    assert.equal(stdout, "", machine.name);
  }
});

test("destroying the stack leaves cache and image, and takes seconds", async () => {
  const { image } = await outputs(stack.laptop);
  const { process } = await destroy(stack.laptop);
  assert.equal(process.code, 0);
  assert.equal(await stack.published(image.tag), image.digest);
  await stack.cache.bash(`[ "$(find /nix/var/nix/gcroots/comfyui/local/images/${image.tag} -type l | wc -l)" -gt 6 ]`);
});
