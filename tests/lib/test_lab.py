"""`course lab` opens JupyterLab on the workbook, with the learner's options."""

import json
import os
import subprocess
import sys
import urllib.request

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from course_lib import workbook


def publish(folder, edition):
    metadata = {"course": {"lesson": "tiny", "hash": edition}}
    notebook = new_notebook(cells=[new_code_cell("1")], metadata=metadata)
    nbformat.write(notebook, folder / "notebooks" / "01_tiny.ipynb")


@pytest.fixture
def course(tmp_path, monkeypatch):
    """The folder of a course with one lesson."""
    for variable, name in {"CHECKOUT": "", "WORKBOOK": "workbook", "STATE": "state"}.items():
        monkeypatch.setenv(f"COURSE_{variable}", str(tmp_path / name))
    (tmp_path / "lessons").mkdir()
    (tmp_path / "lessons" / "01_tiny.py").touch()
    (tmp_path / "notebooks").mkdir()
    publish(tmp_path, "first")
    return tmp_path


@pytest.fixture
def jupyter(monkeypatch):
    """Stands in for JupyterLab: a list of the options that it was started with."""
    started = []
    monkeypatch.setattr("jupyterlab.labapp.main", started.extend)
    monkeypatch.setattr(workbook, "_tell_the_address", lambda: None)
    for variable in ("PATH", "JUPYTER_CONFIG_PATH"):  # so that they are put back
        monkeypatch.setenv(variable, os.environ.get(variable, ""))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return started


def test_lab_hands_the_learners_options_on(course, jupyter):
    assert workbook.lab(["--no-browser", "--port", "8899"]) == 0
    assert jupyter[-3:] == ["--no-browser", "--port", "8899"]
    assert f"--ServerApp.root_dir={course / 'workbook'}" in jupyter
    assert (course / "workbook" / "01_tiny.ipynb").exists()


def test_the_environments_own_commands_are_found_in_jupyterlab(course, jupyter):
    workbook.lab([])
    assert os.environ["PATH"].split(os.pathsep)[0] == os.path.dirname(sys.executable)


def test_each_kernel_gets_one_thread_unless_the_learner_says_otherwise(course, jupyter, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS")
    workbook.lab([])
    assert os.environ["OMP_NUM_THREADS"] == "1"
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    workbook.lab([])
    assert os.environ["OMP_NUM_THREADS"] == "3"


def test_lab_tells_of_newer_editions_and_changes_nothing(course, jupyter, capsys):
    workbook.lab([])
    copy = course / "workbook" / "01_tiny.ipynb"
    before = copy.read_bytes()
    publish(course, "second")
    workbook.lab([])
    assert "course update" in capsys.readouterr().out
    assert copy.read_bytes() == before


@pytest.mark.slow
def test_lab_prints_an_address_that_answers_and_asks_nobody_about_news(course):
    command = [sys.executable, "-m", "course_lib.cli", "lab", "--no-browser", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            address = next(line.split()[-1] for line in server.stdout if line.startswith("Open the course at"))
            settings = address.replace("lab?", "lab/api/settings/@jupyterlab/apputils-extension:notification?")
            with urllib.request.urlopen(address) as page:
                assert "JupyterLab" in page.read().decode()
            with urllib.request.urlopen(settings) as answer:
                assert json.load(answer)["schema"]["properties"]["fetchNews"]["default"] == "false"
        finally:
            server.terminate()


def test_the_workbook_does_not_wait_for_torch():
    script = "import sys, course_lib.workbook; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], timeout=300).returncode == 0
