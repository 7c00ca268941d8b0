"""Set-up: one line for what stops it, nothing half-made taken for whole, and a second call that starts at once."""

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def setup(tmp_path):
    """scripts/setup.py of a checkout of its own, without an environment."""
    (tmp_path / "scripts").mkdir()
    for name in ("scripts/setup.py", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    spec = importlib.util.spec_from_file_location("setup_of_a_checkout", tmp_path / "scripts" / "setup.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def quick(setup, monkeypatch):
    """The same, but it installs nothing into the environment that it makes; `installed` counts the times."""
    setup.installed = 0

    def install(uv, *, cpu):
        setup.installed += 1
        return True

    quietly = setup.quietly
    monkeypatch.setattr(setup, "quietly", lambda command, fix: "venv" in command and quietly(command, fix=fix))
    monkeypatch.setattr(setup, "find_uv", lambda: "uv")
    monkeypatch.setattr(setup, "install_with_uv", install)
    monkeypatch.setattr(setup.shutil, "disk_usage", lambda path: SimpleNamespace(free=50e9))
    return setup


def stopped(setup, capsys, *arguments) -> str:
    """What set-up says when something stops it: one line, and exit status 1."""
    assert setup.main(list(arguments)) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("Set-up stopped: ") and "Fix: " in line
    return line


def test_an_old_python_can_read_the_script_far_enough_to_say_so():
    source = (ROOT / "scripts" / "setup.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 6))
    modules = {
        alias.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import) for alias in node.names
    }
    assert modules <= sys.stdlib_module_names


@pytest.mark.parametrize("version", [(3, 10, 4), (3, 15, 0)])
def test_a_wrong_python_is_told_which_one_to_use(setup, monkeypatch, capsys, version):
    monkeypatch.setattr(setup.sys, "version_info", version)
    monkeypatch.setattr(setup, "works", lambda python: python == "python3.12")
    assert stopped(setup, capsys).endswith("Fix: make PYTHON=python3.12 lab")
    monkeypatch.setattr(setup, "works", lambda python: False)
    assert "Fix: install Python 3.13" in stopped(setup, capsys)


def test_an_intel_mac_is_sent_to_colab(setup, monkeypatch, capsys):
    monkeypatch.setattr(setup.sys, "platform", "darwin")
    monkeypatch.setattr(setup.platform, "machine", lambda: "x86_64")
    assert "Colab" in stopped(setup, capsys)


def test_the_download_is_announced_and_the_smaller_one_offered(quick, monkeypatch, capsys):
    monkeypatch.setattr(quick.sys, "platform", "linux")
    quick.announce(cpu=False)
    said = capsys.readouterr().out
    assert "3.2 GB to download, 6.2 GB on disk" in said and "make setup CPU=1" in said
    quick.announce(cpu=True)
    said = capsys.readouterr().out
    assert "0.5 GB to download" in said and "CPU=1" not in said


def test_a_full_disk_is_told_before_anything_is_downloaded(quick, monkeypatch, capsys):
    monkeypatch.setattr(quick.sys, "platform", "linux")
    monkeypatch.setattr(quick.shutil, "disk_usage", lambda path: SimpleNamespace(free=3e9))
    assert "3.0 GB are free on this disk" in stopped(quick, capsys)
    assert quick.installed == 0 and not quick.VENV.exists()


def test_the_space_that_a_half_made_environment_takes_counts_as_free(quick, monkeypatch):
    quick.VENV.mkdir()
    monkeypatch.setattr(quick.sys, "platform", "linux")
    monkeypatch.setattr(
        quick.shutil, "disk_usage", lambda path: SimpleNamespace(free=5e9 if quick.VENV.exists() else 8e9)
    )
    assert quick.main([]) == 0


def test_a_second_call_has_nothing_to_do(quick, capsys):
    assert quick.main([]) == quick.main([]) == 0
    assert quick.installed == 1
    assert capsys.readouterr().out.endswith("The environment is ready: .venv\n")


def test_new_constraints_are_installed_into_the_same_environment(quick, capsys):
    quick.main([])
    kept = quick.VENV / "kept"
    kept.touch()
    with open(quick.ROOT / "constraints.txt", "a") as constraints:
        constraints.write("# newer\n")
    assert quick.main([]) == 0
    assert quick.installed == 2 and kept.exists()
    assert "Bringing .venv up to date" in capsys.readouterr().out


@pytest.mark.parametrize(("key", "value"), [("python", "3.9"), ("folder", "/elsewhere"), ("cpu", True)])
def test_an_environment_for_something_else_is_made_anew(quick, key, value):
    quick.main([])
    (quick.VENV / "old").touch()
    quick.STAMP.write_text(quick.json.dumps(dict(quick.recorded(), **{key: value})))
    assert quick.main(["--cuda"]) == 0
    assert quick.installed == 2 and not (quick.VENV / "old").exists()
    assert quick.recorded()["folder"] == str(quick.ROOT)


def test_the_choice_of_the_cpu_wheels_is_remembered_until_it_is_taken_back(quick):
    quick.main(["--cpu"])
    assert quick.main([]) == 0 and quick.installed == 1
    assert quick.main(["--cuda"]) == 0 and quick.installed == 2
    assert quick.recorded()["cpu"] is False


def test_an_interrupted_set_up_is_made_anew_by_the_same_command(quick, monkeypatch, capsys):
    install = quick.install_with_uv

    def interrupted(uv, *, cpu):
        (quick.VENV / "half").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(quick, "install_with_uv", interrupted)
    assert quick.main(["--cpu"]) == 130
    assert "Run the same command again" in capsys.readouterr().err
    monkeypatch.setattr(quick, "install_with_uv", install)
    assert quick.main([]) == 0
    assert quick.recorded()["complete"] and quick.recorded()["cpu"] and not (quick.VENV / "half").exists()


def broken_in(way, venv):
    if way == "no python":
        shutil.rmtree(venv)
        (venv / "lib").mkdir(parents=True)
    elif way == "dangling python":
        python = next((venv / name) for name in ("bin/python", "Scripts/python.exe") if (venv / name).exists())
        python.unlink()
        python.symlink_to(venv / "gone")
    elif way == "unreadable stamp":
        (venv / "course-setup.json").write_text("{")
        (venv / "pyvenv.cfg").unlink()
    else:
        shutil.rmtree(venv)
        venv.write_text("no folder at all")


@pytest.mark.parametrize("way", ["no python", "dangling python", "unreadable stamp", "a file"])
def test_a_broken_environment_is_mended(quick, way):
    quick.main([])
    broken_in(way, quick.VENV)
    assert quick.main([]) == 0
    assert quick.installed == 2 and quick.main([]) == 0 and quick.installed == 2


def test_an_environment_that_somebody_made_by_hand_is_kept(quick):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(quick.VENV)], check=True)
    (quick.VENV / "mine").touch()
    assert quick.main([]) == 0
    assert (quick.VENV / "mine").exists() and quick.installed == 1


def test_a_python_without_ensurepip_is_told_what_to_install(setup, monkeypatch, capsys):
    monkeypatch.setattr(setup.shutil, "disk_usage", lambda path: SimpleNamespace(free=50e9))
    capture = setup.capture
    failed = SimpleNamespace(returncode=1, text="/usr/bin/python3: No module named ensurepip")
    monkeypatch.setattr(setup, "capture", lambda command: failed if "ensurepip" in command else capture(command))
    assert "sudo apt install python3-venv" in stopped(setup, capsys)


@pytest.mark.slow
def test_no_network_is_one_line(setup, monkeypatch, capsys):
    monkeypatch.setattr(setup.shutil, "disk_usage", lambda path: SimpleNamespace(free=50e9))
    closed = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1"}
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in closed.items():
        monkeypatch.setenv(name, value)
    assert "the packages can't be reached. Fix: connect to the internet" in stopped(setup, capsys)


@pytest.fixture
def answering(setup, monkeypatch):
    """Let pip and uv answer as told."""

    def answer(text, returncode=1):
        monkeypatch.setattr(setup, "capture", lambda command: SimpleNamespace(returncode=returncode, text=text))

    return answer


def test_no_network_is_told_before_pip_tries_for_long(setup, answering):
    answering("WARNING: Retrying: NewConnectionError\nERROR: No matching distribution found for uv")
    with pytest.raises(setup.Stop, match="can't be reached"):
        setup.find_uv()


def test_pip_stands_in_where_there_is_no_uv(setup, answering, monkeypatch):
    answering("ERROR: No matching distribution found for uv")
    assert setup.find_uv() is None


def test_pip_stands_in_where_only_pip_knows_the_way_to_the_packages(setup, answering):
    answering("error: Failed to fetch: the index\n  Caused by: client error (Connect)")
    assert setup.install_with_uv("uv", cpu=False) is False


def test_the_cpu_wheels_cannot_be_had_without_uv(quick, monkeypatch, capsys):
    monkeypatch.setattr(quick, "find_uv", lambda: None)
    assert "the CPU wheels need uv" in stopped(quick, capsys, "--cpu")


def test_who_cannot_reach_the_cpu_wheels_is_told_of_the_others(setup, answering, monkeypatch):
    monkeypatch.setattr(setup.sys, "platform", "linux")
    answering("error: Failed to fetch: the index\n  Caused by: client error (Connect)")
    with pytest.raises(setup.Stop, match=r"can't be reached.*--cuda"):
        setup.install_with_uv("uv", cpu=True)


def test_versions_that_do_not_fit_are_told_in_the_installers_words(setup, answering, monkeypatch):
    monkeypatch.setattr(setup.shutil, "disk_usage", lambda path: SimpleNamespace(free=50e9))
    answering("error: No solution found\n  because torch has no wheels")
    with pytest.raises(setup.Stop, match=r"could not be installed.*because torch has no wheels"):
        setup.install_with_uv("uv", cpu=False)


def test_a_disk_that_fills_up_on_the_way_is_told(setup, monkeypatch):
    monkeypatch.setattr(setup.shutil, "disk_usage", lambda path: SimpleNamespace(free=1e6))
    assert "the disk is full" in str(setup.broken("something strange"))


def test_a_command_gets_its_options_and_gives_its_exit_status(setup):
    setup.BIN.mkdir(parents=True)
    (setup.BIN / "python3").symlink_to(sys.executable)
    setup.PYTHON.symlink_to(sys.executable)
    setup.write_stamp(False, complete=True)
    script = "import os, sys; print(sys.argv[1:], os.environ['VIRTUAL_ENV']); sys.exit(7)"
    command = [sys.executable, str(setup.ROOT / "scripts" / "setup.py"), "run", "python3", "-c", script, "--port", "1"]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.returncode == 7
    assert answer.stdout == f"['--port', '1'] {setup.VENV}\n"


def test_a_command_that_is_not_there_is_told(quick, capsys):
    quick.main([])
    assert "there is no command `coruse`" in stopped(quick, capsys, "run", "coruse")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such lock")
def test_two_set_ups_at_once_take_turns(setup, capsys):
    order, waiting = [], threading.Event()
    setup.print = lambda *args: waiting.set()

    def second():
        with setup.alone():
            order.append("second")

    with setup.alone():
        other = threading.Thread(target=second)
        other.start()
        assert waiting.wait(timeout=60)
        order.append("first")
    other.join()
    assert order == ["first", "second"]
