"""Of a learner's notebook, only what the answers need is executed, and what fails there stops nothing else."""

import io

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from course_lib.answers import check_lesson
from course_lib.execution import is_listed, read_answers
from course_lib.exercises.kernel import verdict_on
from course_lib.exercises.registry import find_exercise, load_lesson
from course_lib.python_cells import PythonCell

IMPORTS = "import torch\nfrom course_lib.exercises import borrow, exercise"
RIGHT = "@exercise\ndef accuracy(predictions, labels):\n    return (predictions == labels).double().mean().item()"
UNWRITTEN = "@exercise\ndef accuracy(predictions, labels):\n    ...  # your code here"


def answer(source):
    return new_code_cell(source, metadata={"tags": ["exercise"]})


def setup(source):
    return new_code_cell(source, metadata={"tags": ["setup"]})


@pytest.fixture
def notebook(tiny_course, tmp_path):
    """`notebook(cell, cell, ...)` writes a learner's notebook and returns its path; a string is a code cell."""

    def write(*cells, imports=IMPORTS):
        path = tmp_path / "mine.ipynb"
        cells = [new_code_cell(cell) if isinstance(cell, str) else cell for cell in (imports, *cells)]
        nbformat.write(new_notebook(cells=cells), path)
        return path

    return write


def read(path):
    return read_answers(path, load_lesson("tiny"))


def is_right(answers):
    return verdict_on(find_exercise("accuracy"), answers.found["accuracy"]).state == "right"


@pytest.mark.parametrize(
    "cell",
    [
        'open("{path}", "w")',
        'for _ in range(3): open("{path}", "w")',
        'x = open("{path}", "w")',
        'if True:\n    open("{path}", "w")',
        "!touch {path}",
        "%time open('{path}', 'w')",
        "%%bash\ntouch {path}",
        "%%time\nopen('{path}', 'w')",
        'torch.path = "{path}"; open(torch.path, "w")',
    ],
)
def test_a_call_a_magic_or_a_loop_is_not_executed(notebook, tmp_path, cell):
    sentinel = tmp_path / "executed"
    read(notebook(cell.replace("{path}", str(sentinel)), answer(RIGHT)))
    assert not sentinel.exists()


def test_setup_cells_are_executed_but_not_their_shell_lines(notebook, tmp_path):
    cell = f"!touch {tmp_path}/shell\nSCALE = float(1)"
    answers = read(notebook(setup(cell), answer(RIGHT.replace("return", "return SCALE *"))))
    assert answers.found["accuracy"].implementation.__globals__["SCALE"] == 1
    assert not (tmp_path / "shell").exists()


def test_imports_definitions_and_literals_are_executed_wherever_they_stand(notebook):
    helpers = "import math\nHALF, SCALE = 0.5, -1\nclass Helper:\n    def one(self):\n        return HALF * -2 * SCALE"
    own = RIGHT.replace("return", "return math.floor(Helper().one()) *")
    assert is_right(read(notebook(helpers, answer(own))))


def test_an_exercise_cell_is_executed_down_to_its_answer(notebook, tmp_path):
    cell = f"one = float(1)\n{RIGHT.replace('return', 'return one *')}\nopen('{tmp_path}/executed', 'w')"
    answers = read(notebook(answer(cell)))
    assert answers.found["accuracy"].implementation.__globals__["one"] == 1
    assert not (tmp_path / "executed").exists()


def test_a_cell_magic_that_runs_python_hides_no_answer(notebook):
    assert is_right(read(notebook(answer(f"%%time\n\n{RIGHT}"))))


@pytest.mark.parametrize(
    ("source", "listed"),
    [
        ("x = [1, -2.5, {'a': (True, None)}]", True),
        ("x: int = 3", True),
        ("a, (b, c) = 1, (2, 3)", True),
        ("try:\n    import torch\nexcept ImportError:\n    torch = None", True),
        ("try:\n    f()\nexcept ImportError:\n    pass", False),
        ("x = f()", False),
        ("x = y", False),
        ("x.y = 3", False),
        ("x[0] = 3", False),
        ("x += 1", False),
        ("del x", False),
        ("with f: pass", False),
    ],
)
def test_what_counts_as_import_definition_or_literal(source, listed):
    assert is_listed(PythonCell("cell", source).parse().body[0]) is listed


def test_a_failed_import_is_named_and_the_rest_goes_on(notebook, capsys):
    path = notebook("import nothing_of_this_name\nimport math", answer(RIGHT))
    check_lesson("tiny", source=str(path))
    shown = capsys.readouterr().out
    assert "mine.ipynb cell 2, line 1: ModuleNotFoundError" in shown and "✓ accuracy" in shown


@pytest.mark.parametrize(
    "ending",
    [
        "raise SystemExit",
        "input()",
        "1 / 0",
        "raise BaseException",
        "await 1",
        "return",
        "from __future__ import no",
        "(",
    ],
)
def test_a_setup_cell_that_fails_is_named_and_the_rest_goes_on(notebook, ending):
    answers = read(notebook(setup(ending), answer(RIGHT)))
    assert "accuracy" in answers.found and "cell 2, line 1" in answers.remarks[0]


def test_nobody_is_asked_for_input(notebook, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("typed"))
    assert "EOFError" in read(notebook(setup("input()"), answer(RIGHT))).remarks[0]


def test_an_answer_that_became_unreadable_is_no_longer_there(notebook):
    answers = read(notebook(answer(RIGHT), answer(RIGHT.replace(".item()", ".item("))))
    assert "accuracy" in answers.broken and "accuracy" not in answers.found


def test_a_stray_null_character_stops_nothing(notebook):
    assert is_right(read(notebook("x = 1\0", answer(RIGHT))))


def test_a_missing_import_of_the_decorator_hides_no_answer(notebook):
    assert is_right(read(notebook(answer(RIGHT), imports="import torch")))


def test_a_class_that_fails_names_its_own_line(notebook):
    assert "line 2: NameError" in read(notebook("class Helper:\n    size = unknown", answer(RIGHT))).remarks[0]


def test_a_setup_cell_may_use_an_unwritten_answer(notebook):
    answers = read(notebook(answer(UNWRITTEN), setup("share = accuracy(torch.ones(2), torch.ones(2))")))
    assert answers.found["accuracy"].implementation.__globals__["share"] == 1
    assert not answers.remarks


def test_a_module_beside_the_notebook_can_be_imported(notebook, tmp_path):
    (tmp_path / "my_helpers_for_this_test.py").write_text("ONE = 1")
    own = RIGHT.replace("return", "return ONE *")
    path = notebook("from my_helpers_for_this_test import ONE", answer(own))
    assert is_right(read(path))


def test_future_imports_hold_in_later_cells(notebook):
    annotated = RIGHT.replace("(predictions", "(predictions: NotDefinedAnywhere", 1)
    answers = read(notebook("from __future__ import annotations", answer(annotated)))
    assert "accuracy" in answers.found


def test_a_dataclass_is_at_home(notebook):
    cell = 'from dataclasses import dataclass\n@dataclass\nclass Point:\n    x: "int" = 0'
    assert not read(notebook(cell, answer(RIGHT))).remarks
