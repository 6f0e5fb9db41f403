"""link_modules.py PREFIX SITE_PACKAGES MODULE...: joins installed Python packages, each a store path, into one site-packages.

File by file, so that packages which share a folder (namespace packages) are found in it together. Of their bin/ nothing is
linked: those programs are bound to a Python that sees only what they need themselves. The commands are made anew from the
packages' entry points, as for wheels.
"""

import filecmp
import os
import sys
from importlib.metadata import PathDistribution
from pathlib import Path

from installer.scripts import Script


def link(source: Path, target: Path) -> None:
    if not os.path.lexists(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source)
    elif not filecmp.cmp(source, target, shallow=False):
        raise FileExistsError(f"two packages bring different files: {target} and {source}")


def write_scripts(distribution: PathDistribution, folder: Path) -> None:
    for entry in distribution.entry_points.select(group="console_scripts"):
        # The interpreter is a placeholder: the layer's own python is put in where the scripts are linked into a layer.
        name, text = Script(entry.name, entry.module, entry.attr, "console").generate(sys.executable, "posix")
        path = folder / name
        folder.mkdir(exist_ok=True)
        path.write_bytes(text)
        path.chmod(0o755)


def main() -> None:
    prefix, site_packages, *modules = sys.argv[1:]
    site = Path(prefix, site_packages)
    for module in modules:
        source = Path(module, site_packages)
        if not source.is_dir():
            sys.exit(f"{module} has no {site_packages}: it is no Python package")
        for folder, folders, files in os.walk(source):
            folders.sort()
            for name in sorted(files):
                path = Path(folder, name)
                link(path, site / path.relative_to(source))
        for metadata in sorted(source.glob("*.dist-info")):
            write_scripts(PathDistribution(metadata), Path(prefix, "bin"))


main()
