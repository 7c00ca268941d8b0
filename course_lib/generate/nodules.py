"""Lungs as a CT scanner might show them, with nodules whose outline is known exactly: small windows and whole slices.

A slice is a body with ribs, spine and heart, two dark lungs, in each of them a tree of vessels, and bright dots where a
vessel runs straight through the picture. A nodule is a blob that is wider than a vessel: smooth or lobed, sharp or
blurred, from hardly brighter than the lung to solid. Gray values stand for a lung window: 0 is air, 1 is bone. A pixel
is about 1.4 mm wide.

None of this comes from a patient. It is hard in some of the ways in which the real task is hard, and in no others.

Every machine draws the same pictures: random numbers are those of `numpy.random.RandomState`, whose streams never
change, and everything is computed with +, -, *, / and square roots, which IEEE 754 fixes to the last bit.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from course_lib.generate.lungs import RADII, Chance, Nodule, Patient, Stroke, add_nodule, new_patient

WINDOW, SLICE = 64, 256  # pixels
NODULE_SHARE = 8  # one window in eight holds a nodule
COUNTS = {
    "lung_patches": {"train": 3_200, "validation": 1_200, "test": 2_000},
    "lung_slices": {"train": 8, "validation": 24, "test": 48},
}
LUNG_SETS = tuple(COUNTS)
AIR, FAT, MUSCLE, BONE, LUNG = 0.02, 0.42, 0.68, 0.95, 0.16  # gray, from 0 to 1


def draw(
    patient: Patient, random: np.random.RandomState, *, left: float, top: float, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a square of the slice.

    Args:
        patient: who.
        random: the scanner's noise.
        left: x of the square's left edge.
        top: y of its upper edge.
        size: its sides in pixels.

    Returns:
        The picture, uint8, and the nodules' mask, bool, both of shape `(size, size)`.
    """
    x = (left + 0.5 + np.arange(size)).astype(np.float32)[None, :]
    y = (top + 0.5 + np.arange(size)).astype(np.float32)[:, None]
    canvas = np.full((size, size), AIR, dtype=np.float32)
    rim = np.sqrt((x / patient.body[0]) ** 2 + (y / patient.body[1]) ** 2)
    canvas += _inside((rim - 1) * 80) * np.float32(FAT - AIR)
    canvas += _inside((rim - np.float32(0.91)) * 80) * np.float32(MUSCLE - FAT)
    spine = np.sqrt(x * x + (y - 58) * (y - 58))
    canvas += _inside(spine - 12) * np.float32(BONE - MUSCLE) - _inside(spine - 5) * np.float32(0.25)
    for part, rib in _bright(patient.ribs, x, y):
        canvas[part] += rib * (np.float32(BONE) - canvas[part])

    lungs = _inside(np.maximum.reduce(np.broadcast_arrays(*patient.edges_of_lungs(x, y, np.sqrt))))
    lung = np.float32(LUNG) + y * np.float32(0.0006)  # denser towards the back
    canvas += lungs * (lung - canvas)
    inside = np.zeros_like(canvas)  # what is brighter than the lung in the lungs
    for part, vessel in _bright(patient.vessels, x, y):
        np.maximum(inside[part], vessel, out=inside[part])
    mask = np.zeros((size, size), dtype=bool)
    for nodule in patient.nodules:
        beyond = _beyond_nodule(nodule, x, y)
        np.maximum(inside, np.clip(0.5 - beyond / nodule.softness, 0, 1) * np.float32(nodule.contrast), out=inside)
        mask |= (beyond < 0) & (lungs > 0.5)
    canvas += lungs * inside
    canvas += _clouds(random, size) * (np.float32(0.035) * lungs + np.float32(0.015)) + _grain(random, size)
    return np.clip(canvas * 255, 0, 255).astype(np.uint8), mask


def _inside(distance: np.ndarray) -> np.ndarray:
    """Coverage of a pixel at this distance from an edge: 1 inside, 0 outside, soft over one pixel."""
    return np.minimum(np.maximum(np.float32(0.5) - distance, np.float32(0)), np.float32(1))


def _bright(strokes: list[Stroke], x: np.ndarray, y: np.ndarray) -> Iterator[tuple[tuple[slice, slice], np.ndarray]]:
    """The strokes that touch the picture: for each the rows and columns near it, and how bright it makes them."""
    size, x_first, y_first = x.shape[1], float(x[0, 0]), float(y[0, 0])
    for stroke in strokes:
        left, top, right, bottom = stroke.box
        rows = slice(max(0, int(top - y_first)), min(size, int(bottom - y_first) + 2))
        columns = slice(max(0, int(left - x_first)), min(size, int(right - x_first) + 2))
        if rows.start < rows.stop and columns.start < columns.stop:
            yield (rows, columns), _coverage(stroke, x[:, columns], y[rows]) * np.float32(stroke.contrast)


def _coverage(stroke: Stroke, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x0, y0, x1, y1 = map(np.float32, stroke.ends)
    right, down = x1 - x0, y1 - y0
    first, last = map(np.float32, stroke.radii)
    to_x, to_y = x - x0, y - y0
    if right == down == 0:
        return _inside(np.sqrt(to_x * to_x + to_y * to_y) - first)
    along = (to_x * right + to_y * down) / (right * right + down * down)
    along = np.minimum(np.maximum(along, np.float32(0)), np.float32(1))
    off_x, off_y = to_x - along * right, to_y - along * down
    return _inside(np.sqrt(off_x * off_x + off_y * off_y) - (first + along * (last - first)))


def _beyond_nodule(nodule: Nodule, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """About how far it is from here to the nodule; negative inside. The radius varies with the angle's 2nd and 3rd
    harmonics, which are polynomials of its cosine and sine."""
    to_x, to_y = x - np.float32(nodule.x), y - np.float32(nodule.y)
    away = np.sqrt(to_x * to_x + to_y * to_y) + np.float32(1e-6)
    cosine, sine = to_x / away, to_y / away
    a, b, c, d = (np.float32(lobe) for lobe in nodule.lobes)
    twofold = a * (cosine * cosine - sine * sine) + b * (2 * cosine * sine)
    threefold = c * cosine * (4 * cosine * cosine - 3) + d * sine * (3 - 4 * sine * sine)
    return away - np.float32(nodule.radius) * (1 + twofold + threefold)


def _clouds(random: np.random.RandomState, size: int) -> np.ndarray:
    """Slow changes of gray, from -1 to 1: random numbers every eight pixels, and straight lines between them."""
    knots = (2 * random.random_sample((size // 8 + 1, size // 8 + 1)) - 1).astype(np.float32)
    share = (np.arange(size, dtype=np.float32) % 8) / 8
    place = np.arange(size) // 8
    rows = knots[place] + (knots[place + 1] - knots[place]) * share[:, None]
    return rows[:, place] + (rows[:, place + 1] - rows[:, place]) * share


def _grain(random: np.random.RandomState, size: int) -> np.ndarray:
    """The scanner's noise: neighboring pixels share some of it."""
    white = random.randint(-128, 128, size=(size + 2, size + 2)).astype(np.float32)
    across = white[:, :-2] + 2 * white[:, 1:-1] + white[:, 2:]
    return (across[:-2] + 2 * across[1:-1] + across[2:]) / np.float32(16 * 128 / 0.12)


def draw_lungs(name: str, *, counts: dict[str, int] | None = None) -> dict[str, dict[str, Tensor]]:
    """Draw one of the two sets; the same pictures on every call. No patient is in two splits.

    Args:
        name: "lung_patches", windows of 64x64, eight from each patient, one of them with a nodule; or "lung_slices",
            256x256, one from each patient, with up to three nodules.
        counts: pictures in each of "train", "validation" and "test".

    Returns:
        For each split "pixels", uint8, shape `(n, 1, size, size)`; "masks", bool, the same shape; "labels", int64,
        shape `(n,)`, 1 where there is a nodule; "contrasts", float32, shape `(n,)`, that of the faintest one, 0 without
        any.
    """
    splits = {}
    for number, (split, count) in enumerate((counts or COUNTS[name]).items()):
        random = np.random.RandomState([6, list(COUNTS).index(name), number])
        drawn: list[tuple[np.ndarray, np.ndarray, float]] = []
        while len(drawn) < count:
            drawn += _draw_patches(random) if name == "lung_patches" else [_draw_slice(random)]
        order = random.permutation(count)
        pixels, masks, contrasts = (np.stack([drawn[place][part] for place in order]) for part in range(3))
        splits[split] = {
            "pixels": torch.from_numpy(pixels).unsqueeze(1),
            "masks": torch.from_numpy(masks).unsqueeze(1),
            "labels": torch.from_numpy((contrasts > 0).astype(np.int64)),
            "contrasts": torch.from_numpy(contrasts.astype(np.float32)),
        }
    return splits


def _draw_patches(random: np.random.RandomState) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Windows of one patient, each around a point of the lungs that is not in its middle.

    In the first one a nodule grows at that point. The others are chosen such that they do not meet it.
    """
    chance = Chance(random)
    patient = new_patient(chance)
    nodule = add_nodule(chance, patient)
    points = [(nodule.x, nodule.y)]
    drawn: list[tuple[np.ndarray, np.ndarray, float]] = []
    while len(drawn) < NODULE_SHARE:
        x, y = points.pop() if points else chance.inside_lungs(patient, depth=0.6 * chance.between(*RADII))
        left, top = x - WINDOW / 2 - chance.between(-20, 20), y - WINDOW / 2 - chance.between(-20, 20)
        reach = WINDOW / 2 + 12
        if drawn and max(abs(left + WINDOW / 2 - nodule.x), abs(top + WINDOW / 2 - nodule.y)) < reach:
            continue
        pixels, mask = draw(patient, random, left=left, top=top, size=WINDOW)
        drawn.append((pixels, mask, 0.0 if drawn else nodule.contrast))
    return drawn


def _draw_slice(random: np.random.RandomState) -> tuple[np.ndarray, np.ndarray, float]:
    chance = Chance(random)
    patient = new_patient(chance)
    for _ in range(random.randint(4)):
        add_nodule(chance, patient)
    contrast = min((nodule.contrast for nodule in patient.nodules), default=0.0)
    return *draw(patient, random, left=-SLICE / 2, top=-SLICE / 2, size=SLICE), contrast
