"""The service of lesson 16 in a thread of this process, for tests that look at its page."""

import base64
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import uvicorn
from playwright.sync_api import Browser, Locator, Page

from course_lib.serving.app import create_app
from course_lib.serving.command import configuration
from course_lib.serving.models import Model
from course_lib.serving.settings import Settings

GUARD = 60  # seconds after which something that should have happened long ago has failed
MICROPHONE = [
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
]
DROP = """([box, name, type, content]) => {
    const bytes = Uint8Array.from(atob(content), letter => letter.charCodeAt(0)), files = new DataTransfer();
    files.items.add(new File([bytes], name, { type }));
    for (const kind of ["dragover", "drop"]) {
        box.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: files }));
    }
}"""


@contextmanager
def serving(models: Mapping[str, Model], **limits: Any) -> Iterator[str]:
    """A running service; gives its address.

    Args:
        models: by name.
        limits: of `Settings`.
    """
    settings = Settings(port=0, **limits)
    server = uvicorn.Server(configuration(create_app(models, settings=settings), settings))
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + GUARD
    while not server.started:
        if time.monotonic() > deadline or not thread.is_alive():
            raise RuntimeError("The service did not start.")
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(GUARD)


def listening_browser(chromium: Browser, sound: Path, *, path: str, arguments: list[str]) -> Browser:
    """Another Chromium, whose microphone hears a WAV file once, each time that it is opened."""
    heard = f"--use-file-for-fake-audio-capture={sound}%noloop"
    return chromium.browser_type.launch(executable_path=path, args=[*arguments, *MICROPHONE, heard])


def draw(page: Page, paper: Locator, *strokes: list[tuple[float, float]]) -> None:
    """Draw with the mouse; the paper reaches from (0, 0) to (1, 1)."""
    box = paper.bounding_box()
    for (x, y), *further in strokes:
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        page.mouse.down()
        for x, y in further:
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=8)
        page.mouse.up()


def drop(box: Locator, content: bytes, *, name: str, media_type: str) -> None:
    """Drop a file there."""
    place = box.element_handle()
    box.page.evaluate(DROP, [place, name, media_type, base64.b64encode(content).decode()])
