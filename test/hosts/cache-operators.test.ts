/** What the operators' commands do as root of a cache host: 200 images in it, a collection that is killed, signatures by a new key. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { z } from "zod";
import { newSigningKey, publicKeyOf } from "../../infra/config/signing-key.ts";
import { hostText, onCacheHost, withHost } from "../../infra/ops/cache/cache-host.ts";
import { closureOf } from "../../infra/ops/cache/closure.ts";
import { type GcPlan, planGc } from "../../infra/ops/cache/gc-plan.ts";
import type { Inventory } from "../../infra/ops/cache/inventory.ts";
import { pathInfoText, signatureBy, signer } from "../../infra/ops/cache/path-info.ts";
import { StackState } from "../../infra/ops/state.ts";
import { makeSigningKey, startCacheHost } from "../support/cache-host.ts";
import { CHECKOUT } from "../support/checkout.ts";
import { HostNetwork } from "../support/host-network.ts";
import { opsContext } from "../support/ops-context.ts";
import { run } from "../support/process.ts";

const network = await HostNetwork.start();
after(() => network.stop());
const folder = await mkdtemp(join(tmpdir(), "comfyui-cache-operators-"));
after(() => run("rm", ["-rf", folder]));

const IMAGES = 200;
const built = join(folder, "built");
const env = { ...(process.env as Record<string, string>), NIX_CONFIG: "experimental-features = nix-command flakes\nsubstituters =\nsandbox-paths = /bin/sh=/bin/bash /lib=/usr/lib /lib64=/usr/lib64\nbuild-users-group =\n" };
const nix = async (...args: string[]) => (await run("nix", args, { env })).stdout.trim();

/** A path for each image, and three input-addressed ones, each on the one before, which all images have. */
async function makePaths(keyFile: string): Promise<{ images: string[]; chain: string[] }> {
  const files = Array.from({ length: IMAGES }, (_, n) => join(folder, `files/image-${n}`));
  await mkdir(join(folder, "files"));
  for (const [n, file] of files.entries()) await writeFile(file, `${n}\n`.repeat(1000));
  const images = (await run("nix-store", ["--store", built, "--add", ...files], { env })).stdout.trim().split("\n");
  const expression = `let path = n: derivation { name = "base-\${toString n}"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "echo \${if n == 0 then "" else path (n - 1)} >$out" ]; }; in path 2`;
  const top = await nix("build", "--store", built, "--no-link", "--impure", "--print-out-paths", "--expr", expression);
  await nix("store", "sign", "--store", built, "--recursive", "--key-file", keyFile, top);
  return { images, chain: (await nix("path-info", "--store", built, "--recursive", top)).split("\n") };
}

const EMPTY: Inventory = { problem: undefined, location: "", publicKeys: [], infos: new Map(), files: new Map(), pins: [], local: [], digest: "", freeBytes: undefined, roots: [] };
const done = z.object({ done: z.boolean() });

test("200 images on a cache host: the oldest go, a kill in the middle loses nothing, a new key signs what is there", async () => {
  const key = await makeSigningKey(folder, "cache-1");
  const { images, chain } = await makePaths(key.file);
  const { machine, push } = await startCacheHost(network, { name: "cache", server: "harmonia", key });
  await run("nix", ["copy", "--from", built, "--to", `ssh://comfyui-push@${machine.address}`, "--stdin"], { input: [...images, ...chain].join("\n"), env: { ...env, NIX_SSHOPTS: (await machine.sshArguments(push.file)).join(" ") } });
  const top = chain.at(-1) ?? "";
  const pins = images.flatMap((path, n) => [`${n} images/${tagOf(n)} ${path}`, `${n} images/${tagOf(n)} ${top}`, `${n} images/${tagOf(n)}/with/0 ${path}`]);
  await machine.bash(`setpriv --reuid=comfyui-push --regid=comfyui-push --init-groups bash -c 'umask 002; cd /nix/var/nix/gcroots/comfyui; while read -r n name path; do mkdir -p dev/$name; ln -s $path dev/$name/; touch -h -d @$((1700000000 + n)) dev/$name/\${path##*/}; done'`, { input: `${pins.join("\n")}\n` });
  await machine.ssh(`pin team/images/${tagOf(1)} ${images[1]}`, { user: "comfyui-push", key: push.file });
  await machine.ssh(`pin team/images/${tagOf(1)}/with/0 ${images[1]}`, { user: "comfyui-push", key: push.file });

  const connection = { host: machine.address, port: 22, user: "root", hostKey: machine.hostKey, privateKey: network.adminKey.private };
  const state = new StackState("dev", { deployment: { resources: [{ urn: "urn:pulumi:dev::comfyui::x::comfyui-binary-cache-bootstrap", type: "x", inputs: { connection } }] } });
  const look = async () => {
    const inventory = await withHost(EMPTY, state, opsContext({}));
    return { inventory, plan: planGc({ ...inventory, owner: "dev", keep: 5, live: new Set([tagOf(0)]) }) };
  };
  const { inventory, plan } = await look();
  assert.deepEqual(plan.generations.filter(({ stays, owner }) => stays && owner === "dev").map(({ tag }) => tag), [199, 198, 197, 196, 195, 0].map(tagOf));
  // The other stack's image is one of those that go here.
  assert.deepEqual([plan.paths.length, plan.unpinnedStay], [IMAGES - 7, false]);
  assert.ok(plan.bytes > 0 && (inventory.freeBytes ?? 0) > 0);
  const drop = ({ digest }: Inventory, { pins: names, paths }: GcPlan) => ({ do: "drop", digest, pins: [...names], paths: [...paths] });
  assert.deepEqual(await onCacheHost(state, { ...drop(inventory, plan), digest: "0" }, done, opsContext({})), { done: false });

  // Its shell dies after 100 paths.
  const killed = `nix-store() { [ "$1" != --delete ] || [ "\${once:-}" != yes ] || kill -9 $$; [ "$1" != --delete ] || once=yes; command nix-store "$@"; }\n`;
  const { code } = await machine.ssh("bash -s", { input: killed + hostText(CHECKOUT, drop(inventory, plan)), allowFailure: true });
  assert.notEqual(code, 0);
  const kept = [...[199, 198, 197, 196, 195, 0, 1].map((n) => images[n] ?? ""), ...chain];
  await machine.bash(`nix-store --check-validity ${kept.join(" ")} && nix-store --verify --check-contents 2>/dev/null`);
  const second = await look();
  assert.ok(second.plan.paths.length > 0 && second.plan.paths.length < plan.paths.length, `${second.plan.paths.length}`);
  assert.deepEqual(await onCacheHost(state, drop(second.inventory, second.plan), done, opsContext({})), { done: true });
  const last = await look();
  assert.deepEqual([last.plan.paths, last.plan.pins], [[], []]);
  assert.deepEqual([...last.inventory.infos.keys()].filter((path) => /-image-/.test(path)).sort(), kept.filter((path) => /-image-/.test(path)).map((path) => path.slice(11)).sort());

  // The secret key stays here; a reader who trusts the new key alone takes all of it.
  const secret = newSigningKey("cache-2");
  const infos = [...closureOf(last.inventory.infos, [top.slice(11)]).present].flatMap((path) => last.inventory.infos.get(path) ?? []);
  assert.ok(infos.length === 3 && infos.every(signer([key.public])) && !infos.some(signer([publicKeyOf(secret)])));
  const text = infos.map((info) => pathInfoText({ ...info, signatures: [signatureBy(secret)(info)] })).join("");
  await onCacheHost(state, { do: "sign", infos: text }, done, opsContext({}));
  await nix("copy", "--from", `http://${machine.address}`, "--to", join(folder, "reader"), "--option", "require-sigs", "true", "--option", "trusted-public-keys", publicKeyOf(secret), top);
  assert.ok([...(await look()).inventory.infos.values()].filter(({ path }) => /-base-/.test(path)).every((info) => signer([key.public])(info) && signer([publicKeyOf(secret)])(info)), "both signatures");
  await onCacheHost(state, { do: "unpin", pin: `team/images/${tagOf(1)}` }, done, opsContext({}));
  assert.deepEqual((await look()).plan.paths, [images[1]?.slice(11)]);
  assert.equal((await machine.bash("find / -xdev -newer /etc/nix/nix.conf -type f -exec grep -lF \"$SECRET\" {} + 2>/dev/null || [ $? -eq 1 ]", { env: { SECRET: (await readFile(key.file, "utf8")).trim() } })).stdout, "");
});

function tagOf(n: number): string {
  return n.toString(16).padStart(12, "0");
}
