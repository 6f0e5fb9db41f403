/** The inventory as a CycloneDX document: equal images give equal bytes. Its library is loaded by the command alone. */
import { Contrib, Enums, Models, Serialize, Spec } from "@cyclonedx/cyclonedx-library";
import { PackageURL } from "packageurl-js";
import parseLicense from "spdx-expression-parse";
import type { ReadImage } from "../images/contents.ts";
import type { Inventory, Part, PartKind } from "./model.ts";

export interface DocumentArgs {
  readonly image: ReadImage;
  readonly inventory: Inventory;
  /** Debian's, of packages from there. */
  readonly suite: string;
  /** This program's version. */
  readonly tool: string;
  /** Default: none, as a time would differ from run to run. */
  readonly timestamp: Date | undefined;
}

type Qualifiers = Record<string, string>;

const types: { readonly [K in PartKind]: Enums.ComponentType } = {
  pypi: Enums.ComponentType.Library,
  deb: Enums.ComponentType.Library,
  nix: Enums.ComponentType.Library,
  source: Enums.ComponentType.Application,
  file: Enums.ComponentType.File,
};

const purls: { readonly [K in PartKind]: (part: Part, args: DocumentArgs) => PackageURL | undefined } = {
  pypi: (part) => new PackageURL("pypi", undefined, part.name, part.version, originQualifiers(part), undefined),
  deb: (part, { suite }) => new PackageURL("deb", "debian", part.name, part.version, { arch: /_([^_]+)\.deb$/.exec(part.file ?? "")?.[1] ?? "all", distro: suite }, undefined),
  nix: (part) => new PackageURL("nix", undefined, part.name, part.version, undefined, undefined),
  source: (part) => githubPurl(part) ?? new PackageURL("generic", undefined, part.name, part.version, originQualifiers(part), undefined),
  file: () => undefined,
};

function originQualifiers({ origin: { url, git, rev } }: Part): Qualifiers | undefined {
  if (git !== undefined) return { vcs_url: `git+${git}@${rev}` };
  return url === undefined ? undefined : { download_url: url };
}

function githubPurl({ origin: { git, rev } }: Part): PackageURL | undefined {
  const [, owner, repository] = /^https:\/\/github\.com\/([^/]+)\/([^/]+?)(?:\.git)?$/.exec(git ?? "") ?? [];
  return owner === undefined ? undefined : new PackageURL("github", owner, repository as string, rev, undefined, undefined);
}

const licenses = new Contrib.License.Factories.LicenseFactory(parseLicense);

export function cycloneDx(args: DocumentArgs): string {
  const { image, inventory, tool, timestamp } = args;
  const components = new Map(inventory.parts.map((part) => [part.ref, componentOf(part, args)]));
  // The library keeps the order of what it is given; its own sorting would follow the machine's language.
  for (const { ref, needs } of inventory.parts) for (const needed of needs) components.get(ref)?.dependencies.add((components.get(needed) as Models.Component).bomRef);
  const own = imageComponent(image);
  for (const ref of inventory.top) own.dependencies.add((components.get(ref) as Models.Component).bomRef);
  const bom = new Models.Bom({
    components: new Models.ComponentRepository(components.values()),
    metadata: new Models.Metadata({
      component: own,
      tools: new Models.Tools({ components: new Models.ComponentRepository([new Models.Component(Enums.ComponentType.Application, "comfyui-image", { version: tool })]) }),
      ...(timestamp && { timestamp }),
    }),
  });
  return `${new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6)).serialize(bom, { sortLists: false, space: 2 })}\n`;
}

/** By its digest alone: names and tags are the registry's, and change. */
function imageComponent({ digest, layers }: ReadImage): Models.Component {
  const blobs = layers.flatMap(({ name, blobs: own }) => own.map((blob) => new Models.Property(`comfyui:layer:${name}`, blob.digest)));
  return new Models.Component(Enums.ComponentType.Container, "comfyui", {
    bomRef: "image",
    version: digest,
    purl: new PackageURL("oci", undefined, "comfyui", digest, undefined, undefined).toString(),
    properties: new Models.PropertyRepository(blobs),
  });
}

function componentOf(part: Part, args: DocumentArgs): Models.Component {
  const { ref, kind, name, version, layer, storePath, file, sha256, origin, summary, homepage } = part;
  const properties = { layer, storePath: storePath && `/nix/store/${storePath}`, file, commit: origin.rev };
  const links: [type: Enums.ExternalReferenceType, url: string | undefined][] = [
    [Enums.ExternalReferenceType.VCS, origin.git],
    [Enums.ExternalReferenceType.Distribution, origin.url],
    [Enums.ExternalReferenceType.Website, homepage],
  ];
  const purl = purls[kind](part, args)?.toString();
  return new Models.Component(types[kind], name, {
    bomRef: ref,
    ...(version !== undefined && { version }),
    ...(purl !== undefined && { purl }),
    ...(summary !== undefined && { description: summary }),
    hashes: new Models.HashDictionary(sha256 === undefined ? [] : [[Enums.HashAlgorithm["SHA-256"], sha256]]),
    licenses: new Models.LicenseRepository(licensesOf(part.licenses)),
    externalReferences: new Models.ExternalReferenceRepository(links.flatMap(([type, url]) => (url === undefined ? [] : [new Models.ExternalReference(url, type)]))),
    properties: new Models.PropertyRepository(Object.entries(properties).flatMap(([key, value]) => (value === undefined ? [] : [new Models.Property(`comfyui:${key}`, value)]))),
  });
}

/** One expression, or several licences: the form has no list of expressions. */
function licensesOf(texts: readonly string[]): Models.License[] {
  const [first] = texts;
  if (first === undefined) return [];
  return texts.length === 1 ? [licenses.makeFromString(first)] : texts.map((text) => licenses.makeDisjunctive(text));
}
