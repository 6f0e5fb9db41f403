"""Packs a layer's blob: one reproducible tar, compressed, with its digests taken in the same pass.

Reads Nix's structured attributes: `own` and `below` (closures), `root`, `compression`. Writes $out/blob.json, $out/paths and the
compressed tar. Nothing of the machine gets into the bytes: names are sorted, and every owner, mode and time is set here.
"""

import hashlib
import json
import os
import stat
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

STORE = "nix/store"
FORMATS = {
    # Always several threads: zstd's single-threaded mode gives other bytes, the number of threads does not matter.
    "zstd": ("application/vnd.oci.image.layer.v1.tar+zstd", "layer.tar.zst", ["zstd", "-q", "-9", "-T0"]),
    "gzip": ("application/vnd.oci.image.layer.v1.tar+gzip", "layer.tar.gz", ["gzip", "-n", "-6"]),
}


class Compressor:
    """A file to write the tar to: hashes it, compresses it, and hashes what comes out."""

    def __init__(self, command: list[str], target: Path):
        self.tar_hash, self.hash = hashlib.sha256(), hashlib.sha256()
        self.tar_size = self.size = 0
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.reader = threading.Thread(target=self._drain, args=(target,))
        self.reader.start()

    def _drain(self, target: Path) -> None:
        with target.open("wb") as file:
            while chunk := self.process.stdout.read(1 << 18):
                self.hash.update(chunk)
                self.size += len(chunk)
                file.write(chunk)

    def write(self, data: bytes) -> int:
        self.tar_hash.update(data)
        self.tar_size += len(data)
        self.process.stdin.write(data)
        return len(data)

    def close(self) -> None:
        self.process.stdin.close()
        self.reader.join()
        if self.process.wait() != 0:
            sys.exit(f"{self.process.args[0]} failed with status {self.process.returncode}")


class Packer:
    def __init__(self, target):
        self.tar = tarfile.open(fileobj=target, mode="w|", format=tarfile.GNU_FORMAT, bufsize=1 << 18)

    def entry(self, name: str, kind: bytes, mode: int, uid: int = 0, gid: int = 0) -> tarfile.TarInfo:
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.uid, info.gid, info.mtime = kind, mode, uid, gid, 1
        return info

    def folder(self, name: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> None:
        self.tar.addfile(self.entry(name, tarfile.DIRTYPE, mode, uid, gid))

    def link(self, name: str, target: str) -> None:
        info = self.entry(name, tarfile.SYMTYPE, 0o777)
        info.linkname = target
        self.tar.addfile(info)

    def tree(self, source: str, name: str, folder_mode: int, file_mode: int) -> None:
        """A file, link or folder with all below it. Files with several names are written out under each (no hard links)."""
        found = os.lstat(source)
        if stat.S_ISLNK(found.st_mode):
            self.link(name, os.readlink(source))
        elif stat.S_ISDIR(found.st_mode):
            self.folder(name, folder_mode)
            for child in sorted(os.listdir(source)):
                self.tree(f"{source}/{child}", f"{name}/{child}", folder_mode, file_mode)
        else:
            executable = 0o111 if found.st_mode & 0o100 else 0
            info = self.entry(name, tarfile.REGTYPE, file_mode | executable)
            info.size = found.st_size
            with open(source, "rb") as file:
                self.tar.addfile(info, file)


def pack_root(packer: Packer, root: dict, packed: set[str]) -> None:
    """What goes to the image's own /: folders with owners and modes, links into the store, and the files of a tree."""
    items: dict[str, tuple] = {}
    for name, folder in root.get("directories", {}).items():
        items[name] = ("folder", int(folder.get("mode", "0755"), 8), folder.get("uid", 0), folder.get("gid", 0))
    for name, target in root.get("links", {}).items():
        if "/".join(target.split("/")[:4]) not in packed:
            sys.exit(f"root link /{name} -> {target}: that store path is in no layer")
        items[name] = ("link", target)
    tree = root.get("tree")
    for folder, _, files in os.walk(tree) if tree else ():
        for file in files:
            path = f"{folder}/{file}"
            items[os.path.relpath(path, tree)] = ("file", path)
    for name in list(items):
        for parent in Path(name).parents:
            if str(parent) != ".":
                items.setdefault(str(parent), ("folder", 0o755, 0, 0))
    for name, (kind, *values) in sorted(items.items()):
        if kind == "folder":
            packer.folder(name, *values)
        elif kind == "link":
            packer.link(name, *values)
        else:
            packer.tree(values[0], name, 0o755, 0o644)


def main() -> None:
    attributes = json.loads(Path(os.environ["NIX_ATTRS_JSON_FILE"]).read_text())
    out = Path(attributes["outputs"]["out"])
    out.mkdir()
    below = {item["path"] for item in attributes.get("below", [])}
    own = sorted({item["path"] for item in attributes["own"]} - below)

    media_type, file, command = FORMATS[attributes["compression"]]
    stream = Compressor(command, out / file)
    packer = Packer(stream)
    packer.folder("nix")
    packer.folder(STORE)
    for path in own:
        packer.tree(path, path.removeprefix("/"), 0o555, 0o444)
    if attributes.get("root"):
        pack_root(packer, attributes["root"], below | set(own))
    packer.tar.close()
    stream.close()

    (out / "paths").write_text("".join(f"{path}\n" for path in own))
    blob = {
        "attr": attributes["attr"],
        "mediaType": media_type,
        "paths": len(own),
        "blobs": [{
            "digest": f"sha256:{stream.hash.hexdigest()}",
            "diffId": f"sha256:{stream.tar_hash.hexdigest()}",
            "size": stream.size,
            "tarSize": stream.tar_size,
            "file": file,
        }],
    }
    (out / "blob.json").write_text(json.dumps(blob, indent=2, sort_keys=True) + "\n")


main()
