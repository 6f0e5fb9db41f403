"""What can be wrong before the program starts: a stable code, where, what was found and expected, and how to mend it.

infra/faults.ts has the same codes; the written form is that of all errors of the project.
"""

import sys
from dataclasses import dataclass

# The container's exit code for each, as sysexits.h numbers such things; the first fault decides.
STATUS = {
    "RUN_OPTIONS": 64,
    "RUN_GPU_MISSING": 69,
    "RUN_GPU_DRIVER": 70,
    "RUN_VOLUME": 73,
    # As every shell does.
    "RUN_COMMAND_DENIED": 126,
    "RUN_COMMAND_UNKNOWN": 127,
}


@dataclass(frozen=True)
class Fault:
    code: str
    where: str
    problem: str
    found: str
    expected: str
    fix: str

    def __str__(self) -> str:
        return (
            f"error[{self.code}]: {self.where}: {self.problem}\n"
            f"  found:    {self.found}\n"
            f"  expected: {self.expected}\n"
            f"  fix:      {self.fix}"
        )


def stop(faults: list[Fault]) -> None:
    """Says all of them and ends, or returns where there are none."""
    if not faults:
        return
    for fault in faults:
        print(fault, file=sys.stderr)
    sys.exit(STATUS[faults[0].code])


def notice(text: str) -> None:
    """Something to know that stops nothing."""
    print(f"notice: {text}", file=sys.stderr, flush=True)
