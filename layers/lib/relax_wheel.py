"""relax_wheel.py WHEEL NAME...: drops a wheel's requirements of these names from its metadata.

A name that the wheel does not require is an error: upstream has dropped the bound, or the name is misspelt.
"""

import base64
import hashlib
import re
import sys
import zipfile
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# The earliest time that a zip archive holds.
TIME = (1980, 1, 1, 0, 0, 0)


def relaxed(metadata: bytes, names: set[str]) -> bytes:
    headers, blank, description = metadata.decode().partition("\n\n")
    kept, found = [], set()
    # A header goes on in lines that begin with a blank.
    for header in re.split(r"\n(?![ \t])", headers):
        key, _, value = header.partition(":")
        name = canonicalize_name(Requirement(value.strip()).name) if key.lower() == "requires-dist" else None
        if name in names:
            found.add(name)
        else:
            kept.append(header)
    if missing := names - found:
        sys.exit(f"these are to be relaxed, but the wheel does not require them: {', '.join(sorted(missing))}")
    return ("\n".join(kept) + blank + description).encode()


def recorded(record: bytes, name: str, content: bytes) -> bytes:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    lines = record.decode().splitlines()
    changed = [f"{name},sha256={digest},{len(content)}" if line.startswith(f"{name},") else line for line in lines]
    return "".join(f"{line}\n" for line in changed).encode()


def main() -> None:
    path, *names = sys.argv[1:]
    with zipfile.ZipFile(path) as wheel:
        files = {info.filename: (info, wheel.read(info)) for info in wheel.infolist() if not info.is_dir()}
    [metadata] = [name for name in files if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)]
    record = f"{metadata.split('/')[0]}/RECORD"
    changed = relaxed(files[metadata][1], {canonicalize_name(name) for name in names})
    contents = {metadata: changed, record: recorded(files[record][1], metadata, changed)}
    Path(path).unlink()
    with zipfile.ZipFile(path, "w") as wheel:
        for name, (info, content) in files.items():
            entry = zipfile.ZipInfo(name, TIME)
            entry.external_attr, entry.compress_type = info.external_attr, zipfile.ZIP_DEFLATED
            wheel.writestr(entry, contents.get(name, content))


main()
