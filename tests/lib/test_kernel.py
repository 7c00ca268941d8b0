"""Exercises where learners meet them: in a real Jupyter kernel, with cells in any order."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel

from course_lib.errors import ExerciseFailed
from course_lib.exercises import collecting, exercise, progress
from course_lib.exercises.stubs import definitions
from tests.lib.conftest import TINY_COURSE

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 300  # for a kernel that hangs, not for a slow machine

CELLS = re.split(r"^# %%.*\n", (TINY_COURSE / "lessons" / "01_tiny.py").read_text(), flags=re.MULTILINE)[2:]
STUBS = {name: cell for cell in CELLS for name in definitions(cell)}

SOFTMAX = """
@exercise
def softmax(logits, *, dim=-1):
    powers = (logits - logits.amax(dim, keepdim=True)).exp()
    return powers / powers.sum(dim, keepdim=True)
"""
WRONG_SOFTMAX = """
@exercise
def softmax(logits, *, dim=-1):
    return torch.nn.functional.softmax(logits, 0)
"""
CROSS_ENTROPY = """
@exercise
def cross_entropy(logits, labels):
    return -softmax(logits)[torch.arange(len(labels)), labels].log().mean()
"""
FLATTEN = """
@exercise
def flatten(nested):
    return [n for item in nested for n in (flatten(item) if isinstance(item, list) else [item])]
"""
RUNNING_MEAN = """
@exercise
class RunningMean:
    def __init__(self):
        self.total, self.count = 0.0, 0

    def update(self, values):
        self.total += values.double().sum().item()
        self.count += values.numel()

    def compute(self):
        return self.total / self.count
"""
COUNT_CORRECT = """
@exercise
def count_correct(predictions, labels):
    return sum(p == l for p, l in zip(predictions, labels))
"""


@dataclass
class Shown:
    """What one cell showed."""

    cards: list[str] = field(default_factory=list)
    html: list[str] = field(default_factory=list)
    streams: dict[str, str] = field(default_factory=lambda: {"stdout": "", "stderr": ""})
    error: str = ""
    traceback: list[str] = field(default_factory=list)

    @property
    def printed(self) -> str:
        return self.streams["stdout"].strip()

    def note(self, message):
        content = message["content"]
        match message["msg_type"]:
            case "display_data":
                self.cards.append(content["data"]["text/plain"])
                self.html.append(content["data"]["text/html"])
            case "stream":
                self.streams[content["name"]] += content["text"]
            case "error":
                self.error, self.traceback = content["ename"], content["traceback"]


class Notebook:
    """A notebook's kernel, in which cells are run one after the other."""

    def __init__(self, state: Path):
        environment = {
            **os.environ,
            "COURSE_CHECKOUT": str(TINY_COURSE),
            "COURSE_STATE": str(state),
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
        }
        self.state = state
        self.manager, self.client = start_new_kernel(kernel_name="python3", env=environment, cwd=str(state.parent))

    def run(self, cell: str) -> Shown:
        shown = Shown()
        self.client.execute_interactive(cell, output_hook=shown.note, timeout=SECONDS, allow_stdin=False)
        return shown

    def run_all(self, cells) -> list[Shown]:
        """As "Run all" does: stop at the first error."""
        shown = []
        for cell in cells:
            shown.append(self.run(cell))
            if shown[-1].error:
                break
        return shown

    def value(self, expression: str) -> str:
        return self.run(f"print({expression})").printed

    def start_afresh(self):
        self.run("%reset -f\n" + CELLS[0])

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    notebook = Notebook(tmp_path_factory.mktemp("learner") / "state")
    yield notebook
    notebook.close()


@pytest.fixture
def notebook(kernel):
    """The kernel with nothing in it but the lesson's first cell, and no progress."""
    (kernel.state / "progress.json").unlink(missing_ok=True)
    kernel.start_afresh()
    return kernel


def test_with_all_exercises_unwritten_the_lesson_runs_to_its_end(notebook):
    shown = notebook.run_all(CELLS)
    assert [each.error for each in shown] == [""] * len(CELLS)
    cards = [card for each in shown for card in each.cards]
    assert len(cards) == 8 and all("The reference stands in" in card for card in cards)
    assert shown[-1].printed == "the end is reached: [0.5, 0.5]"
    assert not (notebook.state / "progress.json").exists()


def test_a_right_answer_gets_a_green_card_and_keeps_its_name(notebook):
    shown = notebook.run(SOFTMAX)
    assert shown.cards[0].startswith("✓ softmax is right: 4 of 4 checks in ") and shown.error == ""
    assert 'role="status"' in shown.html[0] and "Large numbers do not overflow" in shown.html[0]
    assert notebook.value("softmax.__module__") == "__main__"


def test_a_wrong_answer_gets_a_red_card_and_one_clean_line_and_keeps_its_name(notebook):
    shown = notebook.run(WRONG_SOFTMAX)
    assert shown.cards[0].startswith("✗ softmax is not right yet: 3 of 4") and 'role="alert"' in shown.html[0]
    assert shown.error == "ExerciseFailed"
    assert shown.traceback == [
        "ExerciseFailed: softmax is not right yet: 3 of 4 checks not passed. The card above says why."
    ]
    assert notebook.value("softmax(torch.zeros(4, 2))[0, 0].item()") == "0.25"


def test_run_all_stops_at_a_wrong_answer_and_borrowing_leads_on(notebook):
    cells = [CELLS[0], WRONG_SOFTMAX, CROSS_ENTROPY, "print(softmax.__module__)"]
    assert [each.error for each in notebook.run_all(cells)] == ["", "ExerciseFailed"]
    notebook.run('borrow("softmax")')
    assert [each.error for each in notebook.run_all(cells[2:])] == ["", ""]
    assert notebook.value("softmax(torch.zeros(2, 4))[0, 0].item()") == "0.25"


def test_borrowing_what_does_not_exist_is_told_in_one_line(notebook):
    shown = notebook.run('borrow("sofmax")')
    assert shown.error == "CourseError" and len(shown.traceback) == 1 and "'sofmax'" in shown.traceback[0]


def test_the_same_cell_twice_in_a_row_gives_the_same_card(notebook):
    for cell in (WRONG_SOFTMAX, STUBS["softmax"], CROSS_ENTROPY, RUNNING_MEAN):
        first, again = (re.sub(r"\d\.\d+ s", "", "".join(notebook.run(cell).cards)) for _ in range(2))
        assert first == again != ""


def test_an_answer_is_checked_with_the_siblings_unwritten_wrong_or_not_there_at_all(notebook):
    for before in ("", STUBS["softmax"], WRONG_SOFTMAX, "softmax = 'a name of mine'"):
        notebook.run(before)
        own = notebook.value("softmax") if before else ""
        assert notebook.run(CROSS_ENTROPY).cards[0].startswith("✓")
        assert not before or notebook.value("softmax") == own
    notebook.start_afresh()
    notebook.run(CROSS_ENTROPY)
    assert notebook.value("'softmax' in globals()") == "False"


def test_cells_in_any_order_and_two_answers_in_one_cell(notebook):
    assert [card[0] for card in notebook.run(RUNNING_MEAN + FLATTEN).cards] == ["✓", "✓"]
    assert [card[0] for card in notebook.run(CROSS_ENTROPY + SOFTMAX).cards] == ["✓", "✓"]


def test_going_back_to_the_stub_brings_the_reference_back(notebook):
    notebook.run(SOFTMAX)
    assert notebook.run(STUBS["softmax"]).cards[0].startswith("○")
    assert notebook.value("softmax.__module__") == "course_solutions_tiny"


def test_a_recursive_answer_works_from_its_first_run_on(notebook):
    assert notebook.run(FLATTEN).cards[0].startswith("✓")
    endless = notebook.run("@exercise\ndef flatten(nested):\n    return flatten(nested)")
    assert "RecursionError" in endless.cards[0] and len(endless.traceback) == 1


def test_a_half_written_class_falls_back_whole_and_names_what_is_missing(notebook):
    half = RUNNING_MEAN.replace("return self.total / self.count", "...  # your code here")
    shown = notebook.run(half)
    assert shown.cards[0].startswith("○ RunningMean is still unwritten (compute).") and shown.error == ""
    notebook.run("mean = RunningMean()\nmean.update(torch.tensor([1.0, 3.0]))")
    assert notebook.value("mean.compute()") == "2.0"


def test_a_class_is_right_or_wrong(notebook):
    assert notebook.run(RUNNING_MEAN).cards[0].startswith("✓")
    wrong = notebook.run(RUNNING_MEAN.replace("sum()", "mean()").replace("values.numel()", "1"))
    assert "a short last batch weighs too much" in wrong.cards[0]


def test_the_broken_code_of_a_bug_hunt_is_unwritten_until_it_is_touched(notebook):
    assert notebook.run(STUBS["count_correct"]).cards[0].startswith("○")
    assert notebook.run("\n# let me see\n" + STUBS["count_correct"]).cards[0].startswith("○")
    half = STUBS["count_correct"].replace("prediction != label", "prediction == label")
    assert "You begin at one." in notebook.run(half).cards[0]
    assert notebook.run(COUNT_CORRECT).cards[0].startswith("✓")


def test_an_exception_shows_the_learners_own_line(notebook):
    shown = notebook.run("# a comment first\n@exercise\ndef softmax(logits, *, dim=-1):\n    return logits / oops")
    assert "raised NameError: name 'oops' is not defined (line 4: return logits / oops)" in " ".join(
        shown.cards[0].split()
    )


def test_prints_go_into_the_card_and_not_onto_the_page(notebook):
    shown = notebook.run("@exercise\ndef softmax(logits, *, dim=-1):\n    print('here', dim)\n    return logits")
    assert shown.printed == "" and "printed: here -1" in shown.cards[0]


def test_the_learners_random_numbers_are_not_disturbed(notebook):
    notebook.run(
        "import random\nimport numpy as np\n\ndef three():\n    return random.random(), np.random.rand(), torch.rand(1)"
    )
    seed = "random.seed(1); np.random.seed(1); torch.manual_seed(1);"
    wanted = notebook.run(f"{seed}\nprint(three())").printed
    notebook.run(seed)
    notebook.run(CROSS_ENTROPY)
    assert notebook.value("three()") == wanted


def test_an_endless_loop_ends_and_the_kernel_goes_on(notebook):
    notebook.run("from course_lib.exercises import kernel\nkernel.verdict_on.__kwdefaults__['seconds'] = 0.2")
    body = "while True:\n        try:\n            print('on')\n        except:\n            pass"
    loop = f"@exercise\ndef flatten(nested):\n    {body}"
    shown = notebook.run(loop)
    assert "did not end within 0.2 seconds" in shown.cards[0] and shown.error == "ExerciseFailed"
    assert notebook.run(FLATTEN).cards[0].startswith("✓")


IN_A_THREAD = """
import threading

def work():
    try:
        exec(compile(ANSWER, "<thread>", "exec"), globals())
    except Exception as error:
        print(type(error).__name__)

thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


def test_answers_are_checked_off_the_main_thread_too(notebook):
    notebook.run("from course_lib.exercises import kernel\nkernel.verdict_on.__kwdefaults__['seconds'] = 0.2")
    notebook.run(f"ANSWER = {FLATTEN!r}{IN_A_THREAD}")
    assert notebook.value("flatten([1, [2, [3]]])") == "[1, 2, 3]"
    loop = "@exercise\ndef flatten(nested):\n    while True:\n        pass\n"
    shown = notebook.run(f"ANSWER = {loop!r}{IN_A_THREAD}")
    assert shown.printed.endswith("ExerciseFailed")
    assert notebook.run(FLATTEN).cards[0].startswith("✓")


def test_the_library_in_place_of_ones_own_work_gets_an_amber_card(notebook):
    shown = notebook.run("@exercise\ndef softmax(logits, *, dim=-1):\n    return logits.softmax(dim)")
    assert shown.cards[0].startswith("! softmax is right, but it calls torch.") and shown.error == ""
    assert "course-card-shortcut" in shown.html[0]


def test_an_exercise_under_another_name_is_told_in_one_line(notebook):
    shown = notebook.run(SOFTMAX.replace("softmax", "my_softmax"))
    assert shown.error == "CourseError" and "keeps the name that its cell came with" in "".join(shown.traceback)


def test_progress_is_kept_and_a_wrong_answer_later_does_not_undo_it(notebook):
    notebook.run(SOFTMAX)
    notebook.run(WRONG_SOFTMAX)
    notebook.run(FLATTEN)
    printed = notebook.run("from course_lib.exercises import progress\nprint(progress.progress_text())").printed
    assert printed.startswith("01_tiny  2 of 8 solved\n    ✓ softmax\n    ○ cross_entropy") and "✓ flatten" in printed


def test_a_damaged_progress_file_is_told_and_stops_nobody(notebook):
    notebook.state.mkdir(exist_ok=True)
    (notebook.state / "progress.json").write_text("{")
    shown = notebook.run(SOFTMAX)
    assert shown.cards[0].startswith("✓") and shown.error == ""
    assert "Your progress could not be noted." in shown.streams["stderr"] and "Rename it" in shown.streams["stderr"]
    assert notebook.value("softmax.__module__") == "__main__"
    assert (notebook.state / "progress.json").read_text() == "{"


def test_after_restart_and_run_all_everything_is_as_before(notebook):
    cells = [CELLS[0], CROSS_ENTROPY, STUBS["accuracy"], SOFTMAX, FLATTEN, CELLS[-1]]
    before = [re.sub(r"\d\.\d+ s", "", str(each.cards)) for each in notebook.run_all(cells)]
    notebook.manager.restart_kernel(now=True)
    notebook.client.wait_for_ready(timeout=SECONDS)
    after = notebook.run_all(cells)
    assert [re.sub(r"\d\.\d+ s", "", str(each.cards)) for each in after] == before
    assert after[-1].printed == "the end is reached: [0.5, 0.5]"


# Without a notebook.


def test_outside_a_notebook_the_card_is_printed(tiny_course, capsys):
    @exercise
    def accuracy(predictions, labels):
        return (predictions == labels).double().mean().item()

    assert capsys.readouterr().out.startswith("✓ accuracy is right: 2 of 2 checks in ")
    assert accuracy.__module__ == __name__


def test_while_answers_are_collected_nothing_is_checked_or_shown(tiny_course, capsys):
    with collecting() as answers:

        @exercise
        def accuracy(predictions, labels):
            return "wrong"

    assert answers["accuracy"].implementation is accuracy and accuracy(1, 2) == "wrong"
    assert capsys.readouterr().out == "" and progress.load() == {}
    with pytest.raises(ExerciseFailed, match="The card above says why"):
        exercise(accuracy)
