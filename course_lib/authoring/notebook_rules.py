"""What a notebook of this course must keep to, seen without running it.

nbval alone is too forgiving: it passes notebooks in which nothing ran, tags that allow any exception, markers that have
no effect. Each rule yields sentences that name the cell and the way out.
"""

import ast
import re
from collections.abc import Iterator

from nbformat import NotebookNode

from course_lib.authoring.outputs import MACHINE_TAG, WIDGET, WIDGET_NOTE, machine_traces, texts_of
from course_lib.authoring.sources import cell_label, tree_of

CHECKED = "# NBVAL_CHECK_OUTPUT"


def faults(notebook: NotebookNode) -> list[str]:
    """Every way in which a built notebook breaks the rules, in words; empty if it keeps them all."""
    return [fault for rule in RULES for fault in rule(notebook)]


def is_checked(cell: NotebookNode) -> bool:
    """Whether nbval compares the cell's output with the stored one."""
    return cell.cell_type == "code" and cell.source.partition("\n")[0] == CHECKED


def _every_cell_ran_in_order(notebook: NotebookNode) -> Iterator[str]:
    code_cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if not code_cells:
        yield "There is no code cell, so nothing runs."
    for number, cell in enumerate(code_cells, start=1):
        if cell.execution_count != number:
            yield f"Cell [{number}] was not run in its turn (it says {cell.execution_count}): build the notebook again."


def _nothing_raised(notebook: NotebookNode) -> Iterator[str]:
    for where, cell in _code(notebook):
        if any(output.output_type == "error" for output in cell.outputs):
            yield f"{where} stores an exception: mend the lesson and build it again."


def _nothing_on_stderr(notebook: NotebookNode) -> Iterator[str]:
    for where, cell in _code(notebook):
        for output in cell.outputs:
            if output.get("name") == "stderr":
                first_line = output.text.strip().partition("\n")[0]
                yield f"{where} warns its readers ({first_line[:80]}): mend what it warns of."


def _claims_are_checked(notebook: NotebookNode) -> Iterator[str]:
    checked = [(where, cell) for where, cell in _code(notebook) if is_checked(cell)]
    if not checked:
        yield f"No claim is checked: let at least one cell print what the lesson claims, below a first line {CHECKED}."
    for where, cell in checked:
        if not cell.outputs:
            yield f"{where} is checked, but shows nothing: there is nothing to compare."
        elif any(WIDGET in output.get("data", {}) or WIDGET_NOTE in str(output) for output in cell.outputs):
            yield f"{where} is checked, but shows a widget, which nbval never compares: print the claim elsewhere."


def _markers_have_an_effect(notebook: NotebookNode) -> Iterator[str]:
    for index, cell in enumerate(notebook.cells):
        for number, line in enumerate(cell.source.splitlines()):
            if not re.search(r"#\s*(NBVAL|PYTEST_VALIDATE)_?", line, flags=re.IGNORECASE):
                continue
            where = cell_label(notebook.cells, index)
            if cell.cell_type != "code":
                yield f"{where} has an nbval marker: only in a code cell has it an effect."
            elif line != CHECKED:
                yield f"{where} has the line {line.strip()!r}: the only marker is {CHECKED}, on a line of its own."
            elif number > 0:
                yield f"{where} has its marker in line {number + 1}: it must be the first line."


def _no_tag_forgives(notebook: NotebookNode) -> Iterator[str]:
    for index, cell in enumerate(notebook.cells):
        for tag in cell.metadata.get("tags", []):
            if tag == "raises-exception" or tag.startswith("nbval-"):
                where = cell_label(notebook.cells, index)
                yield f"{where} has the tag {tag}: catch what you expect, and show that it came."


def _assertions_assert(notebook: NotebookNode) -> Iterator[str]:
    for where, cell in _code(notebook):
        for node in ast.walk(tree_of(cell)):
            if isinstance(node, ast.Assert) and isinstance(node.test, ast.Tuple) and node.test.elts:
                yield f"{where} asserts a tuple, which is always true: leave out the brackets."


def _no_traces_of_a_machine(notebook: NotebookNode) -> Iterator[str]:
    for where, cell in _code(notebook):
        traces = [trace for text in texts_of(cell) for trace in machine_traces(text)]
        if "describe_device(" in cell.source and MACHINE_TAG not in cell.metadata.get("tags", []):
            yield f"{where} describes the machine that built it: the tag {MACHINE_TAG} keeps that out of the page."
        if traces:
            yield f"{where} shows what differs from machine to machine: {', '.join(dict.fromkeys(traces))}."
        if is_checked(cell) and "…" in str(cell.outputs) and "…" not in cell.source:
            yield f"{where} is checked, but the builder had to blank a path, an address or a time in its output."


def _pictures_have_words(notebook: NotebookNode) -> Iterator[str]:
    for where, cell in _code(notebook):
        for output in cell.outputs:
            data = output.get("data", {})
            images = re.findall(r"<img\b[^>]*>", data.get("text/html", ""))
            bare = [image for image in images if not re.search(r"""\balt=("[^"]+"|'[^']+')""", image)]
            if bare or any(mime.startswith("image/") for mime in data):
                yield f"{where} shows a picture without alternative text: use course_lib.plots.show(figure, alt=...)."


RULES = (
    _every_cell_ran_in_order,
    _nothing_raised,
    _nothing_on_stderr,
    _claims_are_checked,
    _markers_have_an_effect,
    _no_tag_forgives,
    _assertions_assert,
    _no_traces_of_a_machine,
    _pictures_have_words,
)


def _code(notebook: NotebookNode) -> Iterator[tuple[str, NotebookNode]]:
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            yield cell_label(notebook.cells, index), cell
