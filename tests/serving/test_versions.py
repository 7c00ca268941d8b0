"""Versions of a model side by side, one active, and the way back; and who may change them."""

from dataclasses import replace

import pytest
import torch
from fastapi.testclient import TestClient
from PIL import Image

from course_lib.errors import CourseError
from course_lib.models import SmallCNN
from course_lib.serving.app import create_app
from course_lib.serving.models import ImageReader, load_image_model, load_version, save_version
from course_lib.serving.settings import Settings
from tests.serving.conftest import a_one, as_file

AUTH = {"authorization": "Bearer secret"}
SEND = {"content": as_file(a_one()), "headers": {"content-type": "image/png"} | AUTH}


@pytest.fixture
def reader():
    """A network that takes everything for a seven."""
    network = SmallCNN()
    torch.nn.init.zeros_(network[-1].weight)
    network[-1].bias.data = 20 * torch.eye(10)[7]
    classes = [str(digit) for digit in range(10)]
    return ImageReader(network.eval(), classes, "drawing", 8, torch.zeros(1), torch.ones(1))


@pytest.fixture
def two_versions(models, reader):
    models["digits"].add("2", reader)
    return models


@pytest.fixture
def client(two_versions):
    with TestClient(create_app(two_versions, settings=Settings(token="secret", deadline_s=50))) as client:
        yield client


def first_class(client, **query):
    answer = client.post("/v1/images:classify", params=query, **SEND).json()
    return answer["version"], answer["classes"][0]["name"]


def test_versions_answer_side_by_side(client):
    assert first_class(client) == ("1", "1")
    assert first_class(client, version="2") == ("2", "7")


def test_another_version_is_activated_and_rolled_back_over_http(client):
    assert client.post("/v1/models/digits:activate?version=2", headers=AUTH).json()["active"] == "2"
    assert first_class(client) == ("2", "7")
    assert client.post("/v1/models/digits:activate?version=1", headers=AUTH).json()["active"] == "1"
    assert first_class(client) == ("1", "1")


def test_what_is_not_there_cannot_be_activated(client):
    assert client.post("/v1/models/digits:activate?version=9", headers=AUTH).status_code == 404
    assert client.post("/v1/models/cats:activate?version=1", headers=AUTH).status_code == 404
    assert first_class(client) == ("1", "1")


def test_without_the_token_nothing_but_the_page_and_health_is_to_be_had(client):
    for path in ("/v1/models", "/v1/drift", "/metrics"):
        assert client.get(path).status_code == 401
        assert client.get(path, headers={"authorization": "Bearer wrong"}).status_code == 401
        assert client.get(path, headers={"authorization": "secret"}).status_code == 401
        assert client.get(path, headers=AUTH).status_code == 200
    assert client.post("/v1/models/digits:activate?version=2").status_code == 401
    assert [client.get(path).status_code for path in ("/healthz", "/readyz", "/")] == [200, 200, 200]


def test_rolling_back_returns_to_what_was_active_before(two_versions, reader):
    model = two_versions["digits"]
    model.add("3", reader, activate=True)
    model.activate("2")
    assert [model.roll_back(), model.roll_back()] == ["3", "1"]
    with pytest.raises(CourseError, match="nothing to go back to"):
        model.roll_back()


def test_the_active_version_and_the_way_back_outlive_the_process(tmp_path, reader):
    for version in ("1", "2"):
        save_version("digits", version, reader, kind="SmallCNN", options={}, folder=tmp_path)
    model = load_image_model("digits", tmp_path)
    assert model.active == "1"  # the first, until somebody says otherwise
    model.activate("2")
    again = load_image_model("digits", tmp_path)
    assert again.active == "2" and again.roll_back() == "1"
    assert load_image_model("digits", tmp_path).active == "1"


def test_a_kept_version_answers_as_before(tmp_path, models):
    _, reader = models["digits"].pick()
    path = save_version("digits", "9", reader, kind="SmallCNN", options={}, folder=tmp_path)
    inputs = [torch.rand(1, 8, 8) for _ in range(3)]
    assert load_version(path)(inputs) == reader(inputs)


@pytest.mark.parametrize("name", ["1", "", "a/b", "../x", "x" * 41])
def test_a_version_needs_a_new_name_that_a_file_can_have(models, reader, name):
    with pytest.raises(ValueError, match="must be new"):
        models["digits"].add(name, reader)


def test_a_damaged_version_says_what_to_do(tmp_path):
    (tmp_path / "1.safetensors").write_bytes(b"nothing")
    with pytest.raises(CourseError, match="train again"):
        load_version(tmp_path / "1.safetensors")


def test_dark_pictures_raise_the_alarm_and_a_version_that_knows_them_ends_it(models):
    """The loop back: the camera gets dark, and a version whose reference is dark pictures takes over."""
    _, reader = models["shapes"].pick()
    generator = torch.Generator().manual_seed(0)
    bright = [
        0.4 + 0.5 * torch.rand(3, 32, 32, generator=generator) * torch.rand(1, generator=generator) for _ in range(260)
    ]
    dark = [image * 0.3 for image in bright]
    knows_bright, knows_dark = (
        replace(reader, reference=reader.statistics(each[:200], reader(each[:200]))) for each in (bright, dark)
    )
    models["shapes"].versions = {"1": knows_bright, "2": knows_dark}
    with TestClient(create_app(models, settings=Settings(drift_window=30, token="secret", deadline_s=50))) as client:

        def alarms(images):
            for image in images:
                pixels = (255 * image).round().byte().permute(1, 2, 0).numpy()
                body = as_file(Image.fromarray(pixels))
                assert client.post("/v1/images:classify?model=shapes", **{**SEND, "content": body}).status_code == 200
            return {each["version"]: each["alarm"] for each in client.get("/v1/drift", headers=AUTH).json()["models"]}

        assert alarms(bright[200:229]) == {"1": None}
        assert alarms(bright[229:230]) == {"1": False}
        assert alarms(dark[200:230]) == {"1": True}
        client.post("/v1/models/shapes:activate?version=2", headers=AUTH)
        assert alarms(dark[230:260]) == {"1": True, "2": False}
        assert 'drift_alarm{model="shapes",version="1"} 1.0' in client.get("/metrics", headers=AUTH).text
