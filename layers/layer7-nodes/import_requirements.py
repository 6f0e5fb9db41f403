"""import_requirements.py SITE_PACKAGES: imports the packages of one folder, in one process, beside all of the layers below."""

import importlib
import sys
from importlib.metadata import distributions


def modules(folder: str) -> list[str]:
    """Top-level names that the folder's distributions bring."""
    names = set()
    for distribution in distributions(path=[folder]):
        for file in distribution.files or []:
            top = file.parts[0].split(".")[0]
            if (len(file.parts) > 1 or file.suffix in (".py", ".so")) and top.isidentifier() and not top.startswith("_"):
                names.add(top)
    return sorted(names)


def main() -> None:
    names = modules(sys.argv[1])
    for name in names:
        importlib.import_module(name)
    print(f"{len(names)} packages that nodes require loaded: {' '.join(names)}")


main()
