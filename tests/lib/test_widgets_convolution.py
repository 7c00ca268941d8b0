"""The kernel stepper of lesson 04: its walk, its picture, its buttons, its settings, its text twin."""

import re
from itertools import product
from xml.etree import ElementTree

import ipywidgets as widgets
import pytest
import torch
import torch.nn.functional as F

from course_lib.widgets import convolution
from course_lib.widgets.convolution import KernelStepper, trace_kernel, walk

SVG = "{http://www.w3.org/2000/svg}"
IMAGE = torch.arange(30.0).reshape(5, 6).sin()
KERNELS = {"edge": [[-1.0, 0.0, 1.0]] * 3, "pair": torch.tensor([[0.5, -2.0]])}


def answer_of(places):
    answer = torch.zeros(places[-1].row + 1, places[-1].column + 1, dtype=torch.float64)
    for place in places:
        answer[place.row, place.column] = place.total
    return answer


def control(stepper, description):
    (found,) = [each for row in stepper.children[:2] for each in row.children if each.description == description]
    return found


def sentence(stepper):
    return stepper.children[2].value


def texts(stepper):
    return [element.text for element in ElementTree.fromstring(stepper.children[3].value).iter(f"{SVG}text")]


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("name", KERNELS)
def test_the_walk_makes_torchs_convolution(stride, padding, name):
    answer = answer_of(walk(IMAGE, KERNELS[name], stride=stride, padding=padding))
    kernel = torch.as_tensor(KERNELS[name])[None, None].double()
    expected = F.conv2d(IMAGE[None, None].double(), kernel, stride=stride, padding=padding)
    torch.testing.assert_close(answer, expected[0, 0], rtol=1e-12, atol=1e-12)


def test_a_sentence_says_where_the_kernel_lies_and_what_it_computes():
    sentences = [place.sentence for place in walk([[1, 2], [3, 4]], [[1, -1]], padding=1)]
    assert sentences[5] == "answer[1, 2], from rows 0 to 0, columns 1 to 2 of the image: (2·1 + 0·(-1)) = 2"
    assert sentences[3] == "answer[1, 0], from rows 0 to 0, columns -1 to 0 of the image: (0·1 + 1·(-1)) = -1"


def test_the_buttons_lead_from_the_first_place_to_the_last_and_not_beyond():
    stepper, seen = KernelStepper(IMAGE, KERNELS), []
    for description in ("Step", "Step", "Back", "Last", "Step", "First", "Back"):
        control(stepper, description).click()
        seen.append(int(re.search(r"<b>(\d+) of 12", sentence(stepper))[1]))
    assert seen == [2, 3, 2, 12, 12, 1, 1]


def test_every_place_is_in_the_list_and_shows_its_own_sentence():
    stepper = KernelStepper(IMAGE, KERNELS)
    for number, place in enumerate(walk(IMAGE, KERNELS["edge"])):
        control(stepper, "Go to").value = number
        assert place.sentence in sentence(stepper)
        assert ElementTree.fromstring(stepper.children[3].value).get("aria-label") == place.sentence


def test_a_new_setting_starts_at_the_first_place():
    stepper = KernelStepper(IMAGE, KERNELS)
    for description, value in (("Kernel", "pair"), ("Stride", 2), ("Padding", 2), ("Kernel", "edge"), ("Stride", 1)):
        control(stepper, "Last").click()
        control(stepper, description).value = value
        options = {name: control(stepper, name.title()).value for name in ("stride", "padding")}
        places = walk(IMAGE, KERNELS[control(stepper, "Kernel").value], **options)
        assert places[0].sentence in sentence(stepper) and f"<b>1 of {len(places)}." in sentence(stepper)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_every_setting_can_be_drawn_to_its_end(stride, padding):
    stepper = KernelStepper(IMAGE, KERNELS)
    control(stepper, "Stride").value, control(stepper, "Padding").value = stride, padding
    control(stepper, "Last").click()
    assert texts(stepper).count("·") == 0


def test_the_answer_appears_pixel_by_pixel():
    stepper = KernelStepper(IMAGE, KERNELS)
    left = []
    for _ in range(12):
        left.append(texts(stepper).count("·"))
        control(stepper, "Step").click()
    assert left == list(range(11, -1, -1))


def test_the_products_stand_in_the_picture_and_their_sum_below():
    stepper = KernelStepper([[1, 2, 3], [4, 5, 6]], {"pair": [[10, -1]]})
    control(stepper, "Step").click()
    assert {"20", "-3", "sum: 17"} <= set(texts(stepper))


def test_a_frame_lies_on_the_patch_and_on_the_pixel_that_is_being_made():
    stepper = KernelStepper(IMAGE, KERNELS)
    control(stepper, "Padding").value = 1
    svg = ElementTree.fromstring(stepper.children[3].value)
    frames = [each for each in svg.iter(f"{SVG}rect") if each.get("stroke") == convolution.CURRENT]
    sizes = [(int(each.get("width")), int(each.get("height"))) for each in frames]
    assert sizes == [(3 * convolution.CELL, 3 * convolution.CELL), (convolution.CELL, convolution.CELL)]
    assert [float(frames[0].get(axis)) for axis in "xy"] == [convolution.GAP / 2, convolution.TITLE]


def test_everything_drawn_lies_inside_the_picture():
    stepper = KernelStepper(torch.ones(12, 12), {"largest": torch.ones(5, 5), "smallest": [[1]]})
    for kernel, stride in product(("largest", "smallest"), (1, 3)):
        control(stepper, "Kernel").value, control(stepper, "Stride").value = kernel, stride
        svg = ElementTree.fromstring(stepper.children[3].value)
        for rect in svg.iter(f"{SVG}rect"):
            x, y, width, height = (float(rect.get(name, 0)) for name in ("x", "y", "width", "height"))
            assert x >= 0 and y >= 0
            assert x + width <= float(svg.get("width")) and y + height <= float(svg.get("height"))


def test_every_number_stands_out_from_its_gray():
    for gray in range(256):
        fill = f"#{gray:02x}{gray:02x}{gray:02x}"
        (color,) = re.findall(r'<text .*? fill="(#\w+)"', convolution._cell(0, 0, "1", fill=fill))
        assert contrast(color, fill) >= 4.5, fill


def contrast(one, other):
    """Source: WCAG 2.2, definition of contrast ratio and relative luminance."""
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def luminance(color):
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_control_has_a_name():
    stepper = KernelStepper(IMAGE, KERNELS)
    controls = [each for row in stepper.children[:2] for each in row.children]
    assert [each.description for each in controls if isinstance(each, widgets.Dropdown)] == [
        "Kernel",
        "Stride",
        "Padding",
        "Go to",
    ]
    assert all(each.tooltip for each in controls if isinstance(each, widgets.Button))
    assert "course-kernel" in stepper._dom_classes


def test_the_text_twin_prints_every_place(capsys):
    trace_kernel(IMAGE, KERNELS["edge"], stride=2, padding=1)
    places = walk(IMAGE, KERNELS["edge"], stride=2, padding=1)
    assert capsys.readouterr().out.splitlines() == [place.sentence for place in places]


@pytest.mark.parametrize(
    ("image", "size"),
    [
        (torch.ones(1, 5, 5), "1 x 5 x 5"),
        (torch.ones(13, 5), "13 x 5"),
        ([[1, 2], [3]], "2 x 2"),
        (7, "int"),
        ([], "0"),
    ],
)
def test_what_is_no_small_image_is_refused_with_the_way_out(image, size):
    with pytest.raises(ValueError, match=f"image can't be drawn: got {size}, expected .* at most 12 .* one channel"):
        trace_kernel(image, [[1]])


def test_a_kernel_that_is_too_large_is_refused():
    with pytest.raises(ValueError, match=r"kernel can't be drawn: got 6 x 1, expected .* at most 5 on a side"):
        trace_kernel(torch.ones(9, 9), torch.ones(6, 1))
    with pytest.raises(ValueError, match="got a kernel of 3x1 for an image of 2x9, expected one that fits"):
        KernelStepper(torch.ones(2, 9), {"a": [[1]], "high": torch.ones(3, 1)})


def test_no_kernel_at_all_is_refused():
    with pytest.raises(ValueError, match="got no kernel"):
        KernelStepper(IMAGE, {})
