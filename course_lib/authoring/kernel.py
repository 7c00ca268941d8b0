"""Run a notebook the way that its author must be able to rely on: one thread, nobody's settings, nothing forgiven."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from course_lib import paths
from course_lib.authoring.sources import cell_label

CELL_SECONDS = 600  # ten times what a whole lesson may take: whoever runs into this hangs

# The line leaves no name behind in the notebook's namespace: a lesson that forgot an import must still fail.
STARTUP = '__import__("course_lib.authoring.strict_kernel", fromlist=["make_strict"]).make_strict(get_ipython())\n'
KERNEL_SETTINGS = "c.IPKernelApp.log_level = 40\n"  # or it warns of its plain local connection each time
MATPLOTLIB_SETTINGS = "svg.hashsalt: course\n"


@contextmanager
def strict_environment() -> Iterator[dict[str, str]]:
    """Environment variables for a kernel that behaves alike on every machine, and the temporary folder they point to.

    One thread, no progress bars; IPython, Matplotlib and the learner's progress start from nothing; data sets are
    generated, whatever this machine has downloaded; a failing `!command` and an exception in a thread are errors (see
    `strict_kernel`).
    """
    with tempfile.TemporaryDirectory(prefix="course-kernel-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        startup = folder / "ipython" / "profile_default" / "startup"
        startup.mkdir(parents=True)
        (startup.parent / "ipython_kernel_config.py").write_text(KERNEL_SETTINGS, encoding="utf-8")
        (startup / "00-strict.py").write_text(STARTUP, encoding="utf-8")
        (folder / "matplotlibrc").write_text(MATPLOTLIB_SETTINGS, encoding="utf-8")
        library = Path(__file__).resolve().parents[2]
        yield {
            "COURSE_DATA": str(paths.checkout() / ".course" / "generated"),
            "COURSE_STATE": str(folder / "state"),
            "COURSE_WORKBOOK": str(folder / "workbook"),
            "IPYTHONDIR": str(folder / "ipython"),
            "MATPLOTLIBRC": str(folder / "matplotlibrc"),
            "MKL_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": os.pathsep.join(filter(None, [str(library), os.environ.get("PYTHONPATH")])),
            "SOURCE_DATE_EPOCH": "0",
            "TQDM_DISABLE": "1",
        }


def execute(notebook: NotebookNode, *, folder: Path, cell_seconds: float = CELL_SECONDS) -> None:
    """Run all cells in a fresh kernel and store their outputs in the notebook.

    Args:
        notebook: is changed in place.
        folder: where the kernel starts.
        cell_seconds: what a single cell may take, in seconds.

    Raises:
        CellBroken: a cell raised, hung or killed the kernel.
    """
    begun = [0]
    client = NotebookClient(
        notebook,
        timeout=cell_seconds,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
        on_cell_start=lambda cell, cell_index: begun.append(cell_index),
    )
    with strict_environment() as environment:
        try:
            client.execute(env=os.environ | environment)
        except CellExecutionError as error:
            raise CellBroken(notebook, begun[-1], f"raised {error.ename}", details=error.traceback) from None
        except CellTimeoutError:
            raise CellBroken(notebook, begun[-1], f"was still running after {cell_seconds:g} s") from None
        except DeadKernelError:
            raise CellBroken(notebook, begun[-1], "killed its kernel") from None
        except AssertionError:  # how nbclient 0.11 ends after Ctrl-C, when it has shut the kernel down
            if client.km is None:
                raise KeyboardInterrupt from None
            raise


class CellBroken(Exception):
    """A notebook did not run to its end; the text names the cell and shows its source and the traceback."""

    def __init__(self, notebook: NotebookNode, index: int, what: str, *, details: str = ""):
        self.where = cell_label(notebook.cells, index)
        self.what = what
        source = "\n".join(f"    {line}" for line in notebook.cells[index].source.splitlines())
        details = re.sub(r"\x1b\[[0-9;]*m", "", details)
        super().__init__(f"{self.where} {what}:\n\n{source}\n\n{details}".rstrip())
