"""Drive JupyterLab as a learner would: open a lesson from the file list, run it, type an answer, click, look.

    notebook = JupyterLab(page, server).open("02_backprop.ipynb")
    notebook.run_all()
    answer = notebook.cell_with("def sgd_step(")
    answer.type("...")
    answer.run()
    expect(answer.card("right")).to_be_visible()

Every wait is for something to happen, never for time to pass.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from playwright.sync_api import Locator, Page, expect

from tests.browser.server import LabServer

SECONDS_TO_ANSWER = 120  # for one click or look on a busy machine; over as soon as the page answers
SECONDS_TO_RUN = 1500  # for a whole lesson on a very busy machine; over as soon as it has run
MENUS_AND_BARS = 200  # pixels above and below a notebook, and a little more
ADD_A_CELL_AT_THE_END = ".jp-Notebook-footer"

# True as soon as something has run, and nothing runs or waits to run any more.
IS_DONE = r"""notebook => {
    const prompts = [...notebook.querySelectorAll(".jp-CodeCell .jp-InputPrompt")].map(prompt => prompt.textContent);
    const indicator = notebook.closest(".jp-NotebookPanel").querySelector(".jp-Notebook-ExecutionIndicator");
    return indicator.dataset.status === "idle"
        && prompts.some(prompt => /\[\d+\]/.test(prompt)) && !prompts.some(prompt => prompt.includes("*"));
}"""


class JupyterLab:
    """JupyterLab in a page of the browser."""

    def __init__(self, page: Page, server: LabServer) -> None:
        self.page, self._server = page, server
        page.set_default_timeout(SECONDS_TO_ANSWER * 1000)
        expect.set_options(timeout=SECONDS_TO_ANSWER * 1000)
        page.goto(f"{server.address}&reset")  # with nothing open from last time
        page.locator(".jp-DirListing-content").wait_for()

    def open(self, name: str) -> "Notebook":
        """Open a notebook from the file list by a double click, and wait until its kernel is ready."""
        self.page.locator(".jp-DirListing-item").filter(has_text=name).dblclick()
        notebook = Notebook(self, self._server.workbook / name)
        notebook.locator.wait_for()
        self._wait_for_kernel(name)
        return notebook

    def menu(self, name: str, *entries: str) -> None:
        """Choose from the menu bar, such as `menu("Run", "Run All Cells")`; an entry's first words are enough."""
        self.page.get_by_role("menuitem", name=name, exact=True).click()
        for entry in entries:
            starts_so = re.compile(f"^{re.escape(entry)}")
            label = self.page.locator(".lm-Menu-itemLabel").filter(has_text=starts_so, visible=True)
            label.first.click()

    def confirm(self) -> None:
        """Say yes to the dialog that lies over the page."""
        dialog = self.page.locator(".jp-Dialog")
        dialog.locator(".jp-mod-accept").click()
        dialog.wait_for(state="detached")

    def shut_down_kernels(self) -> None:
        """End every kernel that this page or another one has started."""
        self.menu("Kernel", "Shut Down All Kernels")
        self.confirm()

    def use_theme(self, theme: str) -> None:
        """Choose one of JupyterLab's themes: "JupyterLab Light" or "JupyterLab Dark"."""
        self.menu("Settings", "Theme", theme)
        self.page.locator(f'body[data-jp-theme-name="{theme}"]').wait_for(state="attached")

    def _wait_for_kernel(self, name: str) -> None:
        """Without this, "Run All" finds no kernel, asks for one and goes on asking for ever."""
        address, token = self._server.address.split("lab?token=")
        for _ in range(SECONDS_TO_ANSWER * 4):
            sessions = self.page.request.get(f"{address}api/sessions", params={"token": token}).json()
            if any(session["path"] == name and session["kernel"]["execution_state"] == "idle" for session in sessions):
                return
            self.page.wait_for_timeout(250)
        raise TimeoutError(f"{name} got no kernel within {SECONDS_TO_ANSWER} s.")


class Notebook:
    """A notebook that is open in JupyterLab.

    Args:
        lab: where it is open.
        path: its file. A cell is found by what the file says, since the page draws only a part of what is far away.
    """

    def __init__(self, lab: JupyterLab, path: Path) -> None:
        self.lab, self.page = lab, lab.page
        self.locator = self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook")
        self._cells = self.locator.locator(".jp-Cell")
        self._file = nbformat.read(path, as_version=4)

    def run_all(self) -> None:
        """Run > Run All Cells; wait until everything has run or an error has stopped it."""
        self._clear_outputs()
        self.lab.menu("Run", "Run All Cells")
        self.wait_until_done()

    def restart_and_run_all(self) -> None:
        """Kernel > Restart Kernel and Run All Cells; wait until everything has run or an error has stopped it."""
        self._clear_outputs()
        self.lab.menu("Kernel", "Restart Kernel and Run All Cells")
        self.lab.confirm()
        self.wait_until_done()

    def wait_until_done(self) -> None:
        """Wait until nothing runs or waits to run."""
        self.page.wait_for_function(IS_DONE, arg=self.locator.element_handle(), timeout=SECONDS_TO_RUN * 1000)

    @contextmanager
    def unrolled(self) -> Iterator[None]:
        """Make the window so tall for a while that the whole notebook is in view."""
        before = self.page.viewport_size
        content = self.locator.locator(".jp-WindowedPanel-inner").bounding_box()["height"]
        self.page.set_viewport_size({"width": before["width"], "height": round(content) + MENUS_AND_BARS})
        self._cells.first.scroll_into_view_if_needed()
        for cell in (self._cells.first, self._cells.last):
            expect(cell).to_be_in_viewport(ratio=1)
        yield
        self.page.set_viewport_size(before)

    @property
    def errors(self) -> Locator:
        """What stands on red below cells: errors and warnings."""
        return self.locator.locator('[data-mime-type="application/vnd.jupyter.stderr"]')

    @property
    def code_cells(self) -> list["Cell"]:
        """The code cells whose code is shown, from top to bottom; a folded one has no prompt either."""
        locator = self.locator.locator(".jp-CodeCell:not(:has(.jp-InputPlaceholder))")
        return [Cell(self, locator.nth(number)) for number in range(locator.count())]

    def cell_with(self, text: str) -> "Cell":
        """The only code cell in whose source, as the file has it, this text stands."""
        found = [
            number for number, cell in enumerate(self._file.cells) if cell.cell_type == "code" and text in cell.source
        ]
        if len(found) != 1:
            raise LookupError(f"{text!r} stands in {len(found)} code cells; it should stand in exactly one.")
        return Cell(self, self._cells.nth(found[0]))

    def new_cell(self, source: str) -> "Cell":
        """Add a code cell at the end and type this into it."""
        number = self._cells.count()
        self.locator.locator(ADD_A_CELL_AT_THE_END).click()
        expect(self._cells).to_have_count(number + 1)
        cell = Cell(self, self._cells.nth(number))
        cell.type(source)
        return cell

    def _clear_outputs(self) -> None:
        """Prompts without numbers tell what runs from now on from what ran before."""
        self.lab.menu("Edit", "Clear Outputs of All Cells")
        expect(self.locator.locator(".jp-CodeCell .jp-InputPrompt").filter(has_text=re.compile(r"\d"))).to_have_count(0)


class Cell:
    """A code cell of an open notebook."""

    def __init__(self, notebook: Notebook, locator: Locator) -> None:
        self.notebook, self.locator = notebook, locator
        self.output = locator.locator(".jp-Cell-outputArea")
        self._editor = locator.locator(".cm-content")
        self._prompt = locator.locator(".jp-InputPrompt")

    def type(self, source: str) -> None:
        """Replace what stands in the cell."""
        self._editor.click()
        self.notebook.page.keyboard.press("ControlOrMeta+A")
        self.notebook.page.keyboard.insert_text(source)

    def run(self) -> None:
        """Run this cell alone, and wait until it is done."""
        before = self._prompt.inner_text()
        self._editor.click()
        self.notebook.page.keyboard.press("Control+Enter")
        expect(self._prompt).not_to_have_text(before)
        self.notebook.wait_until_done()

    def card(self, look: str) -> Locator:
        """The card of an exercise, if it has this look: "right", "wrong", "shortcut" or "unwritten"."""
        return self.output.locator(f".course-card-{look}")

    @property
    def number(self) -> int | None:
        """The number in the cell's prompt; None if it has not run."""
        found = re.search(r"\d+", self._prompt.text_content())
        return int(found[0]) if found else None

    @property
    def text(self) -> str:
        """What is to be read below the cell."""
        return self.output.inner_text()

    def screenshot(self, path: Path) -> None:
        """Picture what the cell shows below itself."""
        self.output.screenshot(path=path)
