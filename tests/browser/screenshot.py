"""Take the README's picture anew: `python -m tests.browser.screenshot` writes docs/screenshot.png."""

import io
import re
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, expect, sync_playwright

from course_lib.authoring.answer_key import typed_answer
from course_lib.paths import checkout, find_lesson, write_atomically
from tests.browser.conftest import QUIETLY, path_of_chromium
from tests.browser.jupyterlab import JupyterLab, Notebook
from tests.browser.server import LabServer

LESSON = find_lesson("backprop")
WINDOW = {"width": 1280, "height": 1060}


def main() -> None:
    """Open lesson 02, answer wrongly, walk a part of the graph, and take a picture of both."""
    with tempfile.TemporaryDirectory() as folder, LabServer(Path(folder)) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path_of_chromium(), args=QUIETLY)
        page = browser.new_page(viewport=WINDOW)
        notebook = JupyterLab(page, server).open(LESSON.notebook.name)
        notebook.run_all()
        answer_wrongly(notebook)
        graph = walk_back_a_little(notebook)
        graph.evaluate("graph => graph.scrollIntoView({block: 'end'})")  # most of the answer stays out of the picture
        picture = Image.open(io.BytesIO(page.screenshot()))
        browser.close()
    png = io.BytesIO()
    picture.quantize(128, dither=Image.Dither.NONE).save(png, "PNG", optimize=True)  # a third of the size
    write_atomically(checkout() / "docs" / "screenshot.png", png.getvalue())


def answer_wrongly(notebook: Notebook) -> None:
    """Type the reference without its docstring and with two factors swapped, and run it."""
    right = typed_answer("backward_rule", LESSON.solutions.read_text(encoding="utf-8"))
    short = re.sub(r'    """.*?"""\n', "", right, flags=re.DOTALL)
    wrong = short.replace("[upstream * right, upstream * left]", "[upstream * left, upstream * right]")
    answer = notebook.cell_with("def backward_rule(")
    answer.type(wrong)
    answer.run()
    expect(answer.card("wrong")).to_be_visible()


def walk_back_a_little(notebook: Notebook) -> Locator:
    """Go to the end of the walk and three steps back."""
    graph = notebook.locator.locator(".course-graph")
    for button in ("Last", "Back", "Back", "Back"):
        graph.get_by_role("button", name=button).click()
    expect(graph.get_by_role("status")).to_contain_text("Backwards")
    return graph


if __name__ == "__main__":
    main()
