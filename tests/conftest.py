"""What every test may count on: the learner's own work is out of reach, and nothing is skipped in silence."""

import importlib.util
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Need:
    """What a marker asks of the machine; where it is missing, the test is skipped on a laptop."""

    is_there: Callable[[], bool]
    how: str
    may_lack_in_ci: bool = False


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _has_torchaudio() -> bool:
    try:
        import torchaudio  # noqa: F401
    except (ImportError, OSError, RuntimeError):  # a missing library, symbol, or one built for another CUDA
        return False
    return True


NEEDS = {
    "browser": Need(
        lambda: any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")),
        "install Chromium (Debian: sudo apt install chromium), then: make test-browser",
    ),
    "scale": Need(
        lambda: importlib.util.find_spec("ray") is not None,
        "they need Ray, 500 MB; to install it and run them: make test-scale",
    ),
    "network": Need(
        lambda: os.environ.get("COURSE_NETWORK") == "1",
        "they download; to allow it: COURSE_NETWORK=1 make test",
        may_lack_in_ci=True,
    ),
    "torchaudio": Need(
        _has_torchaudio, "its last release does not load beside this torch; take the one of constraints.txt: make setup"
    ),
    "gpu": Need(_has_gpu, "run make test on a machine with a CUDA GPU", may_lack_in_ci=True),
    "realdata": Need(
        lambda: Path(os.environ.get("COURSE_DATA", "")).is_dir() and "COURSE_DATA" in os.environ,
        "point COURSE_DATA to a folder with the corpora, then: make test",
        may_lack_in_ci=True,
    ),
}


@pytest.fixture(scope="session", autouse=True)
def _learners_work_is_out_of_reach(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Progress and workbook of whoever runs the tests stay as they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_STATE", str(tmp_path_factory.mktemp("state")))
        patch.setenv("COURSE_WORKBOOK", str(tmp_path_factory.mktemp("workbook")))
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for marker in NEEDS.keys() & {mark.name for mark in item.iter_markers()}:
            if not NEEDS[marker].is_there():
                item.add_marker(pytest.mark.skip(reason=f"{marker}: {NEEDS[marker].how}"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    return _failed_if_skipped_in_ci((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    return _failed_if_skipped_in_ci((yield))


def _failed_if_skipped_in_ci(report):
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        reason = _reason(report)
        need = NEEDS.get(reason.partition(":")[0])
        if need is None or not need.may_lack_in_ci:
            report.outcome = "failed"
            report.longrepr = f"CI skips nothing in silence, and this would have been skipped. {reason}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly, at the very end, what did not run and how to run it."""
    reasons = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", []))
    if reasons:
        terminalreporter.section("these tests did NOT run", sep="!", yellow=True, bold=True)
        for reason, count in sorted(reasons.items()):
            terminalreporter.line(f"{count} x {reason}", yellow=True)


def _reason(report) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")
