"""Packs a layer's blobs: its store paths and its part of the image's /, as reproducible tars, compressed, with their digests.

Reads Nix's structured attributes: `own` and `below` (closures), `root`, `compression`, `blobLimit` (bytes of a tar, or null).
Writes $out/blob.json, $out/paths and the compressed tars. Nothing of the machine gets into the bytes.
"""

import gc
import json
import os
import sys
from pathlib import Path

from compress import FORMATS, Blob, Format, write_blob
from entries import Entry, image_root, store
from split import Part, split


def layer_entries(own: list[str], below: set[str], root: dict | None) -> list[Entry]:
    return [*store(own), *(image_root(root, below | set(own)) if root else ())]


def cores() -> int:
    # Nix says how many a build may use; 0 stands for all.
    return int(os.environ.get("NIX_BUILD_CORES", "0")) or os.process_cpu_count()


def write_blobs(attr: str, parts: list[Part], form: Format, out: Path) -> list[dict]:
    """Several at a time. A tar that is read and hashed keeps at most three threads busy; six in all take less than 200 MB."""
    streams = min(len(parts), form.streams, cores())
    threads = 3 if streams == 1 else 2

    def write(number: int, part: Part) -> dict:
        file = f"layer-{number}.{form.suffix}"
        blob = write_blob(part.entries, form.compressor(threads), out / file)
        if blob.tar_size != part.tar_size:
            raise AssertionError(f"{file} was planned with {part.tar_size} bytes before compression, and has {blob.tar_size}")
        print(f"{attr} {number}/{len(parts)}: {blob.tar_size} bytes, compressed {blob.size}", file=sys.stderr, flush=True)
        return described(file, blob)

    if streams == 1:
        return [write(number, part) for number, part in enumerate(parts, 1)]
    # Importing it takes a quarter of the time of a small layer.
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(streams) as pool:
        return list(pool.map(write, range(1, len(parts) + 1), parts))


def described(file: str, blob: Blob) -> dict:
    return {"file": file, "digest": blob.digest, "diffId": blob.diff_id, "size": blob.size, "tarSize": blob.tar_size}


def oversize(part: Part, limit: int | None) -> dict:
    """A file that is longer than the limit has a blob of its own, and that says so."""
    return {} if limit is None or part.tar_size <= limit else {"oversize": f"/{part.entries[-1].name}"}


def main() -> None:
    attributes = json.loads(Path(os.environ["NIX_ATTRS_JSON_FILE"]).read_text())
    attr, limit, form = attributes["attr"], attributes["blobLimit"], FORMATS[attributes["compression"]]
    out = Path(attributes["outputs"]["out"])
    out.mkdir()
    below = {item["path"] for item in attributes.get("below", [])}
    own = sorted({item["path"] for item in attributes["own"]} - below)

    parts = split(layer_entries(own, below, attributes.get("root")), limit)
    blobs = write_blobs(attr, parts, form, out)
    (out / "paths").write_text("".join(f"{path}\n" for path in own))
    described_layer = {
        "attr": attr,
        "mediaType": form.media_type,
        "paths": len(own),
        "blobs": [{**blob, **oversize(part, limit)} for blob, part in zip(blobs, parts)],
    }
    (out / "blob.json").write_text(json.dumps(described_layer, indent=2, sort_keys=True) + "\n")


# Nothing here refers to itself; looking for it takes longer with each entry.
gc.disable()
main()
