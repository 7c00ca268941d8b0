"""The time limit: whatever a learner's loop does, it ends; and nothing is left behind."""

import signal
import sys
import threading
import time

import pytest

from course_lib.exercises.timelimit import TimeIsUp, time_limit


def plain_loop():
    while True:
        pass


def loop_that_swallows_exceptions():
    while True:
        try:
            time.sleep(0.001)
        except:  # noqa: E722 - what a learner may write
            continue


def loop_that_swallows_them_in_a_function():
    def careful():
        try:
            time.sleep(0.001)
        except BaseException:
            return None

    while True:
        careful()


def loop_that_waits():
    while True:
        time.sleep(3600)


def loop_of_prints():
    while True:
        print("again", end="")


def loop_with_one_try_in_another():
    while True:
        try:
            try:
                time.sleep(0.001)
            except:  # noqa: E722
                time.sleep(0.001)
        except:  # noqa: E722
            time.sleep(0.001)


LOOPS = [
    plain_loop,
    loop_that_swallows_exceptions,
    loop_that_swallows_them_in_a_function,
    loop_with_one_try_in_another,
    loop_of_prints,
]


def off_the_main_thread(function):
    """What the function raises or returns on a thread of its own."""
    result = []

    def run():
        try:
            result.append(function())
        except BaseException as error:
            result.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(60)
    assert result, "the thread still runs"
    return result[0]


def ended(loop) -> bool:
    try:
        with time_limit(0.05):
            loop()
    except TimeIsUp:
        return True
    return False


@pytest.mark.parametrize("loop", [*LOOPS, loop_that_waits])
def test_every_kind_of_loop_ends_on_the_main_thread(loop):
    assert ended(loop)


@pytest.mark.parametrize("loop", LOOPS)
def test_every_kind_of_loop_ends_off_the_main_thread(loop):
    assert off_the_main_thread(lambda: ended(loop)) is True


def test_quick_code_is_left_alone():
    def quick():
        with time_limit(60):
            return sum(range(1000))

    assert quick() == off_the_main_thread(quick) == 499500


def test_an_exception_comes_through_as_it_is():
    with pytest.raises(KeyError), time_limit(60):
        raise KeyError


@pytest.mark.parametrize("run", [lambda function: function(), off_the_main_thread])
def test_nothing_rings_after_the_end(run):
    def twice():
        with time_limit(0.02):
            pass
        until = time.monotonic() + 0.2
        while time.monotonic() < until:
            pass
        return "undisturbed"

    assert run(twice) == "undisturbed"


def test_signal_and_trace_are_as_before_whatever_happened_inside():
    def handler(number, frame):
        raise AssertionError("not meant for anybody here")

    def tracer(frame, event, argument):
        return None

    before_signal, before_trace = signal.signal(signal.SIGALRM, handler), sys.gettrace()
    sys.settrace(tracer)
    try:
        assert ended(loop_that_swallows_exceptions)
        assert sys.gettrace() is tracer and signal.getsignal(signal.SIGALRM) is handler
        assert sys._getframe().f_trace is None  # the frames around the limit are nobody's business
    finally:
        sys.settrace(before_trace)
        signal.signal(signal.SIGALRM, before_signal)


def test_an_alarm_of_somebody_else_still_rings():
    rung = threading.Event()
    before = signal.signal(signal.SIGALRM, lambda *_: rung.set())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with time_limit(60):
            time.sleep(0.1)
        assert rung.wait(60)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_except_exception_does_not_catch_the_end():
    def loop():
        while True:
            try:
                plain_loop()
            except Exception:
                raise AssertionError("caught") from None

    assert ended(loop)


@pytest.mark.timeout(60)
def test_a_debugger_still_works_after_a_limit_off_the_main_thread():
    assert off_the_main_thread(lambda: ended(plain_loop)) is True
    calls, before = [], sys.gettrace()
    sys.settrace(lambda frame, event, argument: calls.append(frame.f_code.co_name))
    try:
        off_the_main_thread(time.monotonic)
    finally:
        sys.settrace(before)
    assert "off_the_main_thread" in calls
