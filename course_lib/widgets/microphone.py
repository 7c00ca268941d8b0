"""A microphone for lesson 09: record in the browser, hand the file to the network, read what it understood.

The browser can't give a recording to Python by itself. So the recorder saves a WAV file, and the upload takes it; any
other recording (WAV, FLAC, Ogg) will do as well.
"""

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets
from IPython.display import HTML
from torch import Tensor

from course_lib.audio import SAMPLE_RATE
from course_lib.errors import CourseError
from course_lib.sound_files import read_sound

Transcribe = Callable[[Tensor], str]
MAX_SECONDS = 15.0
STYLE = "background:#ffffff;color:#1c2430;padding:12px;border-radius:6px;font:14px/1.5 system-ui,sans-serif"


def transcribe_sound(source: str | Path | bytes, transcribe: Transcribe) -> str:
    """What a recording says, in words: the microphone's text twin.

    Args:
        source: a file of sound, by its path, or its bytes; at most 15 s.
        transcribe: from a waveform `(time,)` at 16 kHz to text.

    Returns:
        Duration and text; or, if the file can't be read, why not.
    """
    try:
        waveform = read_sound(source, max_seconds=MAX_SECONDS)
    except CourseError as error:
        return f"Not readable: {error}"
    return f"{len(waveform) / SAMPLE_RATE:.1f} s: “{transcribe(waveform)}”"


def explore_microphone(transcribe: Transcribe) -> ipywidgets.Widget:
    """Choose a recording and read what the network understood.

    Args:
        transcribe: from a waveform `(time,)` at 16 kHz to text.

    Returns:
        A widget for the last line of a cell.
    """
    upload = ipywidgets.FileUpload(accept=".wav,.flac,.ogg", description="Choose a recording", layout={"width": "16em"})
    view = ipywidgets.HTML(_said("Nothing heard yet."))

    def listen(change: dict[str, Any]) -> None:
        for name, content in uploaded(change["new"]):
            view.value = _said(f"{name}, {transcribe_sound(content, transcribe)}")

    upload.observe(listen, names="value")
    return ipywidgets.VBox([upload, view])


def uploaded(value: Any) -> list[tuple[str, bytes]]:
    """Names and contents of what was uploaded: ipywidgets 7 gives a dict by name, ipywidgets 8 a tuple of dicts."""
    if isinstance(value, dict):
        return [(name, bytes(file["content"])) for name, file in value.items()]
    return [(file["name"], bytes(file["content"])) for file in value]


def _said(text: str) -> str:
    return f'<div aria-live="polite" style="{STYLE}">{escape(text)}</div>'


def recorder() -> HTML:
    """A recorder in the browser: it asks for the microphone, and saves what was said as recording.wav."""
    return HTML(RECORDER)


RECORDER = f"""
<div class="course-recorder" style="{STYLE}">
<button type="button" style="font:inherit;padding:4px 12px">Record</button>
<span role="status" style="margin:0 12px">The microphone is off.</span>
<span class="course-recording"></span>
<script>
for (const root of document.querySelectorAll(".course-recorder:not([data-ready])")) {{
  root.dataset.ready = "yes";
  const button = root.querySelector("button"), status = root.querySelector("[role=status]");
  const place = root.querySelector(".course-recording");
  let context, stream, pieces;
  const keeper = "registerProcessor('keeper', class extends AudioWorkletProcessor {{" +
    "process(inputs) {{ if (inputs[0][0]) this.port.postMessage(inputs[0][0].slice()); return true; }} }});";
  function wav(samples, rate) {{
    const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
    const word = (at, text) => [...text].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
    word(0, "RIFF"); view.setUint32(4, 36 + 2 * samples.length, true); word(8, "WAVEfmt ");
    view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
    view.setUint32(24, rate, true); view.setUint32(28, 2 * rate, true);
    view.setUint16(32, 2, true); view.setUint16(34, 16, true);
    word(36, "data"); view.setUint32(40, 2 * samples.length, true);
    samples.forEach((x, i) => view.setInt16(44 + 2 * i, 32767 * Math.max(-1, Math.min(1, x)), true));
    return new Blob([view], {{type: "audio/wav"}});
  }}
  async function start() {{
    pieces = [];
    stream = await navigator.mediaDevices.getUserMedia(
      {{audio: {{channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false}}}});
    context = new AudioContext();
    const module = URL.createObjectURL(new Blob([keeper], {{type: "text/javascript"}}));
    await context.audioWorklet.addModule(module);
    const node = new AudioWorkletNode(context, "keeper");
    node.port.onmessage = event => pieces.push(...event.data);
    context.createMediaStreamSource(stream).connect(node);
    button.textContent = "Stop"; status.textContent = "Recording: speak now.";
  }}
  async function stop() {{
    stream.getTracks().forEach(track => track.stop());
    const rate = context.sampleRate; await context.close(); context = null;
    const url = URL.createObjectURL(wav(pieces, rate));
    place.innerHTML = `<audio controls aria-label="Your recording" src="${{url}}" style="vertical-align:middle"></audio>
      <a download="recording.wav" href="${{url}}">Save recording.wav</a>`;
    button.textContent = "Record";
    status.textContent = `${{(pieces.length / rate).toFixed(1)}} s recorded. Save it, then choose it below.`;
  }}
  button.onclick = () => (context ? stop() : start()).catch(error => {{
    context = null; status.textContent = `No microphone here (${{error.message}}). Choose a file instead.`;
  }});
}}
</script>
</div>
"""
