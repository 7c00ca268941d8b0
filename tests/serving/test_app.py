"""The routes answer as they promise, with real models."""

import json
import logging

import numpy as np
import pytest
from fastapi.testclient import TestClient

from course_lib.serving.app import create_app
from course_lib.serving.monitoring import JsonLines
from course_lib.serving.settings import Settings
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


def test_other_sites_are_kept_out_unless_they_are_named(client, models):
    elsewhere = {"origin": "https://example.org"}
    assert "access-control-allow-origin" not in client.get("/v1/models", headers=elsewhere).headers
    ask = {**elsewhere, "access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    assert client.options("/v1/images:classify", headers=ask).status_code == 405
    with TestClient(create_app(models, settings=Settings(origins=("https://example.org",), token="t"))) as open_one:
        assert open_one.options("/v1/images:classify", headers=ask).status_code == 200
        answer = open_one.get("/v1/models", headers={**elsewhere, "authorization": "Bearer t"})
        assert answer.headers["access-control-allow-origin"] == "https://example.org"
        assert open_one.get("/v1/models", headers=elsewhere).headers[
            "access-control-allow-origin"
        ]  # so that 401 is read
        with open_one.websocket_connect("/v1/stream", headers=elsewhere) as socket:
            socket.send_json({"type": "start", "sample_rate": 16000, "token": "t"})


def test_a_request_id_is_taken_over_or_made(client):
    assert client.get("/v1/models", headers={"x-request-id": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert len(client.get("/v1/models", headers={"x-request-id": "not an id"}).headers["x-request-id"]) == 32


def test_every_request_is_one_line_of_json(client, caplog):
    with caplog.at_level(logging.INFO, "course_lib.serving"):
        client.get("/v1/models", headers={"x-request-id": "abc"})
    told = json.loads(JsonLines().format(caplog.records[-1]))
    assert {key: told[key] for key in ("level", "message", "request_id", "method", "path", "status")} == {
        "level": "info",
        "message": "request",
        "request_id": "abc",
        "method": "GET",
        "path": "/v1/models",
        "status": 200,
    }


def test_what_goes_wrong_inside_is_logged_and_told_in_form_without_details(client, caplog):
    client.app.state.service.models["digits"].versions["1"] = None  # a bug of ours
    answer = client.post("/v1/images:classify", content=as_file(a_one()), headers=PNG)
    assert answer.status_code == 500 and answer.json()["error"]["code"] == "internal"
    assert "NoneType" not in answer.text and "NoneType" in caplog.text
    assert client.get("/healthz").status_code == 200


def test_metrics_count_what_happened(client):
    for body in (as_file(a_one()), b"nothing"):
        client.post("/v1/images:classify", content=body, headers=PNG)
    told = client.get("/metrics").text
    for status in (200, 415):
        assert f'requests_total{{route="/v1/images:classify",status="{status}"}} 1.0' in told
    assert 'queue_length{model="digits"} 0.0' in told and 'batch_size_sum{model="digits"} 1.0' in told


def test_two_apps_share_nothing(models, client):
    with TestClient(create_app(models)) as other:
        client.get("/v1/models")
        assert 'route="/v1/models"' not in other.get("/metrics").text


def test_while_draining_new_requests_get_503_and_health_still_answers(client):
    client.app.state.service.draining = True
    answer = client.get("/v1/models")
    assert answer.status_code == 503 and answer.headers["retry-after"] == "1"
    assert [client.get(path).status_code for path in ("/readyz", "/healthz", "/metrics")] == [503, 200, 200]


@pytest.mark.parametrize(("name", "value"), [("max_queue", 0), ("deadline_s", -1.0), ("port", -1)])
def test_settings_that_make_no_sense_are_refused(name, value):
    with pytest.raises(ValueError, match=name):
        Settings(**{name: value})


@pytest.mark.parametrize(
    ("query", "message", "fix"),
    [
        ("model=digit", "There is no image model 'digit'.", "Did you mean 'digits'?"),
        ("model=cats", "There is no image model 'cats'.", "The image models are: digits, shapes."),
        ("model=speech", "There is no image model 'speech'.", "The image models are: digits, shapes."),
        ("version=99", "digits has no version '99'.", "The versions are: 1."),
    ],
)
def test_a_model_that_is_not_there_is_a_404_that_says_what_is(client, query, message, fix):
    answer = client.post(f"/v1/images:classify?{query}", content=as_file(a_one()), headers=PNG)
    assert answer.status_code == 404
    assert (answer.json()["error"]["message"], answer.json()["error"]["fix"]) == (message, fix)


@pytest.mark.parametrize(
    ("method", "path", "message", "fix"),
    [
        ("POST", "/v1/images:classify?modell=shapes", "Unknown parameters: 'modell'.", "Did you mean 'model'?"),
        ("POST", "/v1/audio:transcribe?a=1&b=2&a=3", "Unknown parameters: 'a', 'b'.", "The parameters are: version."),
        ("POST", "/v1/models/digits:activate?version=1&Force", "Unknown parameters: 'Force'.", "are: version."),
        ("GET", "/v1/models?all=1", "Unknown parameters: 'all'.", "The parameters are: none."),
    ],
)
def test_a_parameter_that_no_route_has_is_refused_by_name(client, method, path, message, fix):
    answer = client.request(method, path, headers=PNG)
    assert answer.status_code == 422
    assert answer.json()["error"]["message"] == message and fix in answer.json()["error"]["fix"]


def test_the_page_is_not_particular_about_its_address(client):
    assert client.get("/?from=mail").status_code == 200


def test_a_recording_that_is_too_long_is_told_the_services_own_limit(client):
    answer = client.post(
        "/v1/audio:transcribe", content=a_sound(np.zeros(31 * 16_000)), headers={"content-type": "audio/wav"}
    )
    error = answer.json()["error"]
    assert answer.status_code == 413 and "max_seconds" not in answer.text
    assert "31.0 s long; 30 s is the most for this service" in error["message"] and "at most 30 s" in error["fix"]


def test_a_stream_ends_with_its_final_text(client):
    with client.websocket_connect("/v1/stream") as socket:
        socket.send_json({"type": "start", "sample_rate": 16000})
        for _ in range(5):
            socket.send_bytes(bytes(6400))
        socket.send_json({"type": "stop"})
        while (message := socket.receive_json())["type"] == "partial":
            assert message["seconds"] <= 1
        assert message == {"type": "final", "text": "", "words": [], "milliseconds": message["milliseconds"]}
