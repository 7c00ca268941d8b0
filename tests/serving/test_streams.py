"""Streaming: the same text as from the whole recording, however it is cut; and what a socket does not put up with."""

import json
import logging
import time

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.websockets import WebSocketDisconnect

from course_lib.decoding import forced_align, word_spans
from course_lib.serving.app import create_app
from course_lib.serving.settings import Settings
from course_lib.serving.streams import ROW_SECONDS, Spelled, Stream, transcribe
from course_lib.speech_models import StreamingRecognizer
from course_lib.text import Alphabet

START = {"type": "start", "sample_rate": 16000}
ALPHABET = Alphabet()


@pytest.fixture(scope="module")
def network():
    """Random weights, made bold: a transcript of many letters, so that every difference shows."""
    torch.manual_seed(0)
    network = StreamingRecognizer(len(ALPHABET), hidden_size=32).eval()
    network.head.weight.data *= 20
    return network


def some_pcm(seconds, seed=0):
    generator = np.random.default_rng(seed)
    loudness = np.repeat(generator.uniform(0, 8000, int(seconds * 20) + 1), 800)[: int(seconds * 16_000)]
    return (loudness * generator.standard_normal(len(loudness))).clip(-32768, 32767).astype("<i2").tobytes()


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 20_000), min_size=1, max_size=8), st.integers(0, 3))
def test_a_stream_cut_anywhere_spells_what_the_whole_recording_does(network, cuts, seed):
    pcm = some_pcm(2.3, seed)
    stream, start = Stream(network, ALPHABET), 0
    for cut in [*cuts, len(pcm)]:
        stream.hear(pcm[start : start + 2 * cut])
        start += 2 * cut
    text = stream.end()
    waveform = torch.from_numpy(np.frombuffer(pcm, dtype="<i2").astype(np.float32) / 32768)
    whole = transcribe(network, ALPHABET, [waveform])[0]
    assert len(text) > 10
    assert (text, stream.words()) == (whole.text, whole.words)
    torch.testing.assert_close(stream.statistics()[0], whole.statistics, rtol=1e-3, atol=1e-3)


def test_recordings_of_different_lengths_do_not_disturb_each_other(network):
    waveforms = [
        torch.from_numpy(np.random.default_rng(n).uniform(-0.3, 0.3, 4000 * n).astype("f4")) for n in (1, 5, 2)
    ]
    together = transcribe(network, ALPHABET, waveforms)
    assert [each.text for each in together] == [transcribe(network, ALPHABET, [each])[0].text for each in waveforms]


def test_the_times_of_words_are_those_of_forced_alignment():
    generator = torch.Generator().manual_seed(1)
    logits = 8 * torch.randn(120, len(ALPHABET), generator=generator)
    spelled = Spelled(ALPHABET)
    for piece in logits.split(7):
        spelled.read(piece)
    text = "".join(character for character, _, _ in spelled.characters)
    spans = word_spans(forced_align(logits.log_softmax(dim=1), ALPHABET.encode(text)), alphabet=ALPHABET)
    expected = [(word, start * ROW_SECONDS, end * ROW_SECONDS) for word, start, end in spans]
    found = [(each["word"], each["start"], each["end"]) for each in spelled.words(seconds=100)]
    assert len(found) > 2 and found == [
        (word, pytest.approx(start), pytest.approx(end)) for word, start, end in expected
    ]


def closing_error(client, *messages, headers=None):
    """Send messages until the service has had enough: the code of its error, and of its closing."""
    with client.websocket_connect("/v1/stream", headers=headers or {}) as socket:
        for message in messages:
            if isinstance(message, bytes):
                socket.send_bytes(message)
            else:
                socket.send_text(message if isinstance(message, str) else json.dumps(message))
        while (answer := socket.receive_json())["type"] == "partial":
            pass
        with pytest.raises(WebSocketDisconnect) as end:
            socket.receive_json()
    assert answer["type"] == "error" and answer["message"]
    return answer["code"], end.value.code


ABUSE = {
    "sound before the start": ([bytes(320)], "no_start"),
    "a stop before the start": ([{"type": "stop"}], "no_start"),
    "not JSON": (["start please"], "not_json"),
    "a list": (["[1, 2]"], "not_json"),
    "a bare number": (["16000"], "not_json"),
    "half an object": (['{"type": "start"'], "not_json"),
    "deeply nested": (["[" * 900], "not_json"),
    "long": (['{"type": "start", "x": "' + "y" * 100_000 + '"}'], "not_json"),
    "no rate": ([{"type": "start"}], "sample_rate"),
    "a rate in words": ([{"type": "start", "sample_rate": "16000"}], "sample_rate"),
    "another rate": ([{"type": "start", "sample_rate": 44100}], "sample_rate"),
    "an infinite rate": (['{"type": "start", "sample_rate": 1e999}'], "sample_rate"),
    "a rate that is true": ([{"type": "start", "sample_rate": True}], "sample_rate"),
    "an unknown version": ([{**START, "version": "99"}], "unknown_version"),
    "a version that is a list": ([{**START, "version": ["1"]}], "unknown_version"),
    "a second start": ([START, START], "unknown_type"),
    "an unknown type": ([START, {"type": "sing"}], "unknown_type"),
    "a type that is a dict": ([START, {"type": {}}], "unknown_type"),
    "text as sound": ([START, "AAAA"], "not_json"),
    "half a sample": ([START, bytes(321)], "odd_bytes"),
    "too much at once": ([START, bytes(300_000)], "too_large"),
    "more than the limit in all": ([START, *[bytes(120_000)] * 9], "too_long"),
}


@pytest.mark.parametrize("name", ABUSE)
def test_abuse_ends_the_stream_with_its_reason(client, name):
    messages, code = ABUSE[name]
    assert closing_error(client, *messages) == (code, 1008)
    assert client.app.state.service.num_streams == 0


def test_silence_ends_a_stream(models):
    with TestClient(create_app(models, settings=Settings(stream_idle_s=0.2))) as client:
        assert closing_error(client, START) == ("idle", 1008)


def test_a_service_that_ends_sends_the_text_of_what_it_has_heard(client, caplog):
    service, loudly = client.app.state.service, caplog.at_level(logging.INFO, "course_lib.serving")
    with loudly, client.websocket_connect("/v1/stream") as socket:
        socket.send_json(START)
        socket.send_bytes(bytes(16_000))
        while socket.receive_json()["seconds"] < 0.5:
            pass
        client.portal.call(service.end_streams)
        assert socket.receive_json()["type"] == "final"
        with pytest.raises(WebSocketDisconnect) as end:
            socket.receive_json()
    assert (end.value.code, end.value.reason) == (1012, "draining")
    assert caplog.records[-1].about == {"path": "/v1/stream", "ended": "draining", "seconds": 0.5}


def test_a_stream_that_has_not_begun_when_the_service_ends_is_told_to_come_again(client):
    with client.websocket_connect("/v1/stream") as socket:
        while client.app.state.service.num_streams == 0:
            time.sleep(0.01)
        client.portal.call(client.app.state.service.end_streams)
        assert socket.receive_json()["code"] == "draining"


def test_a_stream_too_many_is_told_to_come_again(models):
    with (
        TestClient(create_app(models, settings=Settings(max_streams=1))) as client,
        client.websocket_connect("/v1/stream") as first,
    ):
        first.send_json(START)
        assert closing_error(client) == ("busy", 1013)
        first.send_json({"type": "stop"})
        assert first.receive_json()["type"] == "final"


def test_a_client_that_vanishes_leaves_nothing_behind(client):
    for _ in range(3):
        with client.websocket_connect("/v1/stream") as socket:
            socket.send_json(START)
            socket.send_bytes(bytes(6400))
    with client.websocket_connect("/v1/stream") as socket:
        socket.send_json(START)
        socket.send_json({"type": "stop"})
        assert socket.receive_json()["type"] == "final"
    assert client.app.state.service.num_streams == 0


def test_another_sites_page_may_not_listen(client):
    with pytest.raises(WebSocketDisconnect) as end:
        closing_error(client, START, headers={"origin": "https://example.com"})
    assert end.value.code == 1008
    with client.websocket_connect("/v1/stream", headers={"origin": "http://testserver"}) as socket:
        socket.send_json(START)


@pytest.mark.parametrize(
    ("start", "headers"),
    [({**START, "token": "secret"}, None), (START, {"authorization": "Bearer secret"})],
)
def test_a_token_goes_with_the_start_or_in_the_header(models, start, headers):
    with TestClient(create_app(models, settings=Settings(token="secret"))) as client:
        with client.websocket_connect("/v1/stream", headers=headers or {}) as socket:
            socket.send_json(start)
            socket.send_json({"type": "stop"})
            assert socket.receive_json()["type"] == "final"
        assert closing_error(client, START) == ("unauthorized", 1008)
        assert closing_error(client, {**START, "token": 7}) == ("unauthorized", 1008)
