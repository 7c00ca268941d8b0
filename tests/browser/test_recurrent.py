"""Lesson 08 in JupyterLab: it runs, its words can be played, and everyone can read it."""

import pytest
from playwright.sync_api import expect

from tests.browser.every_lesson import EveryLesson

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1800)]  # training takes long on a busy machine
LESSON = "recurrent"


def test_a_word_has_a_name_and_is_played_by_keyboard(notebook):
    player = notebook.locator.get_by_label("on", exact=True)
    expect(player).to_have_js_property("readyState", 4)  # all of it was decoded
    player.focus()
    player.press("Space")
    player.evaluate("audio => new Promise(done => audio.ended ? done() : audio.addEventListener('ended', done))")


class TestRecurrent(EveryLesson):
    """It runs to its end, and everyone can read it."""
