"""A process that has imported everything and run nothing: every worker is forked from it, afresh for each exercise.

One mother imports; the zygotes are forked from her, and each one puts up its own walls. A zygote never reads a request
itself, so that no worker can find another one's in its memory.
"""

import contextlib
import importlib
import json
import os
import resource
import select
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from course_lib.grading import sandbox
from course_lib.grading.frames import receive, send
from course_lib.grading.packing import MAX_HEADER, MAX_NUMBERS

MAX_ANSWER = MAX_HEADER + MAX_NUMBERS
MAX_MEMORY = 4 * 2**30  # bytes, of all processes of one worker together
LOOK_AGAIN = 0.1  # seconds between two looks at a worker's memory
PAGE = resource.getpagesize()


def main() -> None:
    """For the mother: import, then fork a zygote for each channel that the trusted process hands over."""
    control = socket.socket(fileno=int(sys.argv[1]))
    orders, _ = receive(control)
    for name in [*orders["imports"], "course_lib.grading.worker"]:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    send(control, {"search": sys.path})
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a zygote ended
    while True:
        data, handles, _, _ = socket.recv_fds(control, 1, 1)
        if not data:
            return
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            control.close()
            _serve(socket.socket(fileno=handles[0]))
        os.close(handles[0])


def _serve(channel: socket.socket) -> None:
    """For a zygote: put up the walls, and fork a worker for each request until the other side hangs up."""
    try:
        orders, _ = receive(channel)
        try:
            _put_up_walls(orders)
        except (sandbox.NoIsolation, OSError) as error:
            send(channel, {"error": str(error)})
            return
        send(channel, {"tier": orders["tier"], "process": os.getpid()})
        while _asked(channel):
            watcher = os.fork()
            if watcher == 0:
                _watch(channel, orders["tier"], orders["slot"])
            if os.waitpid(watcher, 0)[1]:
                return
    finally:
        os._exit(0)


def _put_up_walls(orders: dict[str, Any]) -> None:
    readable = [Path(path) for path in orders["readable"]]
    if orders["tier"] == "namespaces":
        hidden = [Path(path) for path in orders["hidden"]]
        sandbox.enter_room(readable, hidden=hidden, folder=Path(orders["room"]))
    elif orders["tier"] == "user" and not sandbox.can_become_another_user(readable):
        raise sandbox.NoIsolation("only root may become another user, who must be able to read Python and the course")


def _asked(channel: socket.socket) -> bool:
    """Wait for a request without reading it; False once the other side has hung up."""
    select.select([channel], [], [])
    return bool(channel.recv(1, socket.MSG_PEEK))


def _watch(channel: socket.socket, tier: str, slot: int) -> None:
    """Fork the worker, see to its limits, and pass on what it said. Never returns."""
    status = 1
    try:
        request, blob = receive(channel)
        sandbox.leave_the_others(tier)
        reading, writing = os.pipe()
        with _own_folder(tier) as folder:
            worker = os.fork()
            if worker == 0:
                _become_worker(writing, request, blob, sandbox.Place(tier, slot, folder))
            os.close(writing)
            end, said = _attend(worker, reading, request["deadline"], tier)
            if tier == "user":
                sandbox.end_all_of(slot)
        send(channel, end, said)
        status = 0
    finally:
        os._exit(status)


@contextlib.contextmanager
def _own_folder(tier: str) -> Iterator[str]:
    """A folder for the worker, where it does not have a whole file system for itself."""
    if tier == "namespaces":
        yield ""
        return
    with tempfile.TemporaryDirectory(prefix="course-worker-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o777)
        yield folder


def _become_worker(writing: int, request: dict[str, Any], blob: bytes, place: sandbox.Place) -> None:
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nothing, number)
        kept = os.dup2(writing, 3)
        os.closerange(4, 4096)
        sandbox.lock_up(place, seconds=request["deadline"])
        from course_lib.grading.worker import work

        header, numbers = work(request, blob)
        text = json.dumps(header).encode()
        with os.fdopen(kept, "wb") as stream:
            stream.write(len(text).to_bytes(8, "little") + text + numbers)
    finally:
        os._exit(0)


def _attend(worker: int, reading: int, deadline: float, tier: str) -> tuple[dict[str, Any], bytes]:
    """Collect what a worker says until it ends, and end it where it goes beyond a limit."""
    started, said, end, looked = time.monotonic(), bytearray(), "", 0.0
    while not end:
        elapsed = time.monotonic() - started
        if select.select([reading], [], [], 0.02)[0]:
            part = os.read(reading, 1 << 20)
            said += part
            if not part:
                end = _after_hanging_up(worker, deadline - elapsed)
        if len(said) > MAX_ANSWER:
            end = "flood"
        elif elapsed > deadline:
            end = end or "time"
        elif elapsed - looked > LOOK_AGAIN:
            looked = elapsed
            end = end or ("memory" if _memory(worker, tier) > MAX_MEMORY else "")
            end = end or ("ended" if os.waitid(os.P_PID, worker, os.WEXITED | os.WNOHANG | os.WNOWAIT) else "")
    if end == "ended":
        while select.select([reading], [], [], 0)[0] and (part := os.read(reading, 1 << 20)):
            said += part
    _end(worker, tier)
    _, status, usage = os.wait4(worker, 0)
    seconds = {"seconds": time.monotonic() - started, "cpu_seconds": usage.ru_utime + usage.ru_stime}
    return {"end": end, "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, **seconds}, bytes(said)


def _after_hanging_up(worker: int, seconds: float) -> str:
    """The pipe is closed: the worker is about to end, or it plays dead."""
    give_up = time.monotonic() + min(max(seconds, 0), 2.0)
    while time.monotonic() < give_up:
        if os.waitid(os.P_PID, worker, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            break
        time.sleep(0.001)
    return "ended"


def _end(worker: int, tier: str) -> None:
    with contextlib.suppress(OSError):
        os.killpg(worker, signal.SIGKILL)
    with contextlib.suppress(OSError):
        os.kill(worker, signal.SIGKILL)


def _memory(worker: int, tier: str) -> int:
    """Bytes in memory of the worker and whatever it has started."""
    mine = _own_processes(worker, tier)
    resident = sum(_resident(pid) for pid in mine)
    if resident > MAX_MEMORY and len(mine) > 1:  # what was forked shares much
        return sum(_proportional(pid) for pid in mine)
    return resident


def _own_processes(worker: int, tier: str) -> list[int]:
    if tier != "namespaces":
        return [worker]
    try:
        room = os.readlink(f"/proc/{worker}/ns/pid")
    except OSError:
        return []
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{name}/ns/pid") == room:
                    found.append(int(name))
    return found


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (OSError, ValueError, IndexError):
        return 0


def _proportional(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))
    except (OSError, ValueError, StopIteration):
        return 0


if __name__ == "__main__":
    main()
