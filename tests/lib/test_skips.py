"""Nothing is skipped in silence: CI fails, a laptop says what did not run and how to run it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def suite(tmp_path):
    """Run pytest on a file of tests, with this project's conftest and settings, on a machine without Chromium."""
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)

    def run(tests, **variables):
        (tmp_path / "test_it.py").write_text("import pytest\n" + tests)
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:nbval", "test_it.py"]
        inherited = {name: value for name, value in os.environ.items() if name not in ("CI", "COURSE_NETWORK")}
        environment = inherited | {"PATH": str(tmp_path)} | variables
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    return run


BROWSER = "@pytest.mark.browser\ndef test_page(): pass\n"
NETWORK = "@pytest.mark.network\ndef test_download(): pass\n"


def test_a_laptop_without_chromium_is_told_what_did_not_run_and_how(suite):
    answer = suite(BROWSER)
    assert answer.returncode == 0
    assert "these tests did NOT run" in answer.stdout
    assert "1 x browser: install Chromium" in answer.stdout


def test_ci_without_chromium_fails(suite):
    answer = suite(BROWSER, CI="true")
    assert answer.returncode == 1
    assert "skips nothing in silence" in answer.stdout


def test_ci_may_lack_the_network_but_says_so(suite):
    answer = suite(NETWORK + "def test_other(): pass\n", CI="true")
    assert answer.returncode == 0
    assert "1 x network:" in answer.stdout


@pytest.mark.parametrize(("variables", "status"), [({}, 0), ({"CI": "true"}, 1)])
def test_a_torchaudio_that_does_not_load_is_said_aloud_and_refused_in_ci(suite, tmp_path, variables, status):
    (tmp_path / "torchaudio.py").write_text("raise RuntimeError('compiled with different CUDA versions')\n")
    answer = suite("@pytest.mark.torchaudio\ndef test_features(): assert False\n", **variables)
    assert answer.returncode == status
    assert "torchaudio: its last release does not load beside this torch" in answer.stdout


def test_network_tests_run_where_they_are_allowed(suite):
    assert "1 passed" in suite(NETWORK, COURSE_NETWORK="1").stdout


@pytest.mark.parametrize("tests", ["def test_it(): pytest.skip('not today')", "pytest.importorskip('no_such_package')"])
def test_ci_fails_on_any_other_skip(suite, tests):
    answer = suite(tests, CI="true")
    assert answer.returncode != 0
    assert "skips nothing in silence" in answer.stdout


def test_a_known_failure_is_no_skip(suite):
    answer = suite("@pytest.mark.xfail\ndef test_it(): assert False\n", CI="true")
    assert answer.returncode == 0 and "1 xfailed" in answer.stdout
