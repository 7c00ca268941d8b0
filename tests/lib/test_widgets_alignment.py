"""The alignment viewer: what it draws, what it says, and what happens when somebody types."""

import pytest
import torch
import torch.nn.functional as F
from bs4 import BeautifulSoup

from course_lib.text import Alphabet
from course_lib.widgets.alignment import Heard, alignment_html, describe_alignment, explore_alignment

ALPHABET = Alphabet(" no")


def heard(path="-nn-oo  -n-", text="no n"):
    """A network that is sure of one path."""
    labels = torch.tensor([0 if each == "-" else ALPHABET.labels[each] for each in path])
    log_probs = (8.0 * F.one_hot(labels, len(ALPHABET))).log_softmax(dim=1)
    return Heard(torch.randn(40, 12, generator=torch.Generator().manual_seed(0)), log_probs, text)


def test_the_text_twin_says_when_each_word_is_heard_and_how_surely():
    lines = describe_alignment(heard().log_probs, "no n", alphabet=ALPHABET, frame_ms=100).splitlines()
    assert lines[0].startswith("'no n' costs 0.0")
    assert lines[1].split() == ["0.10", "s", "to", "0.60", "s", "no:", "n", "100%", "o", "100%"]
    assert lines[2].split()[:6] == ["0.90", "s", "to", "1.00", "s", "n:"]


def test_the_picture_has_a_name_and_every_letter_and_word():
    page = BeautifulSoup(alignment_html(heard(), "no n", alphabet=ALPHABET, frame_ms=100), "html.parser")
    assert page.svg["aria-label"] == "Alignment: no from 0.10 s to 0.60 s, n from 0.90 s to 1.00 s"
    texts = [each.get_text() for each in page.find_all("text")]
    assert texts[:6] == ["no", "n", "n", "o", "·", "n"]
    assert page.image["href"].startswith("data:image/png;base64,")


def test_a_text_that_fits_worse_costs_more():
    def cost(text):
        return float(describe_alignment(heard().log_probs, text, alphabet=ALPHABET).partition("costs ")[2].split()[0])

    assert cost("no n") < cost("no") < cost("on")


@pytest.mark.parametrize("text, reason", [("maybe", "alphabet"), ("n" * 30, "frames"), ("", "labels"), ("<b>", "&lt;")])
def test_what_cannot_be_aligned_is_told_and_nothing_breaks(text, reason):
    page = alignment_html(heard(), text, alphabet=ALPHABET, frame_ms=100)
    assert "can't be aligned" in page
    assert reason in page
    assert "<b>" not in page
    assert "reads “no n”" in page


def test_a_network_that_hears_nothing_is_no_problem():
    page = alignment_html(heard("-----------"), "no", alphabet=ALPHABET, frame_ms=100)
    assert "reads “”" in page


def test_choosing_and_typing_redraw():
    widget = explore_alignment([heard(), heard("--oo-nn----", "on")], alphabet=ALPHABET)
    (choice, typed), view = widget.children[0].children, widget.children[1]
    first = view.value
    choice.value = 1
    assert typed.value == "on"
    assert "“on” costs" in view.value != first
    typed.value = "no"
    assert "“no” costs" in view.value
    assert choice.description and typed.description  # names for screen readers
