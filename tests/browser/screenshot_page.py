"""Take the picture of the service's page anew: `python -m tests.browser.screenshot_page` writes docs/page.png."""

import io
import tempfile
from pathlib import Path

import torch.nn.functional as F
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from course_lib.generate.speech import speak
from course_lib.paths import checkout, write_atomically
from course_lib.serving.first_models import load_models
from course_lib.sound_files import write_sound
from tests.browser.conftest import QUIETLY, path_of_chromium
from tests.browser.serving import draw, serving

SAID = "play some music in the kitchen"
SEVEN = [(0.25, 0.2), (0.75, 0.2), (0.42, 0.85)]
WINDOW = {"width": 1280, "height": 940}


def main() -> None:
    """Draw a digit, let a voice speak, and take a picture."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(load_models(say=print)) as address,
        sync_playwright() as browsers,
    ):
        recording = Path(folder) / "said.wav"
        write_sound(recording, F.pad(speak(SAID, voice="en-us+m4"), (4_000, 4_000)))
        browser = browsers.chromium.launch(executable_path=path_of_chromium(), args=QUIETLY)
        page = browser.new_page(viewport=WINDOW)
        page.goto(address)
        page.get_by_label("a network for digits").wait_for()
        draw(page, page.get_by_label("Drawing paper"), SEVEN)
        expect(page.locator("#seen")).not_to_be_empty()
        page.get_by_label("Choose a recording").set_input_files(recording)
        expect(page.locator("#words li")).not_to_have_count(0)
        page.wait_for_timeout(500)  # until the bars have grown
        picture = Image.open(io.BytesIO(page.screenshot()))
        browser.close()
    png = io.BytesIO()
    picture.quantize(128, dither=Image.Dither.NONE).save(png, "PNG", optimize=True)
    write_atomically(checkout() / "docs" / "page.png", png.getvalue())


if __name__ == "__main__":
    main()
