"""Makes an OCI layout from finished layer blobs: config, manifest and index are new, the blobs are links.

Refuses a store path that lies in two layers: it would be shipped twice, and which layer owns it would be chance. Refuses more
blobs than an engine can stack.
"""

import hashlib
import json
import os
import sys
from collections import Counter
from pathlib import Path

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"

# Docker's own limit ("max depth exceeded"): the 127 of registries and file systems, less two for the container.
MOST_BLOBS = 125


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def descriptor(media_type: str, data: bytes) -> dict:
    return {"mediaType": media_type, "digest": f"sha256:{hashlib.sha256(data).hexdigest()}", "size": len(data)}


def check_disjoint(layers: list[dict]) -> None:
    owner: dict[str, str] = {}
    clashes = []
    for layer in layers:
        for path in Path(layer["blob"], "paths").read_text().split():
            if path in owner:
                clashes.append(f"  {path}\n    is in {owner[path]} and in {layer['attr']}")
            owner.setdefault(path, layer["attr"])
    if clashes:
        text = "\n".join(clashes)
        sys.exit(
            f"error: {len(clashes)} store path(s) in two blobs of one image:\n{text}\n"
            "  fix: hoist what brings the path into a layer that both are on"
        )


def check_count(blobs: list[dict]) -> None:
    if len(blobs) <= MOST_BLOBS:
        return
    counts = ", ".join(f"{attr} {count}" for attr, count in Counter(blob["attr"] for blob in blobs).items())
    sys.exit(
        f"error: the image has more blobs than Docker can stack\n  found:    {len(blobs)} ({counts})\n"
        f"  expected: {MOST_BLOBS} or fewer\n  fix: raise the flavor's blobLimit in layers.json"
    )


def blobs_of(layer: dict) -> list[dict]:
    """A layer's blobs, lowest first, each with what the image says of it."""
    made = json.loads(Path(layer["blob"], "blob.json").read_text())
    count = len(made["blobs"])
    return [
        {
            **blob,
            "attr": layer["attr"],
            "mediaType": made["mediaType"],
            "path": f"{layer['blob']}/{blob['file']}",
            "createdBy": layer["attr"] if count == 1 else f"{layer['attr']} {part}/{count}",
        }
        for part, blob in enumerate(made["blobs"], 1)
    ]


def main() -> None:
    attributes = json.loads(Path(os.environ["NIX_ATTRS_JSON_FILE"]).read_text())
    out, config_out = (Path(attributes["outputs"][name]) for name in ("out", "config"))
    layers = attributes["layers"]
    check_disjoint(layers)
    blobs = [blob for layer in layers for blob in blobs_of(layer)]
    check_count(blobs)

    config = canonical({
        **attributes["oci"],
        "config": attributes["imageConfig"],
        "rootfs": {"type": "layers", "diff_ids": [blob["diffId"] for blob in blobs]},
        "history": [{"created_by": blob["createdBy"], "comment": "nix"} for blob in blobs],
    })
    manifest = canonical({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIG, config),
        "layers": [{key: blob[key] for key in ("mediaType", "digest", "size")} for blob in blobs],
    })
    tagged = {
        **descriptor(MANIFEST, manifest),
        "annotations": {"org.opencontainers.image.ref.name": attributes["tag"]},
        "platform": attributes["oci"],
    }
    index = canonical({"schemaVersion": 2, "mediaType": INDEX, "manifests": [tagged]})
    image = {
        **descriptor(MANIFEST, manifest),
        "configDigest": descriptor(CONFIG, config)["digest"],
        "tag": attributes["tag"],
        "layers": [{key: blob[key] for key in ("attr", "digest", "size", "diffId", "tarSize")} for blob in blobs],
    }
    write(out, config_out, config, manifest, index, image)
    for blob in blobs:
        (out / path_of(blob["digest"])).symlink_to(blob["path"])


def path_of(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def write(out: Path, config_out: Path, config: bytes, manifest: bytes, index: bytes, image: dict) -> None:
    config_out.write_bytes(config)
    (out / "blobs/sha256").mkdir(parents=True)
    (out / path_of(image["configDigest"])).symlink_to(config_out)
    (out / path_of(image["digest"])).write_bytes(manifest)
    (out / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (out / "index.json").write_bytes(index)
    (out / "image.json").write_text(json.dumps(image, indent=2, sort_keys=True) + "\n")


main()
