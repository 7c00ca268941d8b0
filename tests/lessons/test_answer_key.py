"""References typed into a notebook, with what a learner would have typed above them."""

import pytest

from course_lib.authoring.answer_key import type_references, typed_answer

SOLUTIONS = '''\
"""References."""
import math
import json

from course_lib.exercises import built_without, mistake

SCALE = 2.0


def _scaled(x):
    return SCALE * x


@built_without("math.hypot")
def length(x, y):
    """How far it is."""
    return _scaled(math.sqrt(x * x + y * y))  # a comment


def twice(x):
    """Two of them."""
    return length(x, 0)


@mistake(of=twice, hint="Once is not twice.")
def twice_is_once(x):
    return x
'''


def test_an_answer_brings_its_imports_constants_and_helpers():
    typed = typed_answer("length", SOLUTIONS)
    assert typed.startswith("import math\nSCALE = 2.0\ndef _scaled(x):")
    assert typed.endswith("return _scaled(math.sqrt(x * x + y * y))  # a comment")


def test_an_answer_wears_exercise_and_no_other_decorator():
    typed = typed_answer("length", SOLUTIONS)
    assert '@exercise\ndef length(x, y):\n    """How far it is."""' in typed
    assert "built_without" not in typed and "json" not in typed


def test_another_exercise_is_not_typed_twice(notebook_of):
    stubs = [("@exercise\ndef length(x, y):\n    ...", ""), ("@exercise\ndef twice(x):\n    ...", "")]
    notebook = notebook_of("# Title", ("1 + 1", ""), *stubs)
    assert type_references(notebook, SOLUTIONS) == ["length", "twice"]
    assert notebook.cells[1].source == "1 + 1"
    assert notebook.cells[3].source == '@exercise\ndef twice(x):\n    """Two of them."""\n    return length(x, 0)'


def test_what_the_notebook_has_already_is_not_typed_again(notebook_of):
    notebook = notebook_of(
        "# Title", ("def _scaled(x):\n    return x", ""), ("@exercise\ndef length(x, y):\n    ...", "")
    )
    type_references(notebook, SOLUTIONS)
    assert notebook.cells[2].source.startswith("import math\n@exercise")


def test_typed_answers_run():
    namespace = {"exercise": lambda answer: answer}
    exec(typed_answer("length", SOLUTIONS), namespace)
    assert namespace["length"](3, 4) == 10


def test_an_exercise_without_a_reference_is_an_error():
    with pytest.raises(KeyError):
        typed_answer("area", SOLUTIONS)
