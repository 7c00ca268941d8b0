"""Start `course lab` as a learner does, with a workbook, progress and settings of its own."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

ADDRESS = re.compile(r"Open the course at\s+(http\S+)")
SECONDS_TO_START = 180
# Every cell is drawn, not only those near the view: axe, screenshots and searches for text need to see them.
SETTINGS = {"windowingMode": "none"}


class LabServer:
    """A running `course lab`; use it in a `with` statement.

    Args:
        folder: an empty folder; everything that is written goes there.
        variables: further environment variables, such as `COURSE_CHECKOUT`.

    Attributes:
        address: what a learner would open in the browser.
        workbook: the learner's own copies of the lessons.
    """

    def __init__(self, folder: Path, **variables: str) -> None:
        self.workbook = folder / "workbook"
        self.environment = os.environ | {
            "COURSE_WORKBOOK": str(self.workbook),
            "COURSE_STATE": str(folder / "state"),
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
            "IPYTHONDIR": str(folder / "ipython"),
            "OMP_NUM_THREADS": "1",
            **variables,
        }
        settings = folder / "settings" / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
        settings.parent.mkdir(parents=True)
        settings.write_text(json.dumps(SETTINGS), encoding="utf-8")
        self._log = folder / "course_lab.log"
        self._command = [_course(), "lab", "--no-browser", "--port", str(_free_port())]

    def __enter__(self) -> "LabServer":
        with self._log.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                self._command, env=self.environment, cwd=self._log.parent, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            self.address = self._wait_for_address()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        self._process.terminate()  # which ends its kernels too
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def course(self, *arguments: str) -> str:
        """Run another `course` command for the same learner, in a terminal as it were; return what it printed."""
        command = [_course(), *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True).stdout

    def _wait_for_address(self) -> str:
        deadline = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < deadline and self._process.poll() is None:
            found = ADDRESS.search(self._log.read_text(encoding="utf-8"))
            if found:
                return found[1]
            time.sleep(0.1)
        raise RuntimeError(f"`course lab` named no address to open. It said:\n{self._log.read_text(encoding='utf-8')}")


def _course() -> str:
    found = shutil.which("course", path=str(Path(sys.executable).parent))
    if found is None:
        raise RuntimeError(f"There is no `course` command beside {sys.executable}: `make setup` installs it.")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
