"""Lungs as a CT scanner might show them, with nodules whose outline is known exactly: small windows and whole slices.

A slice is a body with ribs, spine and heart, two dark lungs, in each of them a tree of vessels, and bright dots where a
vessel runs straight through the picture. A nodule is a blob that is wider than a vessel: smooth or lobed, sharp or
blurred, from hardly brighter than the lung to solid. Gray values stand for a lung window: 0 is air, 1 is bone. A pixel
is about 1.4 mm wide.

None of this comes from a patient. It is hard in some of the ways in which the real task is hard, and in no others.

Every machine draws the same pictures: random numbers are those of `numpy.random.RandomState`, whose streams never
change, and everything is computed with +, -, *, / and square roots, which IEEE 754 fixes to the last bit.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from math import sqrt
from typing import Any

import numpy as np
import torch
from torch import Tensor

WINDOW, SLICE = 64, 256  # pixels
NODULE_SHARE = 8  # one window in eight holds a nodule
COUNTS = {
    "lung_patches": {"train": 3_200, "validation": 1_200, "test": 2_000},
    "lung_slices": {"train": 8, "validation": 24, "test": 48},
}
CONTRASTS, RADII = (0.24, 0.60), (3.0, 7.0)  # of a nodule: above the lung's gray; in pixels
AIR, FAT, MUSCLE, BONE, LUNG = 0.02, 0.42, 0.68, 0.95, 0.16
Pixels = Any  # a number, or float32 numbers of shape (rows, columns) or what broadcasts to it


@dataclass(frozen=True)
class Stroke:
    """A piece of a vessel: a straight line from (x0, y0) to (x1, y1) that tapers, or a dot where the two are one."""

    ends: tuple[float, float, float, float]
    radii: tuple[float, float]
    contrast: float

    @cached_property
    def box(self) -> tuple[float, float, float, float]:
        """Beyond left, top, right and bottom of this there is nothing of it."""
        x0, y0, x1, y1 = self.ends
        margin = max(self.radii) + 1
        return min(x0, x1) - margin, min(y0, y1) - margin, max(x0, x1) + margin, max(y0, y1) + margin


@dataclass(frozen=True)
class Nodule:
    """A blob around (x, y); `lobes` are four numbers that bend its outline in and out."""

    x: float
    y: float
    radius: float
    contrast: float
    softness: float
    lobes: tuple[float, ...]


@dataclass
class Patient:
    """One person's chest in one slice. Lengths are in pixels, from the middle of the slice: x to the right, y down."""

    body: tuple[float, float]
    lungs: tuple[float, float, float]
    heart: tuple[float, float, float]
    ribs: list[Stroke] = field(default_factory=list)
    vessels: list[Stroke] = field(default_factory=list)
    nodules: list[Nodule] = field(default_factory=list)

    def beyond_lungs(self, x: float, y: float) -> float:
        """About how far it is from here to a lung; negative inside."""
        ellipse, not_heart, not_middle = self.edges_of_lungs(x, y, sqrt)
        return max(ellipse, not_heart, not_middle)

    def edges_of_lungs(self, x: Pixels, y: Pixels, root: Callable[[Pixels], Pixels]) -> tuple[Pixels, Pixels, Pixels]:
        """How far it is from here into the lungs' ellipses, out of the heart, and out of the middle of the chest."""
        offset, half_width, half_height = self.lungs
        heart_x, heart_y, heart_radius = self.heart
        across, up = (abs(x) - offset) / half_width, (y + 4) / half_height
        to_heart = root((x - heart_x) * (x - heart_x) + (y - heart_y) * (y - heart_y))
        return (root(across * across + up * up) - 1) * half_width, heart_radius - to_heart, 13 - abs(x)


class Chance:
    """Random numbers, one at a time."""

    def __init__(self, random: np.random.RandomState):
        self.random = random

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * float(self.random.random_sample())

    def direction(self) -> tuple[float, float]:
        """A unit vector, all directions alike."""
        while True:
            x, y = self.between(-1, 1), self.between(-1, 1)
            length = sqrt(x * x + y * y)
            if 0.1 < length < 1:
                return x / length, y / length

    def inside_lungs(self, patient: Patient, *, depth: float, side: int = 0) -> tuple[float, float]:
        """A point at least so deep in a lung: left (-1), right (1) or either (0)."""
        while True:
            x, y = self.between(-90, 90), self.between(-66, 58)
            x = abs(x) * side if side else x
            if patient.beyond_lungs(x, y) < -depth:
                return x, y


def new_patient(chance: Chance) -> Patient:
    """Somebody without any nodule."""
    body = chance.between(106, 116), chance.between(80, 88)
    lungs = chance.between(45, 50), chance.between(34, 38), chance.between(56, 62)
    heart = chance.between(4, 12), chance.between(8, 20), chance.between(26, 32)
    patient = Patient(body, lungs, heart)
    for side in (-1, 1):
        for place in range(5):
            turn = (place - 2 + chance.between(-0.2, 0.2)) * 0.62
            scale = 1 / sqrt(1 + turn * turn)
            x, y = side * 0.86 * body[0] * scale, 0.86 * body[1] * turn * scale
            tilt = chance.between(5, 9)
            ends = x - side * tilt * turn * scale, y - tilt * scale, x + side * tilt * turn * scale, y + tilt * scale
            patient.ribs.append(Stroke(ends, (2.6, 2.6), 1.0))
        for _ in range(7):
            patient.vessels += _branch(chance, patient, side)
        for _ in range(24):  # vessels that run through the slice
            x, y = chance.inside_lungs(patient, depth=0, side=side)
            radius = chance.between(0.6, 2.1)
            patient.vessels.append(Stroke((x, y, x, y), (radius, radius), chance.between(0.25, 0.6)))
        for _ in range(3):  # scars
            x, y = chance.inside_lungs(patient, depth=0, side=side)
            (right, down), length = chance.direction(), chance.between(3, 9)
            ends = x - right * length, y - down * length, x + right * length, y + down * length
            patient.vessels.append(Stroke(ends, (0.3, 1.2), chance.between(0.15, 0.35)))
    return patient


def _branch(chance: Chance, patient: Patient, side: int) -> Iterator[Stroke]:
    """A vessel from the root of the lung outwards, with twigs."""
    x, y = side * chance.between(14, 20), chance.between(-14, 8)
    to_x, to_y = chance.inside_lungs(patient, depth=4, side=side)
    length = sqrt((to_x - x) * (to_x - x) + (to_y - y) * (to_y - y)) / 5 + 4
    right, down = (to_x - x) / (5 * length), (to_y - y) / (5 * length)
    radius, contrast = chance.between(1.6, 2.6), chance.between(0.4, 0.6)
    for number in range(6):
        right, down = _bend(right, down, chance.between(-0.35, 0.35))
        end_x, end_y = x + right * length, y + down * length
        yield Stroke((x, y, end_x, end_y), (radius, 0.8 * radius), contrast)
        x, y, radius = end_x, end_y, 0.8 * radius
        if number:
            twig_right, twig_down = _bend(right, down, chance.between(0.5, 1.2) * (1 if number % 2 else -1))
            reach = chance.between(6, 16)
            yield Stroke((x, y, x + twig_right * reach, y + twig_down * reach), (0.7 * radius, 0.3), 0.9 * contrast)


def _bend(right: float, down: float, turn: float) -> tuple[float, float]:
    """A direction turned by the angle whose tangent is `turn`, as a unit vector."""
    right, down = right - turn * down, down + turn * right
    length = sqrt(right * right + down * down)
    return right / length, down / length


def add_nodule(chance: Chance, patient: Patient) -> Nodule:
    """Let a nodule grow somewhere in the lungs, apart from those that are there."""
    radius = chance.between(*RADII)
    while True:
        x, y = chance.inside_lungs(patient, depth=0.6 * radius)
        if all((x - each.x) * (x - each.x) + (y - each.y) * (y - each.y) > 900 for each in patient.nodules):
            break
    lobes = [size * part for size in (chance.between(0, 0.2), chance.between(0, 0.14)) for part in chance.direction()]
    softness = chance.between(1.2, 3.0)
    nodule = Nodule(x, y, radius, chance.between(*CONTRASTS), softness, tuple(lobes))
    patient.nodules.append(nodule)
    return nodule


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
        For each split "pixels", uint8, shape `(n, 1, size, size)`; "masks", bool, the same shape; "labels", int64, shape
        `(n,)`, 1 where there is a nodule; "contrasts", float32, shape `(n,)`, that of the faintest one, 0 without any.
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
    """Windows of one patient, each around a point of the lungs but not in its middle. In the first one a nodule grows at
    that point; the others are chosen such that they do not meet it."""
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
