"""End a learner's endless loop, on the main thread and off it, on every system."""

import contextlib
import ctypes
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

AGAIN = 0.02  # seconds until the next attempt, where code does not give in


class TimeIsUp(BaseException):
    """Raised inside code that took too long; not an Exception, so that `except Exception` lets it pass."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `TimeIsUp` in the code inside once it has taken this long, and again until it gives in.

    Args:
        seconds: wall time; a call that never returns to Python, such as one huge matrix product, is not interrupted.
    """
    on_main = threading.current_thread() is threading.main_thread()
    caller = sys._getframe(2)  # the frame with the `with` statement; between it and here is contextlib
    limit = _alarm(seconds, caller) if on_main and hasattr(signal, "setitimer") else _watchdog(seconds, caller)
    with limit:
        yield


def _raise_at_a_coming_line(frame: FrameType | None, caller: FrameType, num_lines: int) -> None:
    """For loops that swallow every exception: raise after some lines of theirs, so sooner or later outside their `try`.

    Python drops a tracer that raises, so each one has a single shot.
    """

    def tracer(frame: FrameType, event: str, argument: object) -> object:
        nonlocal num_lines
        if event == "line":
            num_lines -= 1
            if num_lines < 0:
                raise TimeIsUp
        return tracer

    while frame is not None and frame is not caller:
        frame.f_trace = tracer
        frame = frame.f_back
    sys.settrace(lambda *event: None)


def _is_leaving(frame: FrameType | None, caller: FrameType) -> bool:
    """Whether the code inside has ended in this very moment, and the way out of the `with` must not be disturbed."""
    while frame is not None and frame.f_back is not caller:
        frame = frame.f_back
    return frame is not None and frame.f_code.co_filename == contextlib.__file__


@contextmanager
def _alarm(seconds: float, caller: FrameType) -> Iterator[None]:
    over, rings = False, 0

    def ring(number: int, frame: FrameType | None) -> None:
        nonlocal rings
        if over or _is_leaving(frame, caller):
            return
        rings += 1
        if rings > 1:
            _raise_at_a_coming_line(frame, caller, rings - 2)
        raise TimeIsUp

    started, previous_trace = time.monotonic(), sys.gettrace()
    previous_handler = signal.signal(signal.SIGALRM, ring)
    remaining, interval = signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    try:
        yield
    finally:
        over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous_handler or signal.SIG_DFL)
        if rings > 1:
            sys.settrace(previous_trace)
        if remaining:  # somebody else's alarm goes on
            signal.setitimer(signal.ITIMER_REAL, max(remaining - (time.monotonic() - started), 0.001), interval)


@contextmanager
def _watchdog(seconds: float, caller: FrameType) -> Iterator[None]:
    thread_id, lock, finished = ctypes.c_ulong(threading.get_ident()), threading.Lock(), threading.Event()
    attempts = 0

    class TimeIsUpAgain(TimeIsUp):
        """Python calls the constructor in the thread that the exception is sent to."""

        def __init__(self) -> None:
            _raise_at_a_coming_line(sys._getframe(1), caller, attempts - 2)

    def watch() -> None:
        nonlocal attempts
        while not finished.wait(AGAIN if attempts else seconds):
            with lock:
                attempts += 1
                error = TimeIsUp if attempts == 1 else TimeIsUpAgain
                if not finished.is_set():
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(thread_id, ctypes.py_object(error))

    previous_trace = sys.gettrace()
    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        stopped = False
        while not stopped:
            try:  # an exception that is already on its way arrives here, at the latest at the call of `set`
                with lock:
                    finished.set()
                stopped = True
            except TimeIsUp:
                pass
        if attempts > 1:
            sys.settrace(previous_trace)
