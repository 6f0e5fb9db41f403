import { hash } from "node:crypto";
import { canonicalJson, type Json } from "./canonical-json.ts";
import type { BinaryCacheConfig, Config, RegistryConfig } from "./config.ts";
import { type Bucket, readUrl } from "./config/cache.ts";
import { publicKeyOf } from "./config/signing-key.ts";
import { type BuildSettings, fingerprintImage, fingerprintIndex, fingerprintLayers, type Fingerprints, imageLayers, short } from "./fingerprint.ts";
import type { LayerInputs } from "./input-files.ts";
import { flavorOf, type Layer, type LayerGraph, onClosure, smokeOf } from "./layer-graph.ts";

/** Version of what host scripts read and answer. A new one re-runs every command, so it changes with the answers' form only. */
export const protocol = 3;

/** Everything that requests for one system are made from: plain data, read once. `C`: the configuration as the stack's file has it, or with what is made on AWS. */
export interface Plan<C = Config> {
  readonly graph: LayerGraph;
  readonly inputs: LayerInputs;
  readonly fingerprints: Fingerprints;
  readonly settings: BuildSettings;
  readonly config: C;
}

/** The plan for a stack's first system; `plansBySystem` has the others. */
export function makePlan<C extends Pick<Config, "flavor" | "systems" | "compression">>(graph: LayerGraph, inputs: LayerInputs, config: C): Plan<C> {
  const settings = { flavor: config.flavor.kind, system: config.systems[0] as string, compression: config.compression.kind };
  return { graph, inputs, settings, config, fingerprints: fingerprintLayers(graph, inputs, settings) };
}

/** The plan for each of the stack's systems, in the configuration's order. They differ in their system and fingerprints alone. */
export function plansBySystem<C extends Pick<Config, "systems">>(plan: Plan<C>): Plan<C>[] {
  return plan.config.systems.map((system) => {
    const settings = { ...plan.settings, system };
    return { ...plan, settings, fingerprints: fingerprintLayers(plan.graph, plan.inputs, settings) };
  });
}

type Words = { readonly [key: string]: string };

/**
 * The request of build-layer.sh, and the key of the layer's command: equal text, nothing runs. Nothing in it varies by itself.
 * `inputs` are the layer's own files. `below` stands for the files that only the layers it is `on` read, `graph` for its part
 * of layers.json: one word each, since `on` says already which layer below has changed. The script checks all three.
 */
export function layerRequest(plan: Plan, layer: Layer): string {
  const own = plan.inputs.get(layer.attr) ?? {};
  const closure = onClosure(plan.graph, layer.attr);
  return canonicalJson({
    ...commonRequest(plan, closure, own),
    layer: layer.attr,
    fingerprint: short(plan.fingerprints.get(layer.attr) as string),
    inputs: shortened(own),
    on: keysOf(plan, layer.on),
  });
}

/**
 * The request of publish-image.sh: keyed by the fingerprints of the image's blobs, so a preview knows it before any build. Of
 * several systems it has `images`, the layers by system, in place of `system` and `layers`.
 */
export function publishRequest(plan: Plan): string {
  const layers = imageLayers(plan.graph);
  const names = layers.map(({ attr }) => attr);
  const { system, ...common } = commonRequest(plan, layers, {});
  const images = Object.fromEntries(plansBySystem(plan).map((each) => [each.settings.system, keysOf(each, names)]));
  return canonicalJson({
    ...common,
    ...(plan.config.systems.length > 1 ? { images } : { system: system as Json, layers: keysOf(plan, names) }),
    tag: imageTag(plan),
    registry: registryRequest(plan.config.registry),
  });
}

/** What both have: settings, cache, and the sources that Nix may evaluate for `layers`, beside the files listed one by one. */
function commonRequest(plan: Plan, layers: readonly Layer[], listed: Words): { readonly [key: string]: Json } {
  return {
    protocol,
    ...plan.settings,
    below: digest(lines(filesOf(plan, layers, listed))),
    graph: digest(canonicalJson(reduced(plan.graph, plan.settings.flavor, layers))),
    cache: cacheRequest(plan.config.binaryCache),
    substituters: plan.config.substituters,
  };
}

/** The image's tag: its fingerprint, or that of the index over the systems' images. */
export function imageTag(plan: Plan<Pick<Config, "systems">>): string {
  const images = plansBySystem(plan).map(({ settings, graph, fingerprints }) => [settings.system, fingerprintImage(graph, fingerprints)] as const);
  return short(fingerprintIndex(Object.fromEntries(images)));
}

/** The request of ready.sh and, when the stack is destroyed, of release.sh. */
export function hostRequest(config: Config, settings: BuildSettings): string {
  const { builders } = config;
  return canonicalJson({
    protocol,
    system: settings.system,
    ...(config.systems.length > 1 && { furtherSystems: config.systems.slice(1) }),
    destroy: config.destroy,
    cache: cacheRequest(config.binaryCache),
    registry: registryRequest(config.registry),
    // Its answer holds the key by which the host reaches them, which is made with the first one.
    ...(builders.kind === "ssh" && { builders: builders.hosts.map(({ host, port, systems }) => ({ host, port, systems })) }),
  });
}

/** Members of open-cache.sh's request that say where the cache is and what opens it. */
const openedCache: { readonly [K in BinaryCacheConfig["kind"]]: (cache: Extract<BinaryCacheConfig, { kind: K }>) => { readonly [key: string]: Json } } = {
  directory: cacheRequest,
  "nix-serve": (cache) => ({
    ...cacheRequest(cache),
    ...keysOfCache(cache),
    url: readUrl(cache),
    push: { host: cache.host.host, port: cache.host.port, user: pushUser, hostKey: cache.host.hostKey },
    auth: cache.auth ?? null,
    ...(cache.mirror && { mirror: addressesOf(cache.mirror) }),
  }),
  s3: (cache) => ({ ...cacheRequest(cache), ...keysOfCache(cache), ...addressesOf(cache) }),
};

function addressesOf({ url, readUrl }: Bucket): Words {
  return { url, ...(readUrl !== undefined && { readUrl }) };
}

/** The user of a cache host who may push to it, and do nothing else. */
const pushUser = "comfyui-push";

function keysOfCache({ signingKey, secrets, trusted, onFailure }: Exclude<BinaryCacheConfig, { kind: "directory" }>) {
  return { ...(secrets ? { secrets: { ...secrets } } : { signingKey }), trusted, onFailure };
}

/** Whether the request of open-cache.sh holds a secret, and not just the name of one. */
export function opensBySecret(cache: BinaryCacheConfig): boolean {
  if (cache.kind === "directory") return false;
  return cache.secrets === undefined || (cache.kind === "nix-serve" && cache.auth !== undefined);
}

/** The request of open-cache.sh. It holds the cache's secrets, where it has any that the host does not fetch itself. */
export function openCacheRequest({ binaryCache, substituters }: Config, stack: string): string {
  const cache = (openedCache[binaryCache.kind] as (cache: BinaryCacheConfig) => { readonly [key: string]: Json })(binaryCache);
  return canonicalJson({ protocol, stack, cache, substituters });
}

/** Which cache it is, for those who only use it: no address and no secret, so that neither is in a layer's key. */
function cacheRequest(cache: BinaryCacheConfig): Words {
  if (cache.kind === "directory") return { kind: cache.kind, path: cache.path };
  return { kind: cache.kind, name: cache.name, publicKey: publicKeyOf(cache.signingKey) };
}

function registryRequest(registry: RegistryConfig): Json {
  return registry.kind === "registry"
    ? { kind: registry.kind, repository: registry.repository, tls: registry.tls, ...(registry.liveTag !== undefined && { liveTag: registry.liveTag }), ...(registry.limits && { limits: registry.limits }) }
    : { kind: registry.kind, path: registry.path };
}

function keysOf({ fingerprints }: Plan, names: readonly string[]): Words {
  return Object.fromEntries(names.map((name) => [name, short(fingerprints.get(name) as string)]));
}

function shortened(files: Words): Words {
  return Object.fromEntries(Object.entries(files).map(([file, digest]) => [file, short(digest)]));
}

function filesOf(plan: Plan, layers: readonly Layer[], without: Words): Words {
  const files = Object.assign({}, ...layers.map(({ attr }) => plan.inputs.get(attr))) as Words;
  return shortened(Object.fromEntries(Object.entries(files).filter(([file]) => !(file in without))));
}

/** A line `path digest` for each file, as the script writes it. */
function lines(files: Words): string {
  return Object.entries(files)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([file, word]) => `${file} ${word}\n`)
    .join("");
}

/** layers.json as the checked copy gets it: only what the asked layer may evaluate; `after` names layers outside the copy. */
function reduced(graph: LayerGraph, flavor: string, layers: readonly Layer[]): Json {
  return { flavors: { [flavor]: flavorOf(graph, flavor) }, shared: graph.shared, layers: layers.map((layer) => ({ ...layer, after: [], smoke: smokeOf(layer, flavor) }) as Json) };
}

function digest(text: string): string {
  return short(hash("sha256", text, "hex"));
}
