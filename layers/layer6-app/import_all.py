"""Imports every installed package in one process: libraries of different layers have to get along with each other."""

import importlib
import importlib.metadata


def main() -> None:
    names = sorted(
        name
        for name in importlib.metadata.packages_distributions()
        # Private helpers need not load by themselves; a name with a slash or hyphen is no module.
        if name.isidentifier() and not name.startswith("_")
    )
    for name in names:
        importlib.import_module(name)
    print(f"{len(names)} packages loaded together: {' '.join(names)}")


main()
