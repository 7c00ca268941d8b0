"""Data by name: splits that share nothing, the cache that is whole or not there, and errors that hold the command."""

import errno
import json
import multiprocessing

import pytest
import torch

from course_lib import catalog as catalog_module
from course_lib import datasets, storage
from course_lib.catalog import CATALOG, catalog, find
from course_lib.datasets import MissingData, Split, available, hold_out, load
from course_lib.errors import CourseError
from course_lib.generate.shapes import draw_shapes
from course_lib.generate.spoken import speak_corpus

FEW = {"train": 30, "validation": 10, "test": 10}


@pytest.fixture(autouse=True)
def data_folder(monkeypatch, tmp_path):
    """An empty COURSE_DATA, and sets of shapes so small that drawing them takes no time."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    monkeypatch.setattr(datasets, "draw_shapes", lambda name: draw_shapes(name, counts=FEW))
    return tmp_path


@pytest.fixture
def prepared(data_folder):
    """A small MNIST, prepared."""
    entry = find("mnist")
    pixels = torch.arange(20 * 28 * 28).remainder(256).to(torch.uint8).reshape(20, 1, 28, 28)
    pairs = {name: (pixels.clone(), torch.arange(20) % 10) for name in ("test", "train", "validation")}
    tensors = datasets.as_tensors(pairs)
    storage.store(entry.place, tensors, datasets.facts(entry, tensors))
    return entry.place


def test_digits_come_in_three_splits_that_share_no_row():
    data = load("digits")
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 1197, "validation": 300, "test": 300}
    images = torch.cat([split.images for split in data.splits.values()])
    assert images.shape == (1797, 1, 8, 8) and images.dtype == torch.float32
    assert images.min() == 0 and images.max() == 1
    assert len(images.flatten(1).unique(dim=0)) == 1797


def test_digits_are_scikit_learns_own():
    from sklearn.datasets import load_digits

    theirs = {
        tuple(row): label for row, label in zip((load_digits().data / 16).tolist(), load_digits().target, strict=True)
    }
    split = load("digits").splits["test"]
    assert all(
        theirs[tuple(row)] == label for row, label in zip(split.images.flatten(1).tolist(), split.labels, strict=True)
    )


def test_every_class_has_its_share_of_every_split():
    for split in load("digits").splits.values():
        shares = torch.bincount(split.labels) / len(split)
        assert (shares - 0.1).abs().max() < 0.01


@pytest.mark.parametrize("count", [0, 1, 7, 33, 100])
def test_rows_that_are_held_out_are_gone_from_the_rest(count):
    labels = torch.tensor([0] * 60 + [1] * 30 + [2] * 10)
    kept, held = hold_out(labels, count=count)
    assert len(held) == count and sorted([*kept.tolist(), *held.tolist()]) == list(range(100))
    expected = torch.tensor([0.6, 0.3, 0.1]) * count
    assert (torch.bincount(labels[held], minlength=3) - expected).abs().max() <= 1


def test_another_seed_holds_out_others_and_the_same_seed_the_same():
    labels = torch.arange(100) % 5
    assert torch.equal(hold_out(labels, count=20)[1], hold_out(labels, count=20)[1])
    assert not torch.equal(hold_out(labels, count=20)[1], hold_out(labels, count=20, seed=1)[1])


def test_images_are_pixels_between_0_and_1_and_converted_once():
    split = Split(torch.tensor([[[[0, 51, 255]]]], dtype=torch.uint8), torch.zeros(1, dtype=torch.int64))
    torch.testing.assert_close(split.images, torch.tensor([[[[0.0, 0.2, 1.0]]]]))
    assert split.images is split.images and split.pixels.dtype == torch.uint8


def test_shapes_are_drawn_once_and_then_read(monkeypatch, data_folder):
    first = load("shapes")
    monkeypatch.setattr(datasets, "draw_shapes", lambda name: pytest.fail("drawn again"))
    again = load("shapes")
    for name, split in first.splits.items():
        assert torch.equal(split.images, again.splits[name].images) and torch.equal(
            split.labels, again.splits[name].labels
        )
    assert list(first.splits) == ["train", "validation", "test"] and len(first.classes) == 10


def test_shapes_are_drawn_anew_when_the_code_that_draws_them_has_changed(monkeypatch):
    load("shapes")
    monkeypatch.setattr(datasets, "RECIPE_OF_SHAPES", "another")
    monkeypatch.setattr(datasets, "draw_shapes", lambda name: draw_shapes("other_shapes", counts=FEW))
    changed = load("shapes").splits["train"].pixels
    assert torch.equal(changed, draw_shapes("other_shapes", counts=FEW)["train"][0])


@pytest.fixture
def few_words(monkeypatch):
    """A spoken corpus so small that it takes no time."""
    few = {"train": 40, "validation": 20, "test": 20}
    monkeypatch.setattr(datasets, "speak_corpus", lambda name: speak_corpus(name, counts=few))


def test_speech_is_spoken_once_and_then_read(few_words, monkeypatch):
    first = load("spoken_words")
    monkeypatch.setattr(datasets, "speak_corpus", lambda name: pytest.fail("spoken again"))
    again = load("spoken_words")
    assert str(again) == (
        "Spoken words: 40 train, 20 validation, 20 test recordings, 1 min, 20 classes. License: BSD 3-Clause."
    )
    for name, recordings in again.splits.items():
        assert torch.equal(recordings.stacked(), first.splits[name].stacked())
        assert recordings.texts == [again.classes[label] for label in recordings.labels]


def test_speech_is_spoken_anew_when_the_code_that_speaks_has_changed(few_words, monkeypatch):
    load("spoken_words")
    monkeypatch.setattr(datasets, "RECIPE_OF_SPEECH", "another")
    monkeypatch.setattr(datasets, "speak_corpus", lambda name: speak_corpus(name, counts={"train": 20}))
    assert list(load("spoken_words").splits) == ["train"]


def test_without_the_engine_speech_is_not_available(few_words, monkeypatch):
    assert available("spoken_words")
    monkeypatch.setattr(datasets, "is_installed", lambda: False)
    monkeypatch.setattr("course_lib.generate.speech.is_installed", lambda: False)
    assert not available("spoken_words")
    with pytest.raises(CourseError, match="pip install espeakng-loader"):
        load("spoken_words")


def test_what_was_spoken_before_stays_available_without_the_engine(few_words, monkeypatch):
    load("spoken_words")
    monkeypatch.setattr(datasets, "is_installed", lambda: False)
    assert available("spoken_words") and len(load("spoken_words").splits["train"]) == 40


def damage(place, kind):
    file, card = place.with_suffix(".safetensors"), place.with_suffix(".json")
    content = file.read_bytes()
    changes = {
        "cut short": lambda: file.write_bytes(content[:-100]),
        "one bit flipped": lambda: file.write_bytes(content[:-1] + bytes([content[-1] ^ 1])),
        "file gone": file.unlink,
        "card gone": card.unlink,
        "card cut short": lambda: card.write_text(card.read_text()[:40]),
        "card of another kind": lambda: card.write_text("[]"),
        "card of another edition": lambda: card.write_text(json.dumps({**json.loads(card.read_text()), "format": 0})),
        "card of another file": lambda: card.write_text(
            json.dumps({**json.loads(card.read_text()), "sha256": "0" * 64})
        ),
    }
    changes[kind]()


DAMAGES = [
    "cut short",
    "one bit flipped",
    "file gone",
    "card gone",
    "card cut short",
    "card of another kind",
    "card of another edition",
    "card of another file",
]


@pytest.mark.parametrize("kind", DAMAGES)
def test_nothing_half_made_is_taken_for_whole(prepared, kind):
    assert available("mnist")
    damage(prepared, kind)
    assert not available("mnist")
    with pytest.raises(MissingData, match=r"MNIST is (damaged|half-made|from another edition).*course data mnist"):
        load("mnist")


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_cache_of_shapes_is_drawn_anew(data_folder, kind):
    whole = load("shapes").splits["train"].pixels.clone()
    damage(data_folder / "generated" / "shapes", kind)
    assert torch.equal(load("shapes").splits["train"].pixels, whole)


def test_a_full_disk_keeps_nothing_but_the_lesson_goes_on(monkeypatch, data_folder):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(storage, "write_atomically", full)
    with pytest.warns(UserWarning, match="could not be kept for the next time: .*No space left"):
        assert len(load("shapes").splits["train"]) == 30
    assert not list(data_folder.rglob("*.json"))


def test_a_disk_that_fills_up_between_file_and_card_leaves_nothing_that_counts(monkeypatch, prepared):
    write, entry = storage.write_atomically, find("mnist")

    def full_at_the_card(path, content):
        if path.suffix == ".json":
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, content)

    monkeypatch.setattr(storage, "write_atomically", full_at_the_card)
    with pytest.raises(OSError, match="No space"):
        storage.store(entry.place, {"train.labels": torch.zeros(3)}, {})
    assert not available("mnist")


def _load_in_a_process(folder, barrier, results):
    import os

    os.environ["COURSE_DATA"] = folder
    drawn = []

    def draw(name):
        drawn.append(name)
        return draw_shapes(name, counts=FEW)

    datasets.draw_shapes = draw
    barrier.wait()
    assert len(load("shapes").splits["train"]) == FEW["train"]
    results.put(len(drawn))


def test_two_processes_that_need_shapes_at_once_draw_them_once(data_folder):
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(2), context.Queue()
    processes = [
        context.Process(target=_load_in_a_process, args=(str(data_folder), barrier, results)) for _ in range(2)
    ]
    for process in processes:
        process.start()
    drawn = [results.get(timeout=300) for _ in processes]
    for process in processes:
        process.join()
    assert sorted(drawn) == [0, 1]


def test_what_was_prepared_comes_back_with_its_splits_in_order(prepared):
    data = load("mnist")
    assert list(data.splits) == ["train", "validation", "test"] and data.classes == list("0123456789")
    assert data.splits["test"].pixels[0, 0, 0, :5].tolist() == [0, 1, 2, 3, 4]
    assert str(data) == (
        "MNIST: 20 train, 20 validation, 20 test images of 1 × 28 × 28, 10 classes. License: CC BY-SA 3.0."
    )


def test_the_card_says_where_the_data_come_from_and_how_many_there_are(prepared):
    card = json.loads(prepared.with_suffix(".json").read_text(encoding="utf-8"))
    entry = find("mnist")
    assert card["counts"] == {"test": 20, "train": 20, "validation": 20}
    assert (card["source"], card["license"], card["citation"]) == (entry.source, entry.license, entry.citation)


@pytest.mark.parametrize("entry", [each for each in catalog() if each.disk_mb], ids=lambda entry: entry.name)
def test_missing_data_says_the_command_its_cost_and_the_license(entry):
    assert not available(entry.name)
    with pytest.raises(MissingData) as error:
        load(entry.name)
    for part in (f"course data {entry.name}", f"{entry.disk_mb:g} MB on disk", entry.license, "min", "--from PATH"):
        assert part in str(error.value)


def test_missing_data_are_neither_replaced_nor_fetched(monkeypatch):
    monkeypatch.setattr("socket.socket.connect", lambda *args: pytest.fail("went to the network"))
    monkeypatch.setattr(datasets, "draw_shapes", lambda name: pytest.fail("drew something else"))
    with pytest.raises(MissingData):
        load("cifar10")


@pytest.mark.parametrize("ask", [load, available, find])
def test_an_unknown_name_is_answered_with_those_that_exist(ask):
    with pytest.raises(CourseError, match=r"no data set 'cifar'. Did you mean 'cifar10'"):
        ask("cifar")


def test_what_needs_no_fetching_is_available_at_once():
    ready = [entry.name for entry in catalog() if available(entry.name)]
    assert ready == [
        "digits",
        "shapes",
        "other_shapes",
        "lung_patches",
        "lung_slices",
        "spoken_commands",
        "spoken_words",
    ]


def test_every_entry_says_where_it_comes_from_and_under_which_license():
    for entry in CATALOG.values():
        assert all((entry.title, entry.source, entry.license, entry.citation))
        assert len(set(entry.classes)) == len(entry.classes)


def test_the_place_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setattr(catalog_module, "data_dir", lambda: tmp_path / "elsewhere")
    assert find("cifar10").place == tmp_path / "elsewhere" / "cifar10"
