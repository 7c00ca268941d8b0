"""Let "stop" wait for the end of a training step, so that no half-made step is ever saved."""

import signal
import threading
from types import FrameType, TracebackType


class stop_after_step:
    """The first interrupt inside (Ctrl-C, "stop" in Jupyter) only sets `requested`; the second one interrupts.

    Off the main thread, where Python delivers no signals, it does nothing.
    """

    def __init__(self) -> None:
        self.requested = False
        self.previous = None

    def __enter__(self) -> "stop_after_step":
        if threading.current_thread() is threading.main_thread():
            self.previous = signal.signal(signal.SIGINT, self._ask)
        return self

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.previous is not None:
            signal.signal(signal.SIGINT, self.previous)
