"""The set-up cell on Colab and Kaggle: what is missing comes, what is there stays, and a second run does nothing."""

import os
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from course_lib import hosted, paths
from course_lib.errors import CourseError

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = """\
[project]
dependencies = ["here>=1", "absent-thing>=2,<3"]
optional-dependencies = { speech = ["voices>=0.2"], deploy = ["server>=1"] }
[tool.course.extras]
speech = ["sound"]
deploy = ["deployment"]
"""


@pytest.fixture
def little(tmp_path, monkeypatch):
    """A checkout with settings of its own, and a machine on which only `here` is installed."""
    (tmp_path / "pyproject.toml").write_text(SETTINGS, encoding="utf-8")
    monkeypatch.setenv("COURSE_CHECKOUT", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.setattr(hosted, "_is_installed", lambda name: name in ("here", "seeing-and-hearing"))
    return tmp_path


@pytest.fixture
def asked(monkeypatch):
    """What pip was asked for, with the constraints that it was given."""
    found = []

    def run(command, **options):
        found.append([each for each in command[6:] if not each.endswith("installed.txt")])
        if "--constraint" in command:
            found.append(Path(command[command.index("--constraint") + 1]).read_text(encoding="utf-8").splitlines())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    return found


def test_a_lesson_asks_for_what_it_needs_and_is_not_there(little):
    assert hosted.missing_packages("backprop") == ["absent-thing>=2,<3"]
    assert hosted.missing_packages("sound") == ["absent-thing>=2,<3", "voices>=0.2"]


def test_everything_that_is_installed_is_held_at_its_version(little, asked):
    hosted.set_up("deployment")
    command, constraints = asked
    assert command == ["--constraint", "absent-thing>=2,<3", "server>=1"]
    assert {f"{name}=={hosted.metadata.version(name)}" for name in ("torch", "numpy", "ipywidgets")} <= set(constraints)


def test_where_nothing_is_missing_nothing_runs(little, asked, monkeypatch):
    monkeypatch.setattr(hosted, "_is_installed", lambda name: True)
    hosted.set_up("deployment")
    hosted.set_up("deployment")
    assert asked == []


def test_the_course_command_comes_without_its_dependencies(little, asked, monkeypatch):
    monkeypatch.setattr(hosted, "_is_installed", lambda name: name != "seeing-and-hearing")
    hosted.set_up("sound")
    assert asked == [["--no-deps", "--editable", str(little)]]


def test_processes_that_the_course_starts_find_the_course(little, asked):
    hosted.set_up("sound")
    assert os.environ["PYTHONPATH"] == str(little)


def test_a_failing_pip_is_told_with_the_way_out(little, monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "", "ERROR: No matching distribution found for voices")
    monkeypatch.setattr(subprocess, "run", lambda command, **options: failed)
    with pytest.raises(CourseError, match=r"Internet(.|\n)*No matching distribution found for voices"):
        hosted.set_up("sound")


def test_colab_shows_the_widgets_and_drive_keeps_the_progress(little, asked, monkeypatch, tmp_path, capsys):
    calls = on_colab(monkeypatch, tmp_path)
    hosted.set_up("sound")
    assert calls == ["widgets"] and paths.state_dir() == tmp_path / ".course"
    hosted.set_up("sound", use_drive=True)
    hosted.set_up("sound", use_drive=True)
    assert calls[1:] == ["widgets", "mounted", "widgets", "mounted"]
    assert paths.state_dir() == tmp_path / "drive" / "MyDrive" / tmp_path.name
    assert "on your Drive" in capsys.readouterr().out


def test_a_runtime_that_is_cut_off_goes_on_from_drive(little, asked, monkeypatch, tmp_path):
    from course_lib.exercises import progress
    from course_lib.exercises.verdict import Verdict

    on_colab(monkeypatch, tmp_path)
    hosted.set_up("sound", use_drive=True)
    progress.record("sound", Verdict(exercise="frame", state="right"))
    paths.write_atomically(paths.state_dir() / "run.safetensors", b"step 7")
    monkeypatch.setenv("COURSE_STATE", str(tmp_path / "content"))  # a new runtime knows nothing
    assert progress.load() == {}
    hosted.set_up("sound", use_drive=True)
    assert progress.load()["sound"]["frame"]["state"] == "right"
    assert (paths.state_dir() / "run.safetensors").read_bytes() == b"step 7"


def on_colab(monkeypatch, folder):
    calls = []
    colab = ModuleType("google.colab")
    colab.output = SimpleNamespace(enable_custom_widget_manager=lambda: calls.append("widgets"))
    colab.drive = SimpleNamespace(mount=lambda place: calls.append("mounted"))
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    monkeypatch.setattr(hosted, "DRIVE", folder / "drive")
    monkeypatch.setenv("COURSE_STATE", str(folder / ".course"))
    return calls


def test_the_extras_of_lessons_exist():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = settings["tool"]["course"]["extras"]
    assert set(extras) <= set(settings["project"]["optional-dependencies"])
    later = {"compression", "deployment"}
    assert {name for names in extras.values() for name in names} <= {each.name for each in paths.lessons()} | later


@pytest.mark.slow
def test_a_real_pip_adds_what_is_missing_and_refuses_what_would_replace_torch(tmp_path):
    """A small environment with a torch of its own, and packages from a folder: no network."""
    venv.create(tmp_path / "env", with_pip=True)
    python = next(each for name in ("bin/python", "Scripts/python.exe") if (each := tmp_path / "env" / name).exists())
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for name, version, needs in [
        ("torch", "2.11.0+cu128", ""),
        ("torch", "2.15.0", ""),
        ("voices", "0.2", "torch"),
        ("greedy", "1.0", "torch>=2.12"),
    ]:
        make_wheel(wheels, name, version, needs)
    environment = os.environ | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PYTHONPATH": str(ROOT)}
    environment["COURSE_CHECKOUT"] = str(tmp_path)
    made = [python, "-m", "pip", "install", "--quiet", "--no-deps", "torch==2.11.0+cu128"]
    subprocess.run(made, env=environment, check=True, timeout=300, capture_output=True)
    script = "from course_lib import hosted\nhosted._install(['{}'])\nprint(hosted.metadata.version('torch'))"
    done = subprocess.run(
        [python, "-c", script.format("voices>=0.2")], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.stdout.strip() == "2.11.0+cu128", done.stderr
    done = subprocess.run(
        [python, "-c", script.format("greedy")], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 1 and "could not install greedy" in done.stderr


def make_wheel(folder, name, version, needs):
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{info}/METADATA", metadata + (f"Requires-Dist: {needs}\n" if needs else ""))
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
