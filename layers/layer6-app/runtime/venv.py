"""A virtual environment on the volume, layered over the image's packages.

What custom nodes install lands there and outlives the container. Everything in it that depends on the image is put right at
each start, so a volume goes from image to image, and back: the links to Python, the path to the image's packages (which come
first: no install replaces one), and a record of each of them, so that pip and uv know what is there already.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

# Says in INSTALLER whose record it is, and in a script that it is the image's.
OWNER = "comfyui-image"
MARK = f"# {OWNER}: a script of the image's"
# Records of packages that the image now has itself.
SHADOWED = "shadowed"


@dataclass(frozen=True)
class Image:
    """The topmost layer that has a Python: its environment sees all packages of the image."""

    prefix: Path

    @cached_property
    def settings(self) -> dict[str, str]:
        lines = (self.prefix / "pyvenv.cfg").read_text().splitlines()
        return dict(line.split(" = ", 1) for line in lines)

    @property
    def minor(self) -> str:
        """Such as python3.14"""
        return "python" + ".".join(self.settings["version"].split(".")[:2])

    @cached_property
    def records(self) -> list[Path]:
        """The .dist-info folders of all its packages."""
        return [Path(line) for line in (self.prefix / "share/image/distributions").read_text().splitlines()]

    @cached_property
    def names(self) -> set[str]:
        return {name_of(record) for record in self.records}

    @property
    def constraints(self) -> Path:
        return self.prefix / "share/image/constraints.txt"


def find_image(search_path: str, venv: Path) -> Image:
    """Behind the environment's own folder, the first Python is the topmost layer's."""
    rest = without(search_path, venv)
    python = shutil.which("python", path=rest)
    if python is None:
        raise FileNotFoundError(f"no python in {rest}")
    return Image(Path(python).parent.parent)


def without(search_path: str, venv: Path) -> str:
    return os.pathsep.join(folder for folder in search_path.split(os.pathsep) if folder != f"{venv}/bin")


def name_of(record: Path) -> str:
    """`PyYAML-6.0.3.dist-info` -> `pyyaml`"""
    return re.sub(r"[-_.]+", "-", record.name.split("-")[0]).lower()


def version_of(record: Path) -> str:
    return record.name.removesuffix(".dist-info").split("-", 1)[1]


def is_image_record(record: Path) -> bool:
    try:
        return (record / "INSTALLER").read_text().strip() == OWNER
    except OSError:
        return False


def own_records(site: Path) -> list[Path]:
    """What was installed on top of the image."""
    return sorted(record for record in site.glob("*.dist-info") if not is_image_record(record))


def put(path: Path, text: str, mode: int = 0o644) -> bool:
    """Writes a file whole or not at all; answers whether it was another one before."""
    try:
        if path.read_text() == text:
            return False
    except (OSError, UnicodeDecodeError):
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".comfyui-", delete=False) as file:
        file.write(text)
    os.chmod(file.name, mode)
    os.replace(file.name, path)
    return True


def link(path: Path, target: str) -> None:
    if path.is_symlink() and os.readlink(path) == target:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.comfyui-new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    os.replace(fresh, path)


class Venv:
    def __init__(self, path: Path, image: Image):
        self.path, self.image = path, image
        self.site = path / "lib" / image.minor / "site-packages"

    @property
    def python(self) -> Path:
        return self.path / "bin/python"

    @property
    def order(self) -> str:
        """The image's packages first. A .pth line, so it holds for every process that runs this environment's Python."""
        site = f"{self.image.prefix}/lib/{self.image.minor}/site-packages"
        return f"import sys, site; at = len(sys.path) - 1; site.addsitedir({site!r}); sys.path.append(sys.path.pop(at))\n"

    def seated(self) -> bool:
        """Whether it was put right for this image already: then it works, even where it cannot be written."""
        try:
            return (self.site / "00-image.pth").read_text() == self.order and self.python.exists()
        except OSError:
            return False

    def seat(self) -> list[str]:
        """Puts it right for this image; answers what the user should know. Raises OSError where it cannot be written."""
        home = self.image.settings["home"]
        link(self.path / "bin/python", f"{home}/python3")
        for name in ("python3", self.image.minor):
            link(self.path / "bin" / name, "python")
        self._scripts()
        put(self.path / "pip.conf", f"[global]\nconstraint = {self.image.constraints}\n")
        moved = self._own_records()
        self._image_records()
        put(
            self.path / "pyvenv.cfg",
            f"home = {home}\nimplementation = CPython\ninclude-system-site-packages = false\nversion = {self.image.settings['version']}\n",
        )
        # Last: with it, the environment counts as seated.
        another = put(self.site / "00-image.pth", self.order)
        return moved + self._left_behind() + (self._disagreements() if another else [])

    def _scripts(self) -> None:
        """The image's own, run by this environment's Python: `pip` has to install here."""
        wanted = {}
        for script in (self.image.prefix / "bin").iterdir():
            if text := python_script(script, f"#!{self.image.prefix}/bin/python"):
                wanted[script.name] = f"#!{self.python}\n{MARK}\n{text}"
        for script in (self.path / "bin").iterdir():
            if script.name not in wanted and is_marked(script):
                script.unlink()
        for name, text in wanted.items():
            script = self.path / "bin" / name
            # One that a package of the volume brought stays.
            if not script.exists() or is_marked(script):
                put(script, text, 0o755)

    def _own_records(self) -> list[str]:
        """Puts away the records of packages that the image has itself, brings back those of packages that it no longer has."""
        aside = self.path / SHADOWED / self.image.minor
        told = []
        for record in own_records(self.site):
            if name_of(record) in self.image.names:
                move(record, aside)
                told.append(f"{record.name.removesuffix('.dist-info')} in {self.path} is not used: the image has the package itself")
        for record in aside.glob("*.dist-info"):
            if name_of(record) not in self.image.names:
                move(record, self.site)
        return told

    def _image_records(self) -> None:
        """Without RECORD, as for packages of a system's own: installers see them, and uninstall none."""
        wanted = {record.name: record for record in self.image.records}
        self.site.mkdir(parents=True, exist_ok=True)
        for record in self.site.glob("*.dist-info"):
            if is_image_record(record) and (record.name not in wanted or os.readlink(record / "METADATA") != str(wanted[record.name] / "METADATA")):
                shutil.rmtree(record)
        for name, record in wanted.items():
            if (self.site / name).exists():
                continue
            fresh = Path(tempfile.mkdtemp(dir=self.site, prefix=".comfyui-"))
            fresh.chmod(0o755)
            for part in ("METADATA", "WHEEL", "entry_points.txt"):
                if (record / part).exists():
                    (fresh / part).symlink_to(record / part)
            (fresh / "INSTALLER").write_text(f"{OWNER}\n")
            fresh.rename(self.site / name)

    def _left_behind(self) -> list[str]:
        """Packages that were installed for another Python: its folder stays, for the way back."""
        there = self.image.names | {name_of(record) for record in own_records(self.site)}
        told = []
        for site in sorted(self.path.glob("lib/python3.*/site-packages")):
            minor = site.parent.name
            missing = [] if site == self.site else [record for record in own_records(site) if name_of(record) not in there]
            if missing:
                listed = self.path / f"{minor}-packages.txt"
                put(listed, "".join(f"{requirement(record)}\n" for record in missing))
                told.append(
                    f"{len(missing)} packages were installed for {minor}, and this image has {self.image.minor}: "
                    f"`pip install -r {listed}` in the container installs them again (or delete {site.parent})"
                )
        return told


    def _disagreements(self) -> list[str]:
        """What the packages of the volume want otherwise than this image has it."""
        if not own_records(self.site):
            return []
        command = [str(self.python), "-m", "pip", "check", "--disable-pip-version-check"]
        checked = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return [] if checked.returncode == 0 else [f"with this image's packages: {line}" for line in checked.stdout.splitlines()]


def is_marked(script: Path) -> bool:
    try:
        with script.open("rb") as file:
            return MARK.encode() in file.read(1024)
    except OSError:
        return False


def python_script(path: Path, start: str) -> str | None:
    """What follows the first line, where that begins so."""
    try:
        with path.open("rb") as file:
            if not file.readline().startswith(start.encode()):
                return None
            return file.read().decode()
    except (OSError, UnicodeDecodeError):
        return None


def move(record: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / record.name
    if target.exists():
        shutil.rmtree(target)
    record.rename(target)


def requirement(record: Path) -> str:
    """Older versions seldom run on a newer Python; what came from a repository comes from there again."""
    try:
        origin = json.loads((record / "direct_url.json").read_text())
        vcs = origin["vcs_info"]
        return f"{name_of(record)} @ {vcs['vcs']}+{origin['url']}@{vcs['commit_id']}"
    except (OSError, KeyError):
        return f"{name_of(record)}>={version_of(record).split('+')[0]}"
