"""import_all.py [NAME...]: imports every installed package in one process, since libraries of different layers have to get along
with each other; but for those named, each of which has to be there.
"""

import importlib
import importlib.metadata
import sys


def main() -> None:
    left_out = set(sys.argv[1:])
    names = {
        name
        for name in importlib.metadata.packages_distributions()
        # Private helpers need not load by themselves; a name with a slash or hyphen is no module.
        if name.isidentifier() and not name.startswith("_")
    }
    if unknown := left_out - names:
        sys.exit(f"not to be imported, but not installed either: {' '.join(sorted(unknown))}")
    for name in sorted(names - left_out):
        importlib.import_module(name)
    print(f"{len(names - left_out)} packages loaded together: {' '.join(sorted(names - left_out))}")


main()
