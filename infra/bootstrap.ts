/**
 * What sets up a machine: one text for root's shell, made of settings and of the files in infra/hosts/bootstrap. `pulumi up`
 * sends it, a person pipes it into `ssh root@HOST bash -s`, a cloud gives it to a new machine as its user data: same bytes.
 */
import { canonicalJson, type Json } from "./canonical-json.ts";
import type { BuildersConfig, Config } from "./config.ts";
import { bucketOf, type NixServeConfig, readUrl } from "./config/cache.ts";
import { publicKeyOf } from "./config/signing-key.ts";
import { publicLineOf } from "./ssh/host-key.ts";

/** `instance`: what a machine on EC2 has beside its other role. */
export type Role = "build" | "cache" | "builder" | "instance";

/** Read by the role's file, which says what each member means. */
export type BootstrapSettings = { readonly role: Role } & { readonly [key: string]: Json };

export type BuilderConfig = Extract<BuildersConfig, { kind: "ssh" }>["hosts"][number];

/** Of a stack's own cache: public caches (40) are asked for public paths before it. */
export const CACHE_PRIORITY = 50;

/** Longest text that a cloud takes as user data, in bytes. */
export const longestText = 16 * 1024;

/** `read`: a file of infra/hosts by its name. */
export function bootstrapText(settings: BootstrapSettings, read: (name: string) => string): string {
  const texts = [heredoc("SETTINGS", canonicalJson(settings)), ...Object.entries(embedded[settings.role]).map(([name, file]) => heredoc(name, withoutComments(read(file))))];
  const files = ["messages.sh", "bootstrap/common.sh", `bootstrap/${settings.role}.sh`];
  return ["#!/usr/bin/env bash\n", ...texts, ...files.map((name) => withoutComments(read(name)))].join("");
}

/** Scripts that the role's file installs, by the variable that holds their text. */
const embedded: { readonly [R in Role]: { readonly [variable: string]: string } } = {
  build: {},
  cache: { CACHE_PUSH: "cache-push.sh" },
  builder: {},
  instance: { WATCH: "aws/watch.sh" },
};

function heredoc(name: string, text: string): string {
  return `${name}=$(cat <<'${name}'\n${text.trimEnd()}\n${name}\n)\n`;
}

/** Only lines that are nothing else; none of these scripts has a text with such a line, which a test sees. */
export function withoutComments(script: string): string {
  return script.replace(/^ *#.*\n/gm, "");
}

/** Who may log in beside whom the machine knows: the configured key itself. An agent's keys are not known here. */
function loginKeys({ privateKey }: { readonly privateKey?: string | undefined }): string[] {
  return privateKey === undefined ? [] : [publicLineOf(privateKey)];
}

/** `stack`: whose these are; a build host keeps what other stacks need. `nixpkgs`: a flake reference that pins one. */
export function buildSettings({ buildHost, binaryCache, builders, substituters }: Pick<Config, "buildHost" | "binaryCache" | "builders" | "substituters">, { stack, nixpkgs }: { readonly stack: string; readonly nixpkgs: string }): BootstrapSettings {
  if (buildHost.kind === "local") throw new Error("the machine that runs pulumi is set up by set-up");
  const { volume = null, minFreeGiB, maxFreeGiB } = buildHost;
  return {
    role: "build",
    stack,
    authorizedKeys: loginKeys(buildHost),
    ...readers({ binaryCache, substituters }),
    netrc: netrc(binaryCache),
    builders: builders.kind === "none" ? [] : builders.hosts.map(({ host, port, hostKey, systems, maxJobs, speedFactor, features }) => ({ host, port, hostKey, systems, maxJobs, speedFactor, features })),
    minFreeGiB,
    maxFreeGiB,
    volume,
    bucketNix: bucketNix(binaryCache, nixpkgs),
  };
}

/** `stack`: whose keys these are; a cache host keeps those of other stacks. `pushKeys`: of the build host. `nixpkgs`: a flake reference that pins one. */
export function cacheSettings(cache: NixServeConfig, { stack, pushKeys, nixpkgs }: { readonly stack: string; readonly pushKeys: readonly string[]; readonly nixpkgs: string }): BootstrapSettings {
  const { host, server, serverPath = null, domain = null, auth = null, signingKey, trusted } = cache;
  return {
    role: "cache",
    stack,
    authorizedKeys: loginKeys(host),
    server,
    serverPath,
    nixpkgs,
    publicKeys: [publicKeyOf(signingKey), ...trusted],
    pushKeys,
    domain,
    port: listenPort(cache),
    auth,
    priority: CACHE_PRIORITY,
    volume: host.volume ?? null,
  };
}

/** The port of a plain `url`; one by HTTPS without a domain is ended elsewhere, and comes here by the usual port. */
function listenPort(cache: NixServeConfig): number {
  const { protocol, port } = new URL(readUrl(cache));
  if (cache.domain !== undefined) return Number(port || 443);
  return protocol === "http:" ? Number(port || 80) : 80;
}

/** `clientKeys`: of the build hosts that hand derivations to it. */
export function builderSettings(config: Pick<Config, "binaryCache" | "substituters">, builder: BuilderConfig, clientKeys: readonly string[]): BootstrapSettings {
  const { systems, features, maxJobs } = builder;
  return { role: "builder", clientKeys, ...readers(config), netrc: netrc(config.binaryCache), systems, features, maxJobs };
}

/** The Nix by which the scripts push to a bucket; Nix's daemon needs it too where it cannot read the bucket by HTTPS. */
function bucketNix(binaryCache: Config["binaryCache"], nixpkgs: string): Json {
  const bucket = bucketOf(binaryCache);
  return bucket === undefined ? null : { path: bucket.nixPath ?? null, nixpkgs, daemon: bucket.readUrl === undefined };
}

/** Caches that the machine's Nix reads, and whose signatures it takes. A directory is the build host's own. */
function readers({ binaryCache, substituters }: Pick<Config, "binaryCache" | "substituters">): { substituters: Json; trustedPublicKeys: Json } {
  if (binaryCache.kind === "directory") return { substituters, trustedPublicKeys: [] };
  const publicKey = publicKeyOf(binaryCache.signingKey);
  const bucket = bucketOf(binaryCache);
  const urls = [...(binaryCache.kind === "s3" ? [] : [readUrl(binaryCache)]), ...(bucket === undefined ? [] : [bucket.readUrl ?? bucket.url])];
  return { substituters: [...urls.map((url) => ({ url, publicKey })), ...substituters], trustedPublicKeys: binaryCache.trusted };
}

function netrc(cache: Config["binaryCache"]): Json {
  if (cache.kind !== "nix-serve" || cache.auth === undefined) return null;
  return [{ machine: new URL(readUrl(cache)).hostname, login: cache.auth.user, password: cache.auth.password }];
}

/** The nixpkgs that layers/flake.lock pins, as a flake reference. `text`: the file's. */
export function pinnedNixpkgs(text: string): string {
  const { owner, repo, rev } = (JSON.parse(text) as { nodes: { nixpkgs: { locked: { owner: string; repo: string; rev: string } } } }).nodes.nixpkgs.locked;
  return `github:${owner}/${repo}/${rev}`;
}
