import type { configSchema, StackConfig } from "../config.ts";
import type { Fault } from "../faults.ts";
import { type BucketPlace, bucketOf } from "./cache.ts";
import { publicKeyOf } from "./signing-key.ts";
import { verifyFaults } from "./verify.ts";

/** Sections that are right by themselves; what is wrong within one is reported beside this, so that both are mended at once. */
export type Sections = { readonly [K in keyof StackConfig]: StackConfig[K] | undefined };

/** Each section by itself. */
export function sections({ shape }: typeof configSchema, input: Record<string, unknown>): Sections {
  return Object.fromEntries(Object.entries(shape).map(([name, schema]) => [name, schema.safeParse(input[name]).data])) as Sections;
}

/** What no single value shows. */
export function crossFaults(all: Sections, flavors: readonly string[] | undefined): Fault[] {
  return [...flavorFaults(all, flavors), ...systemFaults(all), ...pathFaults(all), ...substituterFaults(all), ...machineFaults(all), ...builderFaults(all), ...folderFaults(all), ...keyFaults(all), ...addressFaults(all), ...verifyFaults(all), ...bucketFaults(all)];
}

function flavorFaults({ flavor }: Sections, flavors: readonly string[] | undefined): Fault[] {
  if (flavor === undefined || flavors === undefined || flavors.includes(flavor.kind)) return [];
  return [{ code: "CONFIG_FLAVOR_UNKNOWN", where: "comfyui:flavor.kind", problem: "layers/layers.json has no such flavor", found: flavor.kind, expected: flavors.join(" or ") }];
}

function pathFaults({ binaryCache, registry }: Sections): Fault[] {
  if (binaryCache?.kind !== "directory" || registry?.kind !== "oci-directory" || !nested(binaryCache.path, registry.path)) return [];
  return [{ code: "CONFIG_PATH_CLASH", where: "comfyui:registry.path", problem: "the image would lie in the cache's folder, or the cache in the image's", found: `${registry.path} and ${binaryCache.path}` }];
}

function nested(a: string, b: string): boolean {
  return `${a}/`.startsWith(`${b}/`) || `${b}/`.startsWith(`${a}/`);
}

function substituterFaults({ substituters = [] }: Sections): Fault[] {
  return repeated(substituters.map(({ url }) => url)).map(({ value, at }) => ({ code: "CONFIG_DUPLICATE", where: `comfyui:substituters[${at}].url`, problem: "this substituter is listed twice", found: value }));
}

/** A build host of the stack's own making is of the first system and emulates none; what another one can do, ready.sh sees there. */
function systemFaults({ systems = [], buildHost, builders }: Sections): Fault[] {
  const twice = repeated(systems).map(({ value, at }): Fault => ({ code: "CONFIG_DUPLICATE", where: `comfyui:systems[${at}]`, problem: "this system is listed twice", found: value }));
  if (buildHost?.kind !== "ec2" || builders === undefined) return twice;
  const built: readonly string[] = builders.kind === "none" ? [] : builders.kind === "ec2" ? builders.systems : builders.hosts.flatMap((host) => host.systems);
  const alone = systems.flatMap((system, at): Fault[] =>
    at === 0 || built.includes(system) || system === systems[0]
      ? []
      : [{ code: "CONFIG_SYSTEM_BUILDER", where: `comfyui:systems[${at}]`, problem: `nothing builds for ${system}: the build host is ${systems[0]}`, found: built.length === 0 ? "no builders" : `builders for ${[...new Set(built)].join(", ")}`, expected: `builders with ${system} among their systems` }],
  );
  return [...twice, ...alone];
}

/** The roles want different settings of the same Nix: a cache host builds nothing, a builder trusts the build host. */
function machineFaults({ buildHost, binaryCache, builders }: Sections): Fault[] {
  const machines = [
    ...(buildHost?.kind === "ssh" ? [{ where: "comfyui:buildHost.host", ...buildHost }] : []),
    ...(binaryCache?.kind === "nix-serve" && binaryCache.host.kind !== "ec2" ? [{ where: "comfyui:binaryCache.host.host", ...binaryCache.host }] : []),
    ...(builders?.kind === "ssh" ? builders.hosts.map((host, at) => ({ where: `comfyui:builders.hosts[${at}].host`, ...host })) : []),
  ];
  return repeated(machines.map(({ host, port }) => `${host.toLowerCase()} port ${port}`)).map(({ value, at, first }) => ({
    code: "CONFIG_HOST_SHARED",
    where: machines[at]?.where ?? "",
    problem: "this machine has another role already",
    found: value,
    expected: `another machine than that of ${machines[first]?.where}`,
  }));
}

function builderFaults({ buildHost, builders }: Sections): Fault[] {
  if (builders === undefined || builders.kind === "none" || buildHost?.kind !== "local") return [];
  return [{ code: "CONFIG_BUILDERS_LOCAL", where: "comfyui:builders.kind", problem: "the machine that runs pulumi hands nothing to builders: its Nix is not set up by this program", found: `${builders.kind}, with buildHost.kind local`, expected: "a build host of its own" }];
}

/** The key of a folder is made there, and the Nix of a host that was set up takes only keys that stand in its settings. */
function folderFaults({ buildHost, binaryCache }: Sections): Fault[] {
  if (binaryCache?.kind !== "directory" || buildHost?.kind !== "ssh" || buildHost.admin === undefined) return [];
  return [{ code: "CONFIG_CACHE_FOLDER", where: "comfyui:binaryCache.kind", problem: "a build host that is set up by this program does not trust a folder's key, which is made there", found: "directory", expected: "nix-serve or s3" }];
}

function keyFaults({ binaryCache }: Sections): Fault[] {
  if (binaryCache === undefined || binaryCache.kind === "directory") return [];
  return repeated([publicKeyOf(binaryCache.signingKey), ...binaryCache.trusted]).map(({ value, at }) => ({
    code: "CONFIG_DUPLICATE",
    where: `comfyui:binaryCache.trusted[${at - 1}]`,
    problem: "this key is trusted already",
    found: value,
  }));
}

/** What is served by a name's certificate is not found under another address. */
function addressFaults({ binaryCache }: Sections): Fault[] {
  if (binaryCache?.kind !== "nix-serve" || binaryCache.domain === undefined || binaryCache.url === undefined) return [];
  const { protocol, hostname } = new URL(binaryCache.url);
  if (protocol === "https:" && hostname === binaryCache.domain) return [];
  return [{ code: "CONFIG_ADDRESS", where: "comfyui:binaryCache.url", problem: "readers would not find the cache here: it is served by HTTPS under its domain", found: binaryCache.url, expected: `https://${binaryCache.domain}` }];
}

function bucketFaults({ binaryCache }: Sections): Fault[] {
  const place = binaryCache && bucketOf<BucketPlace>(binaryCache);
  if (place === undefined || (place.url === undefined) !== (place.bucket === undefined)) return [];
  const where = binaryCache?.kind === "s3" ? "comfyui:binaryCache" : "comfyui:binaryCache.mirror";
  return [{ code: "CONFIG_BUCKET", where, problem: "a bucket is either there or made by the stack", found: place.url === undefined ? "neither url nor bucket" : "both url and bucket", expected: "url: s3://BUCKET?region=…, or bucket: {}" }];
}

/** Each value that stands there again, with both places. */
function repeated(values: readonly string[]): { value: string; at: number; first: number }[] {
  return values.flatMap((value, at) => {
    const first = values.indexOf(value);
    return first < at ? [{ value, at, first }] : [];
  });
}
