/** Images as folders, made by hand. */
import { hash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface Layout {
  /** For skopeo. */
  readonly reference: string;
  /** The manifest's file. */
  readonly manifest: string;
  readonly digest: string;
  /** Of the layers. */
  readonly blobs: readonly string[];
}

/** An OCI layout with these layers under one tag; `createdBy` is what the image's history says of each. */
export function ociLayout(folder: string, tag: string, layers: readonly (string | Buffer)[], createdBy: readonly string[] = []): Layout {
  const path = join(folder, tag);
  mkdirSync(join(path, "blobs/sha256"), { recursive: true });
  const add = (mediaType: string, content: string | Buffer) => {
    const hex = hash("sha256", content, "hex");
    writeFileSync(join(path, "blobs/sha256", hex), content);
    return { mediaType, digest: `sha256:${hex}`, size: Buffer.byteLength(content) };
  };
  const blobs = layers.map((content) => add("application/vnd.oci.image.layer.v1.tar", content));
  const history = createdBy.map((created_by) => ({ created_by }));
  const config = add("application/vnd.oci.image.config.v1+json", JSON.stringify({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: blobs.map(({ digest }) => digest) }, history }));
  const manifest = add("application/vnd.oci.image.manifest.v1+json", JSON.stringify({ schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json", config, layers: blobs }));
  writeFileSync(join(path, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  writeFileSync(join(path, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations: { "org.opencontainers.image.ref.name": tag } }] }));
  return { reference: `oci:${path}:${tag}`, manifest: join(path, "blobs/sha256", manifest.digest.slice(7)), digest: manifest.digest, blobs: blobs.map(({ digest }) => digest) };
}
