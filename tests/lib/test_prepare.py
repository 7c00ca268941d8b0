"""course data, from what is published to what `load` gives: whole and verified, or not there."""

import errno
import gzip
import hashlib
import multiprocessing
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib import storage
from course_lib.catalog import CATALOG
from course_lib.cli import main
from course_lib.datasets import available, load
from course_lib.errors import CourseError
from data_scripts import cifar10, fashion_mnist, mnist
from data_scripts.fetch import KnownFile, unpack
from data_scripts.prepare import prepare
from tests.lib.corpora import (
    batch_as_published,
    closed_port,
    image_folder,
    only_whole_files,
    pack,
    servers,
    small_mnist,
)


@pytest.fixture(autouse=True)
def data_folder(monkeypatch, tmp_path):
    """An empty COURSE_DATA, and no proxy between the tests and their own server."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "data"


@pytest.fixture
def serve():
    with servers() as start:
        yield start


@pytest.fixture
def small(monkeypatch, serve):
    """MNIST's files as they would be published if MNIST were small, on a mirror."""
    files = small_mnist()
    publish(monkeypatch, files)
    monkeypatch.setattr(mnist, "MIRRORS", [serve(files)])
    return files


def publish(monkeypatch, files):
    for group in ("TRAIN", "TEST"):
        known = [
            KnownFile(old.name, "md5:" + hashlib.md5(files[old.name]).hexdigest()) for old in getattr(mnist, group)
        ]
        monkeypatch.setattr(mnist, group, tuple(known))


def test_mnist_is_fetched_verified_and_converted(small, capsys):
    assert main(["data", "mnist"]) == 0
    assert "MNIST: 36 train, 4 validation, 20 test images of 1 × 28 × 28" in capsys.readouterr().out
    test = load("mnist").splits["test"]
    original = np.frombuffer(gzip.decompress(small["t10k-images-idx3-ubyte.gz"]), np.uint8, offset=16)
    assert torch.equal(test.pixels, torch.from_numpy(original.reshape(20, 1, 28, 28).copy()))
    assert test.labels.tolist() == [number % 10 for number in range(20)]


def test_validation_images_are_cut_from_the_training_images_and_no_others(small):
    prepare("mnist")
    original = np.frombuffer(gzip.decompress(small["train-images-idx3-ubyte.gz"]), np.uint8, offset=16).reshape(40, -1)
    splits = load("mnist").splits
    both = torch.cat([splits["train"].pixels, splits["validation"].pixels]).flatten(1)
    assert {tuple(row) for row in both.tolist()} == {tuple(row) for row in original.tolist()}
    assert len(both) == 40


@pytest.mark.parametrize("kind", ["folder", "zip", "tar.gz"])
def test_mnist_comes_from_a_folder_or_an_archive_without_a_network(small, monkeypatch, tmp_path, kind):
    monkeypatch.setattr(mnist, "MIRRORS", [closed_port()])
    source = tmp_path / f"mine.{kind}"
    if kind == "folder":
        (source / "MNIST" / "raw").mkdir(parents=True)
        for name, content in small.items():
            (source / "MNIST" / "raw" / name).write_bytes(content)
    else:
        pack(source, {f"MNIST/raw/{name}": content for name, content in small.items()})
    assert main(["data", "mnist", "--from", str(source)]) == 0
    assert source.exists() and len(load("mnist").splits["train"]) == 36


def test_the_test_set_alone_is_split_anew_and_named_so(small):
    prepare("mnist_t10k")
    data = load("mnist_t10k")
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 15, "validation": 1, "test": 4}
    assert "test set alone" in data.title and not available("mnist")


def test_what_is_prepared_is_not_prepared_again_and_nothing_else_is_left(small, monkeypatch, data_folder):
    prepare("mnist")
    monkeypatch.setattr(mnist, "MIRRORS", [closed_port()])
    assert prepare("mnist") == 0
    only_whole_files(data_folder, ["mnist.json", "mnist.lock", "mnist.safetensors"])


def test_an_archive_that_was_cut_short_is_called_so(small, tmp_path):
    archive = pack(tmp_path / "a.zip", small)
    archive.write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(CourseError, match="truncated or can't be read"):
        prepare("mnist", source=archive)
    assert not available("mnist")


def test_a_folder_that_can_not_be_written_is_said_so_and_what_is_ready_there_is_fine(small, monkeypatch, data_folder):
    prepare("mnist")

    def refuse(*args, **options):
        raise PermissionError(errno.EACCES, "Permission denied", str(data_folder))

    monkeypatch.setattr("data_scripts.prepare.FileLock", refuse)
    assert prepare("mnist") == 0
    with pytest.raises(CourseError, match=r"can't be read or written. Set COURSE_DATA"):
        prepare("mnist_t10k")


def test_a_damaged_data_set_is_prepared_again(small, data_folder):
    prepare("mnist")
    file = data_folder / "mnist.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    prepare("mnist")
    assert len(load("mnist").splits["train"]) == 36


def test_a_failure_half_way_prepares_nothing_and_keeps_what_came_whole(small, monkeypatch, serve, data_folder):
    half = {name: content for name, content in small.items() if name.startswith("train")}
    monkeypatch.setattr(mnist, "MIRRORS", [serve(half)])
    with pytest.raises(CourseError, match="t10k-images"):
        prepare("mnist")
    assert not available("mnist")
    only_whole_files(data_folder / "downloads", sorted(half))


def test_a_run_that_was_killed_while_unpacking_does_not_disturb_the_next(small, tmp_path, data_folder):
    left = data_folder / "downloads" / "mnist" / "unpacked" / "train-images-idx3-ubyte.gz"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half of it")
    prepare("mnist", source=pack(tmp_path / "a.zip", small))
    assert len(load("mnist").splits["train"]) == 36


def test_a_disk_that_is_too_small_is_noticed_before_anything_is_fetched(small, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=10_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    monkeypatch.setattr(mnist, "MIRRORS", [])
    with pytest.raises(CourseError, match=r"MNIST needs 177 MB .* has 10 MB left"):
        prepare("mnist")


def test_a_disk_that_fills_up_at_the_end_prepares_nothing(small, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(storage, "write_atomically", full)
    with pytest.raises(CourseError, match="No space left for MNIST"):
        prepare("mnist")
    assert not available("mnist")


def _prepare_in_a_process(folder, source, barrier, results):
    os.environ["COURSE_DATA"] = folder
    with pytest.MonkeyPatch.context() as patch:
        publish(patch, small_mnist())
        stored, store = [], storage.store
        patch.setattr(storage, "store", lambda *args: (stored.append(1), store(*args)))
        barrier.wait()
        prepare("mnist", source=source)
        results.put((len(stored), len(load("mnist").splits["train"])))


def test_two_processes_that_prepare_at_once_do_the_work_once(tmp_path, data_folder):
    source = pack(tmp_path / "a.zip", small_mnist())
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(2), context.Queue()
    arguments = str(data_folder), str(source), barrier, results
    processes = [context.Process(target=_prepare_in_a_process, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    seen = sorted(results.get(timeout=300) for _ in processes)
    for process in processes:
        process.join()
    assert seen == [(0, 36), (1, 36)]


# CIFAR-10


@pytest.fixture
def small_cifar(monkeypatch):
    """Six batches of ten images, and the archive that would have been published with them."""
    random = np.random.RandomState(1)
    images = random.randint(0, 256, size=(60, 3, 32, 32)).astype(np.uint8)
    batches = {}
    for group, start in (("TRAIN", 0), ("TEST", 50)):
        known = []
        for number, old in enumerate(getattr(cifar10, group)):
            rows = slice(start + 10 * number, start + 10 * number + 10)
            batches[old.name] = batch_as_published(images[rows].reshape(10, -1), list(range(10)))
            known.append(KnownFile(old.name, "md5:" + hashlib.md5(batches[old.name]).hexdigest()))
        monkeypatch.setattr(cifar10, group, tuple(known))
    return images, {f"cifar-10-batches-py/{name}": content for name, content in batches.items()}


@pytest.mark.parametrize("kind", ["the archive", "a folder with the archive", "the unpacked folder", "a mirror"])
def test_cifar10_is_read_from_the_published_form(small_cifar, monkeypatch, serve, tmp_path, kind):
    images, batches = small_cifar
    (tmp_path / "home").mkdir()
    archive = pack(tmp_path / "home" / "cifar-10-python.tar.gz", batches)
    digest = "sha256:" + hashlib.sha256(archive.read_bytes()).hexdigest()
    monkeypatch.setattr(cifar10, "ARCHIVE", KnownFile(archive.name, digest))
    monkeypatch.setattr(
        cifar10, "MIRRORS", [serve({archive.name: archive.read_bytes()}) if kind == "a mirror" else closed_port()]
    )
    sources = {
        "the archive": archive,
        "a folder with the archive": archive.parent,
        "the unpacked folder": unpack(archive, tmp_path / "unpacked"),
        "a mirror": None,
    }
    prepare("cifar10", source=sources[kind])
    splits = load("cifar10").splits
    assert {name: len(split) for name, split in splits.items()} == {"train": 45, "validation": 5, "test": 10}
    assert np.array_equal(splits["test"].pixels.numpy(), images[50:])
    assert splits["test"].labels.tolist() == list(range(10))


def test_a_batch_can_call_nothing_but_what_makes_an_array(tmp_path):
    class Evil:
        def __reduce__(self):
            return Path.touch, (tmp_path / "evil",)

    (tmp_path / "batch").write_bytes(pickle.dumps({b"data": Evil()}))
    with pytest.raises(pickle.UnpicklingError, match="calls nothing like"):
        cifar10.read_batch(tmp_path / "batch")
    assert not (tmp_path / "evil").exists()


def test_a_folder_of_images_is_read_class_by_class(tmp_path):
    prepare("cifar10_images", source=image_folder(tmp_path / "images"))
    data = load("cifar10_images")
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 18, "validation": 2, "test": 10}
    test = data.splits["test"]
    assert test.labels.tolist() == list(range(10))
    assert test.pixels[3, :, 0, 0].tolist() == [24, 231, 7] and data.classes[3] == "cat"


def test_a_folder_of_images_is_not_taken_for_cifar10_itself(tmp_path):
    prepare("cifar10_images", source=image_folder(tmp_path / "images"))
    assert not available("cifar10")
    assert "folder of images" in str(load("cifar10_images"))


@pytest.mark.parametrize("kind", ["zip", "tar.xz"])
def test_a_folder_of_images_may_come_in_an_archive(tmp_path, kind):
    folder = image_folder(tmp_path / "images", kind="jpeg")
    members = {f"cifar10/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in folder.rglob("*.jpeg")}
    prepare("cifar10_images", source=pack(tmp_path / f"a.{kind}", members))
    assert len(load("cifar10_images").splits["train"]) == 18


def _large(folder):
    Image.new("RGB", (8000, 8000)).save(folder / "train" / "cat" / "0000.png")


def _truncated(folder):
    path = folder / "train" / "cat" / "0000.png"
    path.write_bytes(path.read_bytes()[:-30])


def _text(folder):
    (folder / "train" / "cat" / "notes.txt").write_text("seen")


def _other_format(folder):
    Image.new("RGB", (32, 32)).save(folder / "train" / "cat" / "0000.gif")


@pytest.mark.parametrize("spoil", [_large, _truncated, _text, _other_format])
def test_an_image_that_is_none_is_named_and_nothing_is_prepared(tmp_path, spoil):
    folder = image_folder(tmp_path / "images")
    spoil(folder)
    with pytest.raises(CourseError, match=r"cat.*but every image must be a whole JPEG or PNG of 32x32 pixels"):
        prepare("cifar10_images", source=folder)
    assert not available("cifar10_images")


def test_a_class_that_is_missing_is_noticed(tmp_path):
    folder = image_folder(tmp_path / "images")
    shutil.rmtree(folder / "test" / "dog")
    with pytest.raises(CourseError, match=r"test holds the folders .* but CIFAR-10 has"):
        prepare("cifar10_images", source=folder)


def test_a_folder_without_train_and_test_is_refused(tmp_path):
    with pytest.raises(CourseError, match="holds no folders 'train' and 'test'"):
        prepare("cifar10_images", source=tmp_path)


# The command


def test_the_list_says_what_is_ready_and_how_to_get_the_rest(small, capsys):
    prepare("mnist")
    capsys.readouterr()
    assert main(["data"]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines.keys() == CATALOG.keys()
    assert lines["mnist"] == "MNIST: ready" and "course data cifar10 (170.5 MB" in lines["cifar10"]


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("data digits", "needs no preparation"),
        ("data cifar", "There is no data set 'cifar'. Did you mean 'cifar10'?"),
        ("data zebra", "The data sets are: digits"),
        ("data cifar10_images", "can't be downloaded"),
        ("data mnist --from nowhere", "There is nothing at nowhere"),
    ],
)
def test_what_can_not_be_done_is_one_line(typed, answer, capsys):
    assert main(typed.split()) == 1
    error = capsys.readouterr().err
    assert error.startswith("course: ") and answer in error and error.count("\n") == 1


@pytest.mark.parametrize("script", [mnist, fashion_mnist, cifar10])
def test_a_script_tells_license_and_citation_as_the_catalog_does(script):
    entry = CATALOG[script.__name__.partition(".")[2]]
    words = " ".join(script.__doc__.split())
    assert f"License: {entry.license}." in words and f"Citation: {entry.citation}" in words


def test_every_data_set_that_must_be_fetched_has_its_script():
    from data_scripts.prepare import READERS

    assert READERS.keys() == {entry.name for entry in CATALOG.values() if entry.disk_mb}


def test_preparing_does_not_depend_on_the_random_state(small, data_folder):
    prepare("mnist")
    first = load("mnist").splits["validation"].pixels.clone()
    shutil.rmtree(data_folder)
    np.random.seed(5)
    torch.manual_seed(5)
    prepare("mnist")
    assert torch.equal(load("mnist").splits["validation"].pixels, first)
