"""`course preflight`: green where a class can be held, red where not, and the page says the same as the terminal."""

import socket

import nbformat
import pytest

from course_lib import preflight
from course_lib.doctor import Finding
from course_lib.errors import CourseError

WELL = Finding("Disk", "90 GB free")
NOTE = Finding("Port", "8888 is taken", "take another", is_note=True)
WRONG = Finding("Voices", "<none> speaks", "pip install voices & try again")


def run(monkeypatch, tmp_path, *findings):
    for name in [name for name in dir(preflight) if name.startswith("look_at_")]:
        monkeypatch.setattr(preflight, name, lambda: [])
    monkeypatch.setattr(preflight, "LOOKS", [lambda: findings])
    status = preflight.preflight(page=str(tmp_path / "page.html"))
    return status, (tmp_path / "page.html").read_text(encoding="utf-8")


def test_all_well_is_a_green_page(monkeypatch, tmp_path, capsys):
    status, page = run(monkeypatch, tmp_path, WELL, NOTE)
    assert status == 0 and "Ready for class." in page and "#14532d" in page
    assert "Ready for class." in capsys.readouterr().out


def test_one_wrong_thing_is_a_red_page_that_begins_with_it(monkeypatch, tmp_path, capsys):
    status, page = run(monkeypatch, tmp_path, WELL, NOTE, WRONG)
    assert status == 1 and "Not ready: 1 thing is wrong." in page and "#9b1c1c" in page
    assert page.index("Voices") < page.index("Port") < page.index("Disk")
    assert "&lt;none&gt; speaks" in page and "voices &amp; try" in page and "<none>" not in page


def test_a_look_that_fails_is_wrong_and_hides_nothing(monkeypatch, tmp_path, capsys):
    def look_at_trouble():
        raise CourseError("no such thing")
        yield

    monkeypatch.setattr(preflight, "LOOKS", [])
    for name in [name for name in dir(preflight) if name.startswith("look_at_")]:
        monkeypatch.setattr(preflight, name, lambda: [WELL])
    monkeypatch.setattr(preflight, "look_at_ports", look_at_trouble)
    assert preflight.preflight(page=str(tmp_path / "page.html")) == 1
    assert "no such thing" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_port_on_which_somebody_listens_is_noted(monkeypatch):
    with socket.socket() as taken, socket.socket() as free:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        free.bind(("127.0.0.1", 0))
        ports = {taken.getsockname()[1]: "somebody", free.getsockname()[1]: "nobody"}
        free.close()
        monkeypatch.setattr(preflight, "PORTS", ports)
        somebody, nobody = preflight.look_at_ports()
    assert preflight.state(somebody) == "note" and "somebody" in somebody.text
    assert preflight.state(nobody) == "ok" and "free" in nobody.text


def test_other_versions_than_the_tested_ones_are_noted(monkeypatch, tmp_path):
    (tmp_path / "constraints.txt").write_text("# tested\npytest==0.1\nno-such-thing==1.0\n", encoding="utf-8")
    monkeypatch.setenv("COURSE_CHECKOUT", str(tmp_path))
    (finding,) = preflight.look_at_versions()
    assert preflight.state(finding) == "note" and "instead of 0.1" in finding.text and "no-such" not in finding.text


def test_of_two_versions_for_two_pythons_either_one_is_well(monkeypatch, tmp_path):
    lines = f'pytest==0.1; python_version < "3"\npytest=={pytest.__version__}; python_version >= "3"\n'
    (tmp_path / "constraints.txt").write_text(lines, encoding="utf-8")
    monkeypatch.setenv("COURSE_CHECKOUT", str(tmp_path))
    (finding,) = preflight.look_at_versions()
    assert preflight.state(finding) == "ok"


@pytest.fixture
def two_lessons(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_CHECKOUT", str(tmp_path))
    for folder in ("lessons", "notebooks"):
        (tmp_path / folder).mkdir()
    for name, first in {"01_well": "import math", "02_broken": "import no_such_module"}.items():
        (tmp_path / "lessons" / f"{name}.py").write_text("", encoding="utf-8")
        cells = [nbformat.v4.new_code_cell(text) for text in ("seen = 1", f"{first}\nseen", "1 / 0")]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "notebooks" / f"{name}.ipynb")


def test_the_beginning_of_every_notebook_is_run(two_lessons):
    well, broken = preflight.look_at_cells()
    assert preflight.state(well) == "ok" and "01_well run" in well.text
    assert preflight.state(broken) == "WRONG" and "no_such_module" in broken.text


def test_a_machine_that_can_speak_says_so(monkeypatch):
    (finding,) = preflight.look_at_voices()
    assert preflight.state(finding) == "ok" and "16 kHz" in finding.text

    def dumb(text):
        raise CourseError("there is no voice")

    monkeypatch.setattr("course_lib.generate.speech.speak", dumb)
    (finding,) = preflight.look_at_voices()
    assert preflight.state(finding) == "WRONG"
