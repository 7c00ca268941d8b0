"""The trusted side of the workers: starts zygotes, as isolated as the platform allows, and asks them."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course_lib.errors import CourseError
from course_lib.grading.frames import receive, send
from course_lib.grading.sandbox import TIERS
from course_lib.grading.surroundings import environment, visible_paths

START = 900.0  # seconds until torch must be imported; a busy machine takes long
GRACE = 30.0  # seconds beyond a request's own deadline


@dataclass(frozen=True)
class Request:
    """One thing to ask of a worker."""

    header: dict[str, Any]
    blob: bytes = b""


@dataclass(frozen=True)
class Reply:
    """How a worker ended, and what it had said until then.

    Attributes:
        end: "ended" of itself, or the limit that it went beyond: "time", "memory", "flood"; "died" if all of it broke.
        said: raw bytes that nobody has looked at yet.
        seconds: wall time.
        cpu_seconds: processor time.
    """

    end: str
    said: bytes = b""
    seconds: float = 0.0
    cpu_seconds: float = 0.0


Task = Generator[Request, Reply, Any]


@dataclass
class Setting:
    """What all zygotes of a run have in common.

    Attributes:
        imports: modules that they import beforehand.
        hidden: files and folders that no worker may see.
        tiers: the isolation to try, best first.
        tier: the one that was reached; all zygotes of a run stand in the same one.
        why_not: what stood in the way of the better ones.
    """

    imports: list[str]
    hidden: list[Path]
    tiers: list[str] = field(default_factory=lambda: list(TIERS))
    tier: str = ""
    why_not: list[str] = field(default_factory=list)


class Mother:
    """The process that imports, and from which all zygotes are forked."""

    def __init__(self, imports: list[str]):
        self._imports = imports
        self._process: subprocess.Popen | None = None
        self.search: list[str] = []  # where she finds modules

    def fork(self) -> socket.socket:
        """A channel to a new zygote.

        Raises:
            OSError: the mother can't be started.
        """
        if self._process is None or self._process.poll() is not None:
            self._start()
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [b"!"], [theirs.fileno()])
        return ours

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._control.close()
            self._process.kill()
            self._process.wait()

    def _start(self) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-s", "-P", "-m", "course_lib.grading.zygote", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=environment(),
            )
        self._control.settimeout(START)
        send(self._control, {"imports": self._imports})
        self.search = receive(self._control)[0]["search"]


class Zygote:
    """One process from which workers are forked; it serves one request at a time."""

    def __init__(self, setting: Setting, slot: int, mother: "Mother"):
        self.slot, self._setting, self._mother = slot, setting, mother
        self._process: int | None = None
        self._room = tempfile.TemporaryDirectory(prefix="course-room-")
        self._until = 0.0
        self._channel: socket.socket | None = None
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def ask(self, request: Request) -> None:
        """Send a request; `answer` gets the reply."""
        if self._process is None:
            self._start()
        self._until = time.monotonic() + request.header["deadline"] + GRACE
        try:
            send(self._channel, request.header, request.blob)
        except OSError:
            self.end()

    def answer(self) -> Reply:
        """Wait for the reply to what was asked; where the zygote died or hangs, the reply says so."""
        if self._process is None:
            return Reply("died")
        self._channel.settimeout(max(self._until - time.monotonic(), 0.1))
        try:
            header, said = receive(self._channel)
        except (OSError, ValueError):
            self.end()
            return Reply("died")
        return Reply(header["end"], said, header["seconds"], header["cpu_seconds"])

    def fileno(self) -> int:
        """For `select`."""
        return self._channel.fileno()

    def is_late(self) -> bool:
        """Whether there should have been a reply by now, or there can't be one."""
        return self._process is None or time.monotonic() > self._until

    @property
    def is_alive(self) -> bool:
        return self._process is not None

    def end(self) -> None:
        """End the process and all that it has started."""
        if self._channel is not None:
            self._channel.close()
        if self._process is not None:
            with contextlib.suppress(OSError):
                os.kill(self._process, signal.SIGKILL)
            self._process = None

    def close(self) -> None:
        """End it for good."""
        self.end()
        self._room.cleanup()

    def _start(self) -> None:
        for tier in [self._setting.tier] if self._setting.tier else self._setting.tiers:
            problem = self._try(tier)
            if not problem:
                self._setting.tier = tier
                return
            self._setting.why_not.append(f"{tier}: {problem}")
        raise CourseError(
            f"No isolation could be reached ({'; '.join(self._setting.why_not)}), so no learner's code was run. "
            "Grade on Linux as root or with user namespaces switched on, or allow a lower tier with --isolation."
        )

    def _try(self, tier: str) -> str:
        self.end()
        try:
            self._channel = self._mother.fork()
            self._channel.settimeout(START)
            orders = {
                "tier": tier,
                "slot": self.slot,
                "readable": [str(path) for path in visible_paths(self._mother.search)],
                "hidden": [str(path) for path in self._setting.hidden],
                "room": self._room.name,
            }
            send(self._channel, orders)
            hello, _ = receive(self._channel)
        except (OSError, ValueError) as error:
            hello = {"error": f"the zygote did not start ({error})"}
        if "error" not in hello:
            self._process = hello["process"]
        return hello.get("error", "")


@contextlib.contextmanager
def zygotes(setting: Setting, count: int) -> Iterator[list[Zygote]]:
    """This many zygotes; the first one finds out which tier there is, and the others follow."""
    mother, started = Mother(setting.imports), []
    try:
        for slot in range(count):
            started.append(Zygote(setting, slot, mother))
        yield started
    finally:
        for zygote in started:
            zygote.close()
        mother.close()


def drive(task: Task, zygote: Zygote) -> Any:
    """Run one task to its end on one zygote; returns what the task returns."""
    try:
        request = next(task)
        while True:
            zygote.ask(request)
            request = task.send(zygote.answer())
    except StopIteration as end:
        return end.value


def drive_all(tasks: Iterable[Task], workers: list[Zygote], done: Callable[[Any], None]) -> None:
    """Run many tasks, as many side by side as there are zygotes, and pass on what each one returns.

    Args:
        tasks: are begun one after the other, when a zygote is free; so they may be without end.
        workers: the zygotes, at least one.
        done: is called with what a task returned.
    """
    waiting, running = iter(tasks), {}

    def go_on(zygote: Zygote, task: Task, reply: Reply | None) -> bool:
        try:
            request = next(task) if reply is None else task.send(reply)
        except StopIteration as end:
            done(end.value)
            return False
        zygote.ask(request)
        running[zygote] = task
        return True

    free = list(workers)
    while True:
        while free and (task := next(waiting, None)) is not None:
            zygote = free.pop()
            if not go_on(zygote, task, None):
                free.append(zygote)
        if not running:
            return
        alive = [zygote for zygote in running if zygote.is_alive]
        ready = select.select(alive, [], [], 0.5)[0] if len(alive) == len(running) else []
        for zygote in {*ready, *(zygote for zygote in running if zygote.is_late())}:
            task = running.pop(zygote)
            if not go_on(zygote, task, zygote.answer()):
                free.append(zygote)
