"""compile.py PREFIX FOLDER: byte code beside every module in FOLDER, the same on every machine; PREFIX is what modules are known below.

Each folder by a process of its own, as many at once as there are cores. Within one process the bytes depend on what it has compiled
before, so files must not be dealt out to processes by chance (as `compileall -j 2` does): each process is forked off this one, which
compiles nothing. Hashes in place of times, of which nobody looks at either. Ends with 1 where a file does not compile.
"""

import compileall
import os
import sys
from collections.abc import Iterator
from py_compile import PycInvalidationMode


def folders(top: str) -> Iterator[str]:
    for folder, _, files in os.walk(top):
        if any(file.endswith(".py") for file in files):
            yield folder


def compile_folder(folder: str, prefix: str) -> bool:
    mode = PycInvalidationMode.UNCHECKED_HASH
    return compileall.compile_dir(folder, maxlevels=0, force=True, quiet=1, stripdir=prefix, prependdir=prefix, invalidation_mode=mode)


def fork(folder: str, prefix: str) -> None:
    if os.fork() == 0:
        done = compile_folder(folder, prefix)
        sys.stdout.flush()
        os._exit(0 if done else 1)


def ended() -> int:
    """The status of a process that has ended."""
    return os.waitstatus_to_exitcode(os.wait()[1])


def main() -> None:
    prefix, top = sys.argv[1:]
    # Nix says how many a build may use; 0 stands for all.
    cores = int(os.environ.get("NIX_BUILD_CORES", "0")) or os.process_cpu_count()
    statuses, running = [], 0
    for folder in folders(top):
        if running == cores:
            statuses.append(ended())
            running -= 1
        fork(folder, prefix)
        running += 1
    statuses.extend(ended() for _ in range(running))
    sys.exit(max((abs(status) for status in statuses), default=0))


main()
