"""Runs inside the kernel: what Jupyter lets pass in silence becomes an error of the cell that did it."""

import sys
import threading

PATIENCE = 1.0  # seconds that a cell waits for the threads it started


def make_strict(shell) -> None:
    """Let a failing `!command` and an exception in a thread fail their cell.

    Args:
        shell: the kernel's own `get_ipython()`.
    """
    shell.system_raise_on_error = True
    ThreadWatch(shell)


class ThreadWatch:
    """Raises what a thread left behind, at the end of the cell during which it happened."""

    def __init__(self, shell):
        self.shell = shell
        self.before: set[threading.Thread] = set()
        self.left_behind: list = []
        threading.excepthook = self.left_behind.append
        shell.events.register("pre_run_cell", self.start)
        shell.events.register("post_run_cell", self.finish)

    def start(self, info) -> None:
        self.before = set(threading.enumerate())

    def finish(self, result) -> None:
        for thread in set(threading.enumerate()) - self.before:
            if not thread.daemon:
                thread.join(PATIENCE)
        if self.left_behind and result.success:
            error = self.left_behind[0]
            result.error_in_exec = error.exc_value
            self.shell.showtraceback((error.exc_type, error.exc_value, error.exc_traceback))
        for error in self.left_behind[1:]:
            print(f"{error.thread.name}: {error.exc_type.__name__}: {error.exc_value}", file=sys.stderr)
        self.left_behind.clear()
