"""The sample program: answers on ComfyUI's port, in ComfyUI's way, without a GPU.

It stands where ComfyUI stands in the other flavors, takes the options of ComfyUI that an image needs, and calls the native
modules of the layers below.
"""

import argparse
import sys
from pathlib import Path

import nodes
import picture
import server
import system_stats

FOLDERS = ("models", "custom_nodes", "input", "output", "user")


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="comfyui", description=__doc__)
    # As ComfyUI does: without the option only this machine, with the bare option everyone.
    parser.add_argument("--listen", nargs="?", default="127.0.0.1", const="0.0.0.0", metavar="ADDRESS")
    parser.add_argument("--port", type=int, default=8188)
    parser.add_argument("--base-directory", type=Path, default=Path("/data"), help="holds " + ", ".join(FOLDERS) + ", temp")
    parser.add_argument("--temp-directory", type=Path, help="holds temp instead")
    parser.add_argument("--extra-model-paths-config", type=Path, action="append", nargs="+", default=[], metavar="FILE", help="names more folders of custom nodes")
    parser.add_argument("--database-url", help="accepted: this program has no database")
    parser.add_argument("--quick-test-for-ci", action="store_true", help="check everything once, then end")
    parser.add_argument("--cpu", action="store_true", help="accepted: this program uses nothing else")
    return parser.parse_args(arguments)


def prepare(base: Path, temporary: Path) -> None:
    try:
        for folder in (*(base / name for name in FOLDERS), temporary / "temp"):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sys.exit(f"comfyui: {base} cannot be written ({error.strerror}): mount a volume there, or name another --base-directory")


def quick_test() -> None:
    stats = system_stats.collect([])
    image = picture.render(seed=1, size=64)
    assert image.startswith(b"\x89PNG"), "the picture is no PNG file"
    print(f"python {stats['system']['python_version'].split()[0]}, {stats['system']['pytorch_version']}, {len(image)} bytes drawn")


def main() -> None:
    chosen = options(sys.argv[1:])
    prepare(chosen.base_directory, chosen.temp_directory or chosen.base_directory)
    files = [file for group in chosen.extra_model_paths_config for file in group]
    loaded = nodes.load([chosen.base_directory / "custom_nodes", *nodes.configured(files)])
    if chosen.quick_test_for_ci:
        quick_test()
        return
    server.run(chosen.listen, chosen.port, chosen.base_directory, server.application(sys.argv, loaded))


if __name__ == "__main__":
    main()
