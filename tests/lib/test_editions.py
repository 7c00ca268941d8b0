"""What a learner answered finds its place in a newer edition of the lesson."""

import pytest

from tests.lib.editions import ADD, ADDED, COUNTER, DOUBLE, DOUBLED, FIRST, RETOLD, Learner, stub, text

HALF_TYPED = ADD.replace("...  # your code here", "return (a +")


@pytest.fixture
def learner():
    return Learner(FIRST)


def test_answers_stand_in_the_new_edition(learner):
    learner.writes(ADD, ADDED)
    assert learner.reads(*RETOLD) == ["# Tiny, retold", "import math", ADDED, "Now twice.", DOUBLE, "print(math.pi)"]
    assert learner.carried.answers == ["add"]


def test_an_unwritten_stub_becomes_the_new_stub(learner):
    reworded = DOUBLE.replace("Twice as much", "Two times")
    assert learner.reads(*FIRST[:4], stub(reworded))[4] == reworded


def test_an_answer_keeps_its_words_when_only_the_docstring_is_new(learner):
    learner.writes(DOUBLE, DOUBLED)
    assert learner.reads(*FIRST[:4], stub(DOUBLE.replace("Twice as much", "Two times")))[4] == DOUBLED


def test_an_answer_with_type_hints_is_called_alike(learner):
    hinted = DOUBLED.replace("(a)", "(a: float) -> float")
    learner.writes(DOUBLE, hinted)
    assert learner.reads(*FIRST[:4], stub(DOUBLE.replace("Twice as much", "Two times")))[4] == hinted


def test_an_answer_to_a_changed_signature_stands_below_the_new_stub_as_text(learner):
    changed = DOUBLE.replace("(a)", "(a, *, times=2)")
    learner.writes(DOUBLE, DOUBLED)
    cells = learner.gets(*FIRST[:4], stub(changed), FIRST[5])
    assert cells[4].source == changed and cells[5].cell_type == "markdown" and len(cells) == 7
    assert "other parameters" in cells[5].source and f"```python\n{DOUBLED}\n```" in cells[5].source
    assert learner.carried.set_aside == ["double"]


def test_an_answer_that_nobody_asks_for_stands_at_the_end_as_text(learner):
    learner.writes(ADD, ADDED)
    last = learner.gets(FIRST[0], FIRST[1], *FIRST[3:])[-1]
    assert last.cell_type == "markdown" and "no longer has" in last.source and ADDED in last.source
    assert learner.carried.dropped == ["add"]


def test_a_half_typed_answer_is_carried_too(learner):
    learner.writes(ADD, HALF_TYPED)
    assert learner.reads(*RETOLD)[2] == HALF_TYPED


def test_a_half_typed_answer_stays_in_place_when_only_the_docstring_is_new(learner):
    learner.writes(ADD, HALF_TYPED)
    assert learner.reads(*FIRST[:2], stub(ADD.replace("The sum", "The total")), *FIRST[3:])[2] == HALF_TYPED
    assert learner.carried.answers == ["add"]


def test_a_half_typed_answer_to_a_changed_signature_is_set_aside(learner):
    changed = ADD.replace("(a, b)", "(a, b, c)")
    learner.writes(ADD, HALF_TYPED)
    sources = learner.reads(*FIRST[:2], stub(changed), *FIRST[3:])
    assert sources[2] == changed and HALF_TYPED in sources[3]


def test_notes_in_an_unwritten_stub_stay_where_they_are(learner):
    notes = ADD.replace("...  # your code here", "...  # first convert to float?")
    learner.writes(ADD, notes)
    assert learner.reads(*RETOLD)[2] == notes


def test_notes_in_a_stub_that_is_worded_anew_stand_below_it(learner):
    notes, reworded = ADD.replace("# your code here", "# to float?"), ADD.replace("The sum", "The total")
    learner.writes(ADD, notes)
    sources = learner.reads(*FIRST[:2], stub(reworded), *FIRST[3:])
    assert sources[2] == reworded and notes in sources[3]


def test_an_answer_without_its_decorator_and_tag_is_found_by_its_name(learner):
    learner.cells[2].update(source="def add(a, b):\n    return a + b", metadata={}, id="other")
    cell = learner.gets(*RETOLD)[2]
    assert cell.source == "def add(a, b):\n    return a + b" and cell.metadata.tags == ["exercise"]


def test_an_answer_below_a_magic_is_found(learner):
    learner.writes(ADD, f"%%time\n{ADDED}")
    assert learner.reads(*RETOLD)[2] == f"%%time\n{ADDED}"


def test_two_answers_in_one_cell_stay_together(learner):
    both = f"{ADDED}\n\n{DOUBLED}"
    learner.writes(ADD, both)
    del learner.cells[4]
    assert learner.reads(*RETOLD) == ["# Tiny, retold", "import math", both, "Now twice.", "print(math.pi)"]


def test_two_answers_to_what_is_one_cell_now_are_both_there(learner):
    learner.writes(ADD, ADDED)
    learner.writes(DOUBLE, DOUBLED)
    sources = learner.reads(text("# Tiny"), stub(f"{ADD}\n\n{DOUBLE}"))
    assert sources[1:] == [ADDED, DOUBLED]


def test_an_answer_to_one_half_of_a_cell_does_not_push_the_other_half_out(learner):
    third = "@exercise\ndef halve(a):\n    ..."
    learner.writes(ADD, f"{ADDED}\n\n{DOUBLED}")
    del learner.cells[4]
    assert f"{DOUBLE}\n\n{third}" in learner.reads(*FIRST[:4], stub(f"{DOUBLE}\n\n{third}"))


def test_a_class_may_have_methods_of_the_learners_own():
    written = COUNTER.replace("...", "return 1") + "\n\n    def help(self):\n        return 2"
    learner = Learner([stub(COUNTER)])
    learner.writes(COUNTER, written)
    assert learner.reads(stub(COUNTER.replace("Counter:", 'Counter:\n    """Counts."""'))) == [written]


def test_a_class_whose_method_is_called_differently_is_set_aside():
    learner, changed = Learner([stub(COUNTER)]), COUNTER.replace("(self, by)", "(self, by, times)")
    learner.writes(COUNTER, COUNTER.replace("...", "return 1"))
    assert learner.reads(stub(changed))[0] == changed
    assert learner.carried.set_aside == ["Counter"]


def test_a_class_with_one_method_written_is_carried():
    learner, half = Learner([text("# Tiny"), stub(COUNTER)]), COUNTER.replace("...", "self.by = by", 1)
    learner.writes(COUNTER, half)
    assert learner.reads(text("# Tiny, retold"), stub(COUNTER)) == ["# Tiny, retold", half]


def test_an_answer_that_nobody_asks_for_is_known_by_its_decorator_or_its_tag(learner):
    learner.cells[2].update(source=ADDED, metadata={})
    learner.cells[4].source = DOUBLED.removeprefix("@exercise\n")
    *_, first, second = learner.gets(FIRST[0], FIRST[1], FIRST[3])
    assert ADDED in first.source and "def double" in second.source
    assert learner.carried.dropped == ["add", "double"]


def test_an_answer_to_what_is_a_class_now_is_set_aside(learner):
    learner.writes(ADD, ADDED)
    learner.gets(*FIRST[:2], stub("@exercise\nclass add:\n    ..."), *FIRST[3:])
    assert learner.carried.set_aside == ["add"]
