"""What is taken out of a notebook's outputs, and what must stay."""

import tempfile
from pathlib import Path

import nbformat
import pytest

from course_lib import paths
from course_lib.authoring.outputs import (
    MACHINE_NOTE,
    WIDGET,
    WIDGET_NOTE,
    machine_traces,
    normalize_outputs,
    normalize_text,
)


def test_folders_of_this_machine_become_dots():
    text = f"{paths.checkout()}/data/x.npy, {Path.home()}/x, {tempfile.gettempdir()}/ipykernel_12/345.py:3: UserWarning"
    assert normalize_text(text) == "…/data/x.npy, …/x, …:3: UserWarning"


def test_addresses_of_objects_become_dots():
    assert normalize_text("<object object at 0x7f12ab34cd56>") == "<object object at 0x…>"


@pytest.mark.parametrize(
    "text",
    [
        "Wall time: 3.21 s",
        "1.23 ms ± 4.5 µs per loop (mean ± std. dev. of 7 runs, 1,000 loops each)",
        "100%|████| 5/5 [00:12<00:00,  2.41s/it]",
        "trained in 3.2 s",
    ],
)
def test_timings_become_dots(text):
    assert machine_traces(text)
    assert not machine_traces(normalize_text(text))


@pytest.mark.parametrize(
    "text", ["a hop of 10 ms", "lessons/02.py", "0xff", "accuracy 0.967 after 3 s of sound", "1/2"]
)
def test_what_belongs_to_the_lesson_stays(text):
    assert normalize_text(text) == text
    assert machine_traces(text) == []


def test_pictures_inside_html_stay_byte_for_byte():
    picture = f'<img src="data:image/png;base64,AAAA{Path.home()}/0x7f12ab34cd56AAAA" alt="x">'.replace("-", "")
    assert _normalized({"text/html": picture})["text/html"] == picture


def test_a_widget_becomes_a_note_that_needs_no_kernel():
    data = _normalized({WIDGET: {"model_id": "1"}, "text/plain": "IntSlider(value=0)"})
    assert WIDGET not in data
    assert data["text/plain"] == WIDGET_NOTE and WIDGET_NOTE in data["text/html"]


def test_what_describes_a_machine_becomes_a_note():
    cell = nbformat.v4.new_code_cell("print(describe_device())", metadata={"tags": ["machine"]})
    cell.outputs = [nbformat.v4.new_output("stream", text="CPU with 2 cores")]
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"course": {}})
    normalize_outputs(notebook)
    assert cell.outputs[0].text == MACHINE_NOTE


def test_the_states_of_widgets_and_the_version_of_python_go():
    language = {"name": "python", "version": "3.11.7"}
    notebook = nbformat.v4.new_notebook(metadata={"course": {}, "widgets": {"1": {}}, "language_info": language})
    normalize_outputs(notebook)
    assert "widgets" not in notebook.metadata
    assert "version" not in notebook.metadata.language_info


def _normalized(data):
    cell = nbformat.v4.new_code_cell(outputs=[nbformat.v4.new_output("display_data", data=data)])
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"course": {}})
    normalize_outputs(notebook)
    return notebook.cells[0].outputs[0].data
