"""The page of the service in a real Chromium: draw, drop, speak, and read in words what went wrong."""

import io
import math
import re

import pytest
import soundfile
import torch
from PIL import Image
from playwright.sync_api import expect

from course_lib.audio import power_spectrogram
from course_lib.datasets import load
from course_lib.generate.speech import Request, recite
from course_lib.generate.voices import variants_of
from course_lib.metrics import character_error_rate
from course_lib.serving.first_models import PLANS, train_first_version
from course_lib.serving.models import Model, SpeechReader, load_image_model
from course_lib.sound_effects import resample
from course_lib.speech_models import load_recognizer
from course_lib.text import Alphabet
from tests.browser.axe import serious_violations
from tests.browser.conftest import QUIETLY, path_of_chromium
from tests.browser.serving import draw, drop, listening_browser, serving

pytestmark = pytest.mark.browser
SAID = "play some music in the kitchen"
PATIENCE = 60  # seconds for whatever should happen at once
ONE = [(0.5, 0.15), (0.5, 0.85)]
SEVEN = [(0.25, 0.2), (0.75, 0.2), (0.42, 0.85)]
ZERO = [
    (0.5 + 0.22 * math.sin(angle / 12 * math.tau), 0.5 - 0.35 * math.cos(angle / 12 * math.tau)) for angle in range(13)
]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """What `course serve` trains first, with fewer epochs."""
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        for name, epochs in (("digits", 12), ("shapes", 1)):
            patch.setitem(PLANS, name, PLANS[name] | {"epochs": epochs})
            train_first_version(name, folder, say=lambda line: None)
    network, card = load_recognizer("speech_streaming")
    speech = Model("speech", "speech", {"1": SpeechReader(network, Alphabet(card["characters"]))}, "1")
    return {name: load_image_model(name, folder) for name in ("digits", "shapes")} | {"speech": speech}


@pytest.fixture(scope="module")
def address(models):
    with serving(models) as address:
        yield address


@pytest.fixture(scope="module")
def sentence(models, tmp_path_factory):
    """A sentence as a microphone hears it, at 48 kHz, by a voice that was in no training, but is understood."""
    hush = torch.zeros(8_000)
    spoken = recite([Request(SAID, f"en-us+{variant}") for variant in variants_of("test")])
    heard = [torch.cat([hush, torch.from_numpy(samples).float() / 32768, hush]) for samples, _ in spoken]
    reader = models["speech"].pick()[1]
    shifted = [[each.text for each in reader([voice[shift:] for voice in heard])] for shift in range(0, 640, 80)]
    safest = max(range(len(heard)), key=lambda number: sum(texts[number] == SAID for texts in shifted))
    waveform = resample(heard[safest], from_rate=16_000, to_rate=48_000)
    path = tmp_path_factory.mktemp("said") / "said.wav"
    soundfile.write(path, 0.7 * waveform / waveform.abs().max(), 48_000, subtype="PCM_16")
    return path


@pytest.fixture(scope="module")
def listener(chromium, sentence):
    browser = listening_browser(chromium, sentence, path=path_of_chromium(), arguments=QUIETLY)
    yield browser
    browser.close()


@pytest.fixture
def open_page(chromium, address):
    """Open the page; what it asks of others, and what its console complains about, fails the test."""
    pages, outside, complaints = [], [], []

    def open_it(browser=chromium, at=address, **options):
        expect.set_options(timeout=1000 * PATIENCE)
        page = browser.new_page(**{"viewport": {"width": 1280, "height": 900}} | options)
        page.on(
            "request", lambda asked: asked.url.startswith((at, at.replace("http", "ws"))) or outside.append(asked.url)
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.set_default_timeout(1000 * PATIENCE)
        page.goto(at)
        pages.append(page)
        return page

    yield open_it
    for page in pages:
        page.context.close()
    assert outside == [] and complaints == []


@pytest.fixture
def page(open_page):
    page = open_page()
    page.get_by_label("a network for digits").wait_for()
    return page


def a_file(image, form="PNG"):
    content = io.BytesIO()
    image.save(content, form)
    return content.getvalue()


def bars_of(page):
    return page.get_by_role("list", name="Classes").get_by_role("listitem")


@pytest.mark.parametrize(("digit", "stroke"), [("1", ONE), ("7", SEVEN), ("0", ZERO)])
def test_a_digit_drawn_with_the_mouse_is_recognized(page, picture, digit, stroke):
    draw(page, page.get_by_label("Drawing paper"), stroke)
    expect(page.locator("#seen")).to_have_text(re.compile(f"^{digit}, "))
    expect(bars_of(page)).to_have_count(5)
    expect(page.get_by_role("table").locator("tbody tr")).to_contain_text(["digits, version 1"])
    page.screenshot(path=picture(f"drawn_{digit}"))


def test_a_digit_drawn_by_keyboard_is_recognized_and_told_in_words(page, picture):
    page.get_by_label("Drawing paper").focus()
    keys = page.keyboard
    for key in [*7 * ["ArrowUp"], " ", *14 * ["ArrowDown"]]:
        keys.press(key)
    expect(page.locator("#pen")).to_have_text("Pen down, 10 from the left, 17 from the top, of 20.")
    page.screenshot(path=picture("keyboard"))
    keys.press(" ")
    expect(page.locator("#pen")).to_contain_text("Pen up")
    expect(page.locator("#seen")).to_have_text(re.compile("^1, "))
    keys.press("Delete")
    expect(page.locator("#seen")).to_have_text("")
    expect(bars_of(page)).to_have_count(0)


def test_a_finger_draws_too(open_page, picture):
    page = open_page(has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844})
    paper = page.get_by_label("Drawing paper")
    paper.scroll_into_view_if_needed()
    box, hand = paper.bounding_box(), page.context.new_cdp_session(page)
    for kind, y in [("touchStart", 0.15), *(("touchMove", 0.15 + 0.1 * step) for step in range(8)), ("touchEnd", None)]:
        point = [] if y is None else [{"x": box["x"] + box["width"] / 2, "y": box["y"] + y * box["height"]}]
        hand.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": point})
    expect(page.locator("#seen")).to_have_text(re.compile("^1, "))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.screenshot(path=picture("phone"), full_page=True)


def test_a_dropped_picture_is_recognized(page, models, picture):
    shapes = load("shapes")
    some = shapes.splits["test"].images[:200]
    sure = torch.tensor(models["shapes"].pick()[1](list(some))).amax(dim=1).argmax()
    name = shapes.classes[shapes.splits["test"].labels[sure]]
    image = Image.fromarray((255 * some[sure]).byte().permute(1, 2, 0).numpy())
    page.get_by_label("a network for shapes").check()
    drop(page.locator("#paper"), a_file(image), name="shape.png", media_type="image/png")
    expect(page.locator("#seen")).to_have_text(re.compile(f"^{name}, "))
    page.screenshot(path=picture("dropped"))


def test_a_chosen_picture_is_recognized_and_another_drawing_follows(page):
    digits = load("digits").splits["test"]
    number = int((digits.labels == 3).nonzero()[0])
    ink = Image.fromarray((255 - 255 * digits.images[number, 0]).byte().numpy()).resize((160, 160))
    chosen = {"name": "three.png", "mimeType": "image/png", "buffer": a_file(ink)}
    page.get_by_label("Choose a picture").set_input_files(chosen)
    expect(page.locator("#seen")).to_have_text(re.compile("^3, "))
    draw(page, page.get_by_label("Drawing paper"), ONE)
    expect(page.locator("#seen")).to_have_text(re.compile("^1, "))


def test_what_is_wrong_with_a_file_is_said_in_words(page, open_page, models, picture):
    trouble, whole = page.locator("#see-trouble"), a_file(Image.effect_noise((200, 200), 80))
    drop(page.locator("#paper"), b"hello", name="notes.txt", media_type="text/plain")
    expect(trouble).to_contain_text("notes.txt is no picture")
    drop(page.locator("#paper"), a_file(Image.new("L", (9, 9)), "GIF"), name="moving.gif", media_type="image/gif")
    expect(trouble).to_contain_text("takes PNG, JPEG, WebP and BMP")
    drop(page.locator("#paper"), whole[:-3000], name="half.png", media_type="image/png")
    expect(trouble).to_contain_text("not a whole PNG file")
    expect(trouble).to_have_attribute("role", "alert")
    page.screenshot(path=picture("trouble"))
    with serving(models, max_image_bytes=20_000) as narrow:
        small = open_page(at=narrow)
        drop(small.locator("#paper"), whole, name="large.png", media_type="image/png")
        expect(small.locator("#see-trouble")).to_contain_text("20,000")
        draw(small, small.get_by_label("Drawing paper"), ONE)
        expect(small.locator("#see-trouble")).to_have_text("")
        expect(small.locator("#seen")).to_have_text(re.compile("^1, "))


def test_a_server_that_has_gone_is_said_in_words(open_page, models):
    with serving(models) as address:
        page = open_page(at=address)
        page.get_by_label("a network for digits").wait_for()
    draw(page, page.get_by_label("Drawing paper"), ONE)
    expect(page.locator("#see-trouble")).to_contain_text("The server does not answer")


def test_the_pages_spectrum_is_the_courses(page):
    samples = torch.randn(5, 400, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    script = """async samples => {
        const { power } = await import("/page/spectrogram.js");
        return samples.map(each => [...power(each)]);
    }"""
    ours = torch.tensor(page.evaluate(script, samples.tolist()), dtype=torch.float64)
    torch.testing.assert_close(ours, power_spectrogram(samples)[:, 0], rtol=1e-5, atol=1e-4)


def heard_live(page):
    """Wait until all words are there, while the page still listens. On a busy machine the microphone may stutter."""
    expect(page.get_by_role("button", name="Stop")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#transcript span")).to_have_count(len(SAID.split()))
    expect(page.locator("#transcript")).to_have_text(re.compile(r"\w{6} *$"))  # most of "kitchen"
    assert page.locator("#words li").count() == 0


def test_who_holds_the_button_and_speaks_is_written_down_live(open_page, listener, picture):
    page = open_page(listener)
    page.get_by_role("button", name="Hold to speak").hover()
    page.mouse.down()
    heard_live(page)
    page.screenshot(path=picture("listening"))
    page.mouse.up()
    expect(page.locator("#talk-state")).to_contain_text("off")
    transcript = page.locator("#transcript")
    text = transcript.inner_text().strip()
    assert character_error_rate([SAID], [text]) < 0.15
    expect(transcript).to_have_attribute("aria-live", "polite")
    words = page.get_by_role("list", name="Words").get_by_role("listitem")
    expect(words).to_contain_text(text.split())
    left = [word.bounding_box()["x"] for word in words.all()]
    assert left == sorted(left) and left[-1] - left[0] > 100
    expect(page.get_by_role("img", name="Spectrogram of")).to_have_attribute("aria-label", re.compile(text))
    expect(page.get_by_role("table").locator("tbody tr").first).to_contain_text(f"speech, live{text}")
    page.screenshot(path=picture("aligned"))


def test_by_keyboard_one_press_begins_and_one_ends(open_page, listener):
    page = open_page(listener)
    page.get_by_role("button", name="Hold to speak").focus()
    page.keyboard.press("Enter")
    heard_live(page)
    page.keyboard.press("Space")
    expect(page.get_by_role("list", name="Words").get_by_role("listitem")).to_have_count(len(SAID.split()))


def test_the_spectrogram_moves_while_somebody_speaks(open_page, listener):
    page = open_page(listener)
    bright = """least => { const canvas = document.querySelector("#spectrogram");
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return data.filter((value, place) => place % 4 === 0 && value > 150).length > least; }"""
    assert not page.evaluate(bright, 0)
    page.get_by_role("button", name="Hold to speak").click()
    page.wait_for_function(bright, arg=200)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#talk-state")).to_contain_text("off")


def test_a_recording_does_without_a_microphone(page, sentence, picture):
    page.get_by_label("Choose a recording").set_input_files(sentence)
    expect(page.locator("#transcript")).to_have_text(SAID)
    expect(page.get_by_role("list", name="Words").get_by_role("listitem")).to_have_count(len(SAID.split()))
    page.screenshot(path=picture("recording"))


@pytest.mark.parametrize(
    ("name", "words"), [("NotAllowedError", "was refused"), ("NotFoundError", "There is no microphone")]
)
def test_a_missing_or_refused_microphone_is_said_in_words(open_page, name, words):
    page = open_page()
    page.evaluate(
        "name => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', name)); }", name
    )
    page.get_by_role("button", name="Hold to speak").click()
    expect(page.locator("#hear-trouble")).to_contain_text(words)
    expect(page.get_by_role("button", name="Hold to speak")).to_have_attribute("aria-pressed", "false")


def test_chromium_without_a_microphone_says_so(page):
    page.get_by_role("button", name="Hold to speak").click()
    expect(page.locator("#hear-trouble")).to_contain_text(re.compile("[Cc]hoose a recording"))


def test_who_has_the_token_goes_on(open_page, listener, models, picture):
    with serving(models, token="open sesame") as guarded:
        page = open_page(listener, at=guarded)
        dialog = page.get_by_role("dialog", name="This server asks for a token")
        expect(dialog).to_be_visible()
        page.screenshot(path=picture("token"))
        dialog.get_by_label("Token").fill("open sesame")
        page.keyboard.press("Enter")
        expect(page.get_by_label("a network for digits")).to_be_checked()
        draw(page, page.get_by_label("Drawing paper"), ONE)
        expect(page.locator("#seen")).to_have_text(re.compile("^1, "))
        page.get_by_role("button", name="Hold to speak").click()
        heard_live(page)
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#talk-state")).to_contain_text("off")


def test_who_has_no_token_reads_why_nothing_happens(open_page, models):
    with serving(models, token="open sesame") as guarded:
        page = open_page(at=guarded)
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator("#see-trouble")).to_contain_text("Without the token")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everyone_can_use_it(open_page, sentence, picture, scheme):
    page = open_page(color_scheme=scheme)
    draw(page, page.get_by_label("Drawing paper"), SEVEN)
    page.get_by_label("Choose a recording").set_input_files(sentence)
    expect(page.locator("#transcript")).to_have_text(SAID)
    drop(page.locator("#paper"), b"hello", name="notes.txt", media_type="text/plain")
    expect(page.locator("#see-trouble")).not_to_be_empty()
    page.screenshot(path=picture(f"whole_{scheme}"), full_page=True)
    assert serious_violations(page, within=["body"]) == []
