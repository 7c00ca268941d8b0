"""A pytest plugin that makes nbval strict: `pytest -p course_lib.authoring.nbval_plugin --nbval-lax notebooks`.

Each notebook gets one more item, "rules" (see `notebook_rules`). Kernels run in the builder's environment, where a
failing `!command` and an exception in a thread are errors. A kernel that dies is noticed within a second.
"""

import time
from contextlib import ExitStack
from queue import Empty

import nbformat
import nbval.plugin
import pytest
from nbval.kernel import RunningKernel

from course_lib.authoring.kernel import strict_environment
from course_lib.authoring.notebook_rules import faults


def pytest_configure(config):
    cleanup = ExitStack()
    config.add_cleanup(cleanup.close)
    patch = pytest.MonkeyPatch()
    cleanup.callback(patch.undo)
    for variable, value in cleanup.enter_context(strict_environment()).items():
        patch.setenv(variable, value)
    patch.setattr(nbval.plugin, "RunningKernel", WatchedKernel)


def pytest_collect_file(file_path, parent):
    if file_path.suffix == ".ipynb":
        return NotebookWithRules.from_parent(parent, path=file_path)
    return None


class NotebookWithRules(pytest.File):
    """A notebook as seen without running it."""

    def collect(self):
        yield RulesItem.from_parent(self, name="rules")


class RulesItem(pytest.Item):
    """Fails with a list of all rules that the notebook breaks."""

    def runtest(self):
        found = faults(nbformat.read(self.path, as_version=4))
        if found:
            pytest.fail("\n".join(found), pytrace=False)

    def reportinfo(self):
        return self.path, None, f"{self.path.name}: rules"


class WatchedKernel(RunningKernel):
    """nbval's kernel, but nobody waits for the answer of a dead one."""

    def await_reply(self, msg_id, timeout=None):
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                return super().await_reply(msg_id, timeout=min(1.0, timeout or 1.0))
            except Empty:
                if not self.is_alive():
                    raise RuntimeError("The cell killed its kernel.") from None
                if deadline is not None and time.monotonic() >= deadline:
                    raise
