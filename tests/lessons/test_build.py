"""`course build`: the same bytes each time, and nothing lost when a lesson breaks."""

import nbformat
import pytest

from course_lib.authoring.build import build
from course_lib.authoring.notebook_rules import faults

pytestmark = pytest.mark.slow

UNSTEADY = """\
# %% [markdown]
# # A lesson that shows what differs from run to run

# %%
import os
import tempfile

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np

# %%
# A picture
figure, axes = plt.subplots()
axes.plot(np.random.default_rng(0).normal(size=50))
plt.show()

# %%
# %config InlineBackend.figure_formats = ["svg"]
plt.plot([1, 2])
plt.show()

# %%
print(object(), os.getcwd(), tempfile.mkdtemp())
print({"a", "b", "c", "d"})
print(os.environ["OMP_NUM_THREADS"])

# %%
# %time sum(range(100))

# %%
ipywidgets.VBox([ipywidgets.IntSlider(3), ipywidgets.HTML("three")])
"""


def test_a_rebuilt_notebook_has_the_same_bytes(small_checkout):
    (small_checkout / "lessons" / "08_unsteady.py").write_text(UNSTEADY, encoding="utf-8")
    notebook = small_checkout / "notebooks" / "08_unsteady.ipynb"
    build(["unsteady"])
    first = notebook.read_bytes()
    notebook.unlink()
    build(["unsteady"])
    assert notebook.read_bytes() == first
    assert b"image/png" in first and b"image/svg+xml" in first and b"widget-view" not in first


def test_a_built_lesson_is_executed_and_keeps_the_rules(small_checkout, capsys):
    assert build([]) == 0
    notebook = nbformat.read(small_checkout / "notebooks" / "07_little.ipynb", as_version=4)
    assert "two and two: 4\n" in str(notebook.cells[4].outputs[0].text)
    assert faults(notebook) == []
    assert "07_little: " in capsys.readouterr().out


def test_a_lesson_that_breaks_leaves_its_old_notebook(small_checkout, capsys):
    add_cell(small_checkout, "broken = 1\nbroken / 0")
    old = small_checkout / "notebooks" / "07_little.ipynb"
    old.parent.mkdir()
    old.write_text("the old one")
    assert build(["little"]) == 1
    said = capsys.readouterr().err
    assert "07_little" in said and "Cell [5] raised ZeroDivisionError" in said
    assert "    broken / 0" in said and "division by zero" in said
    assert old.read_text() == "the old one"


def test_one_broken_lesson_does_not_keep_the_others_from_being_built(small_checkout, capsys):
    (small_checkout / "lessons" / "01_broken.py").write_text("# %% [markdown]\n# # B\n\n# %%\nx\n", encoding="utf-8")
    assert build([]) == 1
    assert [path.name for path in (small_checkout / "notebooks").iterdir()] == ["07_little.ipynb"]


def test_a_failing_command_breaks_the_build(small_checkout, capsys):
    add_cell(small_checkout, "# !exit 3")
    assert build(["little"]) == 1
    assert "CalledProcessError" in capsys.readouterr().err


def test_an_exception_in_a_thread_breaks_the_build(small_checkout, capsys):
    add_cell(small_checkout, "import threading\n\nthreading.Thread(target=lambda: 1 / 0).start()")
    add_cell(small_checkout, "2")
    assert build(["little"]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_kernel_that_dies_breaks_the_build(small_checkout, capsys):
    add_cell(small_checkout, "import os\n\nos._exit(1)")
    assert build(["little"]) == 1
    assert "Cell [5] killed its kernel" in capsys.readouterr().err


def test_the_build_tells_what_the_tests_will_refuse(small_checkout, capsys):
    add_cell(small_checkout, 'assert (1 == 2, "never")')
    assert build(["little"]) == 1
    assert "the tests will refuse this: Cell [5]" in capsys.readouterr().err


def test_a_change_of_prose_needs_no_run(small_checkout, capsys):
    build([])
    lesson, notebook = (
        small_checkout / place for place in ("lessons/07_little.py", "notebooks/07_little.ipynb")
    )
    lesson.write_text(lesson.read_text().replace("Four. That is all.", "Four, as you said."), encoding="utf-8")
    assert build(["little"], keep_outputs=True) == 0
    kept = notebook.read_bytes()
    assert b"Four, as you said." in kept and b"two and two: 4" in kept
    build(["little"])
    assert notebook.read_bytes() == kept


def test_outputs_are_not_kept_under_other_code(small_checkout, capsys):
    build([])
    lesson, notebook = (
        small_checkout / place for place in ("lessons/07_little.py", "notebooks/07_little.ipynb")
    )
    before = notebook.read_bytes()
    lesson.write_text(lesson.read_text().replace("2 + 2", "2 + 3"), encoding="utf-8")
    assert build(["little"], keep_outputs=True) == 1
    assert "Cell [3] has changed, so it must run" in capsys.readouterr().err
    add_cell(small_checkout, "one + more")
    assert build(["little"], keep_outputs=True) == 1
    notebook.unlink()
    assert build(["little"], keep_outputs=True) == 1 and "no outputs to keep" in capsys.readouterr().err
    assert b"two and two: 4" in before


def add_cell(checkout, source):
    lesson = checkout / "lessons" / "07_little.py"
    lesson.write_text(f"{lesson.read_text(encoding='utf-8')}\n# %%\n{source}\n", encoding="utf-8")
