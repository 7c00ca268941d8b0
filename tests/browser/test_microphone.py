"""The recorder in a real browser: what the microphone hears becomes a file that the course reads."""

import base64

import pytest
import soundfile
from playwright.sync_api import expect

from course_lib.generate.speech import speak
from course_lib.sound_effects import resample
from course_lib.sound_files import read_sound
from course_lib.widgets.microphone import recorder
from tests.browser.conftest import QUIETLY, path_of_chromium

pytestmark = pytest.mark.browser
ADDRESS = "http://127.0.0.1:9/"  # never asked: the page is answered below; browsers grant microphones to this host


@pytest.fixture(scope="module")
def listener(chromium, tmp_path_factory):
    """A page with the recorder, in a browser whose microphone hears a sentence."""
    said = tmp_path_factory.mktemp("microphone") / "said.wav"
    loud = resample(speak("turn on the kitchen light"), from_rate=16_000, to_rate=48_000)
    soundfile.write(said, 0.9 * loud / loud.abs().max(), 48_000, subtype="PCM_16")
    microphone = [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={said}",
        "--autoplay-policy=no-user-gesture-required",
    ]
    browser = chromium.browser_type.launch(executable_path=path_of_chromium(), args=QUIETLY + microphone)
    page = browser.new_page()
    page.route(ADDRESS, lambda route: route.fulfill(body=recorder().data, content_type="text/html; charset=utf-8"))
    page.goto(ADDRESS)
    yield page
    browser.close()


def test_what_is_said_becomes_a_recording_of_the_course(listener):
    button, status = listener.get_by_role("button"), listener.get_by_role("status")
    expect(button).to_have_text("Record")
    button.click()
    expect(status).to_have_text("Recording: speak now.")
    listener.wait_for_timeout(2_500)
    button.click()
    link = listener.get_by_role("link", name="Save recording.wav")
    expect(link).to_have_attribute("download", "recording.wav")
    expect(status).to_contain_text("s recorded")
    content = listener.evaluate(
        """async url => { const bytes = new Uint8Array(await (await fetch(url)).arrayBuffer());
           let text = ""; for (const byte of bytes) text += String.fromCharCode(byte); return btoa(text); }""",
        link.get_attribute("href"),
    )
    waveform = read_sound(base64.b64decode(content))
    assert 1.0 < len(waveform) / 16_000 < 20
    assert waveform.abs().max() > 0.1


def test_a_refused_microphone_is_told_in_words(chromium):
    page = chromium.new_page()
    page.route(ADDRESS, lambda route: route.fulfill(body=recorder().data, content_type="text/html; charset=utf-8"))
    page.goto(ADDRESS)
    page.get_by_role("button").click()
    expect(page.get_by_role("status")).to_contain_text("Choose a file instead")
    page.close()
