"""What the schema allows, and what it doesn't, made up by the hundred: never an answer of 5xx, always one in form."""

import json

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import positive_data_acceptance

from course_lib.serving.app import create_app
from course_lib.serving.first_models import load_models
from course_lib.serving.inputs import SOUND_TYPES
from course_lib.serving.settings import Settings
from tests.serving.conftest import a_one, a_sound, as_file

pytestmark = pytest.mark.slow

EXAMPLES = 60  # of each operation
OPERATIONS = {
    "GET": ["/v1/models", "/v1/drift", "/healthz", "/readyz", "/metrics"],
    "POST": ["/v1/images:classify", "/v1/audio:transcribe", "/v1/models/{name}:activate"],
}
QUIET = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@schemathesis.serializer(*SOUND_TYPES)
def as_it_is(context, value):
    """The bytes of a sound file are made up as bytes."""
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.fixture(scope="module")
def fuzzed(models_folder):
    with TestClient(create_app(load_models(models_folder), settings=Settings(token="t", deadline_s=50))) as client:
        client.headers["authorization"] = "Bearer t"
        yield client


@pytest.fixture(scope="module")
def schema(fuzzed):
    return schemathesis.openapi.from_dict(fuzzed.get("/openapi.json").json())


def test_every_operation_of_the_schema_is_fuzzed(schema):
    found = {(each.ok().method.upper(), each.ok().path) for each in schema.get_all_operations()}
    assert found == {(method, path) for method, paths in OPERATIONS.items() for path in paths}


@pytest.mark.parametrize(("method", "path"), [(method, path) for method, paths in OPERATIONS.items() for path in paths])
def test_whatever_the_schema_allows_is_answered_as_it_promises(fuzzed, schema, method, path):
    statuses = set()

    @QUIET
    @given(case=schema[path][method].as_strategy())
    def ask(case):
        arguments = case.as_transport_kwargs(base_url="http://testserver")
        arguments["content"] = arguments.pop("data", None)
        answer = fuzzed.request(**{key: value for key, value in arguments.items() if key != "cookies"})
        if answer.status_code == 504:  # a request may name a millisecond as its own deadline
            assert {name.lower() for name in case.headers} >= {"x-deadline-ms"}
            return
        unfit = [positive_data_acceptance]  # random bytes are no picture, though the schema can only say "bytes"
        case.validate_response(schemathesis.Response.from_any(answer), excluded_checks=unfit)
        statuses.add(answer.status_code)

    ask()
    assert statuses and max(statuses) < 500


@QUIET
@given(content=st.binary(max_size=300), cut=st.floats(0, 1), kind=st.sampled_from(["png", "wav"]))
def test_files_with_damage_anywhere_are_answered(fuzzed, content, cut, kind):
    file = as_file(a_one(size=40, pen=4)) if kind == "png" else a_sound([0.1, -0.1] * 2000)
    place = int(cut * len(file))
    body = file[:place] + content + file[place + len(content) :]
    path = "/v1/images:classify" if kind == "png" else "/v1/audio:transcribe"
    content_type = "image/png" if kind == "png" else "audio/wav"
    answer = fuzzed.post(path, content=body, headers={"content-type": content_type})
    assert answer.status_code in (200, 413, 415, 422)


@QUIET
@given(
    message=st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=20),
        lambda each: (
            st.lists(each)
            | st.dictionaries(st.sampled_from(["type", "sample_rate", "token"]) | st.text(max_size=5), each)
        ),
    )
)
def test_any_json_for_a_start_is_answered(fuzzed, message):
    with fuzzed.websocket_connect("/v1/stream") as socket:
        socket.send_text(json.dumps(message))
        assert socket.receive_json()["code"] in ("no_start", "not_json", "sample_rate", "unauthorized")
