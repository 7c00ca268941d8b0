"""Drawn lungs: the same everywhere, healthy where they should be, with masks that fit the nodules."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from course_lib.generate.lungs import CONTRASTS, Chance, Nodule, Patient, add_nodule, new_patient
from course_lib.generate.nodules import LUNG_SETS, NODULE_SHARE, draw, draw_lungs

FEW = {"train": 48, "validation": 16, "test": 16}


@pytest.fixture(scope="module")
def patches():
    return draw_lungs("lung_patches", counts=FEW)


@pytest.fixture(scope="module")
def slices():
    return draw_lungs("lung_slices", counts={"train": 2, "validation": 6, "test": 8})


def somebody(seed=0):
    return new_patient(Chance(np.random.RandomState(seed)))


def test_windows_have_the_promised_sizes_and_one_in_eight_holds_a_nodule(patches):
    assert {name: len(split["labels"]) for name, split in patches.items()} == FEW
    for split in patches.values():
        assert split["pixels"].dtype == torch.uint8 and split["pixels"].shape[1:] == (1, 64, 64)
        assert split["masks"].dtype == torch.bool and split["masks"].shape == split["pixels"].shape
        assert split["labels"].sum() * NODULE_SHARE == len(split["labels"])


def test_a_label_a_mask_and_a_contrast_say_the_same(patches, slices):
    for split in [*patches.values(), *slices.values()]:
        marked = split["masks"].flatten(1).any(dim=1)
        assert torch.equal(marked, split["labels"] == 1)
        assert torch.equal(marked, split["contrasts"] > 0)
        assert split["contrasts"].max() <= CONTRASTS[1]
        assert split["contrasts"][marked].min() >= CONTRASTS[0] - 1e-6


def test_the_pictures_do_not_come_in_an_order_that_tells_the_label(patches):
    labels = patches["train"]["labels"]
    assert labels[::NODULE_SHARE].sum() < len(labels) // NODULE_SHARE


def test_no_two_windows_are_the_same_within_or_across_splits(patches):
    pixels = torch.cat([split["pixels"] for split in patches.values()])
    assert len(pixels.flatten(1).unique(dim=0)) == sum(FEW.values())


def test_a_slice_has_up_to_three_nodules_and_some_have_none(slices):
    from scipy import ndimage

    counts = [ndimage.label(mask[0])[1] for split in slices.values() for mask in split["masks"]]
    assert slices["test"]["pixels"].shape == (8, 1, 256, 256)
    assert min(counts) == 0 and 1 < max(counts) <= 3


def test_the_mask_is_where_the_nodule_changed_the_picture():
    patient = somebody()
    before, _ = draw(patient, np.random.RandomState(5), left=-128, top=-128, size=256)
    add_nodule(Chance(np.random.RandomState(3)), patient)
    after, mask = draw(patient, np.random.RandomState(5), left=-128, top=-128, size=256)
    changed = np.abs(after.astype(int) - before) > 0
    assert changed[mask].mean() > 0.5  # vessels inside it stay as they were
    near = torch.nn.functional.max_pool2d(torch.from_numpy(mask)[None, None].float(), 9, stride=1, padding=4)[0, 0] > 0
    assert not changed[~near.numpy()].any()


def test_a_round_nodule_has_the_area_of_its_disk():
    patient = Patient((110, 84), (47, 36, 59), (8, 14, 29))
    patient.nodules.append(Nodule(-50.0, -10.0, 7.0, 0.5, 1.5, (0.0, 0.0, 0.0, 0.0)))
    _, mask = draw(patient, np.random.RandomState(0), left=-82, top=-42, size=64)
    assert mask.sum() == pytest.approx(np.pi * 7**2, rel=0.05)
    rows, columns = np.nonzero(mask)
    assert (columns.mean() + 0.5 - 82, rows.mean() + 0.5 - 42) == pytest.approx((-50, -10), abs=0.1)


def test_a_window_shows_what_the_slice_shows_there_but_for_the_noise():
    patient = somebody(1)
    add_nodule(Chance(np.random.RandomState(2)), patient)
    whole, whole_mask = draw(patient, np.random.RandomState(0), left=-128, top=-128, size=256)
    part, part_mask = draw(patient, np.random.RandomState(1), left=-90, top=-30, size=64)
    there = slice(98, 162), slice(38, 102)
    assert np.array_equal(part_mask, whole_mask[there])
    assert np.abs(part.astype(int) - whole[there]).mean() < 0.05 * 255


def test_nodules_grow_in_the_lungs_and_apart():
    chance, patient = Chance(np.random.RandomState(0)), somebody()
    for _ in range(3):
        nodule = add_nodule(chance, patient)
        assert patient.beyond_lungs(nodule.x, nodule.y) < 0
    places = [np.array([each.x, each.y]) for each in patient.nodules]
    assert all(np.linalg.norm(places[i] - places[j]) >= 30 for i in range(3) for j in range(i))


@pytest.mark.parametrize("name", LUNG_SETS)
def test_pictures_do_not_depend_on_what_was_drawn_before(name):
    np.random.seed(1)
    first = draw_lungs(name, counts={"train": 8})["train"]
    np.random.seed(2)
    again = draw_lungs(name, counts={"train": 8})["train"]
    assert all(torch.equal(first[kind], again[kind]) for kind in first)


def test_another_process_with_other_settings_draws_the_same_pictures():
    from numpy._core import _multiarray_umath as internals

    units = " ".join(name for name in internals.__cpu_dispatch__ if internals.__cpu_features__.get(name))
    script = (
        "import zlib; from course_lib.generate.nodules import draw_lungs;"
        "print(zlib.crc32(draw_lungs('lung_patches', counts={'train': 24})['train']['pixels'].numpy().tobytes()))"
    )
    variables = [{"OMP_NUM_THREADS": "1"}, {"OMP_NUM_THREADS": "2", "NPY_DISABLE_CPU_FEATURES": units}]
    printed = [
        subprocess.run(
            [sys.executable, "-c", script], env={**os.environ, **each}, capture_output=True, check=True
        ).stdout
        for each in variables
    ]
    assert printed[0] == printed[1]


def test_brightness_alone_does_not_tell_who_is_ill():
    from sklearn.metrics import roc_auc_score

    split = draw_lungs("lung_patches", counts={"train": 320})["train"]
    means = split["pixels"].float().flatten(1).mean(dim=1)
    assert 0.3 < roc_auc_score(split["labels"], means) < 0.7
