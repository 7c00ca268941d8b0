"""`course lab`, `course update`, `course reset`: the learner's own copies of the lessons, in `workbook/`."""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from course_lib.copies import (
    Copy,
    back_up,
    find_copy,
    fresh_notebook,
    is_current,
    is_untouched,
    notebook_text,
    scan_workbook,
)
from course_lib.errors import CourseError
from course_lib.paths import Lesson, find_lesson, lessons, state_dir, workbook_dir, write_atomically

SECONDS_TO_START = 120
LAB_SETTINGS = {  # defaults: what learners set in JupyterLab themselves comes first
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/filebrowser-extension:browser": {"showLastModifiedColumn": False},  # whole names fit in
    # cards speak of "line 3", and no line of an exercise may be cut off at the right
    "@jupyterlab/notebook-extension:tracker": {"codeCellConfig": {"lineNumbers": True, "lineWrap": True}},
}


def lab(jupyter_options: list[str]) -> int:
    """`course lab`: fill the workbook and open JupyterLab there, until it is ended.

    Args:
        jupyter_options: handed on to `jupyter lab`, such as `["--no-browser", "--port", "8899"]`.

    Returns:
        The exit status.

    Raises:
        CourseError: JupyterLab is not installed.
    """
    try:
        from jupyterlab.labapp import main
    except ImportError as error:
        raise CourseError(f"JupyterLab can't be loaded ({error}): `make setup` installs it.") from error
    workbook_dir().mkdir(parents=True, exist_ok=True)
    print(f"Your lessons are in {workbook_dir()}")
    for line in _make_missing_copies():
        print(f"  {line}")
    older = [copy.path.name for copy in scan_workbook()[0] if not is_current(copy)]
    if older:
        print(f"There is a newer edition of {', '.join(older)}: `course update` brings it and keeps your work.")
    print("Starting JupyterLab. Ctrl-C, twice, ends it.", flush=True)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # two kernels with many threads each slow each other down
    _prepend("PATH", Path(sys.executable).parent)  # so that `course` is found in JupyterLab's terminal and in cells
    write_atomically(_config() / "labconfig" / "default_setting_overrides.json", json.dumps(LAB_SETTINGS, indent=1))
    _prepend("JUPYTER_CONFIG_PATH", _config())
    threading.Thread(target=_tell_the_address, daemon=True).start()
    main([*_our_options(), *jupyter_options])
    return 0


def _config() -> Path:
    return state_dir() / "jupyter"


def _prepend(variable: str, folder: Path) -> None:
    os.environ[variable] = os.pathsep.join(filter(None, [str(folder), os.environ.get(variable)]))


def _our_options() -> list[str]:
    options = [
        f"--ServerApp.root_dir={workbook_dir()}",
        f"--LabApp.workspaces_dir={_config() / 'workspaces'}",  # a layout of its own: no tabs of other projects
        "--ServerApp.log_level=WARN",
        "--LabApp.log_level=WARN",
    ]
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return [*options, "--allow-root"] if is_root else options  # in a container: else Jupyter refuses


def _tell_the_address() -> None:
    """Wait until this process serves JupyterLab, then print where, in one line of its own."""
    from jupyter_server.serverapp import list_running_servers

    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        time.sleep(0.1)
        for server in list_running_servers():
            if server["pid"] == os.getpid():
                time.sleep(0.5)  # after what Jupyter itself has to say
                token = f"?token={server['token']}" if server["token"] else ""
                print(f"\nOpen the course at  {server['url']}lab{token}\n", flush=True)
                return


def update() -> int:
    """`course update`: bring every copy to the newest edition of its lesson, with the learner's work in it.

    Returns:
        The exit status, 0: what can't be read is named and left alone.
    """
    copies, renewed = scan_workbook()[0], 0
    for line in _make_missing_copies():
        print(line)
    for copy in copies:
        if is_current(copy):
            print(f"{_shown(copy.path)}: up to date")
        else:
            renewed += 1
            _renew(copy)
    if renewed:
        print("If JupyterLab shows one of these, choose File > Reload Notebook from Disk there.")
    return 0


def _renew(copy: Copy) -> None:
    from course_lib.editions import carry_over  # loads torch, for which `course lab` should not wait

    newest = fresh_notebook(copy.lesson)
    if is_untouched(copy.notebook):
        write_atomically(copy.path, notebook_text(newest))
        print(f"{_shown(copy.path)}: new edition; nothing of yours was in the old one")
        return
    notebook, carried = carry_over(copy.notebook, newest)
    backup = back_up(copy.path)
    write_atomically(copy.path, notebook_text(notebook))
    print(f"{_shown(copy.path)}: new edition; your earlier file is kept as {_shown(backup)}")
    for line in carried.in_words():
        print(f"    {line}")


def reset(name: str) -> int:
    """`course reset NAME`: a pristine copy of a lesson in place of the learner's, which is kept beside it.

    Args:
        name: the lesson, such as "backprop" or "2".

    Raises:
        CourseError: there is no such lesson, or it was not built.
    """
    lesson = find_lesson(name)
    text = notebook_text(fresh_notebook(lesson))
    path = workbook_dir() / f"{lesson.stem}.ipynb"
    copy = find_copy(lesson)
    if copy and not path.exists():
        path = copy.path  # it was renamed
    if path.exists() and path.read_text(encoding="utf-8", errors="replace") == text:
        print(f"{_shown(path)} is as it came: nothing to do")
        return 0
    if path.exists():
        print(f"Your file is kept as {_shown(back_up(path))}")
    write_atomically(path, text)
    print(f"{_shown(path)} is as it came. Your progress is kept too.")
    return 0


def _make_missing_copies() -> Iterator[str]:
    """Copy each lesson of which the workbook has no readable copy, overwriting nothing; yield what happened."""
    copies, unreadable = scan_workbook()
    for error in unreadable:
        yield f"{error} It is left as it is."
    for lesson in lessons():
        if any(copy.lesson == lesson for copy in copies):
            continue
        if not lesson.notebook.exists():
            yield f"{lesson.stem} is not built yet: `course build {lesson.number:02d}` makes its notebook"
            continue
        path = _free_path(lesson)
        write_atomically(path, notebook_text(fresh_notebook(lesson)))
        yield f"{_shown(path)} is new"


def _free_path(lesson: Lesson) -> Path:
    endings = ["", ".fresh", *(f".fresh-{number}" for number in range(2, 1000))]
    paths = (workbook_dir() / f"{lesson.stem}{ending}.ipynb" for ending in endings)
    return next(path for path in paths if not path.exists())


def _shown(path: Path) -> str:
    return str(path.relative_to(workbook_dir()))
