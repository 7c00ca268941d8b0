"""What is in a chest before anybody draws it: body, ribs, heart, lungs with their vessels, and perhaps nodules.

Lengths are in pixels of about 1.4 mm, from the middle of a slice: x to the right, y down. Only +, -, *, / and square
roots, which IEEE 754 fixes to the last bit: the same chance gives the same chest on every machine.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from math import sqrt
from typing import Any

import numpy as np

CONTRASTS, RADII = (0.24, 0.60), (3.0, 7.0)  # of a nodule: above the lung's gray; in pixels
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
    """One person's chest in one slice.

    Attributes:
        body: half of its width and height.
        lungs: how far from the middle each ellipse stands, and half of its width and height.
        heart: x, y, radius.
    """

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
