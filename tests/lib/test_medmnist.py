"""The two real sets of lesson 06: read from npz files in the published form, and from nothing else."""

import io

import numpy as np
import pytest
import torch

from course_lib.datasets import available, load
from course_lib.errors import CourseError
from course_lib.exercises.registry import load_lesson
from course_lib.paths import find_lesson
from course_lib.python_cells import read_cells
from data_scripts import nodule_mnist3d, pneumonia_mnist
from data_scripts.fetch import KnownFile
from data_scripts.nodule_mnist3d import read_npz
from data_scripts.prepare import prepare
from tests.lib.corpora import pack

SCRIPTS = {"nodule_mnist3d": (nodule_mnist3d, (28, 28, 28)), "pneumonia_mnist": (pneumonia_mnist, (28, 28))}
COUNTS = {"train": 7, "val": 3, "test": 4}
every_set = pytest.mark.parametrize("name", SCRIPTS)


def published(shape, **changes):
    """The bytes of a small npz in MedMNIST's form."""
    random, arrays = np.random.RandomState(0), {}
    for part, count in COUNTS.items():
        arrays[f"{part}_images"] = random.randint(0, 256, size=(count, *shape)).astype(np.uint8)
        arrays[f"{part}_labels"] = (np.arange(count) % 2).reshape(-1, 1).astype(np.uint8)
    stream = io.BytesIO()
    np.savez_compressed(stream, **{**arrays, **changes})
    return stream.getvalue()


@pytest.fixture(autouse=True)
def data_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))


@pytest.fixture
def file(monkeypatch, tmp_path):
    """`file(name)` writes a small npz, and lets its script take it for the published one."""

    def write(name):
        script, shape = SCRIPTS[name]
        path = tmp_path / script.FILE.name
        path.write_bytes(published(shape))
        md5 = __import__("hashlib").md5(path.read_bytes()).hexdigest()
        monkeypatch.setattr(script, "FILE", KnownFile(path.name, f"md5:{md5}"))
        return path

    return write


@every_set
def test_the_official_split_is_kept(name, file):
    path = file(name)
    assert not available(name)
    prepare(name, source=path)
    data = load(name)
    assert {part: len(split) for part, split in data.splits.items()} == {"train": 7, "validation": 3, "test": 4}
    with np.load(path, allow_pickle=False) as content:
        pixels = torch.from_numpy(content["val_images"]).view(3, -1, 28, 28)
        assert torch.equal(data.splits["validation"].pixels, pixels)
    assert data.splits["test"].labels.tolist() == [0, 1, 0, 1]


def test_lesson_06_judges_benign_against_malignant_on_the_official_split(file, capsys):
    prepare("nodule_mnist3d", source=file("nodule_mnist3d"))
    capsys.readouterr()  # what `prepare` had to say
    sources = [cell.source for cell in read_cells(find_lesson("medical_imaging").source)]
    wanted = ("from course_lib.batches", "def train_classifier(", "def run(", 'available("nodule_mnist3d")')
    lesson = {"device": torch.device("cpu")}
    for name, exercise in load_lesson("medical_imaging").exercises.items():
        lesson[name] = exercise.reference
    for words in wanted:
        (source,) = [source for source in sources if words in source]
        if words == "def run(":  # of this cell the function alone: all else trains on drawn lungs
            source = source[source.index("@torch.no_grad()") : source.index("\n\n\nlogits")]
        exec(compile(source, "lesson", "exec"), lesson)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 2, printed
    validation, test = printed
    assert "validation: area" in validation and 0 <= float(test.split("test: area ")[1]) <= 1
    assert lesson["cubes"]["test"].shape == (4, 3, 28, 28)  # three slices around the middle, as channels
    assert torch.equal(lesson["cubes"]["test"][:, 1], load("nodule_mnist3d").splits["test"].images[:, 14].to("cpu"))


@pytest.mark.parametrize("form", ["file", "folder", "zip", "tar.gz", "renamed"])
def test_a_copy_may_come_in_any_wrapping(form, file, tmp_path):
    path = file("nodule_mnist3d")
    if form in ("zip", "tar.gz"):
        source = pack(tmp_path / f"archive.{form}", {f"inside/{path.name}": path.read_bytes()})
        path.unlink()
    else:
        source = {"file": path, "folder": path.parent, "renamed": path.parent / "copy.bin"}[form]
        if form == "renamed":
            path.rename(source)
    prepare("nodule_mnist3d", source=source)
    assert len(load("nodule_mnist3d").splits["train"]) == 7


def test_a_file_that_is_not_the_published_one_is_refused(tmp_path):
    path = tmp_path / "nodulemnist3d.npz"
    path.write_bytes(published((28, 28, 28)))
    with pytest.raises(CourseError, match="its md5 differs"):
        prepare("nodule_mnist3d", source=path)
    assert not available("nodule_mnist3d")


def test_a_pickle_inside_is_never_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path.joinpath("sprung").touch, ())

    path = tmp_path / "trap.npz"
    path.write_bytes(published((28, 28, 28), train_images=np.array([Trap()], dtype=object)))
    with pytest.raises(CourseError, match="none of MedMNIST's files"):
        read_npz(path, sides=3)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"train_images": np.zeros((7, 28, 28), dtype=np.float32)},
        {"val_images": np.zeros((3, 28), dtype=np.uint8)},
        {"test_labels": np.zeros((5, 1), dtype=np.uint8)},
    ],
)
def test_arrays_of_another_form_are_refused(tmp_path, changes):
    path = tmp_path / "other.npz"
    path.write_bytes(published((28, 28), **changes))
    with pytest.raises(CourseError, match="none of MedMNIST's files"):
        read_npz(path, sides=2)


def test_a_file_that_was_cut_short_is_refused(tmp_path):
    path = tmp_path / "short.npz"
    path.write_bytes(published((28, 28))[:2000])
    with pytest.raises(CourseError, match="none of MedMNIST's files"):
        read_npz(path, sides=2)
