"""The workflows are valid, cover what the course promises, and call what exists; Binder's folder likewise."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from course_lib.doctor import NEWEST_PYTHON, OLDEST_PYTHON

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
LINT = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]


def lint(*files):
    return subprocess.run([*LINT, *map(str, files)], capture_output=True, text=True, timeout=300)


def commands():
    """Every line that a workflow runs."""
    for path in WORKFLOWS:
        for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values():
            for step in job["steps"]:
                yield from step.get("run", "").splitlines()


def test_the_workflows_are_valid():
    done = lint(*WORKFLOWS)
    assert len(WORKFLOWS) == 2 and done.returncode == 0, done.stdout + done.stderr


def test_a_workflow_that_is_not_valid_is_refused(tmp_path):
    wrong = WORKFLOWS[0].read_text(encoding="utf-8").replace("runs-on:", "run-on:")
    (tmp_path / "wrong.yml").write_text(wrong, encoding="utf-8")
    assert lint(tmp_path / "wrong.yml").returncode != 0


def test_every_python_runs_on_every_system():
    tests = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8"))
    matrix = tests["jobs"]["quick"]["strategy"]["matrix"]
    assert matrix["python"] == [f"3.{minor}" for minor in range(OLDEST_PYTHON[1], NEWEST_PYTHON[1] + 1)]
    assert {name.partition("-")[0] for name in matrix["system"]} == {"ubuntu", "macos", "windows"}


def test_the_canary_comes_every_week():
    canary = (ROOT / ".github" / "workflows" / "canary.yml").read_text(encoding="utf-8")
    (cron,) = re.findall(r'cron: "(.*?)"', canary)
    minute, hour, day, month, weekday = cron.split()
    assert (day, month) == ("*", "*") and weekday.isdigit() and minute.isdigit() and hour.isdigit()


def test_what_the_workflows_run_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    called = [line.split()[1] for line in commands() if line.startswith("make ")]
    assert (
        "canary" in called
        and [name for name in called if not re.search(rf"^{name}:.*##", makefile, re.MULTILINE)] == []
    )
    scripts = [word for line in commands() for word in line.split() if word.endswith(".py") or word.startswith(".ci/")]
    assert [name for name in scripts if not (ROOT / name).exists()] == []


def test_the_quick_tests_are_those_of_make_check():
    (marks,) = {found for line in commands() for found in re.findall(r'-m "(.*?)"', line)}
    check = re.search(r"^check:.*\n\t.*-m \"(.*?)\"", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert marks == check[1]


@pytest.mark.parametrize("name", ["requirements.txt", "runtime.txt"])
def test_binder_installs_the_course_on_a_python_that_it_supports(name):
    text = (ROOT / "binder" / name).read_text(encoding="utf-8")
    if name == "runtime.txt":
        version = tuple(map(int, re.fullmatch(r"python-(\d+)\.(\d+)\n", text).groups()))
        assert OLDEST_PYTHON <= version <= NEWEST_PYTHON
    else:
        (constraints,) = re.findall(r"^--constraint (\S+)$", text, re.MULTILINE)
        assert (ROOT / "binder" / constraints).resolve() == ROOT / "constraints.txt"
        assert "--editable .[lab,speech,deploy]" in text
