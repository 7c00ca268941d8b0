"""The microphone: any recording becomes text, whatever ipywidgets hands over, and errors are words."""

from datetime import UTC, datetime

import pytest
import torch

from course_lib.sound_files import write_sound
from course_lib.widgets.microphone import explore_microphone, recorder, transcribe_sound, uploaded


def say_how_long(waveform):
    return f"{len(waveform)} samples"


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "tone.wav"
    write_sound(path, 0.3 * torch.sin(torch.arange(8000) * 0.2))
    return path


def test_the_text_twin_reads_a_path_and_bytes(recording):
    assert transcribe_sound(recording, say_how_long) == "0.5 s: “8000 samples”"
    assert transcribe_sound(recording.read_bytes(), say_how_long) == "0.5 s: “8000 samples”"


def test_what_is_no_sound_is_told_in_words():
    assert transcribe_sound(b"no sound at all", say_how_long).startswith("Not readable: The recording")


def test_what_is_too_long_is_refused(tmp_path):
    write_sound(tmp_path / "long.wav", 0.3 * torch.sin(torch.arange(16_000 * 16) * 0.2))
    assert "15 s is the most" in transcribe_sound(tmp_path / "long.wav", say_how_long)


def test_uploads_of_ipywidgets_seven_and_eight_are_alike():
    seven = {"a.wav": {"content": b"abc", "metadata": {}}}
    eight = ({"name": "a.wav", "content": memoryview(b"abc"), "size": 3},)
    assert uploaded(seven) == uploaded(eight) == [("a.wav", b"abc")]


def test_an_uploaded_recording_is_read_and_its_name_cannot_write_html(recording):
    widget = explore_microphone(say_how_long)
    upload, view = widget.children
    content = memoryview(recording.read_bytes())
    upload.value = (
        {"name": "<i>.wav", "type": "audio/wav", "size": 1, "content": content, "last_modified": datetime.now(tz=UTC)},
    )
    assert "&lt;i&gt;.wav, 0.5 s: “8000 samples”" in view.value
    assert 'aria-live="polite"' in view.value


def test_the_recorder_names_its_parts_and_loads_nothing_from_elsewhere():
    page = recorder().data
    assert 'role="status"' in page
    assert 'aria-label="Your recording"' in page
    assert "http" not in page
