"""Whether the program answers and what it makes can be saved: exit code 0, or 1 with the reason.

An answer alone says little: with a volume that cannot be written ComfyUI answers 200 while every save fails.
"""

import os
import ssl
import sys
import urllib.error
import urllib.request
from glob import glob

import options
import volume


def command_line(main: str) -> list[str] | None:
    """The options of the running program, wherever it was told them: those of the process that runs `main`."""
    for file in glob("/proc/[0-9]*/cmdline"):
        try:
            with open(file, encoding="utf-8", errors="surrogateescape") as process:
                words = process.read().split("\0")[:-1]
        except OSError:
            continue
        if main in words:
            return words[words.index(main) + 1 :]
    return None


def answers(url: str) -> str | None:
    """What is wrong."""
    # Its certificate is made for another name than the loopback address.
    trusting = ssl._create_unverified_context() if url.startswith("https:") else None
    try:
        with urllib.request.urlopen(f"{url}/system_stats", timeout=4, context=trusting):
            return None
    except (OSError, urllib.error.URLError) as error:
        return f"{url}/system_stats: {error}"


def problems(arguments: list[str] | None) -> list[str]:
    if arguments is None:
        return ["the program does not run"]
    chosen = options.read(arguments)
    found = [answers(chosen.url)]
    for folder in volume.folders(chosen):
        if folder.need == "write" and (error := volume.write(folder.path)):
            found.append(f"{folder.path} cannot be written: {error.strerror}")
    return [text for text in found if text]


def main(program: str) -> None:
    # A request to this container goes through no proxy.
    os.environ["no_proxy"] = "*"
    found = problems(command_line(program))
    print("\n".join(found) or "healthy")
    sys.exit(1 if found else 0)
