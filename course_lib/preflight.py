"""`course preflight`: the eve of class on the machine on which it will be held; one page, green or red.

It looks at everything that `course doctor` looks at, and tries what a class will need: the beginning of every notebook,
the voices, the ports. Whoever teaches in a room with many machines runs it on each of them, or on one of each kind.
"""

import html
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from course_lib import __version__
from course_lib.catalog import CATALOG
from course_lib.copies import read_notebook
from course_lib.doctor import LOOKS, SET_UP_AGAIN, Finding, _safely, without_home
from course_lib.errors import CourseError
from course_lib.paths import Lesson, checkout, lessons, write_atomically

PORTS = {8888: "JupyterLab", 8000: "course serve"}
CELL_SECONDS = 600  # for the beginning of one notebook, on a machine that is busy
GOOD, BAD, NOTE = "ok", "WRONG", "note"
RUN_CELLS = (
    "import json, sys\nspace = {'__name__': '__main__'}\nfor cell in json.load(sys.stdin):\n    exec(cell, space)\n"
)


def preflight(*, page: str | None = None) -> int:
    """Print what was found, and write it to a page.

    Args:
        page: the page's file; None for `artifacts/preflight.html`.

    Returns:
        0 when a class can be held here, 1 when something is wrong.
    """
    print("Looking at this machine; a minute or two.\n")
    findings = []
    for look in (
        *LOOKS,
        look_at_versions,
        look_at_voices,
        look_at_course_data,
        look_at_gpu,
        look_at_ports,
        look_at_cells,
    ):
        for finding in _safely(look):
            print(without_home(str(finding)), flush=True)
            findings.append(finding)
    wrong = sum(state(finding) == BAD for finding in findings)
    place = Path(page) if page else checkout() / "artifacts" / "preflight.html"
    write_atomically(place, page_of(findings))
    print(f"\n{verdict(wrong)} The same as a page: {without_home(str(place))}")
    return 1 if wrong else 0


def state(finding: Finding) -> str:
    """Whether a finding is good, wrong, or worth a note."""
    return GOOD if finding.fix is None else NOTE if finding.is_note else BAD


def verdict(wrong: int) -> str:
    """The result in one sentence."""
    return f"Not ready: {wrong} {'thing is' if wrong == 1 else 'things are'} wrong." if wrong else "Ready for class."


def look_at_versions() -> Iterable[Finding]:
    """Whether this is the set of versions that was tested together."""
    tested = re.findall(
        r"^([\w.-]+)==([\w.]+)", (checkout() / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE
    )
    versions = {name: [wanted for each, wanted in tested if each == name] for name, _ in tested}  # some, by Python
    other = []
    for name, wanted in versions.items():
        try:
            found = version(name).partition("+")[0]
        except PackageNotFoundError:
            continue  # an extra that nobody asked for
        if found not in wanted:
            other.append(f"{name} {found} instead of {' or '.join(wanted)}")
    fix = f"all will probably be well; for the tested versions: {SET_UP_AGAIN}" if other else None
    yield Finding("Versions", "; ".join(other) or "as they were tested together", fix, is_note=True)


def look_at_voices() -> Iterable[Finding]:
    """Whether the machine can speak: the lessons about sound make their own recordings."""
    from course_lib.generate.speech import speak

    try:
        waveform = speak("good morning")
    except CourseError as error:
        yield Finding("Voices", f"espeak-ng does not speak: {error}", "pip install -e '.[speech]'")
    else:
        yield Finding("Voices", f"espeak-ng said two words, {len(waveform) / 16_000:.1f} s at 16 kHz")


def look_at_course_data() -> Iterable[Finding]:
    """Whether there is data for every lesson. Downloads are never needed, but a class may want them."""
    from course_lib.datasets import available

    there = [name for name in CATALOG if available(name)]
    yield Finding("Data sets", f"ready, or made on first use: {', '.join(there)}")
    absent = [name for name in CATALOG if name not in there]
    if absent:
        yield Finding("Data sets", f"not here, and not needed: {', '.join(absent)}", "course data NAME", is_note=True)


def look_at_gpu() -> Iterable[Finding]:
    """What the GPU has free, if there is one; others may be using it."""
    import torch

    if not torch.cuda.is_available():
        yield Finding("GPU", "none that PyTorch can use; the lessons choose sizes that a CPU carries")
        return
    for number in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(number)
        text = f"{torch.cuda.get_device_name(number)}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free"
        yield Finding("GPU", text, "end the processes that nvidia-smi lists" if free < 2e9 else None)


def look_at_ports() -> Iterable[Finding]:
    """Whether JupyterLab and the service can listen where learners will look for them."""
    for port, what in PORTS.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                fix = f"end what listens there; or take another: --port {port + 11}"
                yield Finding("Port", f"{port}, for {what}: {error.strerror}", fix, is_note=True)
            else:
                yield Finding("Port", f"{port}, for {what}, is free")


def look_at_cells() -> Iterable[Finding]:
    """Run the beginning of every notebook: its set-up cell, and its first cell with code."""
    for lesson in lessons():
        trouble = _try_beginning(lesson)
        fix = f"open it, run its first cells and read what they say; then: {SET_UP_AGAIN}" if trouble else None
        yield Finding("First cells", f"{lesson.stem}{f': {trouble}' if trouble else ' run'}", fix)


def _try_beginning(lesson: Lesson) -> str:
    """What went wrong; empty if nothing did."""
    if not lesson.notebook.exists():
        return "there is no notebook"
    cells = [cell.source for cell in read_notebook(lesson.notebook).cells if cell.cell_type == "code"][:2]
    with tempfile.TemporaryDirectory() as scratch:
        environment = os.environ | {"COURSE_STATE": scratch, "MPLBACKEND": "agg", "PYTHONPATH": str(checkout())}
        try:
            done = subprocess.run(
                [sys.executable, "-c", RUN_CELLS],
                input=json.dumps(cells),
                capture_output=True,
                text=True,
                encoding="utf-8",
                cwd=lesson.notebook.parent,
                env=environment,
                timeout=CELL_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return f"still running after {CELL_SECONDS} s"
    return (done.stderr.strip().splitlines() or ["it ended without a word"])[-1] if done.returncode else ""


def page_of(findings: list[Finding]) -> str:
    """The page: one banner, green or red, which also says so in words; then what is wrong; then all the rest."""
    wrong = sum(state(finding) == BAD for finding in findings)
    order = [BAD, NOTE, GOOD]
    rows = "\n".join(_row(finding) for finding in sorted(findings, key=lambda each: order.index(state(each))))
    now = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
    return PAGE.format(
        color="#9b1c1c" if wrong else "#14532d",
        verdict=html.escape(verdict(wrong)),
        about=html.escape(f"Software 2.0: Seeing and Hearing {__version__}, {now}, {socket.gethostname()}"),
        rows=rows,
    )


def _row(finding: Finding) -> str:
    fix = f"<br><b>Fix:</b> {html.escape(without_home(finding.fix))}" if finding.fix else ""
    text = html.escape(without_home(finding.text))
    return f"<tr><td>{state(finding)}</td><td>{html.escape(finding.topic)}</td><td>{text}{fix}</td></tr>"


PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{verdict}</title>
<style>
body {{ font: 16px/1.45 system-ui, sans-serif; margin: 0; color: #1a1a1a; background: #fff; }}
header {{ background: {color}; color: #fff; padding: 1.2rem 2rem; }}
h1 {{ margin: 0; font-size: 1.8rem; }}
main {{ padding: 1rem 2rem; max-width: 60rem; }}
td {{ padding: .3rem .8rem .3rem 0; vertical-align: top; border-bottom: 1px solid #ddd; overflow-wrap: anywhere; }}
td:first-child, td:nth-child(2) {{ white-space: nowrap; }}
</style></head>
<body><header><h1>{verdict}</h1><p>{about}</p></header>
<main><table><tbody>
{rows}
</tbody></table></main></body></html>
"""
