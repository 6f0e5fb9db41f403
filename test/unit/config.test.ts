import assert from "node:assert/strict";
import { test } from "node:test";
import { configInput, parseConfig } from "../../infra/config.ts";
import { assertFault, faultsOf, type FaultRow } from "./faults.ts";

const key = `cache-1:${"A".repeat(43)}=`;
const parse = (input: Record<string, unknown>) => parseConfig(input, { flavors: ["sample"], isSecret: () => false });

test("an empty configuration is the documented default", () => {
  assert.deepEqual(parse({}), {
    flavor: { kind: "sample" },
    systems: ["x86_64-linux"],
    compression: { kind: "zstd" },
    buildHost: { kind: "local" },
    builders: { kind: "none" },
    binaryCache: { kind: "directory", path: ".local/cache" },
    registry: { kind: "oci-directory", path: ".local/images" },
    substituters: [],
    destroy: { cache: "keep", image: "keep" },
    verify: { kind: "none" },
  });
});

test("keys of other namespaces are left alone, ours are read as JSON or text", () => {
  assert.deepEqual(configInput({ "comfyui:flavor": '{"kind":"sample"}', "comfyui:odd": "text", "aws:region": "x" }), { flavor: { kind: "sample" }, odd: "text" });
});

const bad: FaultRow<Record<string, unknown>>[] = [
  { code: "CONFIG_UNKNOWN_KEY", input: { flavour: { kind: "sample" } }, where: "comfyui:flavour", says: ["there is no such key", 'found:    {"kind":"sample"}'] },
  { code: "CONFIG_UNKNOWN_KEY", input: { registry: { kind: "oci-directory", path: "x", tag: "y" } }, where: "comfyui:registry.tag", says: ["there is no such key"] },
  { code: "CONFIG_MISSING", input: { binaryCache: { kind: "directory" } }, where: "comfyui:binaryCache.path", says: ["the value is missing", "expected: string"] },
  { code: "CONFIG_TYPE", input: { registry: { kind: "registry", repository: "h/n", tls: "no" } }, where: "comfyui:registry.tls", says: ['found:    "no"', "expected: boolean"] },
  { code: "CONFIG_TYPE", input: { flavor: "sample" }, where: "comfyui:flavor", says: ['found:    "sample"', "expected: object"] },
  { code: "CONFIG_KIND", input: { compression: { kind: "xz" } }, where: "comfyui:compression.kind", says: ['found:    "xz"', 'expected: "zstd" or "gzip"'] },
  { code: "CONFIG_VALUE", input: { systems: ["riscv64-linux"] }, where: "comfyui:systems[0]", says: ['found:    "riscv64-linux"', '"x86_64-linux" or "aarch64-linux"'] },
  { code: "CONFIG_RANGE", input: { systems: [] }, where: "comfyui:systems", says: ["found:    []", "one system or two"] },
  { code: "CONFIG_DUPLICATE", input: { systems: ["aarch64-linux", "aarch64-linux"] }, where: "comfyui:systems[1]", says: ["listed twice", "found:    aarch64-linux"] },
  { code: "CONFIG_PATH", input: { binaryCache: { kind: "directory", path: "../cache" } }, where: "comfyui:binaryCache.path", says: ['found:    "../cache"', "inside the project's folder"] },
  { code: "CONFIG_PATH", input: { registry: { kind: "oci-directory", path: "/srv/images" } }, where: "comfyui:registry.path", says: ['found:    "/srv/images"'] },
  { code: "CONFIG_SOURCE_PATH", input: { binaryCache: { kind: "directory", path: "layers/cache" } }, where: "comfyui:binaryCache.path", says: ["among the project's sources", ".local/cache"] },
  { code: "CONFIG_PATH_CLASH", input: { registry: { kind: "oci-directory", path: ".local/cache/images" } }, where: "comfyui:registry.path", says: [".local/cache/images and .local/cache"] },
  { code: "CONFIG_REPOSITORY", input: { registry: { kind: "registry", repository: "https://host/name:tag" } }, where: "comfyui:registry.repository", says: ["HOST[:PORT]/NAME"] },
  { code: "CONFIG_URL", input: { substituters: [{ url: "cache", publicKey: key }] }, where: "comfyui:substituters[0].url", says: ['found:    "cache"', "https://"] },
  { code: "CONFIG_PUBLIC_KEY", input: { substituters: [{ url: "https://cache.example", publicKey: "cache-1:short" }] }, where: "comfyui:substituters[0].publicKey", says: ["NAME:BASE64"] },
  { code: "CONFIG_DUPLICATE", input: { substituters: [{ url: "https://c.example", publicKey: key }, { url: "https://c.example", publicKey: key }] }, where: "comfyui:substituters[1].url", says: ["listed twice"] },
];
for (const row of bad) test(`${row.code} at ${row.where}: ${JSON.stringify(row.input)}`, () => assertFault(row, parse));

test("CONFIG_FLAVOR_UNKNOWN: a flavor that layers.json does not list", () =>
  assertFault({ code: "CONFIG_FLAVOR_UNKNOWN", input: {}, where: "comfyui:flavor.kind", says: ["found:    sample", "expected: other"] }, (input) => parseConfig(input, { flavors: ["other"], isSecret: () => false })));

test("all faults are reported at once, those between sections too", () => {
  const faults = faultsOf(() =>
    parse({ flavour: 1, compression: { kind: "xz" }, systems: ["mips"], registry: { kind: "oci-directory", path: ".local/cache" }, substituters: [{ url: "cache", publicKey: "k" }] }),
  );
  assert.deepEqual(faults.map(({ code }) => code).sort(), ["CONFIG_KIND", "CONFIG_PATH_CLASH", "CONFIG_PUBLIC_KEY", "CONFIG_UNKNOWN_KEY", "CONFIG_URL", "CONFIG_VALUE"]);
});
