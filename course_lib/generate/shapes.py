"""Pictures of simple shapes, 32x32 in color: two disjoint sets of ten classes.

Each picture has one bright shape of any color, tilted by up to half a radian, large or small, somewhere; a darker
background with a gradient; and clutter below and above the shape. Only the outline tells the class.

An outline is a function of x (to the right) and y (upward) that is negative inside and grows by about one per unit
outside; the shapes fill the square from -1 to 1. A union is the minimum of such functions; to cut out a hole is the
maximum of one and the hole's negative.

Every machine draws the same pictures: the random numbers are those of `numpy.random.RandomState`, whose streams never
change, and pixels are computed with +, -, *, / and square roots in float32, which IEEE 754 fixes to the last bit.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

Pixels = np.ndarray  # float32, shape (pictures, 32, 32), or what broadcasts to it
Outline = Callable[[Pixels, Pixels], Pixels]

SIZE = 32  # pixels
COUNTS = {"train": 12_000, "validation": 2_000, "test": 2_000}
BLOCK = 128  # pictures drawn at once: few enough for the processor's cache
NUM_MARKS_BELOW, NUM_MARKS_ABOVE = 5, 2  # clutter


def disk(x0: float, y0: float, radius: float) -> Outline:
    """A disk around (x0, y0)."""
    return lambda x, y: np.sqrt((x - x0) * (x - x0) + (y - y0) * (y - y0)) - radius


def box(x0: float, y0: float, half_width: float, half_height: float) -> Outline:
    """An upright rectangle around (x0, y0)."""
    return lambda x, y: np.maximum(np.abs(x - x0) - half_width, np.abs(y - y0) - half_height)


def convex(*corners: tuple[float, float]) -> Outline:
    """A convex polygon, its corners given counterclockwise."""
    sides = _sides(corners)

    def outline(x, y):
        return np.maximum.reduce([right * x + up * y - offset for right, up, offset in sides])

    return outline


def star(num_points: int) -> Outline:
    """A star with an odd number of points: inside is what lies on the inner side of all of its lines but one."""
    angles = 2 * np.pi * (num_points // 2) * np.arange(num_points) / num_points
    sides = _sides([(-np.sin(angle), np.cos(angle)) for angle in angles])

    def outline(x, y):
        beyond = np.stack([right * x + up * y - offset for right, up, offset in sides])
        return np.partition(beyond, num_points - 2, axis=0)[num_points - 2]

    return outline


def union(*outlines: Outline) -> Outline:
    """What is inside any of the outlines."""
    return lambda x, y: np.minimum.reduce([outline(x, y) for outline in outlines])


def cut(whole: Outline, *holes: Outline) -> Outline:
    """What is inside the first outline and outside of the others."""
    return lambda x, y: np.maximum.reduce([whole(x, y), *(-hole(x, y) for hole in holes)])


def _sides(corners) -> list[tuple[float, float, float]]:
    """Each side's outward normal and its distance from the center, for corners given counterclockwise."""
    points = np.array(corners, dtype=np.float64)
    along = np.roll(points, -1, axis=0) - points
    normals = np.stack([along[:, 1], -along[:, 0]], axis=1) / np.sqrt((along**2).sum(axis=1, keepdims=True))
    offsets = (normals * points).sum(axis=1)
    return [tuple(map(float, side)) for side in np.column_stack([normals, offsets])]


SETS: dict[str, dict[str, Outline]] = {
    "shapes": {
        "arrow": union(convex((-0.75, 0.1), (0.75, 0.1), (0, 0.95)), box(0, -0.4, 0.27, 0.55)),
        "bolt": union(
            convex((-0.55, -0.1), (0.25, -0.1), (0.5, 0.95), (0.0, 0.95)),
            convex((-0.25, -0.95), (0.55, 0.1), (-0.25, 0.1)),
        ),
        "crescent": cut(disk(0, 0, 0.9), disk(0.45, 0.1, 0.72)),
        "cross": union(box(0, 0, 0.28, 0.85), box(0, 0, 0.85, 0.28)),
        "disk": disk(0, 0, 0.82),
        "heart": union(
            disk(-0.42, 0.32, 0.5), disk(0.42, 0.32, 0.5), convex((0, -0.95), (0.82, 0.02), (0, 0.7), (-0.82, 0.02))
        ),
        "ring": cut(disk(0, 0, 0.88), disk(0, 0, 0.45)),
        "square": box(0, 0, 0.72, 0.72),
        "star": star(5),
        "triangle": convex((-0.87, -0.6), (0.87, -0.6), (0, 0.9)),
    },
    "other_shapes": {
        "cup": union(box(-0.2, -0.05, 0.55, 0.7), cut(disk(0.4, 0, 0.5), disk(0.4, 0, 0.24))),
        "drop": union(disk(0, -0.3, 0.62), convex((-0.56, -0.04), (0.56, -0.04), (0, 0.98))),
        "fish": union(
            convex((-0.9, 0), (-0.35, -0.5), (0.2, -0.4), (0.5, 0), (0.2, 0.4), (-0.35, 0.5)),
            convex((0.3, 0), (0.95, -0.5), (0.95, 0.5)),
        ),
        "flag": union(box(-0.6, 0, 0.13, 0.95), convex((-0.6, 0.0), (0.85, 0.45), (-0.6, 0.9))),
        "flower": cut(
            union(disk(0.45, 0, 0.43), disk(-0.45, 0, 0.43), disk(0, 0.45, 0.43), disk(0, -0.45, 0.43)),
            disk(0, 0, 0.24),
        ),
        "frame": cut(box(0, 0, 0.8, 0.8), box(0, 0, 0.42, 0.42)),
        "hourglass": union(
            convex((-0.7, 0.85), (0, -0.12), (0.7, 0.85)), convex((-0.7, -0.85), (0.7, -0.85), (0, 0.12))
        ),
        "house": union(box(0, -0.4, 0.58, 0.5), convex((-0.85, 0.05), (0.85, 0.05), (0, 0.95))),
        "mushroom": union(cut(disk(0, 0.05, 0.85), box(0, -0.95, 1.0, 0.95)), box(0, -0.4, 0.25, 0.5)),
        "tree": union(
            convex((-0.65, -0.5), (0.65, -0.5), (0, 0.3)),
            convex((-0.5, 0), (0.5, 0), (0, 0.95)),
            box(0, -0.7, 0.15, 0.25),
        ),
    },
}


def draw_shapes(name: str, *, counts: dict[str, int] | None = None) -> dict[str, tuple[Tensor, Tensor]]:
    """Draw one of the two sets; the same pictures on every call.

    Args:
        name: "shapes" or "other_shapes".
        counts: pictures in each of "train", "validation" and "test"; 12,000, 2,000 and 2,000 where none are given.

    Returns:
        For each split its pictures, uint8, shape `(n, 3, 32, 32)`, and their classes, int64, shape `(n,)`: positions in
        `SETS[name]`, equally many of each (give or take one), in random order.
    """
    outlines = list(SETS[name].values())
    splits = {}
    for number, (split, count) in enumerate((counts or COUNTS).items()):
        random = np.random.RandomState([list(SETS).index(name), number])
        labels = random.permutation(np.arange(count) % len(outlines))
        images = np.empty((count, 3, SIZE, SIZE), dtype=np.uint8)
        for label, outline in enumerate(outlines):
            rows = np.flatnonzero(labels == label)
            for start in range(0, len(rows), BLOCK):
                block = rows[start : start + BLOCK]
                images[block] = _draw_block(outline, len(block), random)
        splits[split] = torch.from_numpy(images), torch.from_numpy(labels)
    return splits


class _Chances:
    """Random numbers for a block of pictures, one of each kind per picture, shape `(count, 1, 1)`."""

    def __init__(self, random: np.random.RandomState, count: int):
        self.random, self.count = random, count

    def between(self, low: float, high: float) -> np.ndarray:
        return (low + (high - low) * self.random.random_sample((self.count, 1, 1))).astype(np.float32)

    def direction(self, largest: float) -> tuple[np.ndarray, np.ndarray]:
        """Cosine and sine of an angle between `-largest` and `largest`."""
        angle = largest * (2 * self.random.random_sample((self.count, 1, 1)) - 1)
        return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)

    def color(self, saturation: tuple[float, float], value: tuple[float, float]) -> np.ndarray:
        """A color of any hue, shape `(count, 3, 1, 1)`."""
        hue, saturation, value = self.between(0, 6), self.between(*saturation), self.between(*value)
        parts = []
        for shift in (5, 3, 1):  # red, green, blue
            place = (hue + shift) % 6
            parts.append(value * (1 - saturation * np.clip(np.minimum(place, 4 - place), 0, 1)))
        return np.stack(parts, axis=1)


def _draw_block(outline: Outline, count: int, random: np.random.RandomState) -> np.ndarray:
    """Pictures of one class, uint8, shape `(count, 3, 32, 32)`."""
    chances = _Chances(random, count)
    line = (np.arange(SIZE, dtype=np.float32) + np.float32(0.5)) / np.float32(SIZE / 2) - np.float32(1)
    x, y = line[None, None, :], -line[None, :, None]

    cosine, sine = chances.direction(np.pi)
    slope = np.clip((x * cosine + y * sine) / 2 + np.float32(0.5), 0, 1)[:, None]  # (count, 1, 32, 32)
    canvas = chances.color((0.3, 0.8), (0.05, 0.45)) * slope + chances.color((0.3, 0.8), (0.05, 0.45)) * (1 - slope)

    for _ in range(NUM_MARKS_BELOW):
        _paint(canvas, chances.color((0.2, 0.9), (0.3, 0.9)), _stroke(chances, x, y, length=0.5, width=(0.04, 0.16)))

    size = chances.between(0.42, 0.72)
    cosine, sine = chances.direction(0.5)
    to_x, to_y = x - chances.between(-0.3, 0.3), y - chances.between(-0.3, 0.3)
    u, v = (to_x * cosine + to_y * sine) / size, (to_y * cosine - to_x * sine) / size
    shade = (1 - np.float32(0.18) * np.clip(u - v + 1, 0, 2))[:, None]  # lit from the upper left
    _paint(canvas, chances.color((0.3, 1.0), (0.8, 1.0)) * shade, outline(u, v) * size)

    for _ in range(NUM_MARKS_ABOVE):
        _paint(canvas, chances.color((0.2, 0.9), (0.2, 0.9)), _stroke(chances, x, y, length=0.35, width=(0.02, 0.06)))

    noise = random.randint(-12, 13, size=canvas.shape, dtype=np.int8)
    return np.clip(canvas * 255 + noise, 0, 255).astype(np.uint8)


def _stroke(chances: _Chances, x: Pixels, y: Pixels, *, length: float, width: tuple[float, float]) -> Pixels:
    """The distance from a short thick line somewhere in each picture, negative inside."""
    to_x, to_y = x - chances.between(-1, 1), y - chances.between(-1, 1)
    cosine, sine = chances.direction(np.pi)
    reach = chances.between(0, length)
    along = to_x * cosine + to_y * sine
    along = along - np.clip(along, -reach, reach)
    across = to_y * cosine - to_x * sine
    return np.sqrt(along * along + across * across) - chances.between(*width)


def _paint(canvas: np.ndarray, color: np.ndarray, distance: Pixels) -> None:
    """Color what is inside, with soft edges one pixel wide."""
    coverage = np.clip(np.float32(0.5) - distance * np.float32(SIZE / 2), 0, 1)[:, None]
    canvas += coverage * (color - canvas)
