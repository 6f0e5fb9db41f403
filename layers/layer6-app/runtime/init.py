"""Runs the program as a container's first process should: passes signals on, collects orphans, ends when the program ends.

Python itself cannot be that process: the kernel ignores SIGTERM for a first process that does not handle it, and ComfyUI
does not; `docker stop` would wait ten seconds and kill it.
"""

import os
import signal
import time

# ComfyUI tidies up on SIGINT at once, but Python then takes seconds to take torch apart; in native code it takes no notice at all.
# So the next signal, which ends it, follows soon; a second one from outside does not wait even for that.
STEPS = ((signal.SIGINT, 1.2), (signal.SIGTERM, 0.8), (signal.SIGKILL, None))
ASK_TO_STOP = (signal.SIGTERM, signal.SIGINT)
# Python ignores these from its start, and a child would inherit that.
IGNORED_BY_PYTHON = [signal.SIGPIPE, signal.SIGXFSZ]


class Stop:
    """The way to the end: which signal is next, and when."""

    def __init__(self) -> None:
        self.asked_by: int | None = None
        self.steps = list(STEPS)
        self.deadline: float | None = None

    def step(self, child: int) -> None:
        # The last one stays: there is nothing beyond it.
        number, patience = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        self.deadline = None if patience is None else time.monotonic() + patience
        os.kill(child, number)

    def remaining(self) -> float:
        return 3600.0 if self.deadline is None else max(0.0, self.deadline - time.monotonic())


def collect(child: int) -> int | None:
    """Collects every process that has ended; answers the child's status once it is among them."""
    status = None
    while True:
        try:
            pid, found = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if pid == 0:
            return status
        if pid == child:
            status = found


def exit_code(status: int, asked_by: int | None) -> int:
    """The program's own, or 128 and the signal that ended it: the one that was asked for, where one was."""
    if os.WIFEXITED(status):
        return os.WEXITSTATUS(status)
    return 128 + (asked_by or os.WTERMSIG(status))


def run(command: list[str], environment: dict[str, str]) -> int:
    signals = signal.valid_signals()
    # Blocked, no signal is lost: each is taken in turn below.
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    # In a session of its own: Ctrl-C on a terminal comes here only, and is passed on once.
    child = os.posix_spawn(command[0], command, environment, setsid=True, setsigmask=[], setsigdef=IGNORED_BY_PYTHON)
    stop = Stop()
    while True:
        info = signal.sigtimedwait(signals, stop.remaining())
        if info is None:
            if stop.deadline is not None:
                stop.step(child)
        elif info.si_signo == signal.SIGCHLD:
            if (status := collect(child)) is not None:
                return exit_code(status, stop.asked_by)
        elif info.si_signo in ASK_TO_STOP:
            stop.asked_by = stop.asked_by or info.si_signo
            stop.step(child)
        elif info.si_signo not in (signal.SIGTTIN, signal.SIGTTOU, signal.SIGTSTP):
            os.kill(child, info.si_signo)
