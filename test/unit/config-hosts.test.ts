/** The configuration of machines: build host, binary cache, builders. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { parseConfig } from "../../infra/config.ts";
import { readUrl } from "../../infra/config/cache.ts";
import { newSigningKey, publicKeyOf } from "../../infra/config/signing-key.ts";
import { publicLineOf } from "../../infra/ssh/host-key.ts";
import { privateKey } from "../support/in-process-ssh.ts";
import { remoteConfig, secrets } from "../support/ssh-config.ts";
import { assertFault, faultsOf, type FaultRow } from "./faults.ts";

type Input = Record<string, unknown>;
const parse = (input: Input) => parseConfig(input, { isSecret: () => true });
const login = { host: "build.example", hostKey: publicLineOf(privateKey()), privateKey: privateKey() };
const build = (more: Input) => ({ buildHost: { kind: "ssh", ...login, ...more } });
const cache = (more: Input) => ({ binaryCache: { ...remoteConfig.binaryCache, ...more } });
const trusted = publicKeyOf(secrets.signing);

test("a machine needs its address and its host key; the rest has defaults", () => {
  const { buildHost, binaryCache, builders } = parse({ buildHost: { kind: "ssh", host: "build.example", hostKey: login.hostKey }, binaryCache: remoteConfig.binaryCache, builders: remoteConfig.builders });
  assert.deepEqual(buildHost, { kind: "ssh", host: "build.example", port: 22, hostKey: login.hostKey, user: "comfyui", minFreeGiB: 5, maxFreeGiB: 20 });
  assert.ok(binaryCache.kind === "nix-serve" && builders.kind === "ssh" && binaryCache.host.kind !== "ec2");
  assert.deepEqual([binaryCache.server, binaryCache.onFailure, binaryCache.trusted, readUrl({ ...binaryCache, host: binaryCache.host })], ["harmonia", "fail", [], "http://cache.example"]);
  const { maxJobs, speedFactor, features } = builders.hosts[0] ?? assert.fail();
  assert.deepEqual([maxJobs, speedFactor, features], [1, 1, ["big-parallel"]]);
});

test("a host key is taken with its comment and without, a private key with and without its last line's end", () => {
  const { buildHost } = parse(build({ hostKey: `${login.hostKey} root@build\n`, privateKey: login.privateKey.trimEnd() }));
  assert.ok(buildHost.kind === "ssh");
  assert.deepEqual([buildHost.hostKey, buildHost.privateKey], [login.hostKey, `${login.privateKey.trimEnd()}\n`]);
});

test("where readers find a cache", () => {
  const host = { host: "10.0.0.7" };
  assert.deepEqual(
    [{ host }, { host: { host: "fd00::7" } }, { host, domain: "cache.example" }, { host, url: "http://10.0.0.7:8080/" }].map(readUrl),
    ["http://10.0.0.7", "http://[fd00::7]", "https://cache.example", "http://10.0.0.7:8080"],
  );
});

test("a signing key is what Nix takes for one, and its public half is what Nix makes of it", () => {
  const key = newSigningKey("cache-1");
  assert.equal(execFileSync("nix", ["key", "convert-secret-to-public"], { input: key, encoding: "utf8" }), publicKeyOf(key));
  assert.equal(parse(cache({ signingKey: `${key}\n` })).binaryCache.kind, "nix-serve");
});

const bad: FaultRow<Input>[] = [
  { code: "CONFIG_HOST", input: build({ host: "comfyui@build.example" }), where: "comfyui:buildHost.host", says: ['found:    "comfyui@build.example"', "without user and port"] },
  { code: "CONFIG_USER", input: build({ admin: "the root" }), where: "comfyui:buildHost.admin", says: ['found:    "the root"'] },
  { code: "CONFIG_HOST_KEY", input: build({ hostKey: "SHA256:abc" }), where: "comfyui:buildHost.hostKey", says: ['found:    "SHA256:abc"', "npm run ops -- host key HOST"] },
  { code: "CONFIG_MISSING", input: { buildHost: { kind: "ssh", host: "build.example" } }, where: "comfyui:buildHost.hostKey", says: ["the value is missing"] },
  { code: "CONFIG_RANGE", input: build({ port: 70000 }), where: "comfyui:buildHost.port", says: ["found:    70000"] },
  { code: "CONFIG_PRIVATE_KEY", input: build({ privateKey: "~/.ssh/id_ed25519" }), where: "comfyui:buildHost.privateKey", says: ["a value that is not shown", "without a passphrase"] },
  { code: "CONFIG_PROGRAM", input: build({ volume: "nvme1n1" }), where: "comfyui:buildHost.volume", says: ['found:    "nvme1n1"'] },
  { code: "CONFIG_NAME", input: cache({ name: "Team cache" }), where: "comfyui:binaryCache.name", says: ['found:    "Team cache"'] },
  { code: "CONFIG_DOMAIN", input: cache({ domain: "https://cache.example" }), where: "comfyui:binaryCache.domain", says: ['found:    "https://cache.example"'] },
  { code: "CONFIG_URL", input: cache({ url: "http://cache.example/path" }), where: "comfyui:binaryCache.url", says: ["without a path"] },
  { code: "CONFIG_URL", input: { binaryCache: { kind: "s3", name: "team", signingKey: secrets.signing, url: "https://bucket" } }, where: "comfyui:binaryCache.url", says: ["s3://BUCKET"] },
  { code: "CONFIG_BUCKET", input: { binaryCache: { kind: "s3", name: "team", signingKey: secrets.signing } }, where: "comfyui:binaryCache", says: ["found:    neither url nor bucket", "bucket: {}"] },
  { code: "CONFIG_URL", input: cache({ mirror: { url: "b" } }), where: "comfyui:binaryCache.mirror.url", says: ["s3://BUCKET"] },
  { code: "CONFIG_PROGRAM", input: cache({ mirror: { url: "s3://layers?region=eu-central-1", nixPath: "nix" } }), where: "comfyui:binaryCache.mirror.nixPath", says: ['found:    "nix"'] },
  { code: "CONFIG_PASSWORD", input: cache({ auth: { user: "reader", password: "two words" } }), where: "comfyui:binaryCache.auth.password", says: ["a value that is not shown", "without spaces"] },
  { code: "CONFIG_SIGNING_KEY", input: cache({ signingKey: trusted }), where: "comfyui:binaryCache.signingKey", says: ["a value that is not shown", "npm run ops -- cache key NAME"] },
  { code: "CONFIG_SIGNING_KEY", input: cache({ signingKey: `${secrets.signing.slice(0, 60)}${newSigningKey("test-1").slice(60)}` }), where: "comfyui:binaryCache.signingKey", says: ["a value that is not shown"] },
  { code: "CONFIG_DUPLICATE", input: cache({ trusted: [trusted] }), where: "comfyui:binaryCache.trusted[0]", says: ["trusted already", trusted] },
  { code: "CONFIG_ADDRESS", input: cache({ domain: "cache.example", url: "http://cache.example" }), where: "comfyui:binaryCache.url", says: ["expected: https://cache.example"] },
  { code: "CONFIG_HOST_SHARED", input: { ...build({ host: "Cache.example" }), ...cache({}) }, where: "comfyui:binaryCache.host.host", says: ["found:    cache.example port 22", "another machine than that of comfyui:buildHost.host"] },
  { code: "CONFIG_CACHE_FOLDER", input: build({ admin: "root" }), where: "comfyui:binaryCache.kind", says: ["found:    directory", "nix-serve or s3"] },
  { code: "CONFIG_BUILDERS_LOCAL", input: { builders: remoteConfig.builders }, where: "comfyui:builders.kind", says: ["a build host of its own"] },
];
for (const row of bad) test(`${row.code} at ${row.where}`, () => assertFault(row, parse));

test("CONFIG_SECRET_PLAIN: every secret that Pulumi does not keep encrypted is named, and none is shown", () => {
  const faults = faultsOf(() => parseConfig(remoteConfig, { isSecret: (section) => section === "builders" }));
  assert.deepEqual(faults.map(({ code, where }) => `${code} ${where}`), [
    "buildHost.privateKey", "buildHost.jump.privateKey", "binaryCache.host.privateKey", "binaryCache.signingKey", "binaryCache.auth.password",
  ].map((path) => `CONFIG_SECRET_PLAIN comfyui:${path}`));
  assert.match(faults[0]?.fix ?? "", /pulumi config set --secret --path 'comfyui:buildHost\.privateKey'/);
});

test("no message shows a secret, wherever it was written by mistake", () => {
  const everywhere: Input[] = [
    build({ privatekey: secrets.build }),
    build({ host: { privateKey: secrets.build } }),
    build({ jump: [secrets.build] }),
    { buildHost: secrets.build.replaceAll("\n", " ") , flavour: 1 },
    cache({ auth: secrets.password, password: secrets.password }),
    cache({ trusted: { signingKey: secrets.signing } }),
    { binaryCache: [secrets.signing] },
  ];
  for (const input of everywhere) {
    const text = faultsOf(() => parse(input)).map((fault) => JSON.stringify(fault)).join("\n");
    const parts = [...secrets.build.split("\n").slice(1, -2), secrets.password, secrets.signing.slice(10)];
    assert.deepEqual(parts.filter((part) => text.includes(part)), [], text);
  }
});
