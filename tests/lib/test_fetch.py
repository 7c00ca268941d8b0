"""Files from mirrors, folders and archives: whatever is wrong with them is said, and nothing half is left."""

import errno
import hashlib
import tarfile

import numpy as np
import pytest

from course_lib.errors import CourseError
from data_scripts import fetch
from data_scripts.fetch import KnownFile, collect, download, unpack
from tests.lib.corpora import closed_port, only_whole_files, pack, servers

CONTENT = b"a small corpus " * 1000
KNOWN = KnownFile("corpus.bin", "sha256:" + hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """Nothing stands between the tests and their own server."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def serve():
    with servers() as start:
        yield start


# Mirrors


def test_a_file_comes_from_the_first_mirror_that_has_it_whole(serve, tmp_path):
    truncated, wrong = serve({"corpus.bin": CONTENT[:100]}), serve({"corpus.bin": b"<html>moved</html>"})
    broken, good = serve({"corpus.bin": CONTENT[:500]}, promise=10_000), serve({"corpus.bin": CONTENT})
    mirrors = [closed_port(), serve({}), truncated, wrong, broken, good]
    paths = download([KNOWN], mirrors=mirrors, folder=tmp_path / "d")
    assert paths["corpus.bin"].read_bytes() == CONTENT
    only_whole_files(tmp_path / "d", ["corpus.bin"])


@pytest.mark.parametrize(
    ("mirror", "answer"),
    [
        (lambda serve: closed_port(), "could not be reached"),
        (lambda serve: serve({}), "answered 404"),
        (lambda serve: serve({"corpus.bin": CONTENT[:-1]}), "its hash differs"),
        (lambda serve: serve({"corpus.bin": CONTENT[:-1]}, promise=1), "broke off|its hash differs"),
    ],
    ids=["no network", "not there", "truncated", "broken off"],
)
def test_a_failed_download_says_what_the_mirror_answered_and_leaves_nothing(serve, tmp_path, mirror, answer):
    with pytest.raises(CourseError, match=rf"No mirror gave corpus.bin.*({answer}).*--from PATH"):
        download([KNOWN], mirrors=[mirror(serve)], folder=tmp_path / "d")
    only_whole_files(tmp_path / "d", [])


def test_a_file_that_came_whole_is_not_fetched_again(serve, tmp_path):
    download([KNOWN], mirrors=[serve({"corpus.bin": CONTENT})], folder=tmp_path)
    assert download([KNOWN], mirrors=[closed_port()], folder=tmp_path)["corpus.bin"].read_bytes() == CONTENT


def test_a_damaged_file_of_an_earlier_try_is_fetched_again(serve, tmp_path):
    (tmp_path / "corpus.bin").write_bytes(CONTENT[:50])
    download([KNOWN], mirrors=[serve({"corpus.bin": CONTENT})], folder=tmp_path)
    assert (tmp_path / "corpus.bin").read_bytes() == CONTENT


def test_a_disk_that_is_full_is_said_so_and_no_other_mirror_is_tried(serve, tmp_path, monkeypatch):
    def full(*args, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fetch.pooch.HTTPDownloader, "__call__", full)
    with pytest.raises(CourseError, match=r"No space left for corpus.bin"):
        download([KNOWN], mirrors=[serve({"corpus.bin": CONTENT})] * 2, folder=tmp_path)
    only_whole_files(tmp_path, [])


# Files that are here already


def test_files_are_found_by_name_and_told_apart_by_hash(tmp_path):
    for folder, content in (("fashion", b"another"), ("right", CONTENT)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "corpus.bin").write_bytes(content)
    assert collect([KNOWN], source=tmp_path)["corpus.bin"] == tmp_path / "right" / "corpus.bin"


def test_a_single_file_may_have_any_name(tmp_path):
    (tmp_path / "corpus (1).bin").write_bytes(CONTENT)
    assert collect([KNOWN], source=tmp_path / "corpus (1).bin")


def test_a_file_with_the_wrong_hash_is_not_used(tmp_path):
    (tmp_path / "corpus.bin").write_bytes(CONTENT[:-1])
    with pytest.raises(CourseError, match=r"not the published corpus.bin: its sha256 differs.*Download it again"):
        collect([KNOWN], source=tmp_path)


def test_files_that_are_missing_are_named(tmp_path):
    with pytest.raises(CourseError, match=r"lacks corpus.bin"):
        collect([KNOWN], source=tmp_path)


# Archives

PACKERS = ["tar", "tar.gz", "tar.xz", "zip"]


@pytest.mark.parametrize("kind", PACKERS)
def test_an_archive_is_unpacked_as_it_is(tmp_path, kind):
    archive = pack(tmp_path / f"a.{kind}", {"a/one.txt": b"1", "a/b/two.txt": b"22"})
    folder = unpack(archive, tmp_path / "out")
    found = {
        str(path.relative_to(folder).as_posix()): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
    assert found == {"a/one.txt": b"1", "a/b/two.txt": b"22"}


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize(
    "name", ["../evil", "a/../../evil", "/tmp/evil", "C:\\evil", "C:evil", "..\\evil", "\\\\host\\share\\evil"]
)
def test_no_member_lands_outside_of_its_folder(tmp_path, kind, name):
    archive = pack(tmp_path / f"a.{kind}", {"fine.txt": b"1", name: b"evil"})
    with pytest.raises(CourseError, match="leads out of its folder"):
        unpack(archive, tmp_path / "in" / "out")
    assert not list(tmp_path.rglob("*evil*")) and not (tmp_path / "in" / "out").exists()


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("target", ["/etc/passwd", "../..", "fine.txt"])
def test_links_are_refused_wherever_they_lead(tmp_path, kind, target):
    archive = pack(tmp_path / f"a.{kind}", {"fine.txt": b"1", "link": target})
    with pytest.raises(CourseError, match="'link', which is a link"):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_hard_links_and_devices_are_refused(tmp_path):
    for number, kind in enumerate((tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE)):
        with tarfile.open(tmp_path / f"{number}.tar", "w") as archive:
            entry = tarfile.TarInfo("odd")
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
        with pytest.raises(CourseError, match="'odd', which is a link or a device"):
            unpack(tmp_path / f"{number}.tar", tmp_path / f"out{number}")


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_archive_is_refused_wherever_it_was_cut(tmp_path, kind, share):
    noise = np.random.RandomState(0).bytes(3000)  # which no packer can make smaller
    members = {f"{number}.bin": noise[number:] for number in range(8)}
    whole = pack(tmp_path / f"whole.{kind}", members).read_bytes()
    content = 8 * (512 + 3072) if kind == "tar" else len(whole)  # a tar ends in empty blocks, which carry nothing
    archive = tmp_path / f"a.{kind}"
    archive.write_bytes(whole[: int(share * content)])
    with pytest.raises(CourseError, match=r"truncated or can't be read.*Download it again"):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_tar_that_was_cut_between_two_files_is_refused(tmp_path):
    whole = pack(tmp_path / "whole.tar", {"one": bytes(512), "two": bytes(512)}).read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[:1024])  # header and content of the first; tarfile sees nothing wrong
    with pytest.raises(CourseError, match="it ends too early"):
        unpack(tmp_path / "cut.tar", tmp_path / "out")


def test_a_disk_that_fills_up_while_unpacking_leaves_nothing(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fetch.shutil, "copyfileobj", full)
    with pytest.raises(CourseError, match=r"No space left to unpack a.zip"):
        unpack(pack(tmp_path / "a.zip", {"one": b"1"}), tmp_path / "out")
    assert not (tmp_path / "out").exists()
