"""Who has the same answers: by structure, whatever the names; and by JPlag where there is one."""

import ast
import json
import stat

import pytest

from course_lib.grading.similarity import LARGE, Similarity, jplag_command, run_jplag
from course_lib.grading.worker import normalized


def shape(source):
    return normalized(ast.parse(source).body[0])


def test_names_comments_docstrings_and_annotations_make_no_difference():
    first = "@exercise\ndef f(batches):\n    '''Count.'''\n    n = 0\n"
    first += "    for x in batches:\n        n += x  # more\n    return n"
    second = (
        "def f(groups: list) -> int:\n    total = 0\n    for each in groups:\n        total += each\n    return total"
    )
    assert shape(first) == shape(second)


@pytest.mark.parametrize("other", ["return n - 1", "return m", "return float(n)"])
def test_another_computation_makes_one(other):
    assert shape("def f(n):\n    return n + 1") != shape(f"def f(n):\n    {other}")


def record(*answers, size=LARGE):
    entries = {f"e{i}": {"look": "right", "fingerprint": each, "size": size} for i, each in enumerate(answers)}
    return {"lessons": {"one": {"exercises": entries}}}


def test_pairs_with_equal_rare_answers_come_first_and_common_answers_say_nothing():
    found = Similarity()
    for number in range(8):
        found.add(record("what one writes", f"own {number}", "xyz"[number % 3]), f"s{number}")
    found.add(record("rare", "rare too", "own"), "ann")
    found.add(record("rare", "rare too", "other"), "bob")
    first, *_ = found.pairs()
    assert (first.first, first.second, first.exercises) == ("ann", "bob", ("e0", "e1"))
    assert all("e0" not in pair.exercises for pair in found.pairs()[1:])


def test_small_answers_say_nothing():
    found = Similarity()
    for who in ("ann", "bob"):
        found.add(record("same", size=LARGE - 1), who)
    assert found.pairs() == []


@pytest.fixture
def jplag(monkeypatch, tmp_path):
    """A program called jplag that notes how it was called and what it saw."""
    script = tmp_path / "bin" / "jplag"
    script.parent.mkdir()
    script.write_text(
        "#!/usr/bin/env python3\nimport json, pathlib, sys\nfolder = pathlib.Path(sys.argv[-1])\n"
        "seen = {p.parent.name: p.read_text() for p in folder.glob('*/*.py')}\n"
        f"pathlib.Path({str(tmp_path / 'seen.json')!r}).write_text(json.dumps([sys.argv[1:-1], seen]))\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", str(script.parent), prepend=":")
    return tmp_path / "seen.json"


def test_jplag_gets_a_folder_for_each_student(jplag, tmp_path):
    assert jplag_command() == ["jplag"]
    said = run_jplag(jplag_command(), {"ann-1": "x = 1", "bob-2": "y = 2"}, tmp_path / "report")
    options, seen = json.loads(jplag.read_text())
    assert "report is in" in said and seen == {"ann-1": "x = 1", "bob-2": "y = 2"}
    assert options[:2] == ["-l", "python3"] and str(tmp_path / "report") in options


def test_a_jplag_that_fails_stops_nothing(tmp_path):
    assert "did not work" in run_jplag(["false"], {"ann": "x"}, tmp_path / "report")
