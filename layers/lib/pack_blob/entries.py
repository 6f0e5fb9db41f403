"""What goes into a layer's tar: store paths and the image's own /, in sorted order, with owner, mode and time set here."""

import os
import stat
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

STORE = "nix/store"
FOLDER, LINK, FILE = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.REGTYPE


class Entry(NamedTuple):
    name: str
    kind: bytes
    mode: int
    # The file to read, or the target of a link.
    source: str = ""
    size: int = 0
    uid: int = 0
    gid: int = 0

    def header(self) -> bytes:
        info = tarfile.TarInfo(self.name)
        info.type, info.mode, info.uid, info.gid, info.size, info.mtime = self.kind, self.mode, self.uid, self.gid, self.size, 1
        if self.kind == LINK:
            info.linkname = self.source
        return info.tobuf(tarfile.GNU_FORMAT)

    def tar_size(self) -> int:
        """Bytes of its header and content, as `header` and a tar's blocks of 512 bytes make them."""
        name = len(os.fsencode(self.name)) + (self.kind == FOLDER)
        target = len(os.fsencode(self.source)) if self.kind == LINK else 0
        return tarfile.BLOCKSIZE + long_name(name) + long_name(target) + blocks(self.size)


def blocks(size: int) -> int:
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def long_name(length: int) -> int:
    """A name that does not fit into a header is a block and its text before it."""
    return 0 if length <= tarfile.LENGTH_NAME else tarfile.BLOCKSIZE + blocks(length + 1)


def tree(source: str, name: str, folder_mode: int, file_mode: int) -> Iterator[Entry]:
    """A file, link or folder with all below it. Files with several names are written out under each (no hard links)."""
    found = os.lstat(source)
    if stat.S_ISLNK(found.st_mode):
        yield Entry(name, LINK, 0o777, os.readlink(source))
    elif stat.S_ISDIR(found.st_mode):
        yield Entry(name, FOLDER, folder_mode)
        for child in sorted(os.listdir(source)):
            yield from tree(f"{source}/{child}", f"{name}/{child}", folder_mode, file_mode)
    else:
        executable = 0o111 if found.st_mode & 0o100 else 0
        yield Entry(name, FILE, file_mode | executable, source, found.st_size)


def store(paths: list[str]) -> Iterator[Entry]:
    yield Entry("nix", FOLDER, 0o755)
    yield Entry(STORE, FOLDER, 0o755)
    for path in paths:
        yield from tree(path, path.removeprefix("/"), 0o555, 0o444)


def image_root(root: dict, packed: set[str]) -> Iterator[Entry]:
    """What goes to the image's own /: folders with owners and modes, links into the store, and the files of a tree."""
    items: dict[str, Entry] = {}
    for name, folder in root.get("directories", {}).items():
        owner = {"uid": folder.get("uid", 0), "gid": folder.get("gid", 0)}
        items[name] = Entry(name, FOLDER, int(folder.get("mode", "0755"), 8), **owner)
    for name, target in root.get("links", {}).items():
        if "/".join(target.split("/")[:4]) not in packed:
            sys.exit(f"root link /{name} -> {target}: that store path is in no layer")
        items[name] = Entry(name, LINK, 0o777, target)
    top = root.get("tree")
    for folder, _, files in os.walk(top) if top else ():
        for file in files:
            path = f"{folder}/{file}"
            name = os.path.relpath(path, top)
            items.update((entry.name, entry) for entry in tree(path, name, 0o755, 0o644))
    for name in list(items):
        for parent in Path(name).parents:
            if str(parent) != ".":
                items.setdefault(str(parent), Entry(str(parent), FOLDER, 0o755))
    yield from (items[name] for name in sorted(items, key=lambda name: name.split("/")))
