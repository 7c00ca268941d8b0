"""`course check`: the kernel's verdicts, from the shell."""

import json
import linecache
from contextlib import suppress
from dataclasses import replace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course_lib import answers
from course_lib.answers import check_lesson
from course_lib.errors import CourseError, ExerciseFailed
from course_lib.exercises import kernel, progress
from course_lib.exercises.registry import load_lesson

IMPORTS = "import torch\nfrom course_lib.exercises import borrow, exercise"
RIGHT = "@exercise\ndef accuracy(predictions, labels):\n    return (predictions == labels).double().mean().item()"
WRONG = "@exercise\ndef accuracy(predictions, labels):\n    return (predictions != labels).double().mean().item()"
UNWRITTEN = "@exercise\ndef accuracy(predictions, labels):\n    ...  # your code here"
FLATTEN = """@exercise
def flatten(nested):
    return [number for item in nested for number in (flatten(item) if isinstance(item, list) else [item])]"""
SOFTMAX = """@exercise
def softmax(logits, *, dim=-1):
    powers = (logits - logits.amax(dim=dim, keepdim=True)).exp()
    return powers / powers.sum(dim=dim, keepdim=True)"""


def answer(source):
    return new_code_cell(source, metadata={"tags": ["exercise"]})


@pytest.fixture
def notebook(tiny_course, tmp_path):
    """`notebook(cell, cell, ...)` writes a learner's notebook and returns its path; a string is a code cell."""

    def write(*cells, path=tmp_path / "mine.ipynb"):
        cells = [new_code_cell(cell) if isinstance(cell, str) else cell for cell in (IMPORTS, *cells)]
        path.parent.mkdir(exist_ok=True)
        nbformat.write(new_notebook(cells=cells, metadata={"course": {"lesson": "tiny"}}), path)
        return path

    return write


@pytest.fixture
def workbook(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_WORKBOOK", str(tmp_path / "workbook"))
    return tmp_path / "workbook"


@pytest.fixture
def verdicts(capfd):
    """`verdicts(path)` is what `course check --json` says of each exercise, by name."""

    def check(path):
        check_lesson("tiny", source=str(path), as_json=True)
        return {found["name"]: found for found in map(json.loads, capfd.readouterr().out.splitlines())}

    return check


# -- verdicts


def test_one_right_one_wrong_and_the_others_unwritten(notebook, verdicts):
    found = verdicts(notebook(answer(WRONG), answer(FLATTEN), answer(UNWRITTEN.replace("accuracy", "dropout"))))
    assert [found[name]["state"] for name in ("flatten", "accuracy", "dropout")] == ["right", "wrong", "unwritten"]
    assert found["accuracy"]["failed"] == ["share_of_hits", "all_right_is_one"]
    assert found["accuracy"]["mistake"] == "accuracy_counts_errors" and found["flatten"]["mistake"] is None


def test_the_table_shows_each_exercise_and_the_card_of_a_wrong_one(notebook, capsys):
    path = notebook(answer(WRONG), answer(FLATTEN))
    assert check_lesson("tiny", source=str(path)) == 1
    shown = capsys.readouterr().out
    assert "✗ accuracy           wrong" in shown and "✓ flatten            right" in shown
    assert "You count what is wrong." in shown and "1 right, 1 wrong, 6 unwritten" in shown


def test_the_card_of_an_answer_that_calls_the_library_is_shown(notebook, capsys):
    own = "@exercise\ndef softmax(logits, *, dim=-1):\n    return torch.softmax(logits, dim)"
    assert check_lesson("tiny", source=str(notebook(answer(own)))) == 1
    shown = capsys.readouterr().out
    assert "! softmax            shortcut" in shown and "calls torch.softmax" in shown and "1 shortcut" in shown


def test_the_exit_status_is_0_only_if_all_are_right(notebook, monkeypatch):
    lesson = load_lesson("tiny")
    two = {name: lesson.exercises[name] for name in ("accuracy", "flatten")}
    monkeypatch.setattr(answers, "load_lesson", lambda key: replace(lesson, exercises=two))
    assert check_lesson("tiny", source=str(notebook(answer(RIGHT), answer(FLATTEN)))) == 0
    assert check_lesson("tiny", source=str(notebook(answer(RIGHT)))) == 1


def verdicts_in_a_kernel(monkeypatch, *sources):
    shown = {}
    monkeypatch.setattr(kernel, "show_card", lambda verdict: shown.update({verdict.exercise: verdict.to_json()}))
    namespace = {}
    for number, source in enumerate(sources):
        filename = f"kernel cell {number}"
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
        with suppress(ExerciseFailed):
            exec(compile(source, filename, "exec"), namespace)
    return shown


def test_the_verdicts_are_those_of_the_kernel(notebook, verdicts, monkeypatch):
    dropout = "@exercise\ndef dropout(values, *, probability, generator):\n    return values * torch.rand(4000).ge(.25)"
    softmax = SOFTMAX.replace("dim=dim", "dim=0")
    raising = "@exercise\ndef cross_entropy(logits, labels):\n    return softmax(logits)[labels.missing]"
    sources = [WRONG, FLATTEN, dropout, softmax, raising, UNWRITTEN.replace("accuracy", "topological_order")]
    in_the_kernel = verdicts_in_a_kernel(monkeypatch, IMPORTS, *sources)
    from_the_shell = verdicts(notebook(*map(answer, sources)))
    assert in_the_kernel == {name: from_the_shell[name] for name in in_the_kernel}
    assert len(in_the_kernel) == 6


def test_an_exception_shows_the_learners_own_line(notebook, capsys):
    raising = "# a comment first\n@exercise\ndef flatten(nested):\n    return nested.flat"
    check_lesson("tiny", source=str(notebook(answer(raising))))
    assert "line 4: return nested.flat" in capsys.readouterr().out


def test_what_the_learner_prints_does_not_spoil_the_json(notebook, verdicts):
    noisy = 'import os, nothing_of_this_name\nimport os\nprint("noise")\nos.system("echo noise")\n' + RIGHT.replace(
        "    return", '    print("noise"); os.system("echo noise")\n    return'
    )
    assert verdicts(notebook(answer(noisy)))["accuracy"]["state"] == "right"


# -- where answers are found


def test_a_syntax_error_is_shown_with_its_line_and_the_others_go_on(notebook, capsys):
    path = notebook(answer(RIGHT.replace(".item()", ".item(")), answer(FLATTEN))
    check_lesson("tiny", source=str(path))
    shown = capsys.readouterr().out
    assert "mine.ipynb cell 2, line 3" in shown and "mean().item(" in shown
    assert "✗ accuracy" in shown and "✓ flatten" in shown


def test_a_syntax_error_is_a_wrong_answer_in_json(notebook, verdicts):
    found = verdicts(notebook(answer(RIGHT.replace(".item()", ".item(")), answer(FLATTEN)))
    assert (found["accuracy"]["state"], found["flatten"]["state"]) == ("wrong", "right")


def test_a_later_answer_replaces_an_earlier_one_readable_or_not(notebook, verdicts):
    unreadable = RIGHT.replace(".item()", ".item(")
    assert verdicts(notebook(answer(unreadable), answer(RIGHT)))["accuracy"]["state"] == "right"
    assert verdicts(notebook(answer(RIGHT), answer(unreadable)))["accuracy"]["state"] == "wrong"


def test_an_answer_that_cannot_be_defined_says_why(notebook, verdicts):
    found = verdicts(notebook(answer(RIGHT.replace("labels)", "labels=UNKNOWN)", 1))))
    assert found["accuracy"]["state"] == "wrong" and "UNKNOWN" in found["accuracy"]["note"]


def test_an_answer_without_decorator_or_tag_is_found_by_its_name(notebook, verdicts):
    found = verdicts(notebook(answer(RIGHT.removeprefix("@exercise\n")), FLATTEN))
    assert (found["accuracy"]["state"], found["flatten"]["state"]) == ("right", "right")


def test_the_last_answer_counts_but_a_draft_does_not(notebook, verdicts):
    draft = WRONG.removeprefix("@exercise\n")
    assert verdicts(notebook(answer(WRONG), answer(RIGHT), draft))["accuracy"]["state"] == "right"


def test_a_borrowed_reference_is_no_answer(notebook, verdicts):
    assert verdicts(notebook(answer('borrow("accuracy")')))["accuracy"]["state"] == "unwritten"


def test_a_percent_file_is_read_like_a_notebook(tiny_course, tmp_path, verdicts):
    path = tmp_path / "mine.py"
    own = f"one = float(1)\n{RIGHT.replace('return', 'return one *')}"
    path.write_text(f'# %% [markdown]\n# Text (\n# %%\n{IMPORTS}\n1 / 0\n# %% tags=["exercise"]\n{own}\n')
    assert verdicts(path)["accuracy"]["state"] == "right"


def test_a_percent_file_shows_its_own_line_numbers(tiny_course, tmp_path, capsys):
    path = tmp_path / "mine.py"
    raising, stub = "@exercise\ndef flatten(nested):\n    return nested.flat", UNWRITTEN
    path.write_text(f"# %%\n{IMPORTS}\n\n# %%\n{raising}\n\n# %%\n{stub}\n")
    check_lesson("tiny", source=str(path))
    shown = capsys.readouterr().out
    assert "line 8: return nested.flat" in shown and "○ accuracy" in shown


def test_a_plain_python_file_shows_its_own_line_numbers(tiny_course, tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text("import torch\n\n\n1 / 0\n\n\ndef flatten(nested):\n    return nested.flat\n")
    check_lesson("tiny", source=str(path))
    assert "line 8: return nested.flat" in capsys.readouterr().out


def test_a_syntax_error_in_one_cell_of_a_percent_file_shows_that_line(tiny_course, tmp_path, verdicts):
    path = tmp_path / "mine.py"
    path.write_text(f"# %%\n{IMPORTS}\n# %%\n{FLATTEN}\n# %%\n{RIGHT.replace('.item()', '.item(')}\n")
    found = verdicts(path)
    assert found["flatten"]["state"] == "right"
    assert "mine.py, line 11" in found["accuracy"]["note"] and ".item(" in found["accuracy"]["note"]


def test_only_code_is_read(notebook, verdicts):
    path = notebook(new_markdown_cell(RIGHT))
    assert verdicts(path)["accuracy"]["state"] == "unwritten"


# -- the workbook


def test_the_learners_copy_is_found_under_any_name(notebook, workbook, capsys):
    notebook(answer(RIGHT), path=workbook / "my own name.ipynb")
    check_lesson("tiny")
    assert "✓ accuracy" in capsys.readouterr().out


def test_a_copy_with_the_lessons_own_name_comes_first(notebook, workbook, capsys):
    notebook(answer(RIGHT), path=workbook / "01_tiny.ipynb")
    notebook(answer(WRONG), path=workbook / "01_tiny later.ipynb")
    check_lesson("tiny")
    assert "✓ accuracy" in capsys.readouterr().out


def test_progress_is_recorded_for_the_workbook_only(notebook, workbook):
    check_lesson("tiny", source=str(notebook(answer(RIGHT))))
    assert progress.load() == {}
    notebook(answer(RIGHT), path=workbook / "01_tiny.ipynb")
    check_lesson("tiny")
    assert progress.load()["tiny"]["accuracy"]["state"] == "right"


def test_a_broken_progress_file_hides_no_verdict(notebook, workbook, capsys):
    progress.progress_file().parent.mkdir(parents=True, exist_ok=True)
    progress.progress_file().write_text("{")
    notebook(answer(RIGHT), path=workbook / "01_tiny.ipynb")
    check_lesson("tiny")
    said = capsys.readouterr()
    assert "✓ accuracy" in said.out and "progress could not be noted" in said.err


def test_without_a_copy_the_way_to_one_is_named(tiny_course, workbook):
    with pytest.raises(CourseError, match="course lab"):
        check_lesson("tiny")


@pytest.mark.parametrize("name", ["missing.ipynb", "missing.py", "mine.txt"])
def test_a_file_that_cannot_be_read_is_named(tiny_course, tmp_path, name):
    with pytest.raises(CourseError, match=name):
        check_lesson("tiny", source=str(tmp_path / name))
