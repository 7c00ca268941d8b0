"""The routes answer as they promise, with real models."""

import numpy as np
import pytest

from tests.serving.conftest import a_one, a_sound, as_file

PNG = {"content-type": "image/png"}


def test_a_drawn_one_is_read_as_a_one(client):
    answer = client.post("/v1/images:classify", content=as_file(a_one()), headers=PNG)
    body = answer.json()
    assert answer.status_code == 200 and body["classes"][0]["name"] == "1"
    assert sum(each["probability"] for each in body["classes"]) == pytest.approx(1, abs=1e-4)
    assert body["request_id"] == answer.headers["x-request-id"]
    assert set(body["milliseconds"]) == {"queue", "compute", "total"}


def test_light_ink_on_dark_paper_is_the_same_drawing(client):
    bodies = [as_file(a_one()), as_file(a_one(ink="white", paper="black"))]
    answers = [client.post("/v1/images:classify", content=body, headers=PNG).json()["classes"] for body in bodies]
    assert answers[0] == answers[1]


def test_a_recording_is_transcribed_with_its_length(client):
    content = a_sound(0.1 * np.random.default_rng(0).standard_normal(16_000))
    answer = client.post("/v1/audio:transcribe", content=content, headers={"content-type": "audio/wav"})
    assert answer.status_code == 200 and answer.json()["seconds"] == 1.0
    assert [each["word"] for each in answer.json()["words"]] == answer.json()["text"].split()


def test_the_models_are_listed(client):
    models = {each["name"]: each for each in client.get("/v1/models").json()["models"]}
    assert models["digits"]["classes"] == [str(digit) for digit in range(10)]
    assert models["speech"] == {"name": "speech", "kind": "speech", "versions": ["1"], "active": "1"}


def test_a_stream_ends_with_its_final_text(client):
    with client.websocket_connect("/v1/stream") as socket:
        socket.send_json({"type": "start", "sample_rate": 16000})
        for _ in range(5):
            socket.send_bytes(bytes(6400))
        socket.send_json({"type": "stop"})
        while (message := socket.receive_json())["type"] == "partial":
            assert message["seconds"] <= 1
        assert message == {"type": "final", "text": "", "words": [], "milliseconds": message["milliseconds"]}
