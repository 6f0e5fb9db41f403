"""The image's entry point: options (or nothing) start ComfyUI, reachable from outside the container; anything else is a
command to run instead. CLI_ARGS holds more options, split into words as a shell does.
"""

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import faults
import gpu
import init
import options
import venv
import volume

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Image:
    """What the image was built with (default.nix)."""

    # ComfyUI's main.py.
    program: str
    # Options that come before all others.
    options: list[str]


def main(image: Image, arguments: list[str]) -> None:
    if arguments and not arguments[0].startswith("-"):
        command(arguments)
    else:
        program(image, arguments)


def command(arguments: list[str]) -> None:
    """Runs in this process's place, with the packages of the volume where there is one that can be used."""
    env = dict(os.environ)
    environment(env)
    try:
        os.execvpe(arguments[0], arguments, env)
    except PermissionError as error:
        faults.stop([command_fault("RUN_COMMAND_DENIED", arguments[0], str(error.strerror), "make it executable")])
    except OSError as error:
        faults.stop([command_fault("RUN_COMMAND_UNKNOWN", arguments[0], str(error.strerror), "options of ComfyUI begin with -, as in --cpu; commands are looked for in PATH")])


def command_fault(code: str, name: str, found: str, fix: str) -> faults.Fault:
    return faults.Fault(code, name, "this command cannot be run", found=found, expected="options of ComfyUI, or a command of the image", fix=fix)


def program(image: Image, arguments: list[str]) -> None:
    more, wrong = options.words(os.environ.get("CLI_ARGS", ""))
    given = [*image.options, *more, *arguments]
    asks_for_help = any(word in ("-h", "--help") for word in given)
    chosen, unreadable = options.understood(given)
    if chosen is None or wrong:
        faults.stop([*wrong, *unreadable])
        return
    env = dict(os.environ)
    extra: list[str] = []
    if not asks_for_help:
        extra = prepare(chosen, env)
    python = environment(env)
    if nodes := env.get("COMFYUI_NODES"):
        extra += ["--extra-model-paths-config", str(HERE / "nodes.yaml")]
        faults.notice(f"custom nodes of the image: {nodes}")
    sys.exit(init.run([python, image.program, *given, *extra], env))


def prepare(chosen: options.Options, env: dict[str, str]) -> list[str]:
    """Looks for what would fail later and less clearly, all at once; answers options that follow from what is there."""
    wrong = []
    driver = env.get("COMFYUI_NVIDIA_DRIVER")
    if driver and not chosen.cpu:
        search = env.get("LD_LIBRARY_PATH", "")
        seen = gpu.look(search)
        wrong += gpu.faults(driver, search, seen)
        if seen.library:
            # Else triton asks /sbin/ldconfig, which the image has not.
            env.setdefault("TRITON_LIBCUDA_PATH", seen.library)
    failures = [failure for folder in volume.folders(chosen) if (failure := volume.check(folder))]
    extra, failed = temporary(chosen)
    faults.stop([*wrong, *volume.faults([*filter(volume.stops, failures), *failed])])
    for failure in failures:
        faults.notice(volume.notice(failure))
    if not chosen.database_given:
        extra += ["--database-url", f"sqlite:///{chosen.user.absolute()}/comfyui.db"]
    return extra


def temporary(chosen: options.Options) -> tuple[list[str], list[volume.Failure]]:
    """Previews and the like: beside the other folders, else (each of those a mount of its own) in /tmp."""
    if chosen.temp_given or not (failure := volume.check(volume.Folder(chosen.temp, "write", "previews are saved there"))):
        return [], []
    elsewhere = scratch()
    return (["--temp-directory", str(elsewhere)], []) if elsewhere else ([], [failure])


def scratch() -> Path | None:
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:
        return None


def environment(env: dict[str, str]) -> str:
    """Completes the environment; answers the Python to run the program with."""
    home(env)
    place = Path(env["COMFYUI_VENV"])
    image = venv.find_image(env["PATH"], place)
    on_volume = venv.Venv(place, image)
    try:
        for text in on_volume.seat():
            faults.notice(text)
        return str(on_volume.python)
    except OSError as error:
        reason = f"{error.strerror}: {error.filename or place}"
    if on_volume.seated():
        faults.notice(f"{place} cannot be written ({reason}): no Python package can be installed")
        return str(on_volume.python)
    faults.notice(f"{place} cannot be used ({reason}): Python packages of custom nodes are not seen, and none can be installed")
    env["PATH"] = venv.without(env["PATH"], place)
    del env["VIRTUAL_ENV"]
    return str(image.prefix / "bin/python")


def home(env: dict[str, str]) -> None:
    """A home that can be written: caches of models and of compiled kernels are there. Otherwise one for this run only."""
    wanted = Path(env["HOME"])
    if volume.make(wanted) or volume.write(wanted):
        if not (elsewhere := scratch()) or volume.make(elsewhere / "home"):
            return
        wanted = elsewhere / "home"
    env["HOME"] = str(wanted)
    env.setdefault("TORCHINDUCTOR_CACHE_DIR", str(wanted / ".cache/torchinductor"))
