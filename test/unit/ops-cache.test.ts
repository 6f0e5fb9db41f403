/** What a collection takes from a cache, and what a cache's words are worth: never a path that something kept needs. */
import assert from "node:assert/strict";
import { createPrivateKey, sign } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import { newSigningKey, publicKeyOf } from "../../infra/config/signing-key.ts";
import { hostText, onCacheHost } from "../../infra/ops/cache/cache-host.ts";
import { closureOf } from "../../infra/ops/cache/closure.ts";
import { type GcInput, planGc } from "../../infra/ops/cache/gc-plan.ts";
import { type PathInfo, parsePathInfos, signedText, signer } from "../../infra/ops/cache/path-info.ts";
import { generationsOf, parsePins, type Pin } from "../../infra/ops/cache/pins.ts";
import { needPins } from "../../infra/ops/commands/cache-gc.ts";
import { StackState } from "../../infra/ops/state.ts";
import { CHECKOUT } from "../support/checkout.ts";
import { opsContext } from "../support/ops-context.ts";
import { run } from "../support/process.ts";

function info(path: string, references: readonly string[] = [], url = `nar/${path}.nar`): PathInfo {
  return { path, url, fileSize: 1, narHash: "sha256:x", narSize: 10, references, signatures: [], ca: "" };
}

/** A cache in which each image has a path of its own, on the paths of layers, on a common base. */
function cacheOf(images: number, changes: Partial<GcInput> = {}): GcInput {
  const numbers = [...Array(images).keys()];
  const infos = [info("base"), info("tool"), ...numbers.flatMap((n) => [info(`layer-${n >> 1}`, ["base"]), info(`image-${n}`, [`layer-${n >> 1}`])])];
  const pins: Pin[] = numbers.flatMap((n) => [
    { owner: "dev", name: `layers/app/${n}`, time: n, paths: [`layer-${n >> 1}`] },
    { owner: "dev", name: `images/${n}`, time: n, paths: [`image-${n}`] },
    { owner: "dev", name: `images/${n}/with/0`, time: n, paths: [`image-${n}`, "tool"] },
  ]);
  return { infos: new Map(infos.map((each) => [each.path, each])), files: new Map(infos.map(({ url }) => [url, 100])), pins, owner: "dev", keep: 1, live: new Set(), roots: [], ...changes };
}

test("the newest stay; the rest goes with what nothing else needs, each path before what it refers to", () => {
  const plan = planGc(cacheOf(6, { keep: 2 }));
  assert.deepEqual(plan.generations.map(({ tag, stays }) => [tag, stays]), [["5", true], ["4", true], ["3", false], ["2", false], ["1", false], ["0", false]]);
  assert.deepEqual([...plan.paths].sort(), ["image-0", "image-1", "image-2", "image-3", "layer-0", "layer-1"]);
  for (const n of [0, 1, 2, 3]) assert.ok(plan.paths.indexOf(`image-${n}`) < plan.paths.indexOf(`layer-${n >> 1}`));
  assert.deepEqual([plan.bytes, plan.unpinnedStay], [600, false]);
  assert.ok(plan.pins.includes("dev/images/0/with/0") && plan.pins.includes("dev/layers/app/3") && !plan.pins.includes("dev/layers/app/4"));
});

test("live and pinned images stay whatever their age, those of other stacks too, and layers that no image has yet", () => {
  const { pins, infos } = cacheOf(4);
  const more: Pin[] = [
    { owner: "dev", name: "named/0", time: 9, paths: ["image-0"] },
    { owner: "dev", name: "layers/app/new", time: 9, paths: ["layer-new"] },
    { owner: "team", name: "images/1", time: 0, paths: ["image-1"] },
    { owner: "team", name: "images/1/with/0", time: 0, paths: ["image-1"] },
  ];
  const all = new Map([...infos, ["layer-new", info("layer-new", ["base"])]]);
  const plan = planGc(cacheOf(4, { pins: [...pins, ...more], infos: all, live: new Set(["2"]) }));
  assert.deepEqual(plan.generations.filter(({ stays }) => !stays).map(({ owner, tag }) => `${owner}/${tag}`), ["dev/1"]);
  assert.deepEqual(plan.paths, []);
  const { paths } = planGc(cacheOf(4, { pins: [...pins, { owner: "dev", name: "live", time: 0, paths: ["image-0"] }] }));
  assert.deepEqual([...paths].sort(), ["image-1", "image-2"], "what was published last stays, also where no state names it");
});

test("a layer that no image is made of stays with the image that was made after it", () => {
  const wheels = [0, 1, 2].map((n) => ({ owner: "dev", name: `layers/wheels/${n}`, time: n - 0.5, paths: [`wheels-${n}`] }));
  const { pins, infos } = cacheOf(3);
  const all = new Map([...infos, ...wheels.map(({ paths: [path = ""] }) => [path, info(path)] as const)]);
  const gone = planGc(cacheOf(3, { pins: [...pins, ...wheels], infos: all, live: new Set(["0"]) })).pins;
  assert.deepEqual(gone.filter((name) => name.includes("wheels")), ["dev/layers/wheels/1"]);
});

test("what no pin names goes, unless an image that stays was published before build tools were noted", () => {
  const stray = info("stray");
  const given = cacheOf(2);
  const infos = new Map([...given.infos, ["stray", stray]]);
  const files = new Map([...given.files, [stray.url, 100], ["nar/half", 7]]);
  assert.deepEqual([...planGc({ ...given, infos, files }).files].sort(), ["nar/half", "nar/image-0.nar", "nar/stray.nar"]);
  const older = planGc({ ...given, infos, files, pins: given.pins.filter(({ name }) => name !== "images/1/with/0") });
  assert.deepEqual([older.unpinnedStay, older.paths, older.files.toSorted()], [true, ["image-0"], ["nar/half", "nar/image-0.nar"]]);
  const unknown = planGc({ ...given, infos, files, live: new Set(["gone"]), roots: ["image-0"] });
  assert.deepEqual([unknown.unpinnedStay, unknown.paths], [true, []]);
});

test("an archive that a path that stays has too is no archive to take away", () => {
  const given = cacheOf(2);
  const infos = new Map([...given.infos, ["image-0", info("image-0", ["layer-0"], "nar/image-1.nar")]]);
  const plan = planGc({ ...given, infos });
  assert.ok(plan.paths.includes("image-0") && !plan.files.includes("nar/image-1.nar"));
});

/** Paths that refer to earlier ones only, some with a common archive; pins of two owners, some of them of paths that are not there. */
const anyCache = fc
  .record({
    references: fc.array(fc.array(fc.nat(40), { maxLength: 3 }), { minLength: 1, maxLength: 40 }),
    urls: fc.array(fc.nat(30), { minLength: 40, maxLength: 40 }),
    pins: fc.array(fc.record({ owner: fc.constantFrom("dev", "team"), kind: fc.constantFrom("images", "layers", "named", "live", "with"), key: fc.nat(6), time: fc.nat(9), paths: fc.array(fc.nat(45), { maxLength: 4 }) }), { maxLength: 25 }),
    keep: fc.integer({ min: 1, max: 4 }),
    live: fc.array(fc.nat(6), { maxLength: 2 }),
    roots: fc.array(fc.nat(45), { maxLength: 2 }),
  })
  .map(({ references, urls, pins, keep, live, roots }): GcInput => {
    const infos = references.map((below, n) => info(`p${n}`, [...new Set(below.filter((each) => each < n).map((each) => `p${each}`))], `nar/${urls[n]}`));
    const names = { images: (key: number) => `images/${key}`, layers: (key: number) => `layers/app/${key}`, named: (key: number) => `named/${key}`, live: () => "live", with: (key: number) => `images/${key}/with/0` };
    const made = pins.map(({ owner, kind, key, time, paths }) => ({ owner, name: names[kind](key), time, paths: paths.map((each) => `p${each}`) }));
    return {
      infos: new Map(infos.map((each) => [each.path, each])),
      files: new Map(infos.map(({ url }) => [url, 1])),
      pins: [...new Map(made.map((pin) => [`${pin.owner}/${pin.name}`, pin])).values()],
      owner: "dev", keep, live: new Set(live.map(String)), roots: roots.map((each) => `p${each}`),
    };
  });

test("never goes a path, or an archive, of what stays; never is there, in between, a path that lacks what it refers to", () => {
  fc.assert(
    fc.property(anyCache, (given) => {
      const plan = planGc(given);
      const goes = new Set(plan.pins);
      const kept = given.pins.filter(({ owner, name }) => !goes.has(`${owner}/${name}`));
      const needed = closureOf(given.infos, [...kept.flatMap(({ paths }) => paths), ...given.roots]).present;
      for (const path of plan.paths) assert.ok(!needed.has(path), path);
      for (const path of needed) assert.ok(!plan.files.includes(given.infos.get(path)?.url ?? ""), path);

      const stays = new Set(plan.generations.filter((each) => each.stays).map(({ owner, tag }) => `${owner}/${tag}`));
      for (const { owner, tag } of generationsOf(given.pins, given.live)) {
        const must = owner !== "dev" || given.live.has(tag) || given.pins.some(({ name }) => name === `named/${tag}`);
        if (must) assert.ok(stays.has(`${owner}/${tag}`), `${owner}/${tag}`);
        assert.equal(goes.has(`${owner}/images/${tag}`), !stays.has(`${owner}/${tag}`));
      }
      const own = plan.generations.filter(({ owner }) => owner === "dev");
      for (const [at, each] of own.entries()) assert.equal(each.stays, at < given.keep || each.kept !== undefined, each.tag);

      const left = new Map(given.infos);
      for (const path of plan.paths) {
        left.delete(path);
        for (const other of left.values()) assert.ok(!other.references.includes(path), `${other.path} lacks ${path}`);
      }
      // A second one, after any part of the first was done, leaves the same.
      const again = planGc({ ...given, infos: left, files: new Map([...given.files].filter(([name]) => !plan.files.includes(name))), pins: kept });
      assert.deepEqual([again.paths, again.files], [[], []]);
    }),
    { numRuns: 2000 },
  );
});

test("200 images, with 20,000 paths, are planned at once", () => {
  const numbers = [...Array(200).keys()];
  const infos = numbers.flatMap((n) => [...Array(100).keys()].map((m) => info(`p${n}-${m}`, m === 0 ? [] : [`p${n}-${m - 1}`])));
  const pins = numbers.flatMap((n) => ["", "/with/0"].map((more) => ({ owner: "dev", name: `images/${n}${more}`, time: n, paths: [...Array(100).keys()].map((m) => `p${n}-${m}`) })));
  const started = performance.now();
  const plan = planGc({ infos: new Map(infos.map((each) => [each.path, each])), files: new Map(infos.map(({ url }) => [url, 1])), pins, owner: "dev", keep: 3, live: new Set(["0"]), roots: [] });
  assert.equal(plan.paths.length, 196 * 100, 'three and the live one stay');
  assert.ok(performance.now() - started < 2000, `${performance.now() - started} ms`);
});

test("pins are read with their names, times and paths", () => {
  assert.deepEqual(parsePins("Pin: dev/images/1/with/0 12.5\n/nix/store/a-b\n/nix/store/c-d\nPin: dev/live 13\n"), [
    { owner: "dev", name: "images/1/with/0", time: 12.5, paths: ["a-b", "c-d"] },
    { owner: "dev", name: "live", time: 13, paths: [] },
  ]);
});

const TEXT = `StorePath: /nix/store/01a28scwzl41bnfzlppv04whv3af50z0-a
URL: nar/07gf.nar.zst
Compression: zstd
FileSize: 688359
NarHash: sha256:0x0zwcfpryl1gn4knxs07s6jsksczpf485pz108i0n44xggxyh29
NarSize: 3080168
References: 1zz-c 0zz-b
Sig: old-1:AAAA
`;

test("a path's text is read; the two forms of its hash are one; a signature is of path, hash, size and references", () => {
  const [first, second] = parsePathInfos(`${TEXT}${TEXT.replace("NarHash: sha256:0x0z", "Broken: 0x0z")}${TEXT.replace(/^NarHash: .*$/m, "NarHash: sha256-SUDf3+uEWBARCP8WRNz9TE8tjT5AdzuJfYH6fB3jH3Q=").replace(/^References.*$/m, "References: ")}CA: fixed:sha256:x\n`);
  assert.ok(first !== undefined && second !== undefined);
  assert.equal(signedText(first), "1;/nix/store/01a28scwzl41bnfzlppv04whv3af50z0-a;sha256:0x0zwcfpryl1gn4knxs07s6jsksczpf485pz108i0n44xggxyh29;3080168;/nix/store/0zz-b,/nix/store/1zz-c");
  assert.equal(signedText(second), "1;/nix/store/01a28scwzl41bnfzlppv04whv3af50z0-a;sha256:0x0zwcfpryl1gn4knxs07s6jsksczpf485pz108i0n44xggxyh29;3080168;");
  assert.deepEqual([first.fileSize, first.ca, second.ca, second.references], [688359, "", "fixed:sha256:x", []]);

  const secret = newSigningKey("team-1");
  const key = createPrivateKey({ key: Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), Buffer.from(secret.split(":")[1] ?? "", "base64").subarray(0, 32)]), format: "der", type: "pkcs8" });
  const signed = { ...first, signatures: [...first.signatures, `team-1:${sign(null, Buffer.from(signedText(first)), key).toString("base64")}`] };
  const ours = signer([publicKeyOf(newSigningKey("team-0")), publicKeyOf(secret)]);
  assert.deepEqual([ours(first), ours(signed), ours({ ...signed, narSize: 1 }), ours({ ...signed, references: [] })], [false, true, false, false]);
  assert.equal(signer([publicKeyOf(newSigningKey("team-1"))])(signed), false, "another key of the same name");
});

test("CACHE_NO_ADMIN: without root's login on the cache's host the message says what to do by hand, where that is possible", async () => {
  const state = new StackState("dev", { deployment: { resources: [] } });
  const refused = (request: { do: string }) => assert.rejects(onCacheHost(state, request, z.unknown(), opsContext({})), (error: Error) => {
    assert.match(error.message, /error\[CACHE_NO_ADMIN\]: stack dev: .*\n.*\n.*\n {2}fix: +set binaryCache\.host\.admin and run `pulumi up`(?:; or by hand, .*rm -r \/nix\/var\/nix\/gcroots\/comfyui\/dev\/images\/TAG .*nix-collect-garbage)?$/m);
    assert.equal(error.message.includes("by hand"), request.do === "drop");
    return true;
  });
  await refused({ do: "drop" });
  await refused({ do: "repair" });
});

test("CACHE_NO_PINS: a build host that does not see a bucket's pins is told what it lacks", () => {
  const cache = { kind: "s3", stack: { name: "dev" } };
  assert.throws(() => needPins(cache, { lacks: "AWS CLI" }), /error\[CACHE_NO_PINS\]: stack dev: .*\n +found: +no AWS CLI on the build host\n +expected: AWS CLI$/m);
  needPins(cache, { lacks: undefined });
});

test("in a bucket what no pin names stays: another host may have pushed it without pinning; what an image that goes was built with goes", () => {
  const given = cacheOf(3);
  const unpinned = [info("theirs", ["layer-0"]), info("their-tool")];
  const tool = info("old-tool");
  const infos = new Map([...given.infos, ...[...unpinned, tool].map((each) => [each.path, each] as const)]);
  const pins = given.pins.map((pin) => (pin.name === "images/0/with/0" ? { ...pin, paths: [...pin.paths, "old-tool"] } : pin));
  assert.deepEqual([...planGc({ ...given, infos, pins }).paths].sort(), ["image-0", "image-1", "layer-0", "old-tool", "their-tool", "theirs"]);
  assert.deepEqual([...planGc({ ...given, infos, pins, unnamedStay: true }).paths].sort(), ["image-0", "image-1", "old-tool"]);
});

for (const [code, request] of [["CACHE_SIGN", "sign"], ["CACHE_REPAIR", "repair"]] as const) {
  test(`${code}: ${request}, of a path that is not there`, async () => {
    const text = hostText(CHECKOUT, { do: request, infos: TEXT });
    const { code: status, stderr } = await run("bash", ["-s"], { input: text, allowFailure: true });
    assert.equal(status, 1);
    assert.match(stderr, new RegExp(`^error\\[${code}\\]: the cache's host could not .*01a28scwzl41bnfzlppv04whv3af50z0-a`, "m"));
  });
}
