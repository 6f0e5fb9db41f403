"""describe_packages.py FOLDER: what this Python sees of packages, for those who install more of them later.

distributions    the .dist-info folder of each, a line each
constraints.txt  their versions, for pip and uv: what is here already is kept
"""

import email
import sys
from pathlib import Path

HEAD = """\
# The Python packages of the image. With this file as a constraint, pip and uv add packages and replace none of these:
# what wants another version of one is refused.
"""


def main() -> None:
    folder = Path(sys.argv[1])
    # In the order in which Python looks; a package is in one folder only.
    records = [record for place in sys.path for record in sorted(Path(place).glob("*.dist-info"))]
    versions = {}
    for record in records:
        metadata = email.message_from_bytes((record / "METADATA").read_bytes())
        versions[metadata["Name"]] = metadata["Version"]
    lines = [f"{name}=={version}\n" for name, version in sorted(versions.items(), key=lambda item: item[0].lower())]
    (folder / "distributions").write_text("".join(f"{record}\n" for record in records))
    (folder / "constraints.txt").write_text(HEAD + "".join(lines))


main()
