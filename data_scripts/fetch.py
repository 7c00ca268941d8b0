"""Files from mirrors, from a folder or from an archive: none is used before its hash is what it should be."""

import errno
import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

import pooch
import requests

from course_lib.errors import CourseError

TIMEOUT = 30  # seconds without an answer, after which the next mirror is tried
OUT_OF_SPACE = (errno.ENOSPC, errno.EDQUOT)
DAMAGE = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError)


@dataclass(frozen=True)
class KnownFile:
    """A file as its makers published it.

    Attributes:
        name: without folders.
        hash: "sha256:..." or "md5:..."; None where its makers promise none. Whoever asks for such a file checks what is
            in it.
    """

    name: str
    hash: str | None

    def is_at(self, path: Path) -> bool:
        """Whether the file at a path is this one, byte for byte."""
        if self.hash is None:
            return True
        algorithm, _, expected = self.hash.partition(":")
        return pooch.file_hash(str(path), alg=algorithm) == expected


def download(files: Iterable[KnownFile], *, mirrors: list[str], folder: Path) -> dict[str, Path]:
    """Get files from the first mirror that has them whole. Those that are in the folder already are not fetched again.

    Args:
        files: what to get.
        mirrors: addresses that end in a slash, tried in this order.
        folder: where the files go; each appears there under its name only when it is whole.

    Returns:
        The path of each file by its name.

    Raises:
        CourseError: no mirror has a file, or no space is left; the message says what each mirror answered.
    """
    pooch.get_logger().setLevel("ERROR")
    folder.mkdir(parents=True, exist_ok=True)
    return {file.name: _download_one(file, mirrors, folder) for file in files}


def _download_one(file: KnownFile, mirrors: list[str], folder: Path) -> Path:
    answers = []
    for mirror in mirrors:
        try:
            print(f"{file.name} from {mirror}", flush=True)
            downloader = pooch.HTTPDownloader(progressbar=True, chunk_size=2**16, timeout=TIMEOUT)
            return Path(pooch.retrieve(mirror + file.name, file.hash, file.name, folder, downloader=downloader))
        except ValueError:
            answers.append(f"{mirror}: sent a file that is not the published one (its hash differs)")
        except requests.RequestException as error:
            answers.append(f"{mirror}: {_in_short(error)}")
        except OSError as error:
            if error.errno in OUT_OF_SPACE:
                raise CourseError(
                    f"No space left for {file.name} in {folder}. Free some, or set COURSE_DATA."
                ) from error
            answers.append(f"{mirror}: {error}")
    raise CourseError(
        f"No mirror gave {file.name}. {'; '.join(answers)}. Try again later, or get it by hand and add --from PATH."
    )


def _in_short(error: requests.RequestException) -> str:
    if error.response is not None:
        return f"answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.ReadTimeout):
        return f"was silent for {TIMEOUT} s"
    return "could not be reached" if type(error) in (requests.ConnectionError, requests.ConnectTimeout) else "broke off"


def collect(files: Iterable[KnownFile], *, source: Path) -> dict[str, Path]:
    """Find files in a folder and the folders in it, by name and by hash.

    Args:
        files: what to find.
        source: the folder; or, where one file is wanted, that file under whatever name.

    Returns:
        The path of each file by its name.

    Raises:
        CourseError: a file is not there, or not whole; the message says which.
    """
    files = list(files)
    found: dict[str, list[Path]] = {file.name: [] for file in files}
    if source.is_file() and len(files) == 1:
        found[files[0].name].append(source)
    for path in sorted(source.rglob("*")) if source.is_dir() else ():
        if path.name in found and path.is_file():
            found[path.name].append(path)
    missing = [name for name, paths in found.items() if not paths]
    if missing:
        raise CourseError(f"{source} lacks {', '.join(missing)}. Give the folder or the archive that holds it.")
    return {file.name: _the_right_one(file, found[file.name]) for file in files}


def _the_right_one(file: KnownFile, paths: list[Path]) -> Path:
    for path in paths:
        if file.is_at(path):
            return path
    algorithm = file.hash.partition(":")[0]
    raise CourseError(
        f"{paths[0]} is not the published {file.name}: its {algorithm} differs, so it is truncated or changed. "
        "Download it again."
    )


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a tar or zip archive into a new folder. Only files and folders that stay inside are taken; no links.

    Args:
        archive: the file.
        folder: what to make; nothing stands there yet.

    Returns:
        The folder.

    Raises:
        CourseError: the archive is damaged, or a member of it would land elsewhere or is a link or a device; or no
            space is left. What was unpacked so far is removed.
    """
    try:
        folder.mkdir(parents=True)
        for name, content in _members(archive):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with content, target.open("wb") as stream:
                shutil.copyfileobj(content, stream)
        return folder
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in OUT_OF_SPACE:
            raise CourseError(f"No space left to unpack {archive.name} into {folder.parent}. Free some.") from error
        if isinstance(error, DAMAGE):
            reason = str(error).partition("\n")[0].rstrip(":")
            raise CourseError(f"{archive} is truncated or can't be read ({reason}). Download it again.") from error
        raise


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """The files of an archive, by name and content. They are written by us, so modes, owners and links never matter."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            for member in opened.infolist():
                kind = stat.S_IFMT(member.external_attr >> 16)
                _allow(archive, member.filename, plain=kind in (0, stat.S_IFREG, stat.S_IFDIR))
                if not member.is_dir():
                    yield member.filename, opened.open(member)
        return
    with tarfile.open(archive) as opened:
        for member in opened:
            _allow(archive, member.name, plain=member.isfile() or member.isdir())
            if member.isfile():
                yield member.name, opened.extractfile(member)
        opened.fileobj.seek(opened.offset)
        if opened.fileobj.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
            raise tarfile.ReadError("it ends too early")  # cut between two files, which tarfile takes for the end


def _allow(archive: Path, name: str, *, plain: bool) -> None:
    paths = PurePosixPath(name), PureWindowsPath(name)
    if not plain or any(path.is_absolute() or path.drive or ".." in path.parts for path in paths):
        raise CourseError(
            f"{archive} holds '{name}', which is a link or a device, or leads out of its folder. Nothing was unpacked: "
            "a data set needs no such thing. Get the archive from its makers."
        )
