"""The canary sings when something is rotten: each of its looks is shown something to find."""

import importlib.util
from pathlib import Path

import nbformat
import pytest

from course_lib.paths import Lesson

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def canary():
    spec = importlib.util.spec_from_file_location("canary", ROOT / "scripts" / "canary.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def a_page(canary, monkeypatch, *cells):
    """Let the canary see one lesson of these cells: (code, output), or prose."""
    notebook = nbformat.v4.new_notebook()
    for cell in cells:
        if isinstance(cell, str):
            notebook.cells.append(nbformat.v4.new_markdown_cell(cell))
        else:
            output = [nbformat.v4.new_output("stream", text=cell[1])]
            notebook.cells.append(nbformat.v4.new_code_cell(cell[0], outputs=output))
    monkeypatch.setattr(canary.paths, "lessons", lambda: [Lesson(3, "little")])
    monkeypatch.setattr(canary, "read", lambda path: notebook)


def test_the_set_up_cells_of_this_course_do_nothing_offline(canary):
    assert list(canary.set_up_cells_offline()) == []


@pytest.mark.parametrize(
    "cell",
    [
        "import socket\nsocket.create_connection(('pypi.org', 443))",
        "import subprocess\nsubprocess.run(['git'])",
        "1 / 0",
    ],
)
def test_a_set_up_cell_that_wants_out_is_found(canary, monkeypatch, cell):
    a_page(canary, monkeypatch, (cell, ""))
    assert len(list(canary.set_up_cells_offline())) == 1


def test_nothing_here_calls_what_is_gone(canary):
    assert list(canary.calls_of_what_is_gone()) == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import torch\nmodel = torch.jit.script(model)", "torch.jit"),
        ("from torch.cuda.amp import GradScaler", "torch.cuda.amp"),
        ("import numpy as np\nnp.trapz([1])", "numpy.trapz"),
        ("import pkg_resources", "pkg_resources"),
    ],
)
def test_a_call_of_what_is_gone_is_found_where_it_stands(canary, source, name):
    line = len(source.splitlines())
    assert set(canary.gone_in(source)) == {(line, name)}


def test_what_only_sounds_alike_is_no_call(canary):
    assert list(canary.gone_in("import torch.nn\nimport important\nself.jit = torch.jitter()\nimp = 3")) == []


def test_the_prose_of_this_course_quotes_what_was_printed(canary):
    assert list(canary.numbers_without_output()) == []


@pytest.mark.parametrize("quoted", ["0.99", "98 %", "97.4%", "1.52"])
def test_a_number_that_nothing_printed_is_found(canary, monkeypatch, quoted):
    a_page(canary, monkeypatch, ("print(share, loss)", "0.973 1,234.5"), f"The network reaches {quoted} here.")
    (found,) = canary.numbers_without_output()
    assert quoted.rstrip(" %") in found


@pytest.mark.parametrize("quoted", ["97 %", "97.3%", "0.97", "1234.5", "$3.99$", "`7.5`", "lesson 12"])
def test_a_number_that_was_printed_or_not_measured_is_not(canary, monkeypatch, quoted):
    a_page(canary, monkeypatch, ("print(share, loss)", "0.973 1,234.5"), f"The network reaches {quoted} here.")
    assert list(canary.numbers_without_output()) == []


def test_a_question_may_offer_numbers(canary, monkeypatch):
    a_page(canary, monkeypatch, "**Predict.** Will it be 0.5 or\n0.7?\n\nNow 0.8 is measured.")
    (found,) = canary.numbers_without_output()
    assert "0.8" in found


def test_without_a_network_links_are_not_checked_and_it_says_so(canary, monkeypatch, capsys):
    monkeypatch.setattr(canary, "trouble_with", lambda link: "ConnectionError")
    assert list(canary.dead_links()) == [] and "NOT checked" in capsys.readouterr().out


def test_a_dead_link_is_found(canary, monkeypatch):
    monkeypatch.setattr(canary, "trouble_with", lambda link: "404" if "doi.org/10.1109/5.726791" in link else "")
    assert list(canary.dead_links()) == ["https://doi.org/10.1109/5.726791: 404"]
