"""What goes into a layer's tar: store paths and the image's own /, in sorted order, with owner, mode and time set here."""

import os
import stat
import struct
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

STORE = "nix/store"
FOLDER, LINK, FILE = b"5", b"2", b"0"


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
        name = os.fsencode(self.name) + (b"/" if self.kind == FOLDER else b"")
        target = os.fsencode(self.source) if self.kind == LINK else b""
        own = block(name, self.kind, self.mode, self.uid, self.gid, self.size, 1, target)
        return long_text(target, LONG_LINK) + long_text(name, LONG_NAME) + own

    def tar_size(self) -> int:
        """Bytes of its header and content, as `header` and a tar's blocks of 512 bytes make them."""
        name = len(os.fsencode(self.name)) + (self.kind == FOLDER)
        target = len(os.fsencode(self.source)) if self.kind == LINK else 0
        return BLOCK + long_name(name) + long_name(target) + blocks(self.size)


# Lengths of a block, of the unit that an archive's end is filled up to, and of a name that fits into a header.
BLOCK, RECORD, NAME = 512, 20 * 512, 100
LONG_NAME, LONG_LINK = b"L", b"K"
# A header of GNU tar's older format (its manual, "Basic Tar Format", struct posix_header with OLDGNU_MAGIC): name, mode, uid, gid,
# size, mtime, checksum, type, target of a link, magic; the rest is empty. tarfile writes the same bytes four times slower, which a
# layer of thousands of small files feels; a small layer feels the time that importing it takes.
MAGIC = b"ustar  \0"
HEADER = struct.Struct("100s8s8s8s12s12s8sc100s8s247x")
USED, CHECKSUM = slice(265), slice(148, 156)


def block(name: bytes, kind: bytes, mode: int = 0, uid: int = 0, gid: int = 0, size: int = 0, mtime: int = 0, target: bytes = b"") -> bytes:
    plain = HEADER.pack(
        name, number(mode, 8), number(uid, 8), number(gid, 8), number(size, 12), number(mtime, 12), b" " * 8, kind, target, MAGIC
    )
    return plain[: CHECKSUM.start] + b"%06o\0 " % sum(plain[USED]) + plain[CHECKSUM.stop :]


@cache
def number(value: int, width: int) -> bytes:
    """Octal digits; what is too large for them, from 8 GiB on, as bytes behind a mark."""
    return b"%0*o\0" % (width - 1, value) if value < 8 ** (width - 1) else b"\x80" + value.to_bytes(width - 1, "big")


def long_text(text: bytes, kind: bytes) -> bytes:
    """What does not fit into a header comes before it, as an entry of its own."""
    if len(text) <= NAME:
        return b""
    return long_header(kind, len(text) + 1) + (text + b"\0").ljust(blocks(len(text) + 1), b"\0")


@cache
def long_header(kind: bytes, size: int) -> bytes:
    return block(b"././@LongLink", kind, size=size)


def blocks(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def long_name(length: int) -> int:
    """Bytes of long_text."""
    return 0 if length <= NAME else BLOCK + blocks(length + 1)


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
