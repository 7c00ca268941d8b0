"""End a learner's endless loop, on the main thread and off it, on every system."""

import ctypes
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TimeIsUp(BaseException):
    """Raised inside code that took too long; not an Exception, so that `except Exception` lets it pass."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `TimeIsUp` in the code inside once it has taken this long, and again until it gives in.

    Args:
        seconds: wall time; a call that never returns to Python, such as one huge matrix product, is not interrupted.
    """
    on_main = threading.current_thread() is threading.main_thread()
    return_to = _alarm(seconds) if on_main and hasattr(signal, "setitimer") else _watchdog(seconds)
    with return_to:
        yield


def _raise_at_the_next_line(frame: FrameType | None) -> None:
    """For loops that swallow every exception: raise at each new line, so also at one outside their `try`."""

    def tracer(frame: FrameType, event: str, argument: object) -> None:
        raise TimeIsUp

    while frame is not None and frame.f_code is not time_limit.__wrapped__.__code__:
        if frame.f_code.co_filename != __file__:
            frame.f_trace = tracer
        frame = frame.f_back
    sys.settrace(lambda *event: None)


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    over, rings = False, 0

    def ring(number: int, frame: FrameType | None) -> None:
        nonlocal rings
        if over:
            return
        rings += 1
        if rings > 1:
            _raise_at_the_next_line(frame)
        raise TimeIsUp

    started, previous_trace = time.monotonic(), sys.gettrace()
    previous_handler = signal.signal(signal.SIGALRM, ring)
    remaining, interval = signal.setitimer(signal.ITIMER_REAL, seconds, 0.05)
    try:
        yield
    finally:
        over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous_handler)
        if rings > 1:
            sys.settrace(previous_trace)
        if remaining:  # somebody else's alarm goes on
            signal.setitimer(signal.ITIMER_REAL, max(remaining - (time.monotonic() - started), 0.001), interval)


@contextmanager
def _watchdog(seconds: float) -> Iterator[None]:
    thread_id, lock, finished = ctypes.c_ulong(threading.get_ident()), threading.Lock(), threading.Event()

    def watch() -> None:
        wait = seconds
        while not finished.wait(wait):
            with lock:
                if not finished.is_set():
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(thread_id, ctypes.py_object(TimeIsUp))
            wait = 0.05

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        with lock:
            finished.set()
            ctypes.pythonapi.PyThreadState_SetAsyncExc(thread_id, None)
