"""install_wheels.py PREFIX SITE_PACKAGES WHEEL...: unpacks wheels as installers do (data folders, scripts, RECORD).

A file that two wheels bring with different bytes is an error: which one wins would depend on the order.
"""

import sys
from pathlib import Path

from installer import install
from installer.destinations import SchemeDictionaryDestination
from installer.sources import WheelFile


class Destination(SchemeDictionaryDestination):
    def write_to_fs(self, scheme, path, stream, is_executable):
        target = self._path_with_destdir(scheme, path)
        if target.exists():
            found, expected = target.read_bytes(), stream.read()
            if found != expected:
                raise FileExistsError(f"two wheels bring different files: {target}")
            stream.seek(0)
            self.overwrite_existing = True
        try:
            return super().write_to_fs(scheme, path, stream, is_executable)
        finally:
            self.overwrite_existing = False


def main() -> None:
    prefix, site_packages, *wheels = sys.argv[1:]
    site = f"{prefix}/{site_packages}"
    scheme = {
        "purelib": site,
        "platlib": site,
        "headers": f"{prefix}/include",
        "scripts": f"{prefix}/bin",
        "data": prefix,
    }
    for wheel in sorted(wheels, key=lambda path: Path(path).name):
        # The interpreter is a placeholder: the layer's own python is put in where the scripts are linked into a layer.
        destination = Destination(scheme, interpreter=sys.executable, script_kind="posix")
        with WheelFile.open(wheel) as source:
            install(source, destination, additional_metadata={"INSTALLER": b"nix\n"})


main()
