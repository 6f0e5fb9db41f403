"""docker_archive.py IMAGE REFERENCE: the image (an OCI layout of lib/image.nix) as `docker load` reads it, on standard output.

Layers are decompressed on the way: Docker before 23 knows no zstd, and none reads a pure OCI layout everywhere.
"""

import gzip
import io
import json
import sys
import tarfile
from compression import zstd
from pathlib import Path

OPEN = {b"\x28\xb5\x2f\xfd": zstd.open, b"\x1f\x8b": gzip.open}


def blob(image: Path, digest: str) -> Path:
    return image / "blobs" / digest.replace(":", "/")


def decompressed(path: Path):
    with path.open("rb") as file:
        start = file.read(4)
    for magic, opener in OPEN.items():
        if start.startswith(magic):
            return opener(path, "rb")
    sys.exit(f"{path}: neither zstd nor gzip")


def add(archive: tarfile.TarFile, name: str, size: int, content) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    archive.addfile(info, content)


def main() -> None:
    image, reference = Path(sys.argv[1]), sys.argv[2]
    description = json.loads((image / "image.json").read_text())
    config = blob(image, description["configDigest"]).read_bytes()
    config_name = description["configDigest"].split(":")[1] + ".json"
    names = []
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|", bufsize=1 << 20) as archive:
        add(archive, config_name, len(config), io.BytesIO(config))
        for layer in description["layers"]:
            names.append(layer["diffId"].split(":")[1] + ".tar")
            with decompressed(blob(image, layer["digest"])) as content:
                add(archive, names[-1], layer["tarSize"], content)
        manifest = json.dumps([{"Config": config_name, "RepoTags": [reference], "Layers": names}]).encode()
        add(archive, "manifest.json", len(manifest), io.BytesIO(manifest))


main()
