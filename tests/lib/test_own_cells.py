"""What a learner added to a lesson or changed in it finds its place in a newer edition."""

import copy
import random

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from course_lib.editions import carry_over
from tests.lib.editions import ADD, ADDED, DOUBLE, FIRST, RETOLD, Learner, code, edition, stub, text


@pytest.fixture
def learner():
    return Learner(FIRST)


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


def test_a_picture_pasted_into_the_lessons_text_is_carried(learner):
    picture = {"pasted.png": {"image/png": "aGk="}}
    learner.cells[3].update(source="Now twice. ![](attachment:pasted.png)", attachments=picture)
    assert learner.gets(*RETOLD)[3].attachments == picture


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
