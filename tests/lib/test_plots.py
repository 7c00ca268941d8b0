"""Figures: they carry their text, are the same bytes each time, and draw what they are given."""

import base64
import html
import re

import matplotlib
import numpy as np
import pytest
import torch

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from course_lib import plots


@pytest.fixture
def shown(monkeypatch):
    """The pictures that are displayed, in order."""
    pictures = []
    monkeypatch.setattr(plots, "display", pictures.append)
    yield pictures
    plt.close("all")


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are handed to `show`, still open."""
    figures = []
    monkeypatch.setattr(plots, "show", lambda figure, alt: figures.append(figure))
    yield figures
    plt.close("all")


def a_figure():
    figure, axes = plt.subplots()
    axes.plot([1, 3, 2], label="a curve")
    axes.legend()
    return figure


def test_a_figure_becomes_an_image_with_alternative_text(shown):
    plots.show(a_figure(), alt='A curve, "up" & down')
    (tag,) = re.findall(r"<img [^>]*>", shown[0]._repr_html_())
    assert html.unescape(re.search(r'alt="([^"]*)"', tag)[1]) == 'A curve, "up" & down'
    data = re.search(r'src="data:image/png;base64,([^"]*)"', tag)[1]
    assert base64.b64decode(data).startswith(b"\x89PNG")


def test_where_images_do_not_show_the_text_does(capsys):
    plots.show(a_figure(), alt="A curve that goes up and down.")
    assert capsys.readouterr().out == "A curve that goes up and down.\n"


def test_the_same_figure_is_the_same_bytes(shown):
    for _ in range(2):
        plots.show(a_figure(), alt="A curve.")
    assert shown[0].png == shown[1].png
    assert b"atplotlib" not in shown[0].png  # no version
    assert b"tEXt" not in shown[0].png  # no date, nor anything else in words


def test_a_figure_with_much_on_it_stays_below_100_kilobytes(shown):
    figure, panels = plt.subplots(1, 2, figsize=(8, 3.6))
    for axes in panels:
        axes.plot(np.random.default_rng(0).normal(size=(200, 4)).cumsum(axis=0))
    plots.show(figure, alt="Eight random walks.")
    assert len(shown[0]._repr_html_()) < 100_000


def test_a_figure_is_closed_once_it_is_shown(shown):
    plots.show(a_figure(), alt="A curve.")
    plots.show(a_figure().axes[0], alt="The same, given by its axes.")
    assert plt.get_fignums() == []


def test_an_image_is_as_wide_as_its_figure_and_sharper_than_the_page(shown):
    plots.show(plt.figure(figsize=(5, 2)), alt="Nothing.")
    assert 'width="500"' in shown[0]._repr_html_()
    assert int.from_bytes(shown[0].png[16:20]) == 1000  # pixels, from the PNG's header


@pytest.mark.parametrize("alt", ["", "  "])
def test_a_figure_without_words_is_refused(alt):
    with pytest.raises(ValueError, match="empty alt"):
        plots.show(a_figure(), alt=alt)
    plt.close("all")


def test_what_is_no_figure_is_refused_with_its_type():
    with pytest.raises(TypeError, match="got list, expected a matplotlib Figure or Axes"):
        plots.show([1, 2], alt="Numbers.")


@pytest.mark.parametrize(
    ("images", "count"),
    [
        (torch.rand(4, 5), 1),
        (torch.rand(3, 4, 5), 3),
        ([torch.rand(1, 1, 6, 8), np.random.default_rng(0).random((4, 6))], 2),
    ],
)
def test_images_may_be_one_or_many_tensors_or_arrays(drawn, images, count):
    plots.show_images(images, alt="Noise.")
    assert sum(len(axes.images) for axes in drawn[0].axes) == count


def test_equal_values_are_equal_grays_in_all_images(drawn):
    plots.show_images([torch.zeros(2, 2), torch.ones(2, 2), 3 * torch.ones(2, 2)], alt="Black, gray, white.")
    assert [axes.images[0].get_clim() for axes in drawn[0].axes] == 3 * [(0, 3)]


def test_images_have_their_titles_in_rows(drawn):
    plots.show_images(torch.rand(5, 2, 2), titles=range(5), columns=3, alt="Noise.")
    assert [axes.get_title() for axes in drawn[0].axes] == ["0", "1", "2", "3", "4", ""]
    assert drawn[0].axes[0].get_gridspec().get_geometry() == (2, 3)


@pytest.mark.parametrize(
    ("images", "titles", "message"),
    [
        (torch.rand(3, 4, 4), ["a", "b"], "got 2 titles for 3 images"),
        ([torch.rand(3, 4, 4)], None, r"one of shape \(3, 4, 4\)"),
        ([], None, "got none"),
    ],
)
def test_images_that_cannot_be_shown_are_refused_in_words(images, titles, message):
    with pytest.raises(ValueError, match=message):
        plots.show_images(images, titles=titles, alt="Noise.")


def test_a_confusion_matrix_has_true_classes_as_rows():
    axes = plots.plot_confusion(torch.tensor([[5, 2], [0, 7]]), class_names=["cat", "dog"], title="Pets")
    counts = {text.get_position(): text.get_text() for text in axes.texts}
    assert counts == {(0, 0): "5", (1, 0): "2", (1, 1): "7"}  # (column, row); zeros stay empty
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog"]
    plt.close("all")


def test_a_confusion_matrix_is_shaded_by_its_rows():
    axes = plots.plot_confusion([[30, 10], [0, 0]], title="One class only")
    assert axes.images[0].get_array().tolist() == [[0.75, 0.25], [0, 0]]
    plt.close("all")


def test_a_confusion_matrix_must_be_square():
    with pytest.raises(ValueError, match=r"got shape \(2, 3\)"):
        plots.plot_confusion(np.zeros((2, 3)), title="Not square")
