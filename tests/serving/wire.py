"""Talking to the service byte by byte, as clients do that no library would be."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import psutil

ROOT = Path(__file__).resolve().parents[2]
GUARD = 120  # seconds; only a hanging service takes so long


class Reply(NamedTuple):
    """An answer's status, headers in lower case, and body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self):
        return json.loads(self.body)


class RunningService:
    """`course serve` in a process of its own, on a free port.

    Args:
        folder: of the models.
        log: the file that its standard error goes to.
        module: that runs it.
        settings: other than the defaults.
    """

    def __init__(self, folder: Path, log: Path, *, module: str = "tests.serving.serve_worker", **settings):
        self.log = log
        command = [sys.executable, "-m", module, str(folder), json.dumps(settings)]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        with log.open("w") as stream:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=stream, stderr=stream)
        self.port = self._wait_for_port()

    def _wait_for_port(self) -> int:
        patience = time.monotonic() + GUARD
        while time.monotonic() < patience and self.process.poll() is None:
            if found := re.search(r"Listening on http://127\.0\.0\.1:(\d+)", self.log.read_text()):
                return int(found[1])
            time.sleep(0.05)
        self.end()
        raise AssertionError(f"The service did not start: {self.log.read_text()}")

    def end(self) -> None:
        """Whatever happens, it does not outlive its test."""
        self.process.kill()
        self.process.wait(GUARD)

    @property
    def megabytes(self) -> float:
        """Memory that it uses now."""
        return psutil.Process(self.process.pid).memory_info().rss / 1e6

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), GUARD)

    def send(self, raw: bytes) -> Reply:
        """Send bytes on a connection of their own; what comes back until the end of the first answer."""
        with self.connect() as connection:
            connection.sendall(raw)
            return read_reply(connection)

    def request(self, method: str, path: str, body: bytes = b"", **headers: str) -> Reply:
        """A request in good form; underscores in the names of headers stand for hyphens."""
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return self.send("\r\n".join([*lines, "", ""]).encode() + body)


def read_reply(connection: socket.socket) -> Reply:
    """The next answer on a connection; status 0 where the other side closed without one."""
    received = b""
    while b"\r\n\r\n" not in received:
        try:
            piece = connection.recv(65536)
        except ConnectionResetError:
            piece = b""
        if not piece:
            return Reply(0, {}, received)
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    expected = int(headers.get("content-length", 10**9))
    while len(body) < expected and (piece := connection.recv(65536)):
        body += piece
    return Reply(int(first.split()[1]), headers, body)
