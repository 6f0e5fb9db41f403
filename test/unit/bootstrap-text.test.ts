/** The text that sets up a machine, as far as it can be seen without one. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { type BootstrapSettings, bootstrapText, buildSettings, builderSettings, cacheSettings, longestText, pinnedNixpkgs, type Role, withoutComments } from "../../infra/bootstrap.ts";
import { textFor } from "../../infra/bootstrap-text.ts";
import { type Config, parseConfig } from "../../infra/config.ts";
import { withoutAws } from "../../infra/config/aws-parts.ts";
import { publicKeyOf } from "../../infra/config/signing-key.ts";
import { publicLineOf } from "../../infra/ssh/host-key.ts";
import { remoteConfig, secrets } from "../support/ssh-config.ts";

const parse = (input: Record<string, unknown>) => withoutAws(parseConfig({ ...remoteConfig, ...input }, { isSecret: () => true }));
const publicKey = publicKeyOf(secrets.signing);
const nixpkgs = `github:NixOS/nixpkgs/${"0".repeat(40)}`;
const pushKeys = [publicLineOf(secrets.builder)];

function settingsOf(config: Config): { readonly [R in Exclude<Role, "instance">]: BootstrapSettings } {
  assert.ok(config.binaryCache.kind === "nix-serve" && config.builders.kind === "ssh" && config.builders.hosts[0]);
  return { build: buildSettings(config, { stack: "team", nixpkgs }), cache: cacheSettings(config.binaryCache, { stack: "team", pushKeys, nixpkgs }), builder: builderSettings(config, config.builders.hosts[0], pushKeys) };
}

const settings = settingsOf(parse({}));

test("the settings of each role", () => {
  const substituters = [{ url: "http://cache.example", publicKey }];
  const netrc = [{ machine: "cache.example", login: "reader", password: secrets.password }];
  const [b1, b2] = remoteConfig.builders.hosts.map(({ host, hostKey, systems }) => ({ host, port: 22, hostKey, systems, maxJobs: 1, speedFactor: 1, features: ["big-parallel"] }));
  assert.deepEqual(settings.build, { role: "build", stack: "team", authorizedKeys: [publicLineOf(secrets.build)], substituters, trustedPublicKeys: [], netrc, builders: [b1, b2], minFreeGiB: 5, maxFreeGiB: 20, volume: null, bucketNix: null });
  assert.deepEqual(settings.cache, {
    role: "cache", stack: "team", authorizedKeys: [publicLineOf(secrets.cache)], server: "harmonia", serverPath: null, nixpkgs, publicKeys: [publicKey], pushKeys,
    domain: null, port: 80, auth: { user: "reader", password: secrets.password }, priority: 50, volume: null,
  });
  assert.deepEqual(settings.builder, { role: "builder", clientKeys: pushKeys, substituters, trustedPublicKeys: [], netrc, systems: ["x86_64-linux"], features: ["big-parallel"], maxJobs: 1 });
});

test("the port that a cache listens on follows from its address", () => {
  const portOf = (more: Record<string, unknown>) => settingsOf(parse({ binaryCache: { ...remoteConfig.binaryCache, ...more } })).cache["port"];
  assert.deepEqual([portOf({}), portOf({ url: "http://cache.example:8080" }), portOf({ domain: "cache.example" }), portOf({ domain: "cache.example", url: "https://cache.example:8443" }), portOf({ url: "https://proxy.example" })], [80, 8080, 443, 8443, 80]);
});

test("a directory is nobody else's cache: the machine gets the substituters alone", () => {
  const { admin: _admin, ...buildHost } = remoteConfig.buildHost;
  const config = withoutAws(parseConfig({ buildHost }, { isSecret: () => true }));
  assert.deepEqual([buildSettings(config, { stack: "team", nixpkgs })["substituters"], buildSettings(config, { stack: "team", nixpkgs })["netrc"]], [[], null]);
});

test("a bucket is a substituter beside the cache host, and wants a Nix of its own: for the scripts, and for the daemon where it is read by S3's protocol", () => {
  const url = "s3://layers?region=eu-central-1";
  const mirrored = settingsOf(parse({ binaryCache: { ...remoteConfig.binaryCache, mirror: { url, nixPath: "/opt/nix" } } }));
  for (const each of [mirrored.build, mirrored.builder]) assert.deepEqual(each["substituters"], [{ url: "http://cache.example", publicKey }, { url, publicKey }]);
  assert.deepEqual(mirrored.build["bucketNix"], { path: "/opt/nix", nixpkgs, daemon: true });
  const alone = parse({ binaryCache: { kind: "s3", name: "team", signingKey: secrets.signing, url } });
  assert.deepEqual([buildSettings(alone, { stack: "team", nixpkgs })["substituters"], buildSettings(alone, { stack: "team", nixpkgs })["bucketNix"]], [[{ url, publicKey }], { path: null, nixpkgs, daemon: true }]);
});

test("nixpkgs is the one that layers/flake.lock pins", () => {
  assert.match(pinnedNixpkgs(readFileSync("layers/flake.lock", "utf8")), /^github:NixOS\/nixpkgs\/[0-9a-f]{40}$/);
});

for (const role of ["build", "cache", "builder"] as const) {
  test(`the text of ${role} is shell, and fits into a cloud's user data with many machines and caches`, () => {
    const substituters = Array.from({ length: 5 }, (_, at) => ({ url: `https://cache-${at}.example.org/some/path`, publicKey: `cache-${at}.example.org-1:${"A".repeat(43)}=` }));
    const builders = { kind: "ssh", hosts: Array.from({ length: 6 }, (_, at) => ({ ...remoteConfig.builders.hosts[0], host: `builder-${at}.example.org` })) };
    const text = textFor(settingsOf(parse({ substituters, builders }))[role]);
    execFileSync("bash", ["-n"], { input: text });
    assert.ok(text.startsWith("#!/usr/bin/env bash\n"));
    assert.ok(Buffer.byteLength(text) < longestText, `${Buffer.byteLength(text)} bytes`);
  });
}

test("what is left out of each text are comments", () => {
  // The shell's own reading of it, without the empty lines that it writes where a comment was.
  const parsedBy = (text: string) => execFileSync("bash", ["--pretty-print"], { input: text, encoding: "utf8" }).replace(/\n+/g, "\n").trim();
  const bootstrap = readdirSync("infra/hosts/bootstrap").map((name) => `bootstrap/${name}`);
  for (const name of ["messages.sh", "cache-push.sh", "aws/watch.sh", ...bootstrap]) {
    const whole = readFileSync(`infra/hosts/${name}`, "utf8");
    assert.equal(parsedBy(withoutComments(whole)), parsedBy(whole), name);
  }
});

test("the settings come whole through the shell, whatever is in them", () => {
  const odd = { role: "build", text: `'"$(touch /tmp/x)\`\\ SETTINGS ${"${HOME}"} é` } as const;
  const text = bootstrapText(odd, (name) => (name === "bootstrap/build.sh" ? 'printf "%s" "$SETTINGS"\n' : ""));
  assert.deepEqual(JSON.parse(execFileSync("bash", ["-s"], { input: text, encoding: "utf8" })), odd);
});
