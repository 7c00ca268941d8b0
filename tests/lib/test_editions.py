"""What a learner wrote finds its place in a newer edition of the lesson."""

import copy
import random

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course_lib.copies import fingerprint
from course_lib.editions import carry_over

ADD = '@exercise\ndef add(a, b):\n    """The sum."""\n    ...  # your code here'
DOUBLE = '@exercise\ndef double(a):\n    """Twice as much."""\n    ...  # your code here'
COUNTER = "@exercise\nclass Counter:\n    def up(self, by):\n        ...\n\n    def total(self):\n        ..."
ADDED, DOUBLED = (stub.replace("...  # your code here", "return 1") for stub in (ADD, DOUBLE))
HALF_TYPED = ADD.replace("...  # your code here", "return (a +")


def text(source):
    return _with_id(new_markdown_cell(source))


def code(source, *tags):
    return _with_id(new_code_cell(source, metadata={"tags": list(tags)} if tags else {}))


def stub(source):
    return code(source, "exercise")


def _with_id(cell):
    cell.id = fingerprint(cell)  # from the content, as `course build` makes it
    return cell


def edition(*cells):
    listed = [[cell.id, fingerprint(cell)] for cell in cells]
    return new_notebook(cells=copy.deepcopy(list(cells)), metadata={"course": {"lesson": "tiny", "cells": listed}})


FIRST = [text("# Tiny"), code("import math"), stub(ADD), text("Now twice."), stub(DOUBLE), code("print(math.pi)")]
RETOLD = [text("# Tiny, retold"), *FIRST[1:]]


class Learner:
    """Somebody with a copy of the first edition, or of another one."""

    def __init__(self, cells):
        self.notebook = edition(*cells)
        self.cells = self.notebook.cells

    def writes(self, old, new):
        next(cell for cell in self.cells if cell.source == old).source = new

    def gets(self, *cells):
        """The cells of the learner's notebook in the edition with these cells."""
        merged, self.carried = carry_over(self.notebook, edition(*cells))
        nbformat.validate(merged)
        return merged.cells

    def reads(self, *cells):
        return [cell.source for cell in self.gets(*cells)]


@pytest.fixture
def learner():
    return Learner(FIRST)


# -- answers


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


# -- the learner's own cells, and changed ones


def test_own_cells_stay_behind_the_cell_they_followed(learner):
    learner.cells.insert(2, new_code_cell("2 + 2", outputs=[new_output("stream", text="4")]))
    cells = learner.gets(FIRST[0], text("New."), *FIRST[1:])
    assert [cell.source for cell in cells[:4]] == ["# Tiny", "New.", "import math", "2 + 2"]
    assert cells[3].outputs


def test_an_own_cell_whose_predecessor_is_gone_stands_before_the_next_cell(learner):
    learner.cells.insert(4, new_markdown_cell("My note"))
    sources = learner.reads(*FIRST[:3], text("Now it doubles."), *FIRST[4:])
    assert sources[3:6] == ["Now it doubles.", "My note", DOUBLE]


def test_an_own_cell_that_has_no_neighbor_left_stands_at_the_end(learner):
    learner.cells.append(new_markdown_cell("My note"))
    assert learner.reads(*FIRST[:5]) == [*(cell.source for cell in FIRST[:5]), "My note"]


def test_own_cells_before_the_first_one_stay_there(learner):
    learner.cells.insert(0, new_markdown_cell("My note"))
    assert learner.reads(*FIRST)[:2] == ["My note", "# Tiny"]


def test_a_cell_of_the_lesson_that_the_learner_changed_stays_changed(learner):
    learner.writes("print(math.pi)", "print(math.tau)")
    assert learner.reads(*RETOLD)[-1] == "print(math.tau)"


def test_a_cell_that_both_changed_is_the_new_one_and_the_learners_as_text(learner):
    learner.writes("print(math.pi)", "print(math.tau)")
    cells = learner.gets(*FIRST[:5], code("print(math.e)"))
    assert "print(math.e)" in [cell.source for cell in cells]
    assert next(cell for cell in cells if "math.tau" in cell.source).cell_type == "markdown"


def test_a_draft_of_an_exercise_in_a_cell_of_its_own_is_carried(learner):
    draft = "def add(a, b, c=0):\n    return b + a"
    learner.writes(ADD, ADDED)
    learner.cells.insert(2, new_code_cell(draft))
    cells = learner.gets(*RETOLD)
    assert [cell.source for cell in cells[1:4]] == ["import math", draft, ADDED]
    assert ["exercise" in cell.metadata.get("tags", []) for cell in cells[2:4]] == [False, True]


def test_a_draft_of_what_is_called_differently_now_is_set_aside(learner):
    draft = "def add(a, b):\n    return b + a"
    learner.cells.insert(3, new_code_cell(draft))
    cells = learner.gets(*FIRST[:2], stub(ADD.replace("(a, b)", "(a, b, c)")), *FIRST[3:])
    assert draft in cells[3].source and cells[3].cell_type == "markdown"


def test_a_second_copy_of_a_lessons_cell_is_the_learners_own(learner):
    learner.cells.append(new_code_cell("import math"))
    assert learner.reads(*RETOLD).count("import math") == 2


def test_a_cell_that_the_learner_emptied_comes_back(learner):
    learner.writes("Now twice.", "")
    assert learner.reads(*RETOLD) == [cell.source for cell in RETOLD]


def test_where_cells_have_lost_their_ids_the_text_tells_the_place(learner):
    learner.cells.insert(2, new_markdown_cell("My note"))
    for cell in learner.cells:
        del cell["id"]
    sources = learner.reads(*FIRST[:2], text("New."), *FIRST[2:])
    assert sources[1:4] == ["import math", "My note", "New."]


def test_trailing_spaces_do_not_make_a_cell_the_learners_own(learner):
    learner.cells[0].source, learner.cells[3].source = "# Tiny  ", "Now twice. \n"
    assert learner.reads(*RETOLD) == [cell.source for cell in RETOLD]


def test_where_it_is_unknown_who_changed_a_cell_the_learners_version_is_set_aside(learner):
    del learner.notebook.metadata["course"]
    learner.writes("print(math.pi)", "print(math.tau)")
    *_, theirs, last = learner.gets(*RETOLD)
    assert theirs.source == "print(math.pi)" and "math.tau" in last.source and last.cell_type == "markdown"


def test_the_state_of_the_old_widgets_is_left_behind(learner):
    learner.notebook.metadata.update(widgets={"application/vnd.jupyter.widget-state+json": {}}, mine="kept")
    merged, _ = carry_over(learner.notebook, edition(*RETOLD))
    assert "widgets" not in merged.metadata and merged.metadata.mine == "kept"


def test_text_with_fences_of_its_own_is_fenced_by_longer_ones(learner):
    fenced = ADDED.replace("The sum.", "```\n    1\n    ```")
    learner.writes(ADD, fenced)
    last = learner.reads(*FIRST[:2], *FIRST[3:])[-1]
    assert f"````python\n{fenced}\n````" in last


def test_neither_notebook_is_changed_by_carrying(learner):
    learner.writes(ADD, ADDED)
    new = edition(*RETOLD)
    before = copy.deepcopy((learner.notebook, new))
    carry_over(learner.notebook, new)
    assert (learner.notebook, new) == before


# -- nothing is lost, whatever happens


def _random_edition(rng):
    cells = [text(f"Text {number}.{rng.choice('ab')}") for number in range(6)]
    cells += [code(f"x{number} = {rng.randint(0, 1)}") for number in range(4)]
    cells += [stub(f"@exercise\ndef {name}{rng.choice(['(a)', '(a, b)'])}:\n    ...") for name in "fgh"]
    rng.shuffle(cells)
    return edition(*cells[: rng.randint(8, len(cells))])


def _random_edits(rng, cells):
    """Change, add and remove cells; returns what the learner has written and not removed."""
    written = []
    for number in range(6):
        position = rng.randrange(len(cells))
        source = cells[position].source
        answer = f"return {number}000" + rng.choice(["", " +"])  # some are half-typed
        written.append(source.replace("...", answer) if "..." in source else f"mine{number} = 1")
        if rng.random() < 0.5:
            cells[position].source = written[-1]
        else:
            cells.insert(position, new_code_cell(written[-1]))
        if rng.random() < 0.2:
            del cells[rng.randrange(len(cells))]
    return [source for source in written if any(cell.source == source for cell in cells)]


@pytest.mark.parametrize("seed", range(200))
def test_nothing_that_a_learner_wrote_is_ever_lost(seed):
    rng = random.Random(seed)
    old, new = _random_edition(rng), _random_edition(rng)
    written = _random_edits(rng, old.cells)
    if rng.random() < 0.3:  # saved by Colab
        for cell in old.cells:
            del cell["id"]
    if rng.random() < 0.3:  # opened without `course lab`
        del old.metadata["course"]
    merged, _ = carry_over(old, new)
    nbformat.validate(merged)
    assert all(any(source in cell.source for cell in merged.cells) for source in written)
