"""Is it still to be written? By its source, and by what the lesson ships."""

import pytest

from course_lib.exercises.stubs import definitions, is_unwritten, source_of, stub_sources, unwritten_parts
from course_lib.paths import find_lesson

UNWRITTEN = {
    "dots": "def f(x):\n    ...",
    "dots and a comment": "def f(x):\n    # TODO\n    ...  # your code here",
    "pass": "def f(x):\n    pass",
    "docstring": 'def f(x):\n    """What it does."""',
    "docstring, comment and dots": 'def f(x):\n    """What it does."""\n    # think!\n    ...',
    "not implemented": "def f(x):\n    raise NotImplementedError",
    "not implemented, with words": 'def f(x):\n    """Doc."""\n    raise NotImplementedError("your code here")',
    "one line": "def f(x): ...",
    "decorated": "@exercise\n@torch.no_grad()\ndef f(x):\n    ...",
    "words": 'def f(x):\n    "your code here"',
    "coroutine": "async def f(x):\n    ...",
    "class": 'class F:\n    """Doc."""\n    ...',
    "class with one method": "class F:\n    def __init__(self):\n        self.x = 1\n    def step(self):\n        ...",
}
WRITTEN = {
    "returns": "def f(x):\n    return x",
    "returns nothing": "def f(x):\n    return",
    "begun": "def f(x):\n    y = x + 1\n    ...",
    "prints": "def f(x):\n    print(x)",
    "another error": "def f(x):\n    raise ValueError('x')",
    "an inner stub": "def f(x):\n    def g(): ...\n    return g",
    "class": "class F:\n    def step(self):\n        return 1",
    "class with an attribute": "class F:\n    rate = 1\n\n    def step(self):\n        return self.rate",
    "unknown source": "",
    "broken source": "def f(x:\n",
}


@pytest.mark.parametrize("source", UNWRITTEN.values(), ids=UNWRITTEN)
def test_unwritten(source):
    assert is_unwritten(source)


@pytest.mark.parametrize("source", WRITTEN.values(), ids=WRITTEN)
def test_written(source):
    assert not is_unwritten(source)


def test_the_broken_code_that_a_bug_hunt_ships_is_unwritten_until_it_is_changed():
    stub = "@exercise\ndef f(x):\n    return x + 2"
    assert is_unwritten("@exercise\ndef f(x):\n    # hm, what is wrong here?\n    return (x+2)", stub)
    assert not is_unwritten("@exercise\ndef f(x):\n    return x + 1", stub)
    assert is_unwritten("def f(x):\n    return x + 2", stub)
    assert not is_unwritten("@exercise\ndef f(x):\n    return x + 2")


def test_the_unwritten_methods_of_a_class_are_named():
    source = "class F:\n    def a(self): ...\n\n    def b(self):\n        return 1\n\n    def c(self):\n        pass"
    assert unwritten_parts(source) == ["a", "c"]
    assert unwritten_parts("class F:\n    pass") == ["F"]
    assert unwritten_parts("def f(): ...") == ["f"]


def test_a_method_of_the_learners_own_may_do_nothing():
    stub = "class F:\n    def a(self): ...\n    def hook(self):\n        return 1"
    answer = "class F:\n    def a(self):\n        return 1\n    def hook(self):\n        pass\n    def mine(self): ..."
    assert unwritten_parts(answer, stub) == []
    assert unwritten_parts(answer.replace("return 1", "..."), stub) == ["a"]


def test_the_stubs_are_read_from_the_lesson_as_it_ships(tiny_course):
    stubs = stub_sources(find_lesson("tiny"))
    assert list(stubs)[:3] == ["softmax", "cross_entropy", "accuracy"] and len(stubs) == 8
    assert stubs["softmax"].startswith("@exercise\ndef softmax(logits, *, dim=-1):")
    assert all(is_unwritten(stub, stub) for stub in stubs.values())
    assert is_unwritten(stubs["count_correct"]) is False


def test_the_source_of_a_definition_is_found_with_its_decorators(tmp_path):
    file = tmp_path / "answers.py"
    file.write_text("x = 1\n\n@exercise\n# why\n@other(2)\ndef f(x):\n    return x  # end\n\ndef g(): ...\n")
    assert source_of("f", str(file)) == "@exercise\n# why\n@other(2)\ndef f(x):\n    return x  # end\n"
    assert source_of("g", str(file)) == "def g(): ...\n"
    assert source_of("h", str(file)) == source_of("f", "<unknown>") == ""


def test_the_last_definition_of_a_name_counts():
    nodes = definitions("def f():\n    ...\n\ndef f():\n    return 1")
    assert nodes["f"].lineno == 4
