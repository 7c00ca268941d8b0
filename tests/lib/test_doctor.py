"""`course doctor` finds what is wrong, says the fix, and gives nothing private away."""

import shutil
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from course_lib import doctor
from course_lib.doctor import Finding


def findings(look):
    return list(doctor._safely(look))


def wrong(look):
    return [finding for finding in findings(look) if finding.fix and not finding.is_note]


@pytest.fixture
def well(monkeypatch, tmp_path):
    """A checkout with one lesson and its notebook, so that this test does not depend on how far the course has come."""
    for name in ("lessons/01_first.py", "notebooks/01_first.ipynb"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    for name in ("STATE", "WORKBOOK", "DATA"):
        monkeypatch.setenv(f"COURSE_{name}", str(tmp_path / name.lower()))
    monkeypatch.setenv("COURSE_CHECKOUT", str(tmp_path))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=8e9, available=4e9))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=50e9))
    return tmp_path


def test_a_machine_that_is_well_gets_0_and_every_topic(well, capsys):
    assert doctor.doctor() == 0
    report = capsys.readouterr().out
    topics = [
        "Python",
        "torch",
        "Device",
        "Threads",
        "Memory",
        "Disk",
        "jupyterlab",
        "Lessons",
        "Workbook",
        "Data",
        "Tools",
    ]
    assert [topic for topic in topics if f" {topic} " not in report] == []
    assert "All is well." in report and torch.__version__ in report


def test_what_is_wrong_gets_1_and_its_fix(well, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=2e8))
    assert doctor.doctor() == 1
    assert "WRONG Disk           0.2 GB free\n                     Fix: free some space" in capsys.readouterr().out


def test_a_note_is_no_fault(well, monkeypatch, capsys):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=8e9, available=1e9))
    assert doctor.doctor() == 0
    assert "note  Memory" in capsys.readouterr().out


def test_the_home_folder_is_shown_as_a_tilde(well, monkeypatch, capsys):
    monkeypatch.setattr(Path, "home", lambda: well)
    doctor.doctor()
    report = capsys.readouterr().out
    assert str(well) not in report and "~" in report


def test_only_the_home_folder_itself_is_shortened(monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: Path("/home/ann"))
    assert doctor.without_home("/home/ann/course and /home/anna") == "~/course and /home/anna"
    monkeypatch.setattr(Path, "home", lambda: Path("/"))
    assert doctor.without_home("/opt/course") == "/opt/course"


def test_an_old_python_is_wrong(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 0))
    assert [finding.topic for finding in wrong(doctor.look_at_python)] == ["Python"]


VERSIONS = [("2.9.1", False), ("2.10.0", True), ("2.15.2+cpu", True), ("2.16.0", False)]


@pytest.mark.parametrize(("version", "is_fine"), VERSIONS)
def test_a_torch_outside_the_supported_range_is_wrong(monkeypatch, version, is_fine):
    monkeypatch.setattr(torch, "__version__", version)
    assert (wrong(doctor.look_at_torch) == []) is is_fine


def test_no_torch_is_one_fault_and_the_rest_is_still_looked_at(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert [finding.topic for finding in wrong(doctor.look_at_torch)] == ["torch"]


@pytest.mark.parametrize("error", [RuntimeError("operator torchvision::nms does not exist"), OSError("libcudart.so")])
def test_a_torchvision_from_another_index_is_told_with_its_own_words(monkeypatch, error):
    importing = doctor.importlib.import_module

    def broken(name):
        if name == "torchvision":
            raise error
        return importing(name)

    monkeypatch.setattr(doctor.importlib, "import_module", broken)
    (finding,) = wrong(doctor.look_at_torch)
    assert str(error) in finding.text and "from one index" in finding.fix


def test_a_missing_torchaudio_is_only_a_note(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchaudio", None)
    noted = [finding.topic for finding in findings(doctor.look_at_torch) if finding.is_note and finding.fix]
    assert noted == ["torchaudio"] and wrong(doctor.look_at_torch) == []


def test_more_threads_than_cores_are_wrong(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4096)
    assert [finding.topic for finding in wrong(doctor.look_at_device)] == ["Threads"]


def test_a_device_that_cannot_compute_is_wrong(monkeypatch):
    def ones(*shape, device):
        raise RuntimeError("no kernel image\nand many more lines")

    monkeypatch.setattr(torch, "ones", ones)
    (finding,) = wrong(doctor.look_at_device)
    assert "no kernel image" in finding.text and "driver" in finding.fix


def test_jupyterlab_is_needed_here_but_not_on_colab(monkeypatch):
    def version(package):
        raise PackageNotFoundError(package)

    monkeypatch.setattr(doctor, "version", version)
    assert [finding.topic for finding in wrong(doctor.look_at_jupyter)] == ["jupyterlab", "ipywidgets", "ipykernel"]
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release")
    assert [finding.topic for finding in wrong(doctor.look_at_jupyter)] == ["ipywidgets", "ipykernel"]


def test_a_lesson_without_its_notebook_is_wrong(well):
    (well / "notebooks" / "01_first.ipynb").unlink()
    (finding,) = wrong(doctor.look_at_lessons)
    assert "01_first.ipynb" in finding.text and "course build first" in finding.fix


def test_a_checkout_without_lessons_is_wrong(well):
    (well / "lessons" / "01_first.py").unlink()
    assert [finding.topic for finding in wrong(doctor.look_at_lessons)] == ["Lessons"]


def test_a_folder_that_cannot_be_written_to_is_wrong(well, monkeypatch):
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: False)
    assert [finding.topic for finding in wrong(doctor.look_at_lessons)] == ["Workbook", "Progress"]


def test_a_broken_progress_file_is_wrong_with_its_own_fix(well):
    (well / "state").mkdir()
    (well / "state" / "progress.json").write_text("{")
    (finding,) = wrong(doctor.look_at_progress)
    assert "start afresh" in finding.fix


def test_data_is_listed(well):
    (well / "data" / "cifar10").mkdir(parents=True)
    assert "cifar10" in findings(doctor.look_at_data)[0].text


def test_a_look_that_breaks_hides_nothing_else(well, monkeypatch, capsys):
    def look_at_stars():
        yield Finding("Moon", "full")
        raise ZeroDivisionError("no stars")

    monkeypatch.setattr(doctor, "LOOKS", [look_at_stars, doctor.look_at_space])
    assert doctor.doctor() == 1
    report = capsys.readouterr().out
    assert "Moon" in report and "ZeroDivisionError: no stars" in report and "Memory" in report
