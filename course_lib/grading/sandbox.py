"""Walls around learners' code, as high as the platform allows. Each tier says what it withstands.

Linux only for the upper two; standard library only, since the walls go up around everything else.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

MOUNT, IPC, NETWORK, PROCESSES, HOSTNAME, USER = 0x20000, 0x8000000, 0x40000000, 0x20000000, 0x4000000, 0x10000000
BIND, RECURSIVE, PRIVATE, REMOUNT, READ_ONLY, NO_SUID, NO_DEVICES = 4096, 16384, 1 << 18, 32, 1, 2, 4
DETACH, NO_NEW_PRIVILEGES, DIE_WITH_PARENT, DROP_CAPABILITY = 2, 38, 1, 24
FIRST_UID = 61_184  # systemd's range for users that exist only while a service runs
DISK, FILES, PROCESSES_AT_ONCE = "64m", 256, 64
MEMORY = 3 * 2**30  # bytes beyond what the worker starts with
OWN_FOLDERS = ("/tmp", "/own")  # a worker's own: the first one in which nothing of Python's or the course's lies
DEVICES = ("null", "zero", "full", "random", "urandom")
OPEN = "but code that finds the references on the disk can copy them, where it may read them"


@dataclass(frozen=True)
class Tier:
    """One height of the walls, and what stands behind them."""

    name: str
    means: str
    withstands: tuple[str, ...]
    exception: str = ""

    @property
    def promise(self) -> str:
        """What stands behind these walls, as one reads it."""
        return ", ".join(self.withstands) + (f"; {self.exception}" if self.exception else "")


TIERS = {
    tier.name: tier
    for tier in (
        Tier(
            "namespaces",
            "own mounts, processes, network and IPC; another user; limits on time, memory, processes and disk",
            ("forging", "secrecy", "availability"),
        ),
        Tier(
            "user",
            "another user, and limits on time, memory, processes and files; what everybody may read, it may read too",
            ("forging", "availability"),
            OPEN,
        ),
        Tier("process", "processes of their own, with limits on time, memory and files", ("forging",), OPEN),
    )
}


class NoIsolation(Exception):
    """This platform does not let us build this tier."""


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: object) -> None:
    function = getattr(_libc(), name, None)
    if function is None:
        raise NoIsolation(f"this system has no {name}")
    if function(*arguments):
        number = ctypes.get_errno()
        raise NoIsolation(f"{name}: {os.strerror(number)}")


def _mount(source: str, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    texts = [None if text is None else text.encode() for text in (source, target, kind)]
    _call("mount", *texts, ctypes.c_ulong(flags), options.encode() if options else None)


def enter_room(readable: list[Path], *, hidden: list[Path], folder: Path) -> None:
    """For the zygote: leave the machine's file system behind, for one that holds only what Python needs.

    Args:
        readable: files and folders that stay visible, read-only.
        hidden: what must not be visible afterwards, to make sure of it.
        folder: an empty folder that becomes the root.

    Raises:
        NoIsolation: the platform does not allow it.
    """
    if not sys.platform.startswith("linux"):
        raise NoIsolation("namespaces are Linux's")
    _unshare(MOUNT | HOSTNAME)
    _mount("none", "/", None, RECURSIVE | PRIVATE)
    _mount("tmpfs", str(folder), "tmpfs", NO_SUID | NO_DEVICES, "mode=755,size=1m")
    for path in readable:
        _show(path, folder)
    for name in ("tmp", "own", "proc", "dev"):
        (folder / name).mkdir(exist_ok=True)
    for name in DEVICES:
        (folder / "dev" / name).touch()
        _mount(f"/dev/{name}", str(folder / "dev" / name), None, BIND)
    _mount("/proc", str(folder / "proc"), None, BIND | RECURSIVE)
    old = folder / "old"
    old.mkdir()
    _call("pivot_root", str(folder).encode(), str(old).encode())
    os.chdir("/")
    _call("umount2", b"/old", DETACH)
    os.rmdir("/old")
    seen = [str(path) for path in hidden if os.path.exists(path)]
    if seen:
        raise NoIsolation(f"{seen[0]} would still be visible")


def _unshare(flags: int) -> None:
    if os.geteuid():
        user, group = os.geteuid(), os.getegid()
        _call("unshare", USER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    _call("unshare", flags)


def _show(path: Path, root: Path) -> None:
    target = root / path.relative_to("/")
    if path.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    _mount(str(path), str(target), None, BIND | RECURSIVE)
    kept = os.statvfs(target).f_flag & ~1  # a namespace may not take away what the mount had
    _mount("none", str(target), None, REMOUNT | BIND | READ_ONLY | NO_SUID | NO_DEVICES | kept)


def leave_the_others(tier: str) -> None:
    """For the process that watches one worker: its children shall see no other process, network or queue."""
    if tier == "namespaces":
        _call("unshare", MOUNT | IPC | NETWORK | PROCESSES | HOSTNAME)


@dataclass(frozen=True)
class Place:
    """Where a worker works.

    Attributes:
        tier: the one that was reached.
        slot: a number that no other worker has at the same time; its user id follows from it.
        folder: an empty folder of its own, where it has no file system of its own.
    """

    tier: str
    slot: int
    folder: str


def lock_up(place: Place, *, seconds: float) -> None:
    """For the worker itself, before it meets learners' code: own files, another user, limits, no way back.

    Args:
        place: where it works.
        seconds: processor time.

    Raises:
        NoIsolation: a wall could not be built; the worker must not go on.
    """
    tier, own = place.tier, place.folder
    alone, space = _maps_one_user(), _address_space()  # while there still is a /proc
    if tier == "namespaces":
        own = next(path for path in OWN_FOLDERS if os.path.isdir(path) and not os.listdir(path))
        _mount("tmpfs", own, "tmpfs", NO_SUID | NO_DEVICES, f"mode=1777,size={DISK},nr_inodes=4k")
        _call("umount2", b"/proc", DETACH)
        with contextlib.suppress(NoIsolation):  # some containers forbid it: then there is none
            _mount("proc", "/proc", "proc", NO_SUID | NO_DEVICES)
    os.chdir(own)
    os.environ["HOME"] = os.environ["TMPDIR"] = tempfile.tempdir = own
    if sys.platform.startswith("linux"):
        _call("prctl", NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    _limit(tier, seconds, space + MEMORY)
    if tier != "process":
        _become_nobody(FIRST_UID + place.slot, alone=alone)


def _limit(tier: str, seconds: float, memory: int) -> None:
    limits = {
        "RLIMIT_CORE": 0,
        "RLIMIT_FSIZE": 64 * 2**20,
        "RLIMIT_NOFILE": FILES,
        "RLIMIT_CPU": int(seconds) + 2,
        "RLIMIT_AS": memory,
        "RLIMIT_NPROC": PROCESSES_AT_ONCE,
    }
    if tier == "process" or not sys.platform.startswith("linux"):
        del limits["RLIMIT_NPROC"]  # it counts all that the user runs
        if not sys.platform.startswith("linux"):
            del limits["RLIMIT_AS"]
    for name, limit in limits.items():
        hard = resource.getrlimit(getattr(resource, name))[1]
        value = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(getattr(resource, name), (value, value))


def _address_space() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (OSError, ValueError):
        return 64 * 2**30
    return pages * resource.getpagesize()


def _become_nobody(uid: int, *, alone: bool = False) -> None:
    """Give up root, or in a user namespace, where there is no other user to become, all that root may do."""
    if alone:
        for capability in range(64):
            _libc().prctl(DROP_CAPABILITY, capability, 0, 0, 0)
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)
        _call("capset", header, (ctypes.c_uint32 * 6)())
        return
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def _maps_one_user() -> bool:
    try:
        return Path("/proc/self/uid_map").read_text().split()[2] == "1"
    except OSError:
        return False


def can_become_another_user(readable: list[Path]) -> bool:
    """Whether this process may hand its children to another user who can still read Python and the course."""
    if not hasattr(os, "geteuid") or os.geteuid() or _maps_one_user():
        return False
    child = os.fork()
    if child == 0:
        try:
            _become_nobody(FIRST_UID)
            os._exit(0 if all(os.access(path, os.R_OK) for path in readable) else 1)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def end_all_of(slot: int) -> None:
    """End every process of a worker's user, also those that left its process group."""
    child = os.fork()
    if child == 0:
        try:
            _become_nobody(FIRST_UID + slot)
            os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
