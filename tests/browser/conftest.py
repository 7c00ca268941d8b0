"""One Chromium and one `course lab` for all tests here; a page of its own for each file of them."""

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from course_lib.paths import find_lesson
from tests.browser.jupyterlab import JupyterLab
from tests.browser.server import LabServer

ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
QUIETLY = [
    "--no-sandbox",  # in a container there is none to be had
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def path_of_chromium() -> str:
    """Where this machine has Chromium; tests/conftest.py has skipped or failed everything here if it has none."""
    return next(filter(None, map(shutil.which, CHROMIUM)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Keep a picture of what stood on the page when a test failed."""
    report = yield
    if report.failed and "page" in item.funcargs:
        ARTIFACTS.mkdir(exist_ok=True)
        item.funcargs["page"].screenshot(path=ARTIFACTS / f"failed_{item.name}.png")
    return report


@pytest.fixture(scope="session")
def chromium():
    """The machine's own Chromium: nothing is downloaded."""
    for old in ARTIFACTS.glob("failed_*.png"):
        old.unlink()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path_of_chromium(), args=QUIETLY)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A running `course lab` with a new workbook."""
    with LabServer(tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture(scope="module")
def page(chromium):
    """A page as wide as a laptop's screen."""
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    yield page
    page.close()


@pytest.fixture(scope="module")
def lab(page, server):
    """JupyterLab in the page, with nothing open yet."""
    lab = JupyterLab(page, server)
    lab.use_theme("JupyterLab Light")
    yield lab
    lab.shut_down_kernels()


@pytest.fixture(scope="module")
def notebook(request, lab):
    """The lesson that the file names, opened from the file list and run from top to bottom with nothing answered."""
    notebook = lab.open(find_lesson(request.module.LESSON).notebook.name)
    notebook.run_all()
    return notebook


@pytest.fixture
def picture(request):
    """`picture("card")` is where to keep a screenshot of that name."""
    folder = ARTIFACTS / request.path.stem.removeprefix("test_")
    folder.mkdir(parents=True, exist_ok=True)
    return lambda name: folder / f"{name}.png"
