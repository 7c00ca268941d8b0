"""Submissions as learning platforms hand them out: a folder, an archive, single notebooks. Nothing is ever unpacked.

File names are only read, never written to; what is in an archive is read one bounded file at a time.
"""

import io
import os
import re
import stat
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

from course_lib.copies import BACKUP_NAME
from course_lib.errors import CourseError
from course_lib.grading.packing import text
from course_lib.paths import lessons

MAX_FILE = 20 * 2**20  # bytes of one notebook, pictures included
MAX_INNER_ARCHIVE = 50 * 2**20
MAX_MEMBERS = 100_000
MAX_FILES = 40  # files of one student that are looked at
KINDS = (".ipynb", ".py")
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
CANVAS = re.compile(r"^(?P<student>[^_/]+)_(?:LATE_)?(?P<id>\d+)_\d{3,}_(?P<file>[^/]+)$")  # lessons have two digits
MOODLE = re.compile(r"^(?P<student>.+)_(?P<id>\d+)_assignsubmission_\w+$")
MOODLE_FLAT = re.compile(r"^(?P<student>.+)_(?P<id>\d+)_assignsubmission_[a-z]+_(?P<file>[^/]+)$")


class Unreadable(Exception):
    """One file of a submission that is not to be read; the text says why."""


@dataclass(frozen=True)
class Source:
    """One file of a submission: its name, and how to read it (which may raise `Unreadable`)."""

    name: str
    read: Callable[[], bytes]


@dataclass
class Submission:
    """What one student handed in.

    Attributes:
        student: the name to show.
        identifier: what the platform calls them; empty if it doesn't say.
        sources: their notebooks and Python files, by name.
        problems: what was not looked at, and why.
    """

    student: str
    identifier: str = ""
    sources: list[Source] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        return f"{self.student}/{self.identifier}" if self.identifier else self.student


def find_submissions(paths: list[Path]) -> list[Submission]:
    """Everybody's files, in the order of their names.

    Args:
        paths: folders, archives (.zip, .tar, .tar.gz; as Canvas, Moodle and GitHub hand them out), single notebooks.

    Raises:
        CourseError: a path does not exist, or there is no submission at all.
    """
    found: dict[tuple[str, str], Submission] = {}
    single: list[Member] = []
    for path in paths:
        if not path.exists():
            raise CourseError(f"There is no {path}: give a folder, an archive, or notebooks.")
        if path.is_dir() or path.name.endswith(ARCHIVES):
            _add_all(found, list(_members(path)), home=path.resolve().name if path.is_dir() else "")
        else:
            name = path.name if split_name(path.name)[0] else f"{path.resolve().parent.name}/{path.name}"
            single.append((name, partial(_read_plain, path)))
    _add_all(found, single)
    if not found:
        named = ", ".join(map(str, paths))
        raise CourseError(f"{named} holds no notebook (.ipynb) and no Python file (.py): there is nothing to grade.")
    return [found[key] for key in sorted(found)]


Member = tuple[str, Callable[[], bytes]]


def _members(path: Path) -> Iterator[Member]:
    if path.is_dir():
        yield from _sensible(_of_folder(path))
    elif path.suffix == ".zip":
        yield from _sensible(_of_zip(path, path.name))
    else:
        yield from _sensible(_of_tar(path))


def _sensible(members: Iterator[Member]) -> Iterator[Member]:
    """Without what nobody wrote, and without a folder around it all."""
    kept = [
        (name, read)
        for name, read in members
        if name.endswith((*KINDS, ".zip")) and not BACKUP_NAME.search(name)
        if not any(part.startswith((".", "__MACOSX")) and part != ".." for part in PurePosixPath(name).parts)
    ]
    while kept and len({name.partition("/")[0] for name, _ in kept}) == 1 and all("/" in name for name, _ in kept):
        if _is_person(kept):
            break
        kept = [(name.partition("/")[2], read) for name, read in kept]
    return iter(kept)


def _is_person(members: list[Member]) -> bool:
    """Whether the one folder around all is a student's own: one notebook lies in it, or lessons side by side."""
    first = members[0][0].partition("/")[0]
    is_deep = any(name.count("/") > 1 for name, _ in members)
    return bool(MOODLE.match(first)) or (not is_deep and (len(members) == 1 or _are_lessons(members)))


def _are_lessons(members: list[Member]) -> bool:
    files = [PurePosixPath(name).name for name, _ in members]
    return len(files) > 1 and all(re.match(r"\d\d_", name) and not all(split_name(name)) for name in files)


def _add_all(found: dict[tuple[str, str], Submission], members: list[Member], *, home: str = "") -> None:
    """Add what came by one path, each file to its student; `home` is the folder's name, if it is a folder."""
    loose = [name for name, _ in members if "/" not in name]
    owners = dict.fromkeys(loose, home) if home and _are_lessons(members) else _owners_by_name(loose)
    assignment = _assignment(sorted({name.partition("/")[0] for name, _ in members if "/" in name}))
    for name, read in members:
        folder, is_deep, _ = name.partition("/")
        if match := CANVAS.match(name) or MOODLE_FLAT.match(name) or MOODLE.match(folder):
            student, identifier = match["student"], match["id"]
        else:
            student, identifier = folder.removeprefix(assignment) if is_deep else owners[name], ""
        _add(found, student, identifier, name, read)


def _owners_by_name(names: list[str]) -> dict[str, str]:
    """Whose each loose file is: its name without the lesson's, unless two files would then be the same answer."""
    split = {name: split_name(name) for name in names}
    count = Counter((who.casefold(), lesson) for who, lesson in split.values())
    torn = {who for who, lesson in count if count[who, lesson] > 1}
    return {
        name: who if who and who.casefold() not in torn else PurePosixPath(name).stem
        for name, (who, lesson) in split.items()
    }


def split_name(filename: str) -> tuple[str, str]:
    """A file's name in two: whose it is, and which lesson: `rita_lee-02_backprop.ipynb` is rita_lee's backprop."""
    stem = PurePosixPath(filename).stem
    for lesson in lessons():
        match = re.search(
            rf"(?:^|[\s_.-])(?:0?{lesson.number}[\s_.-])?{lesson.name}(?=$|[\s_.(-])", stem, re.IGNORECASE
        )
        if match:
            parts = (part.strip(" _.-") for part in (stem[: match.start()], stem[match.end() :]))
            return " ".join(part for part in parts if part), lesson.name
    return stem, ""


def _assignment(folders: list[str]) -> str:
    """What GitHub Classroom writes before each name, such as `homework-1-`."""
    if len(folders) <= 2:
        return ""
    first, last = folders[0], folders[-1]
    common = next((first[:end] for end in range(len(first), 0, -1) if last.startswith(first[:end])), "")
    return common[: common.rfind("-") + 1]


def _add(
    found: dict[tuple[str, str], Submission], student: str, identifier: str, name: str, read: Callable[[], bytes]
) -> None:
    student = text(student, 120).replace("/", " ").strip() or "nameless"
    submission = found.setdefault((student, identifier), Submission(student, identifier))
    if ".." in PurePosixPath(name).parts or name.startswith("/"):
        submission.problems.append(f"{_shown(name)} leads out of its archive and was not read.")
    elif len(submission.sources) >= MAX_FILES:
        submission.problems.append(f"{_shown(name)} was not read: there are more than {MAX_FILES} files.")
    elif name.endswith(".zip"):
        try:
            inner = list(_sensible(_of_zip(io.BytesIO(read()), _shown(name))))
        except Unreadable as error:
            submission.problems.append(str(error))
        else:
            for inside, read_inside in inner:
                if not inside.endswith(".zip"):
                    _add(found, student, identifier, inside, read_inside)
    else:
        match = CANVAS.match(name) or MOODLE_FLAT.match(name)
        submission.sources.append(Source(_shown(match["file"] if match else name), read))


def _shown(name: str) -> str:
    return text(PurePosixPath(name).name, 120) or "nameless"


def _of_folder(folder: Path) -> Iterator[Member]:
    for place, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            path = Path(place) / name
            yield path.relative_to(folder).as_posix(), lambda path=path: _read_plain(path)


def _read_plain(path: Path) -> bytes:
    """A file's bytes, if it is a plain file of its own: no link, no pipe, no second name of another file."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise Unreadable(f"{_shown(path.name)} can't be read, or is a link: {error.strerror}.") from error
    with os.fdopen(handle, "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable(f"{_shown(path.name)} is no plain file.")
        if status.st_nlink > 1:
            raise Unreadable(f"{_shown(path.name)} is a second name of another file (a hard link): grade a copy.")
        return _bounded(stream, _shown(path.name))


def _bounded(stream: io.BufferedIOBase, name: str) -> bytes:
    limit = MAX_INNER_ARCHIVE if name.endswith(".zip") else MAX_FILE
    data = stream.read(limit + 1)
    if len(data) > limit:
        raise Unreadable(f"{name} is larger than {limit >> 20} MB: clear its outputs.")
    return data


def _of_zip(archive: Path | io.BytesIO, name: str) -> Iterator[Member]:
    try:
        opened = zipfile.ZipFile(archive)
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
        if isinstance(archive, Path):
            raise CourseError(f"{archive} is no readable zip file ({error}).") from error
        raise Unreadable(f"{name} is no readable zip file.") from error
    for info in opened.infolist()[:MAX_MEMBERS]:
        if not info.is_dir():
            yield info.filename.replace("\\", "/"), lambda info=info: _read_zipped(opened, info)


def _read_zipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    name = _shown(info.filename)
    if stat.S_ISLNK(info.external_attr >> 16):
        raise Unreadable(f"{name} is a link and was not followed.")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Unreadable(f"{name} is compressed in an unusual way.")
    try:
        with archive.open(info) as stream:
            return _bounded(stream, name)
    except Unreadable:
        raise
    except (OSError, RuntimeError, ValueError, NotImplementedError, EOFError, zipfile.BadZipFile) as error:
        raise Unreadable(f"{name} can't be read from its archive.") from error
    except Exception as error:  # zlib.error has no public base
        raise Unreadable(f"{name} is damaged.") from error


def _of_tar(path: Path) -> Iterator[Member]:
    try:
        archive = tarfile.open(path)  # noqa: SIM115 - its members are read later, one by one
        members = archive.getmembers()
    except (OSError, tarfile.TarError, EOFError) as error:
        raise CourseError(f"{path} is no readable archive ({error}).") from error
    for info in members[:MAX_MEMBERS]:
        if not info.isdir():
            yield info.name, lambda info=info: _read_tarred(archive, info)


def _read_tarred(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    if not info.isreg():
        raise Unreadable(f"{_shown(info.name)} is no plain file and was not followed.")
    try:
        return _bounded(archive.extractfile(info), _shown(info.name))
    except (OSError, tarfile.TarError, EOFError) as error:
        raise Unreadable(f"{_shown(info.name)} is damaged.") from error
