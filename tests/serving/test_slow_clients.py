"""Clients that send drop by drop, or nothing: they are let go, and nobody else notices."""

import time

import pytest

from tests.serving.conftest import a_one, as_file
from tests.serving.wire import GUARD, RunningService, read_reply

pytestmark = pytest.mark.slow

POST = b"POST /v1/images:classify HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"


@pytest.fixture(scope="module")
def service(models_folder, tmp_path_factory):
    log = tmp_path_factory.mktemp("slow") / "log.txt"
    running = RunningService(
        models_folder, log, header_seconds=2.0, body_seconds=2.0, max_connections=40, deadline_s=50
    )
    yield running
    running.end()


def seconds_until_closed(connection):
    """How long until the other side closes; a dropped connection fails the test after the guard."""
    began = time.monotonic()
    try:
        while connection.recv(1000):
            pass
    except ConnectionResetError:
        pass
    return time.monotonic() - began


def is_well(service):
    return service.request("POST", "/v1/images:classify", as_file(a_one()), Content_Type="image/png").status == 200


@pytest.mark.parametrize(
    "said", [b"", b"G", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: b\r\n"], ids=["nothing", "G", "half"]
)
def test_a_head_that_does_not_come_ends_the_connection(service, said):
    with service.connect() as connection:
        connection.sendall(said)
        assert 1 < seconds_until_closed(connection) < GUARD / 2
    assert is_well(service)


def test_headers_drop_by_drop_end_the_connection_too(service):
    with service.connect() as connection:
        connection.settimeout(0.2)
        connection.sendall(b"GET /healthz HTTP/1.1\r\n")
        began, closed = time.monotonic(), False
        while not closed and time.monotonic() - began < GUARD:
            try:
                connection.sendall(b"X-A: b\r\n")
                closed = connection.recv(1000) == b""
            except TimeoutError:
                pass
            except OSError:
                closed = True
    assert closed


def test_a_body_that_does_not_come_gets_408(service):
    with service.connect() as connection:
        connection.sendall(POST + b"Content-Length: 1000\r\n\r\nabc")
        reply = read_reply(connection)
    assert reply.status == 408 and reply.json()["error"]["fix"]
    assert is_well(service)


def test_a_second_head_that_does_not_come_ends_a_connection_in_use(service):
    with service.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_reply(connection).status == 200
        connection.sendall(b"GET /he")
        assert seconds_until_closed(connection) < GUARD / 2


def test_a_refused_body_of_a_gigabyte_is_not_waited_for(service):
    with service.connect() as connection:
        connection.sendall(POST + b"Content-Length: 1000000000\r\n\r\n")
        assert read_reply(connection).status == 413
        assert seconds_until_closed(connection) < GUARD / 2


def test_a_hundred_idle_connections_keep_nobody_out_for_long(service):
    idle = [service.connect() for _ in range(100)]
    try:
        answers = []
        began = time.monotonic()
        while (not answers or answers[-1] != 200) and time.monotonic() - began < GUARD:
            answers.append(service.request("GET", "/v1/models").status)
        assert answers[-1] == 200 and set(answers) <= {200, 429}
    finally:
        for connection in idle:
            connection.close()
    assert is_well(service)
