"""Custom nodes, found and loaded in ComfyUI's way: a folder is a package whose NODE_CLASS_MAPPINGS names its nodes."""

import importlib.util
import os
import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

import yaml


@dataclass
class Loaded:
    folder: Path
    seconds: float
    # Node classes by name; none where the import failed.
    classes: dict[str, type] = field(default_factory=dict)
    failed: bool = False


def configured(files: list[Path]) -> list[Path]:
    """The folders of custom nodes that files like ComfyUI's extra_model_paths.yaml name."""
    folders = []
    for file in files:
        for section in yaml.safe_load(file.read_text(encoding="utf-8")).values():
            base = file.parent / os.path.expandvars(os.path.expanduser(section.get("base_path", "")))
            folders += [Path(os.path.normpath(base / line)) for line in section.get("custom_nodes", "").splitlines() if line]
    return folders


def load(folders: list[Path]) -> list[Loaded]:
    """A node that cannot be imported is told of, and the program goes on without it, as ComfyUI does."""
    packages = [package for folder in folders if folder.is_dir() for package in sorted(folder.iterdir()) if (package / "__init__.py").is_file()]
    loaded = [load_one(package) for package in packages]
    for one in loaded:
        print(f"{one.seconds:6.1f} seconds{' (IMPORT FAILED)' if one.failed else ''}: {one.folder}", flush=True)
    return loaded


def load_one(package: Path) -> Loaded:
    started = time.monotonic()
    # A path, dots replaced, is a name that no other module has.
    name = str(package).replace(".", "_x_")
    spec = importlib.util.spec_from_file_location(name, package / "__init__.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
        classes = dict(module.NODE_CLASS_MAPPINGS)
    except Exception:  # whatever a stranger's code may do
        traceback.print_exc()
        return Loaded(package, time.monotonic() - started, failed=True)
    return Loaded(package, time.monotonic() - started, classes)


def object_info(loaded: list[Loaded]) -> dict:
    """GET /object_info, in the shape of ComfyUI's answer, with what this program has of it."""
    return {
        name: {"name": name, "category": getattr(kind, "CATEGORY", ""), "python_module": f"custom_nodes.{one.folder.name}"}
        for one in loaded
        for name, kind in one.classes.items()
    }
