"""The folders on the volume: made where they are missing, tried where they are to be written."""

import errno
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from faults import Fault
from options import Options


@dataclass(frozen=True)
class Folder:
    path: Path
    # What the program cannot do without: "write", or "read" where it only has to be there.
    need: str
    use: str


def folders(options: Options) -> list[Folder]:
    """In the order in which faults are reported. Models and nodes may well be shared, read-only folders."""
    return [
        Folder(options.output, "write", "results are saved there"),
        Folder(options.input, "write", "uploads are saved there"),
        Folder(options.user, "write", "settings, workflows and the database are saved there"),
        Folder(options.models, "read", "models are kept there"),
        Folder(options.custom_nodes, "read", "nodes are kept there"),
    ]


def make(path: Path) -> OSError | None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return error
    return None


def write(path: Path) -> OSError | None:
    """Really writes: a full disk and a read-only mount show in no permission bits. Nothing stays."""
    try:
        with tempfile.TemporaryFile(dir=path, prefix=".comfyui-") as file:
            file.write(b"\0" * 4096)
            file.flush()
    except OSError as error:
        return error
    return None


@dataclass(frozen=True)
class Failure:
    folder: Folder
    error: OSError
    # The folder is there.
    made: bool


def check(folder: Folder) -> Failure | None:
    if error := make(folder.path):
        return Failure(folder, error, made=False)
    if error := write(folder.path):
        return Failure(folder, error, made=True)
    return None


def stops(failure: Failure) -> bool:
    return not failure.made or failure.folder.need == "write"


def notice(failure: Failure) -> str:
    return f"{failure.folder.path} cannot be written ({failure.error.strerror}): what is in it can be used, and nothing be added"


def faults(failures: list[Failure]) -> list[Fault]:
    """One for each cause: a volume that cannot be written at all is one thing to mend, not three."""
    causes: dict[tuple, list[Failure]] = {}
    for failure in failures:
        there = nearest(failure.folder.path)
        found = os.stat(there)
        causes.setdefault((failure.error.errno, mount_of(there), found.st_uid, found.st_gid), []).append(failure)
    return [fault(together) for together in causes.values()]


def fault(failures: list[Failure]) -> Fault:
    first = failures[0]
    number = first.error.errno or 0
    there = nearest(first.folder.path)
    found = os.stat(there)
    me = f"{os.geteuid()}:{os.getegid()}"
    owner = f"{found.st_uid}:{found.st_gid}"
    return Fault(
        "RUN_VOLUME",
        ", ".join(str(failure.folder.path) for failure in failures),
        f"cannot be written: {'; '.join(failure.folder.use for failure in failures)}",
        found=f"{first.error.strerror}; this runs as {me}; {there} belongs to {owner}, mode {found.st_mode & 0o7777:04o}",
        expected=f"a volume that {me} can write",
        fix=remedy(number, mount_of(there), me, owner),
    )


def nearest(path: Path) -> Path:
    """The path itself, or the closest folder above it that exists."""
    return next(folder for folder in (path, *path.absolute().parents) if folder.exists())


def mount_of(path: Path) -> Path:
    return next(folder for folder in (path, *path.absolute().parents) if folder.is_mount())


def remedy(number: int, mount: Path, me: str, owner: str) -> str:
    if number in (errno.ENOSPC, errno.EDQUOT):
        return f"free space on the volume at {mount}, or give it more"
    if number == errno.EROFS:
        return "mount a volume there, as in --volume comfyui-data:/data" if mount == Path("/") else f"mount the volume at {mount} without :ro"
    # Root's folder: in a rootless engine that is the user who started it, elsewhere root must not be the advice.
    start = "in rootless Docker or Podman, start with --user 0:0" if owner == "0:0" else f"start with --user {owner}"
    return f"{start}; or give the volume to {me}: chown -R {me} FOLDER on the host"
