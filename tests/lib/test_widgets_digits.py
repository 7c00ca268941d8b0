"""The digit explorer of lesson 01: alterations, the text twin, and the widget itself."""

import re

import pytest
import torch

from course_lib.widgets import digits
from course_lib.widgets.digits import alter, describe_digit, explore_digits

IMAGE = torch.arange(12.0).reshape(3, 4) / 12


def always_two(images):
    return torch.full((len(images),), 2)


def probably_ink(images):
    """Probability of 1: the ink of the first pixel."""
    ink = images[:, 0, 0]
    return torch.stack([1 - ink, ink], dim=1)


READERS = {"rules": always_two, "network": probably_ink}


@pytest.fixture
def explorer():
    images = torch.stack([IMAGE, 1 - IMAGE])
    widget = explore_digits(images, torch.tensor([2, 1]), READERS)
    controls, view = widget.children
    return {control.description: control for control in controls.children}, view


def contrast(first, second):
    """Contrast of two colors. Source: WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio"""

    def luminance(color):
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted([luminance(first), luminance(second)])
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("right", range(-5, 6))
@pytest.mark.parametrize("down", range(-4, 5))
def test_a_picture_moves_and_leaves_paper_behind(right, down):
    expected = torch.zeros(3, 4)
    for row in range(3):
        for column in range(4):
            if 0 <= row - down < 3 and 0 <= column - right < 4:
                expected[row, column] = IMAGE[row - down, column - right]
    assert torch.equal(alter(IMAGE, right=right, down=down), expected)


def test_ink_and_paper_change_places_after_the_move():
    assert torch.equal(alter(IMAGE, right=1, inverted=True), 1 - alter(IMAGE, right=1))


def test_noise_has_the_size_that_was_asked_for_and_stays_in_range():
    gray = torch.full((100, 100), 0.5)
    assert (alter(gray, noise=0.1) - gray).std().item() == pytest.approx(0.1, rel=0.05)
    loud = alter(gray, noise=5.0)
    assert (loud.min(), loud.max()) == (0, 1)


def test_the_same_seed_is_the_same_noise():
    assert torch.equal(alter(IMAGE, noise=0.3, seed=4), alter(IMAGE, noise=0.3, seed=4))
    assert not torch.equal(alter(IMAGE, noise=0.3, seed=4), alter(IMAGE, noise=0.3, seed=5))


def test_altering_leaves_the_original_alone_and_takes_many_at_once():
    images, before = torch.stack([IMAGE, 1 - IMAGE]), torch.stack([IMAGE, 1 - IMAGE])
    altered = alter(images, down=1, noise=0.2)
    assert torch.equal(images, before)
    assert altered.shape == images.shape


def test_the_text_twin_says_what_each_reader_says():
    assert describe_digit(IMAGE, torch.tensor(2), READERS).splitlines() == [
        "a 2, seen as",
        "  |    ..::|",
        "  |--==++++|",
        "  |**%%@@##|",
        "rules: 2 (right)",
        "network: 0, 100% sure (wrong)",
    ]


def test_each_control_says_what_it_does(explorer):
    assert list(explorer[0]) == ["which digit", "pixels right", "pixels down", "noise", "ink and paper swapped"]


def test_moving_a_control_redraws_the_answers(explorer):
    controls, view = explorer
    assert view.value.count("✓ right") == 1  # the 2, by the rules
    controls["which digit"].value = 1
    assert view.value.count("✓ right") == 1  # the 1, by the network
    assert "1: 100%" in view.value
    controls["ink and paper swapped"].value = True
    assert view.value.count("✓ right") == 0


def test_every_picture_in_the_widget_has_words(explorer):
    pictures = re.findall(r"<svg [^>]*>", explorer[1].value)
    assert len(pictures) == 2
    assert all('role="img"' in picture and re.search(r'aria-label="[^"]+"', picture) for picture in pictures)


def test_the_squares_of_the_picture_are_the_pixels(explorer):
    picture = explorer[1].value.partition("</svg>")[0]
    shades = [int(shade) for shade in re.findall(r"rgb\((\d+),", picture)]
    assert shades == (255 * IMAGE).round().int().flatten().tolist()


def test_names_of_readers_are_text_not_markup():
    widget = explore_digits(IMAGE[None], torch.tensor([2]), {"<b>&": probably_ink})
    assert "<b>" not in widget.children[-1].value
    assert "&lt;b&gt;&amp;" in widget.children[-1].value


@pytest.mark.parametrize("color", [digits.INK, digits.RIGHT, digits.WRONG])
def test_text_stands_out_from_its_background(color):
    assert f"background:{digits.PAPER}" in digits.STYLE
    assert contrast(color, digits.PAPER) >= 4.5
