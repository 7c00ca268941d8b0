"""Whatever comes in, the answer is a clear refusal, the service lives on, and its memory stays as it is."""

import numpy as np
import pytest
from PIL import Image

from tests.serving.bad_inputs import RAW, all_cases
from tests.serving.conftest import a_one, a_sound, as_file
from tests.serving.wire import RunningService

pytestmark = pytest.mark.slow

CASES = all_cases()
GROWTH_MB = 60  # what allocators keep for the next time; a single bomb would be more


@pytest.fixture(scope="module")
def service(models_folder, tmp_path_factory):
    running = RunningService(models_folder, tmp_path_factory.mktemp("service") / "log.txt", deadline_s=50)
    large = as_file(Image.fromarray(np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), dtype=np.uint8)))
    for _ in range(3):  # so that memory is what it is when all has been used once
        assert (
            running.request("POST", "/v1/images:classify?model=shapes", large, Content_Type="image/png").status == 200
        )
        half = a_sound(np.random.default_rng(0).uniform(-0.1, 0.1, 29 * 16_000))
        assert running.request("POST", "/v1/audio:transcribe", half, Content_Type="audio/wav").status == 200
    yield running
    running.end()


@pytest.fixture(scope="module")
def memory_at_first(service):
    return service.megabytes


def is_well(service):
    body = as_file(a_one())
    answer = service.request("POST", "/v1/images:classify", body, Content_Type="image/png")
    return answer.status == 200 and answer.json()["classes"][0]["name"] == "1"


def test_there_are_at_least_sixty_bad_inputs():
    assert len(CASES) + len(RAW) >= 60


@pytest.mark.parametrize("name", CASES)
def test_a_bad_request_gets_a_clear_answer(service, memory_at_first, name):
    case = CASES[name]
    reply = service.request(case.method, case.path, case.body, **case.headers)
    assert reply.status in case.statuses
    if reply.status != 200:
        error = reply.json()["error"]
        assert error["code"] and error["message"] and error["fix"] and reply.json()["request_id"]
        assert len(reply.body) < 1500  # nobody's input is sent back at length
    assert is_well(service)


@pytest.mark.parametrize("name", RAW)
def test_what_is_no_request_ends_with_a_4xx(service, memory_at_first, name):
    reply = service.send(RAW[name])
    assert 400 <= reply.status < 500
    assert is_well(service)


def test_memory_stays_as_it_is(service, memory_at_first):
    for case in CASES.values():
        service.request(case.method, case.path, case.body, **case.headers)
    assert service.megabytes < memory_at_first + GROWTH_MB
    assert "Traceback" not in service.log.read_text()
