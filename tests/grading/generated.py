"""Attacks that are made rather than written: links, archives, malformed and huge files, names that are traps."""

import io
import json
import os
import stat
import zipfile
from collections.abc import Callable

from tests.grading.classroom import IMPORTS, WRONG_ACCURACY, Classroom, notebook_of

GENERATED: dict[str, Callable[[Classroom, str], None]] = {}
WRONG = notebook_of(IMPORTS, WRONG_ACCURACY)
CRASHING_MODULE = b"raise SystemExit('shadowed')\n"


def generated(make: Callable[[Classroom, str], None]) -> Callable[[Classroom, str], None]:
    GENERATED[make.__name__] = make
    return make


def _zip(members: dict[str, bytes], *, links: tuple[str, ...] = ()) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            if name in links:
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, content)
    return buffer.getvalue()


def _link(room: Classroom, student: str, target: str, link: Callable[[str, str], None]) -> None:
    path = room.submissions / student / "01_software_2.py"
    path.parent.mkdir()
    link(target, path)


@generated
def link_to_the_solutions(room, student):
    _link(room, student, room.checkout / "solutions/software_2.py", os.symlink)


@generated
def link_to_another_student(room, student):
    _link(room, student, room.submissions / "with_secret/01_software_2.py", os.symlink)


@generated
def hard_link_to_another_student(room, student):
    room.hand_in("linked", (room.submissions / "with_secret/01_software_2.py").read_bytes(), "original.txt")
    _link(room, student, room.submissions / "linked/original.txt", os.link)


@generated
def pipe_instead_of_a_file(room, student):
    path = room.submissions / student / "01_software_2.ipynb"
    path.parent.mkdir()
    os.mkfifo(path)


@generated
def archive_that_leads_out(room, student):
    inside = {"../../spoils/01_software_2.py": b"stolen", "../zoe/01_software_2.ipynb": WRONG, "/etc/01.py": b"x"}
    room.hand_in(student, _zip(inside), "mine.zip")


@generated
def archive_with_a_link(room, student):
    target = str(room.checkout / "solutions/software_2.py").encode()
    room.hand_in(student, _zip({"01_software_2.py": target}, links=("01_software_2.py",)), "mine.zip")


@generated
def archive_bomb(room, student):
    room.hand_in(student, _zip({"01_software_2.ipynb": b" " * (300 * 2**20)}), "mine.zip")


@generated
def archive_in_an_archive(room, student):
    inner = _zip({"01_software_2.ipynb": WRONG})
    for _ in range(5):
        inner = _zip({"inner.zip": inner})
    room.hand_in(student, inner, "mine.zip")


@generated
def archive_that_is_none(room, student):
    room.hand_in(student, b"PK\x03\x04 and nothing else", "mine.zip")


@generated
def not_json(room, student):
    room.hand_in(student, b"\xff\xfe\x00 this is no notebook")


@generated
def half_a_notebook(room, student):
    room.hand_in(student, WRONG[: len(WRONG) // 2])


@generated
def nothing_at_all(room, student):
    room.hand_in(student, b"")


@generated
def deep_json(room, student):
    room.hand_in(student, b"[" * 1_000_000 + b"]" * 1_000_000)


@generated
def strange_cells(room, student):
    cells = [None, 7, {"cell_type": "code"}, {"cell_type": "code", "source": 5, "metadata": []}]
    room.hand_in(student, json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}).encode())


@generated
def strange_metadata(room, student):
    book = json.loads(WRONG)
    book["metadata"] = {"course": {"lesson": ["software_2"], "cells": 5}, "kernelspec": None}
    book["cells"][0]["metadata"] = {"tags": {"setup": 1}}
    room.hand_in(student, json.dumps(book).encode())


@generated
def huge_notebook(room, student):
    book = json.loads(WRONG)
    book["cells"][0]["source"] = "# " + "x" * (25 * 2**20)
    room.hand_in(student, json.dumps(book).encode())


@generated
def much_code(room, student):
    room.hand_in(student, notebook_of(IMPORTS, "x = 1\n" * 600_000, WRONG_ACCURACY))


@generated
def files_that_shadow_modules(room, student):
    room.hand_in(student, WRONG)
    for name in ("json", "numpy", "torch", "course_lib", "sitecustomize", "usercustomize", "conftest", "typing"):
        room.hand_in(student, CRASHING_MODULE, f"{name}.py")
    room.hand_in(student, b"[pytest]\naddopts = --collect-only\n", "pytest.ini")


@generated
def name_that_is_a_formula(room, student):
    room.hand_in("=HYPERLINK(1)", WRONG)


@generated
def name_that_is_a_script(room, student):
    room.hand_in("<script>alert(1)<", WRONG, "01_software_2<img src=x onerror=alert(1)>.ipynb")


@generated
def name_with_strange_signs(room, student):
    room.hand_in("\u202etxt.exe \x1b[31m", WRONG)
