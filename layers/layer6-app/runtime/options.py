"""The program's options, as far as a container has to know them: ComfyUI's own command line, read the same way."""

import argparse
import shlex
from dataclasses import dataclass
from pathlib import Path

from faults import Fault


class Unreadable(Exception):
    pass


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        raise Unreadable(message)


@dataclass(frozen=True)
class Options:
    """Addresses and folders that a command line means."""

    # The address of the program as seen from inside the container.
    url: str
    base: Path
    models: Path
    custom_nodes: Path
    input: Path
    output: Path
    user: Path
    temp: Path
    # Whether the command line says so itself.
    temp_given: bool
    database_given: bool
    cpu: bool


def parser() -> Parser:
    # Without abbreviations: which are unique depends on options that are not listed here.
    made = Parser(add_help=False, allow_abbrev=False)
    made.add_argument("--listen", nargs="?", default="127.0.0.1", const="0.0.0.0")
    made.add_argument("--port", type=int, default=8188)
    made.add_argument("--base-directory", type=Path, default=Path("/data"))
    for name in ("input", "output", "user", "temp"):
        made.add_argument(f"--{name}-directory", type=Path)
    made.add_argument("--database-url")
    made.add_argument("--tls-keyfile")
    made.add_argument("--cpu", action="store_true")
    return made


def read(arguments: list[str]) -> Options:
    """Raises Unreadable for a value that the program would refuse as well."""
    found, _ = parser().parse_known_args(arguments)
    base = found.base_directory
    # ComfyUI makes a folder of its own in --temp-directory.
    temp = base / "temp" if found.temp_directory is None else found.temp_directory / "temp"
    return Options(
        url=f"{'https' if found.tls_keyfile else 'http'}://{inside(found.listen)}:{found.port}",
        base=base,
        models=base / "models",
        custom_nodes=base / "custom_nodes",
        input=found.input_directory or base / "input",
        output=found.output_directory or base / "output",
        user=found.user_directory or base / "user",
        temp=temp,
        temp_given=found.temp_directory is not None,
        database_given=found.database_url is not None,
        cpu=found.cpu,
    )


def inside(listen: str) -> str:
    """The address to ask: the first of the list; one that means all addresses has a loopback one among them."""
    first = listen.split(",")[0]
    address = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(first, first)
    return f"[{address}]" if ":" in address else address


def words(text: str) -> tuple[list[str], list[Fault]]:
    """CLI_ARGS as words, split as a shell does: quotes and backslashes keep spaces together."""
    try:
        return shlex.split(text), []
    except ValueError as error:
        return [], [
            Fault(
                "RUN_OPTIONS",
                "CLI_ARGS",
                f"these are no words of a command line: {str(error).lower()}",
                found=text,
                expected="options with balanced quotes, such as --lowvram --output-directory '/data/my output'",
                fix="close the quote, or write a backslash before a single one",
            )
        ]


def understood(arguments: list[str]) -> tuple[Options | None, list[Fault]]:
    try:
        return read(arguments), []
    except Unreadable as error:
        return None, [
            Fault(
                "RUN_OPTIONS",
                "the container's options",
                str(error),
                found=shlex.join(arguments),
                expected="options as `--help` lists them",
                fix="correct the option in CLI_ARGS or behind the image's name",
            )
        ]
