"""No distribution may be in two of the layers that this Python sees: which one is imported would depend on their order."""

import re
import sys
from importlib.metadata import distributions


def main() -> None:
    places: dict[str, list[str]] = {}
    for distribution in distributions():
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()
        places.setdefault(name, []).append(f"{distribution.version} in {distribution.locate_file('')}")
    twice = [f"{name}: {' and '.join(found)}" for name, found in sorted(places.items()) if len(found) > 1]
    if twice:
        sys.exit("these distributions are there twice; keep one of each:\n" + "\n".join(twice))
    print(f"{len(places)} distributions, none of them twice")


main()
