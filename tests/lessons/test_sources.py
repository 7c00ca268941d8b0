"""From a lesson's text to a notebook that is not yet executed."""

import subprocess
import sys
from types import ModuleType

import pytest

from course_lib import hosted
from course_lib.authoring import sources
from course_lib.errors import CourseError


def notebook(text):
    return sources.notebook_from_source(text, name="little", source="lessons/07_little.py")


def test_the_first_cell_says_where_the_notebook_comes_from(small_checkout):
    first = notebook("# %% [markdown]\n# # Title\n\n# %%\n1 + 1\n").cells[0]
    assert first.source.startswith("# Title\n\n")
    assert "lessons/07_little.py" in first.source and "course build" in first.source


def test_the_first_code_cell_is_the_setup_cell(small_checkout):
    setup = notebook("# %% [markdown]\n# # Title\n\n# %%\n1 + 1\n").cells[1]
    assert setup.metadata.tags == ["setup"]
    assert "google.colab" in setup.source


def test_what_was_written_comes_back_from_the_notebook(small_checkout):
    text = (small_checkout / "lessons" / "07_little.py").read_text(encoding="utf-8")
    written = [(cell.cell_type, cell.source) for cell in sources.written_cells(notebook(text))]
    assert written == [(cell.cell_type, cell.source) for cell in sources.cells_of(text)]


def test_a_cell_keeps_its_id_while_its_neighbors_change(small_checkout):
    before = notebook("# %% [markdown]\n# # Title\n\n# %%\nleft\n\n# %%\nright\n")
    after = notebook("# %% [markdown]\n# # Another\n\n# %%\nnew\n\n# %%\nleft\n\n# %%\nright\n")
    assert [cell.id for cell in before.cells[2:]] == [cell.id for cell in after.cells[3:]]


def test_cells_of_the_same_content_have_different_ids(small_checkout):
    same = notebook("# %% [markdown]\n# # Title\n\n# %%\ntwin\n\n# %%\ntwin\n")
    assert len({cell.id for cell in same.cells}) == len(same.cells)


def test_the_first_cell_opens_on_colab_kaggle_and_binder_from_the_one_setting(small_checkout):
    first = notebook("# %% [markdown]\n# # Title\n").cells[0].source
    where = "OWNER/seeing-and-hearing/blob/main/notebooks/07_little.ipynb"
    assert f"(https://colab.research.google.com/github/{where})" in first
    assert f"(https://kaggle.com/kernels/welcome?src=https://github.com/{where})" in first
    binder = "https://mybinder.org/v2/gh/OWNER/seeing-and-hearing/main?urlpath=lab/tree/notebooks/07_little.ipynb"
    assert f"({binder})" in first


def test_a_course_that_is_not_on_github_has_no_badges(small_checkout):
    publish(small_checkout, "https://example.org/else/where")
    first = notebook("# %% [markdown]\n# # Title\n").cells[0].source
    assert "Open in" not in first and "course build" in first


def test_the_hash_follows_the_text_and_the_setup_cell(small_checkout):
    text = "# %% [markdown]\n# # Title\n"
    before = sources.source_hash(text, "little")
    assert sources.source_hash(text + "\n", "little") != before
    publish(small_checkout, "https://example.org/else/where")
    assert sources.source_hash(text, "little") != before


def publish(checkout, address):
    (checkout / "pyproject.toml").write_text(f'[tool.course]\nrepository = "{address}"\n', encoding="utf-8")


def test_a_lesson_must_begin_with_its_page(small_checkout):
    with pytest.raises(CourseError, match="must begin with a Markdown cell"):
        notebook("# %%\n1 + 1\n")


def test_outside_colab_and_kaggle_the_setup_cell_does_nothing(small_checkout, monkeypatch):
    monkeypatch.delenv("KAGGLE_KERNEL_RUN_TYPE", raising=False)
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **options: pytest.fail("ran a command"))
    monkeypatch.setattr(hosted, "set_up", lambda *arguments, **options: pytest.fail("set something up"))
    path = list(sys.path)
    for _ in range(2):
        exec(sources.setup_source("little"), {})
    assert sys.path == path


@pytest.mark.parametrize(("host", "folder"), [("colab", "/content"), ("kaggle", "/kaggle/working")])
def test_a_hosted_setup_cell_fetches_the_course_and_says_which_lesson(host, folder, small_checkout, monkeypatch):
    commands, lessons = run_hosted(monkeypatch, host=host, already_cloned=False, times=1)
    (clone,) = commands
    assert clone[:2] == ["git", "clone"] and clone[-1] == f"{folder}/seeing-and-hearing"
    assert sys.path[0] == clone[-1] and lessons == ["little"]


def test_a_second_run_of_the_setup_cell_clones_nothing(small_checkout, monkeypatch):
    commands, lessons = run_hosted(monkeypatch, host="colab", already_cloned=True, times=2)
    assert commands == [] and lessons == ["little", "little"]
    assert sys.path.count("/content/seeing-and-hearing") == 1


def run_hosted(monkeypatch, *, host, already_cloned, times):
    commands, lessons = [], []
    if host == "colab":
        monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    else:
        monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr("os.path.exists", lambda path: already_cloned)
    monkeypatch.setattr(subprocess, "run", lambda command, check: commands.append(command))
    monkeypatch.setattr(hosted, "set_up", lambda lesson, use_drive: lessons.append(lesson))
    for _ in range(times):
        exec(sources.setup_source("little"), {})
    return commands, lessons
