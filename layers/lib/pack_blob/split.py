"""The rule by which a layer becomes several blobs, where its tar is longer than the limit.

A unit is what is never cut: a folder that fits into a blob, or a file. Starting from /, each folder that does not fit is replaced
by what is in it, so units are whole store paths, else whole packages, else files. In the order of their names, units form groups:
all of them first; a group that is longer than the limit is cut in two, before the unit whose name has the lowest hash, until each
group fits. Last, a group shorter than a quarter of the limit joins the one before it where both fit. A group is a blob, with the
folders above its units.

So cuts depend on names, and on sizes only near by: where one package changes, grows or comes, the other blobs stay as they are,
byte for byte, but for a neighbour now and then. Blobs filled from left to right would be fewer (six in place of nine for a layer of
five limits), but each change can shift all cuts after it: over random changes of one package of 250, 21 % of the layer's bytes
were in changed blobs, and 13 % with this rule. A store path's hash is no part of its name here, nor are digits: a new version stands
where the old one stood. Nothing else counts, no machine, no time, no number of cores.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import NamedTuple

from entries import BLOCK, RECORD, STORE, Entry


class Part(NamedTuple):
    entries: list[Entry]
    tar_size: int


def split(entries: list[Entry], limit: int | None) -> list[Part]:
    """`entries`: a tree in depth-first order, parents first. The parts' entries are in that order too."""
    whole = Part(entries, tar_size(sum(entry.tar_size() for entry in entries)))
    if limit is None or whole.tar_size <= limit:
        return [whole]
    tree = Tree(entries)
    units = sorted(tree.units(limit), key=tree.place)
    return [tree.part(group) for group in joined(tree, groups(tree, units, limit), limit)]


def tar_size(content: int) -> int:
    """A tar ends with two empty blocks, and is filled up to whole records."""
    return -(-(content + 2 * BLOCK) // RECORD) * RECORD


def groups(tree: "Tree", units: list[int], limit: int) -> Iterator[list[int]]:
    if len(units) == 1 or tree.tar_size(units) <= limit:
        yield units
        return
    cut = min(range(1, len(units)), key=lambda at: tree.rank(units[at]))
    yield from groups(tree, units[:cut], limit)
    yield from groups(tree, units[cut:], limit)


def joined(tree: "Tree", groups: Iterator[list[int]], limit: int) -> list[list[int]]:
    found: list[list[int]] = []
    for units in groups:
        if found and tree.tar_size(units) * 4 < limit and tree.tar_size(found[-1] + units) <= limit:
            found[-1] = found[-1] + units
        else:
            found.append(units)
    return found


class Tree:
    """Entries by number, each with its parent (-1: none), the number behind its last descendant, and the bytes of all of it."""

    def __init__(self, entries: list[Entry]):
        self.entries = entries
        self.parent: list[int] = []
        self.end = [0] * len(entries)
        self.size = [entry.tar_size() for entry in entries]
        above: list[int] = []
        for at, entry in enumerate(entries):
            while above and not entry.name.startswith(f"{entries[above[-1]].name}/"):
                self.end[above.pop()] = at
            self.parent.append(above[-1] if above else -1)
            above.append(at)
        for at in above:
            self.end[at] = len(entries)
        for at in reversed(range(len(entries))):
            if self.parent[at] >= 0:
                self.size[self.parent[at]] += self.size[at]

    def units(self, limit: int, folder: int = -1) -> Iterator[int]:
        at, end = folder + 1, len(self.entries) if folder < 0 else self.end[folder]
        while at < end:
            if self.end[at] == at + 1 or self.tar_size([at]) <= limit:
                yield at
            else:
                yield from self.units(limit, at)
            at = self.end[at]

    def above(self, units: list[int]) -> set[int]:
        """The folders above these units."""
        found: set[int] = set()
        for at in units:
            while (at := self.parent[at]) >= 0 and at not in found:
                found.add(at)
        return found

    def tar_size(self, units: list[int]) -> int:
        folders = sum(self.entries[at].tar_size() for at in self.above(units))
        return tar_size(folders + sum(self.size[at] for at in units))

    def part(self, units: list[int]) -> Part:
        numbers = self.above(units).union(*(range(at, self.end[at]) for at in units))
        return Part([self.entries[at] for at in sorted(numbers)], self.tar_size(units))

    def place(self, at: int) -> tuple[list[str], str]:
        name = self.entries[at].name
        return steady(name).split("/"), name

    def rank(self, at: int) -> bytes:
        return hashlib.sha256(re.sub(r"[0-9]+", "", steady(self.entries[at].name)).encode(errors="surrogateescape")).digest()


def steady(name: str) -> str:
    return re.sub(f"^({STORE}/)[0-9a-z]{{32}}-", r"\1", name)
