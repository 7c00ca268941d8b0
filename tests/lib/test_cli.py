"""The `course` command: each subcommand reaches its function with what was typed, and errors are one line."""

import subprocess
import sys
import types

import pytest

from course_lib import __version__, cli
from course_lib.errors import CourseError


@pytest.fixture
def calls(monkeypatch):
    """Put a function in the place of a command's own, and see how it is called."""

    def stand_in(module, name, answer=0):
        seen = []

        def function(*args, **kwargs):
            seen.append((args, kwargs))
            if isinstance(answer, BaseException):
                raise answer
            return answer

        monkeypatch.setitem(sys.modules, module, types.SimpleNamespace(**{name: function}))
        return seen

    return stand_in


COMMANDS = [
    ("lab", "course_lib.workbook", "lab", ([],), {}),
    ("lab --no-browser --port 8899", "course_lib.workbook", "lab", (["--no-browser", "--port", "8899"],), {}),
    ("check 2", "course_lib.answers", "check_lesson", ("2",), {"source": None, "as_json": False}),
    ("check 2 --from a.py --json", "course_lib.answers", "check_lesson", ("2",), {"source": "a.py", "as_json": True}),
    ("report accuracy", "course_lib.answers", "report", ("accuracy",), {"source": None}),
    ("progress", "course_lib.exercises.progress", "show", (), {}),
    ("update", "course_lib.workbook", "update", (), {}),
    ("reset backprop", "course_lib.workbook", "reset", ("backprop",), {}),
    ("data", "data_scripts.prepare", "prepare", (None,), {"source": None}),
    ("data mnist --from a.zip", "data_scripts.prepare", "prepare", ("mnist",), {"source": "a.zip"}),
    ("doctor", "course_lib.doctor", "doctor", (), {}),
    (
        "serve --port 0 --token t --quiet",
        "course_lib.serving.command",
        "serve",
        (),
        {"host": "127.0.0.1", "port": 0, "token": "t", "folder": None, "quiet": True},
    ),
    ("preflight --page p.html", "course_lib.preflight", "preflight", (), {"page": "p.html"}),
    ("build", "course_lib.authoring.build", "build", ([],), {"keep_outputs": False}),
    ("build 01 02 --keep-outputs", "course_lib.authoring.build", "build", (["01", "02"],), {"keep_outputs": True}),
    ("import a.ipynb", "course_lib.authoring.importing", "import_notebook", ("a.ipynb",), {}),
    ("matrix", "course_lib.authoring.matrix", "matrix", (), {}),
    ("mutants", "course_lib.authoring.mutants", "mutants", (), {}),
]


@pytest.mark.parametrize(("typed", "module", "function", "args", "kwargs"), COMMANDS, ids=[row[0] for row in COMMANDS])
def test_a_command_hands_on_what_was_typed(calls, typed, module, function, args, kwargs):
    seen = calls(module, function)
    assert cli.main(typed.split()) == 0
    assert seen == [(args, kwargs)]


def test_new_tells_lessons_from_exercises(monkeypatch):
    from course_lib.authoring import skeletons

    seen = []
    monkeypatch.setattr(skeletons, "new_lesson", lambda *args: seen.append(args) or 0)
    monkeypatch.setattr(skeletons, "new_exercise", lambda *args: seen.append(args) or 0)
    for typed in ("new lesson sound", "new lesson sound 7", "new exercise mfcc", "new exercise mfcc --lesson sound"):
        assert cli.main(typed.split()) == 0
    assert seen == [("sound", None), ("sound", 7), ("mfcc", None), ("mfcc", "sound")]


def test_the_exit_status_is_the_functions_own(calls):
    calls("course_lib.doctor", "doctor", answer=1)
    assert cli.main(["doctor"]) == 1


def test_an_error_of_the_project_is_one_line_without_a_traceback(calls, capsys):
    calls("course_lib.workbook", "reset", answer=CourseError("There is no lesson 'x'."))
    assert cli.main(["reset", "x"]) == 1
    assert capsys.readouterr().err == "course: There is no lesson 'x'.\n"


def test_a_check_of_no_lesson_asks_which_one(capsys):
    assert cli.main(["check"]) == 1
    assert "Which lesson? The lessons are: software_2, backprop" in capsys.readouterr().err


def test_a_missing_package_is_named_with_the_fix(calls, capsys):
    calls("course_lib.authoring.build", "build", answer=ModuleNotFoundError("no", name="jupytext"))
    assert cli.main(["build"]) == 1
    fix = "pip install -e '.[lab,speech,deploy,test,author]'"
    assert capsys.readouterr().err == f"course: jupytext is not installed. Fix: {fix}\n"


def test_a_module_of_our_own_that_is_missing_is_a_bug_and_shows_as_one(calls):
    calls("course_lib.doctor", "doctor", answer=ModuleNotFoundError("no", name="course_lib.gone"))
    with pytest.raises(ModuleNotFoundError):
        cli.main(["doctor"])


def test_an_interrupt_is_quiet(calls, capsys):
    calls("course_lib.doctor", "doctor", answer=KeyboardInterrupt())
    assert cli.main(["doctor"]) == 130
    assert capsys.readouterr().err == ""


def test_a_reader_who_has_seen_enough_is_no_error():
    script = """if True:
        import sys, types
        from course_lib import cli
        sys.modules["course_lib.doctor"] = types.SimpleNamespace(doctor=lambda: print("well\\n" * 10**6))
        sys.exit(cli.main(["doctor"]))"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as course:
        course.stdout.readline()
        course.stdout.close()
        assert course.stderr.read() == b""


@pytest.mark.parametrize("typed", ["", "chekc 2", "check 2 --jsno", "new", "new song x", "doctor --quick"])
def test_what_cannot_be_read_ends_with_the_usage(typed, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(typed.split())
    assert end.value.code == 2
    assert "usage: course" in capsys.readouterr().err


def test_the_version_is_the_packages_own(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"course {__version__}\n"


def test_the_command_starts_without_importing_torch():
    script = "import sys; from course_lib import cli; cli._parser(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
