"""From a lesson's text to a notebook that is not yet executed."""

import subprocess
import sys
from types import ModuleType, SimpleNamespace

import pytest

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


def test_the_hash_follows_the_text_and_the_setup_cell(small_checkout):
    text = "# %% [markdown]\n# # Title\n"
    before = sources.source_hash(text)
    assert sources.source_hash(text + "\n") != before
    settings = small_checkout / "pyproject.toml"
    settings.write_text('[tool.course]\nrepository = "https://example.org/else/where"\n', encoding="utf-8")
    assert sources.source_hash(text) != before


def test_a_lesson_must_begin_with_its_page(small_checkout):
    with pytest.raises(CourseError, match="must begin with a Markdown cell"):
        notebook("# %%\n1 + 1\n")


def test_outside_colab_the_setup_cell_does_nothing(small_checkout, monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **options: pytest.fail("ran a command"))
    exec(sources.setup_source(), {})


def test_on_colab_the_setup_cell_installs_the_course_and_leaves_torch_alone(small_checkout, monkeypatch):
    commands = run_on_colab(monkeypatch, already_cloned=False, times=1)
    assert [command[:2] for command in commands] == [["git", "clone"], [sys.executable, "-m"]]
    assert "--no-deps" in commands[1] and "--editable" in commands[1]
    assert not any("torch" in word for command in commands for word in command)


def test_on_colab_a_second_run_of_the_setup_cell_is_harmless(small_checkout, monkeypatch):
    commands = run_on_colab(monkeypatch, already_cloned=True, times=2)
    assert not any("clone" in command for command in commands)
    assert sys.path.count("/content/seeing-and-hearing") == 1


def run_on_colab(monkeypatch, *, already_cloned, times):
    commands = []
    colab = ModuleType("google.colab")
    colab.output = SimpleNamespace(enable_custom_widget_manager=lambda: None)
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr("os.path.exists", lambda path: already_cloned)
    monkeypatch.setattr(subprocess, "run", lambda command, check: commands.append(command))
    for _ in range(times):
        exec(sources.setup_source(), {})
    return commands
