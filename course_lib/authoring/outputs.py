"""What a notebook may store of a run: the same on every rebuild, and nothing of the machine that it was built on."""

import re
import sys
import tempfile
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from course_lib import paths
from course_lib.authoring.sources import PYTHON

WIDGET = "application/vnd.jupyter.widget-view+json"
WIDGET_NOTE = "Interactive widget: run this cell to use it."
WIDGET_NOTE_HTML = f"<p><em>{WIDGET_NOTE}</em></p>"
MACHINE_TAG = "machine"  # on cells that describe the machine they run on
MACHINE_NOTE = "What stands here is different on every machine: run this cell to see yours.\n"

_DATA_URI = re.compile(r"(data:[\w./+-]+;base64,[A-Za-z0-9+/=]+)")
_ABSOLUTE_PATH = re.compile(
    r"(?<![\w.:/<>…-])/(?:home|root|Users|tmp|private|usr|opt|mnt|media|content)/[^\s'\"<>)]+"
    r"|\b[A-Za-z]:\\[^\s'\"<>)]+"
)
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{8,16}\b")
_TIMINGS = [
    (re.compile(r"(CPU times: |Wall time: ).*"), r"\1…"),
    (re.compile(r"\d+(?:\.\d+)? (?:ns|µs|us|ms|s) ± .* per loop.*"), "… per loop"),
    (re.compile(r"\[\d+:\d\d(?::\d\d)?<[^\]\n]*\]"), "[…]"),
    (re.compile(r"\b(took|elapsed:?|(?:trained|finished|ran) in) \d+(?:\.\d+)? ?(ns|µs|us|ms|s|min)\b"), r"\1 … \2"),
]


def normalize_outputs(notebook: NotebookNode) -> None:
    """Take out of a notebook what differs from run to run or from machine to machine."""
    notebook.metadata = nbformat.from_dict({"course": notebook.metadata["course"], **PYTHON})
    for cell in notebook.cells:
        if MACHINE_TAG in cell.metadata.get("tags", []):
            cell.outputs = [nbformat.v4.new_output("stream", text=MACHINE_NOTE)]
        elif cell.cell_type == "code":
            cell.outputs = [_without_widget(output) for output in cell.outputs]
            _normalize_texts(cell)


def _without_widget(output: NotebookNode) -> NotebookNode:
    """Without its kernel a widget is a broken box: a page that only shows stored outputs says so in words."""
    if WIDGET in output.get("data", {}):
        output.data = {"text/html": WIDGET_NOTE_HTML, "text/plain": WIDGET_NOTE}
    return output


def _normalize_texts(cell: NotebookNode) -> None:
    for output in cell.outputs:
        if "text" in output:
            output.text = normalize_text(output.text)
        for mime in filter(_is_text, output.get("data", {})):
            output.data[mime] = normalize_text(output.data[mime])


def texts_of(cell: NotebookNode) -> list[str]:
    """All that a code cell's outputs say in text or HTML."""
    said = []
    for output in cell.outputs:
        data = output.get("data", {})
        said += [output.text] if "text" in output else [data[mime] for mime in filter(_is_text, data)]
    return said


def _is_text(mime: str) -> bool:
    return mime.startswith("text/") or mime == "image/svg+xml"


def normalize_text(text: str) -> str:
    """Put "…" for this machine's folders, for addresses of objects and for timings; pictures stay as they are."""
    parts = _DATA_URI.split(text.replace("\r\n", "\n"))
    return "".join(part if index % 2 else _blanked(part) for index, part in enumerate(parts))


def _blanked(text: str) -> str:
    text = re.sub(r"\S*ipykernel_\d+[/\\]\d+\.py", "…", text)
    for folder in _machine_folders():  # with the random names of the tempfile module
        text = re.sub(re.escape(folder) + r"(?:[/\\]tmp[a-z0-9_]{8})?(?![\w-])", "…", text)
    text = _ADDRESS.sub("0x…", text)
    for pattern, replacement in _TIMINGS:
        text = pattern.sub(replacement, text)
    return text


def _machine_folders() -> list[str]:
    """Folders of this machine, the longest first."""
    folders = {paths.checkout(), Path(sys.prefix), Path(sys.base_prefix), Path(tempfile.gettempdir()), Path.home()}
    return sorted((str(folder) for folder in folders if folder != Path(folder.anchor)), key=len, reverse=True)


def machine_traces(text: str) -> list[str]:
    """What in a text tells of a machine: absolute paths, addresses of objects, timings."""
    text = _DATA_URI.sub("", text)
    patterns = [_ABSOLUTE_PATH, _ADDRESS, *(pattern for pattern, _ in _TIMINGS)]
    found = [match[0] for pattern in patterns for match in pattern.finditer(text)]
    return [trace for trace in found if "…" not in trace]
