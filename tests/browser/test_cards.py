"""Every kind of card in JupyterLab: what it looks like, in both themes, and whether everyone can read it."""

import nbformat
import pytest
from playwright.sync_api import expect

from course_lib.paths import checkout
from tests.browser.axe import images_without_words, serious_violations

pytestmark = pytest.mark.browser
TINY_COURSE = checkout() / "tests" / "lib" / "tiny_course"
SOFTMAX = "@exercise\ndef softmax(logits, *, dim=-1):\n"
CARDS = {  # its look and its name, and an answer that gets it
    ("unwritten", "unwritten"): SOFTMAX + "    ...",
    ("right", "right"): SOFTMAX
    + "    powers = (logits - logits.amax(dim=dim, keepdim=True)).exp()\n"
    + "    return powers / powers.sum(dim=dim, keepdim=True)",
    ("shortcut", "shortcut"): SOFTMAX + "    return torch.softmax(logits, dim=dim)",
    ("wrong", "known_mistake"): SOFTMAX + "    return torch.softmax(logits, dim=0)",
    ("wrong", "another_mistake"): SOFTMAX + "    print(logits.shape)\n    return torch.sigmoid(logits) + 1j",
    ("wrong", "exception"): SOFTMAX + "    return logits.exp() / logits.exp().summ(dim, keepdim=True)",
    ("wrong", "endless"): SOFTMAX + "    while True:\n        pass",
    ("wrong", "missing_argument"): "@exercise\ndef softmax(logits):\n    return torch.softmax(logits, dim=-1)",
}
HEAD = f"""\
import os
os.environ["COURSE_CHECKOUT"] = {str(TINY_COURSE)!r}
import torch
from course_lib.exercises import exercise"""
PROGRESS = "from course_lib.widgets.progress import progress_widget\nprogress_widget()"
PALE = 'from IPython.display import HTML\nHTML(\'<p style="color:#bbb;background:#fff">pale</p><img src="data:,">\')'


@pytest.fixture(scope="module")
def notebook(lab, server):
    """A notebook with every kind of card, one below the other, and the progress at the end."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [nbformat.v4.new_code_cell(source) for source in (HEAD, *CARDS.values(), PROGRESS)]
    for cell in cells:
        cell.metadata["tags"] = ["raises-exception"]  # so that "Run All" goes on
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), server.workbook / "cards.ipynb")
    notebook = lab.open("cards.ipynb")
    notebook.run_all()
    return notebook


@pytest.fixture
def cards(notebook):
    """The cell of each card, by its name."""
    return {name: cell for (_, name), cell in zip(CARDS, notebook.code_cells[1:], strict=False)}


@pytest.mark.parametrize(("look", "name"), CARDS)
def test_an_answer_gets_its_card(cards, picture, look, name):
    card = cards[name].card(look)
    expect(card).to_be_visible()
    card.screenshot(path=picture(name))


def test_a_wrong_answer_is_announced_at_once_and_a_right_one_politely(cards):
    expect(cards["known_mistake"].card("wrong")).to_have_role("alert")
    expect(cards["right"].card("right")).to_have_role("status")


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_everyone_can_read_the_cards(notebook, lab, page, picture, theme):
    lab.use_theme(theme)
    with notebook.unrolled():
        page.screenshot(path=picture(f"all_{theme.split()[-1].lower()}"))
        assert serious_violations(page) == []


def test_what_not_everyone_can_read_is_found(notebook, lab, page):
    faulty = notebook.new_cell(PALE)
    faulty.run()
    with notebook.unrolled():
        assert [violation.split(":")[0] for violation in serious_violations(page)] == ["color-contrast"]
    assert len(images_without_words(page)) == 1
    faulty.type("")
    faulty.run()
