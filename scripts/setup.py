#!/usr/bin/env python3
"""Make the course's environment, `.venv`, on any system, and run commands in it.

    python3 scripts/setup.py                      make .venv, or bring it up to date
    python3 scripts/setup.py --cpu                the same with PyTorch's CPU wheels: a far smaller download
    python3 scripts/setup.py run course lab       the same, then run a command in it

Only the standard library is needed. The syntax is kept to what Python 3.6 reads, so that an old Python gets a
sentence that says what to do, and not a SyntaxError.
"""

import argparse
import contextlib
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "course-setup.json"  # what .venv was made from: while that stands, there is nothing to do
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
EXTRAS = "lab,speech,deploy,test,author"
OLDEST, NEWEST = (3, 11), (3, 14)
NETWORK_TROUBLE = ("connect", "dns error", "timed out", "name resolution", "name or service", "unreachable",
                   "proxy", "certificate", "max retries", "failed to fetch", "error sending request")


class Stop(Exception):
    """Set-up can't go on; the text is one line: what is wrong, then the fix."""


def main(arguments=None) -> int:
    options = parse(arguments)
    try:
        check_python()
        if options.fresh or not is_ready(options.cpu):
            with alone():
                if options.fresh or not is_ready(options.cpu):
                    make(cpu=wanted_cpu(options.cpu), use_pip=options.pip, fresh=options.fresh)
        elif not options.command:
            print("The environment is ready: .venv")
        return run(options.command) if options.command else 0
    except Stop as stop:
        print(f"\nSet-up stopped: {stop}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Run the same command again to go on: what was downloaded is kept.", file=sys.stderr)
        return 130


def parse(arguments):
    parser = argparse.ArgumentParser(description="Make the course's environment, .venv, and run commands in it.")
    parser.add_argument("--cpu", dest="cpu", action="store_true", default=None,
                        help="PyTorch's CPU wheels, for Linux without an NVIDIA GPU (remembered by later calls)")
    parser.add_argument("--cuda", dest="cpu", action="store_false", help="PyPI's PyTorch, after an earlier --cpu")
    parser.add_argument("--pip", action="store_true", help="install with pip even where uv can be had")
    parser.add_argument("--fresh", action="store_true", help="make .venv anew")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="run COMMAND ...",
                        help="a command to run in the environment, such as: run course lab --no-browser")
    options = parser.parse_args(arguments)
    if options.command and (options.command[0] != "run" or len(options.command) == 1):
        parser.error("a command to run is written as: run COMMAND ...")
    options.command = options.command[1:]
    return options


def check_python() -> None:
    """Say at once, and with the fix, that this Python or this machine can't carry PyTorch."""
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        usable = [f"python3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1) if works(f"python3.{minor}")]
        fix = f"make PYTHON={usable[0]} lab" if usable else "install Python 3.13 from https://www.python.org/downloads"
        raise Stop(f"this is Python {platform.python_version()}, and the course needs 3.11 to 3.14. Fix: {fix}")
    if sys.maxsize < 2**32:
        raise Stop("this is a 32-bit Python, for which there is no PyTorch. Fix: install the 64-bit one.")
    if sys.platform == "darwin" and platform.machine() == "x86_64":
        raise Stop("there is no current PyTorch for Intel Macs. Fix: open the course on Colab (README.md says how).")


def works(python: str) -> bool:
    found = shutil.which(python)
    return bool(found) and subprocess.run([found, "-c", ""], stderr=subprocess.DEVNULL).returncode == 0


def is_ready(cpu) -> bool:
    return wanted(cpu) == recorded() and PYTHON.exists()


def wanted(cpu) -> dict:
    """What a complete .venv would have in its stamp."""
    inputs = hashlib.sha256()
    for name in ("pyproject.toml", "constraints.txt"):
        inputs.update((ROOT / name).read_bytes())
    return {
        "complete": True,
        "cpu": wanted_cpu(cpu),
        "folder": str(ROOT),  # a checkout that was moved needs a new .venv: the old path stands in its scripts
        "inputs": inputs.hexdigest(),
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
    }


def wanted_cpu(cpu) -> bool:
    """What the options say, else what an earlier call said."""
    return bool(recorded().get("cpu")) if cpu is None else cpu


def recorded() -> dict:
    try:
        return dict(json.loads(STAMP.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


@contextlib.contextmanager
def alone():
    """Let a second set-up of the same checkout wait until the first one has ended."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with open(__file__, "rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another set-up is running here: waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError:  # a file system without locks
            pass
        yield


def make(*, cpu: bool, use_pip: bool, fresh: bool) -> None:
    """Make .venv, or bring it up to date; its stamp calls it complete only at the very end."""
    if fresh or not can_be_kept(cpu):
        remove(VENV)  # before the disk is measured: a half-made one may fill it
        announce(cpu)
        VENV.mkdir()
        write_stamp(cpu, complete=False)
        quietly([sys.executable, "-m", "venv", "--without-pip", str(VENV)], fix="python3 scripts/setup.py --fresh")
    else:
        print("Bringing .venv up to date.")
        write_stamp(cpu, complete=False)
    quietly([str(PYTHON), "-m", "ensurepip"], fix="sudo apt install python3-venv (or your system's name for it)")
    uv = None if use_pip else find_uv()
    if cpu and not uv:
        raise Stop("the CPU wheels need uv, which pip could not install here. Fix: run it again with --cuda.")
    if not (uv and install_with_uv(uv, cpu=cpu)):
        install_with_pip()
    quietly([str(PYTHON), "-c", "import torch, torchvision, torchaudio, course_lib"],
            fix="python3 scripts/setup.py --fresh")
    write_stamp(cpu, complete=True)
    print("The environment is ready: .venv")


def can_be_kept(cpu: bool) -> bool:
    """Whether .venv is whole, and made for this Python, this folder and this kind of PyTorch."""
    stamp, target = recorded(), wanted(cpu)
    if stamp and dict(stamp, inputs=None) != dict(target, inputs=None):
        return False
    probe = [str(PYTHON), "-c", "import sys; print('%d.%d' % sys.version_info[:2], sys.prefix != sys.base_prefix)"]
    try:
        answer = subprocess.run(probe, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment())
    except OSError:
        return False
    return answer.stdout.decode().split() == [target["python"], "True"]


def announce(cpu: bool) -> None:
    """Say beforehand what will be downloaded, and stop where it can't fit."""
    cuda = sys.platform == "linux" and not cpu
    download, disk = (3.2, 6.2) if cuda else (0.5, 1.6)
    free = shutil.disk_usage(str(ROOT)).free / 1e9
    print(f"Making .venv, once: about {download} GB to download, {disk} GB on disk ({free:.0f} GB are free).")
    if cuda:
        found = "" if shutil.which("nvidia-smi") else " No NVIDIA GPU was found here."
        print(f"This is PyTorch with CUDA.{found} Without a GPU, the CPU build is enough, and far smaller:\n"
              "press Ctrl-C and run `make setup CPU=1` (or `python3 scripts/setup.py --cpu`).")
    sys.stdout.flush()
    if free < disk + 0.5:
        smaller = ", or take the CPU wheels: make setup CPU=1" if cuda and free > 2.5 else ""
        raise Stop(f"{free:.1f} GB are free on this disk, and {disk + 0.5} are needed. Fix: free some space{smaller}.")


def remove(folder: Path) -> None:
    try:
        if folder.is_symlink() or folder.is_file():
            folder.unlink()
        elif folder.exists():
            print("Removing the old .venv: it is incomplete, or was made for another Python, folder or PyTorch.")
            shutil.rmtree(str(folder))
    except OSError as error:
        raise Stop(f".venv can't be removed ({error}). Fix: close what uses it (JupyterLab, terminals), delete it, "
                   "and run this again.") from error


def write_stamp(cpu: bool, *, complete: bool) -> None:
    STAMP.write_text(json.dumps(dict(wanted(cpu), complete=complete), indent=1), encoding="utf-8")


def find_uv():
    """uv inside .venv, from pip; None where it can't be had."""
    answer = capture([str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "2",
                      "--timeout", "20", "uv"])
    if answer.returncode == 0:
        return str(BIN / "uv")
    if is_network_trouble(answer.text):
        raise no_network(answer.text)
    print("uv can't be had here: pip does the work, which takes a few minutes.", flush=True)
    return None


def install_with_uv(uv: str, *, cpu: bool) -> bool:
    """True when all is installed; False where pip should try, as it may know a mirror that uv doesn't."""
    command = [uv, "pip", "install", "--python", str(PYTHON), "--constraint", "constraints.txt",
               "--editable", f".[{EXTRAS}]"]
    if cpu and sys.platform == "linux":
        command += ["--torch-backend", "cpu"]
    trial = capture([*command, "--dry-run"])  # finds every package first, so that trouble shows before the download
    if trial.returncode and is_network_trouble(trial.text) and not cpu:
        print("uv can't reach the packages: trying with pip, which takes a few minutes.", flush=True)
        return False
    if trial.returncode:
        other = "; or take PyPI's PyTorch: python3 scripts/setup.py --cuda" if cpu else ""
        raise no_network(trial.text, other) if is_network_trouble(trial.text) else broken(trial.text)
    if subprocess.run(command, cwd=str(ROOT), env=environment()).returncode:
        raise broken()
    return True


def install_with_pip() -> None:
    command = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--constraint", "constraints.txt",
               "--editable", f".[{EXTRAS}]"]
    answer = subprocess.run(command, cwd=str(ROOT), env=environment(), stderr=subprocess.PIPE)
    text = answer.stderr.decode(errors="replace")
    if answer.returncode:
        raise no_network(text) if is_network_trouble(text) else broken(text)


def no_network(text: str, other: str = "") -> Stop:
    return Stop("the packages can't be reached. Fix: connect to the internet (behind a proxy, set HTTPS_PROXY) and run "
                f"it again{other}. [{last_line(text)}]")


def broken(text: str = "") -> Stop:
    folders = [ROOT, Path.home()]
    if "No space left" in text or any(shutil.disk_usage(str(folder)).free < 5e8 for folder in folders):
        return Stop("the disk is full. Fix: free some space and run it again; what was downloaded is kept.")
    return Stop(f"the packages could not be installed. Fix: run it again, and then with --pip. [{last_line(text)}]")


def is_network_trouble(text: str) -> bool:
    return any(sign in text.lower() for sign in NETWORK_TROUBLE)


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip() and "notice" not in line]
    return lines[-1][:200] if lines else "the lines above say more"


def quietly(command: list, *, fix: str) -> None:
    answer = capture(command)
    if answer.returncode:
        raise Stop(f"`{Path(command[0]).name} {' '.join(command[1:3])}` failed. Fix: {fix} [{last_line(answer.text)}]")


def capture(command: list):
    answer = subprocess.run(command, cwd=str(ROOT), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    answer.text = answer.stdout.decode(errors="replace")
    return answer


def environment() -> dict:
    """As if .venv were activated."""
    variables = dict(os.environ, VIRTUAL_ENV=str(VENV), PATH=os.pathsep.join([str(BIN), os.environ.get("PATH", "")]))
    variables.pop("PYTHONHOME", None)
    return variables


def run(command: list) -> int:
    variables = environment()
    program = shutil.which(command[0], path=variables["PATH"])
    if not program:
        raise Stop(f"there is no command `{command[0]}` in .venv. Fix: python3 scripts/setup.py --fresh")
    if os.name == "nt":  # where exec returns to the shell before the command has ended
        return subprocess.run([program, *command[1:]], env=variables).returncode
    sys.stdout.flush()
    os.execve(program, [program, *command[1:]], variables)


if __name__ == "__main__":
    sys.exit(main())
