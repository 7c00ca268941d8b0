"""Many clients at once: everybody gets their own answer, too many are refused, and who was accepted is served."""

import re
import signal
import time
from contextlib import ExitStack, contextmanager

import pytest
import torch
from PIL import Image

from benchmarks.serving_load import Case, Load, Tally, distinct, percentile, request_head
from course_lib.datasets import load
from course_lib.serving.inputs import decode_image, open_image
from course_lib.serving.models import load_image_model
from tests.serving.conftest import as_file
from tests.serving.wire import GUARD, RunningService, read_reply

pytestmark = pytest.mark.slow

CLIENTS = 64
PATH = "/v1/images:classify"


@pytest.fixture(scope="module")
def cases(models_folder):
    """Drawings with answers of their own, computed here, one at a time."""
    _, reader = load_image_model("digits", models_folder).pick()
    made = []
    for image in load("digits").splits["test"].images[:200]:
        paper = Image.fromarray((255 - 255 * image[0]).byte().numpy()).resize((40, 40))
        body = as_file(paper)
        item = reader.image(decode_image(open_image(body, "PNG", max_pixels=10**6)))
        made.append(Case(body, [float(round(each, 6)) for each in reader([item])[0]]))
    return distinct(made, CLIENTS)


@pytest.fixture(scope="module")
def service(models_folder, tmp_path_factory):
    running = RunningService(models_folder, tmp_path_factory.mktemp("load") / "log.txt", deadline_s=50)
    yield running
    running.end()


def test_64_clients_at_once_each_get_their_own_answers(service, cases):
    tally = Load(service.port, PATH, cases).run(4)
    assert tally.requests >= CLIENTS and tally.statuses == {200: tally.requests}
    assert (tally.wrong, tally.crossed, tally.lost, tally.errors_5xx) == (0, 0, 0, 0)
    batches = service.request("GET", "/metrics").body.decode()
    assert 'batch_size_count{model="digits"}' in batches


def test_a_mix_up_would_be_seen(service, cases):
    shifted = [Case(case.body, other.expected) for case, other in zip(cases, [*cases[1:], cases[0]], strict=True)]
    tally = Load(service.port, PATH, shifted[:4]).run(0.5)
    assert tally.wrong == tally.statuses[200] > 0
    assert 0 < tally.crossed < tally.wrong  # the first client's answer is what nobody expects


@pytest.fixture(scope="module")
def slow_service(models_folder, tmp_path_factory):
    log = tmp_path_factory.mktemp("slow") / "log.txt"
    running = RunningService(models_folder, log, pause=0.1, max_queue=8, max_batch=4, deadline_s=50)
    yield running
    running.end()


@pytest.fixture
def ending_service(models_folder, tmp_path):
    running = RunningService(models_folder, tmp_path / "log.txt", pause=1.0, max_batch=4, drain_seconds=50)
    yield running
    running.end()


def test_past_capacity_most_are_refused_at_once_and_the_others_served(slow_service, cases):
    before = slow_service.megabytes
    tally = Load(slow_service.port, PATH, cases, pause_after_refusal=0.05).run(3)
    assert set(tally.statuses) == {200, 429} and tally.wrong == tally.lost == 0
    assert tally.statuses[429] >= 20 and tally.statuses[200] > 8
    # Without a bound each would have waited for all others: 64 / 4 batches of 0.1 s. Refusals don't wait for any batch.
    assert percentile(tally.refusal_ms, 50) < percentile(tally.milliseconds, 50)
    assert slow_service.megabytes < before + 60
    refused = None
    while refused is None:
        with many_at_once(slow_service, cases[:30]) as connections:
            replies = [read_reply(connection) for connection in connections]
        refused = next((reply for reply in replies if reply.status == 429), None)
    assert int(refused.headers["retry-after"]) >= 1 and refused.json()["error"]["code"] == "busy"


@contextmanager
def many_at_once(service, cases):
    """Connections on which requests have been sent."""
    with ExitStack() as open_ones:
        connections = [open_ones.enter_context(service.connect()) for _ in cases]
        for connection, case in zip(connections, cases, strict=True):
            connection.sendall(request_head(PATH, case.body) + case.body)
        yield connections


def test_a_deadline_of_its_own_ends_a_request(slow_service, cases):
    began = time.monotonic()
    body = cases[0].body
    reply = slow_service.request("POST", PATH, body, Content_Type="image/png", X_Deadline_Ms="20")
    assert reply.status == 504 and reply.json()["error"]["code"] == "too_late"
    assert time.monotonic() - began < GUARD


def in_flight(service):
    """Requests under way, the question itself left out."""
    told = service.request("GET", "/metrics").body.decode()
    return float(re.search(r"^requests_in_flight (\S+)", told, re.MULTILINE)[1]) - 1


def test_sigterm_under_load_loses_no_accepted_request(ending_service, cases):
    """The signal comes while requests are under way: each is answered, later ones get 503, the process ends well."""
    with ending_service.connect() as late, many_at_once(ending_service, cases[:12]) as connections:
        while in_flight(ending_service) < 1:
            assert ending_service.process.poll() is None
        ending_service.process.send_signal(signal.SIGTERM)
        while ending_service.request("GET", "/readyz").status == 200:
            time.sleep(0.01)
        late.sendall(b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
        refused = read_reply(late)
        replies = [read_reply(connection) for connection in connections]
    assert refused.status == 503 and refused.json()["error"]["code"] == "draining"
    assert refused.headers["connection"] == "close" and "retry-after" in refused.headers
    assert {reply.status for reply in replies} <= {200, 503} and 200 in {reply.status for reply in replies}
    assert ending_service.process.wait(GUARD) == 0
    assert "Traceback" not in ending_service.log.read_text()


def test_a_percentile_is_one_of_the_values():
    values = torch.arange(100, 0, -1).tolist()
    assert [percentile(values, percent) for percent in (1, 50, 99, 100)] == [1, 50, 99, 100]
    assert percentile([7.0], 99) == 7.0
    assert Tally().requests == 0
