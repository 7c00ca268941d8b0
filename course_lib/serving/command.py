"""`course serve`: the models that are there, or first ones trained now, behind uvicorn until somebody says stop."""

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import torch
import uvicorn

from course_lib.errors import CourseError
from course_lib.serving.app import create_app
from course_lib.serving.connections import PatientProtocol
from course_lib.serving.first_models import load_models
from course_lib.serving.models import Model
from course_lib.serving.monitoring import LOG, JsonLines
from course_lib.serving.service import Service
from course_lib.serving.settings import Settings

LISTEN_ON = 1.0  # seconds in which a draining service still says "draining" to those who come


def serve(*, host: str, port: int, token: str | None, folder: str | None, quiet: bool = False) -> int:
    """Run the service until SIGTERM or Ctrl-C, and let what it has accepted finish.

    Args:
        host: the address to listen on.
        port: 0 takes a free one.
        token: that clients must send; `COURSE_TOKEN` where none is given.
        folder: where the models are kept; None for `artifacts/serving/`.
        quiet: write no line per request.

    Returns:
        The exit status.

    Raises:
        CourseError: the address can't be listened on.
    """
    torch.set_num_threads(1)
    settings = Settings(host=host, port=port, token=token or os.environ.get("COURSE_TOKEN") or None)
    check_address(settings)
    if settings.token is None and host not in ("127.0.0.1", "::1", "localhost"):
        say(f"Anybody who can reach {host} may use this service: set a token with --token or COURSE_TOKEN.")
    return run(load_models(Path(folder) if folder else None, say=say), settings, quiet=quiet)


def run(models: Mapping[str, Model], settings: Settings, *, quiet: bool = False) -> int:
    """Serve models until a signal ends it.

    Args:
        models: by name.
        settings: the limits.
        quiet: write no line per request.

    Returns:
        The exit status.
    """
    app = create_app(models, settings=settings)
    log_json(logging.WARNING if quiet else logging.INFO)
    server = DrainingServer(configuration(app, settings), app.state.service, say=say)
    server.run()
    return 0 if server.started else 1


def say(line: str) -> None:
    """Tell whoever sits at the terminal."""
    print(line, file=sys.stderr, flush=True)


def configuration(app: Any, settings: Settings) -> uvicorn.Config:
    """How uvicorn runs the app: within its limits, with its own log."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=PatientProtocol.within(settings),
        ws_max_size=1_000_000,  # larger messages end the connection; ours are refused well below
        ws_max_queue=8,
        ws_per_message_deflate=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=int(settings.drain_seconds) + 1,
        log_config=None,
        access_log=False,
        server_header=False,
    )


def log_json(level: int) -> None:
    """One line of JSON per request on standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    LOG.handlers, LOG.propagate = [handler], False
    LOG.setLevel(level)
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


class DrainingServer(uvicorn.Server):
    """A server that ends in three steps: it says 503 to new requests, finishes those that it has, and closes.

    Args:
        config: of uvicorn.
        service: of the app.
        say: told when it listens and when it ends.
    """

    def __init__(self, config: uvicorn.Config, service: Service, *, say: Callable[[str], None]):
        super().__init__(config)
        self.service, self.say = service, say
        self.drain: asyncio.Task | None = None

    def _log_started_message(self, listeners: Any) -> None:
        host, port = listeners[0].getsockname()[:2]
        self.say(f"Listening on http://{f'[{host}]' if ':' in host else host}:{port}  (Ctrl-C ends it)")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM or Ctrl-C: drain. The second one: end at once."""
        if self.service.draining:
            self.should_exit = self.force_exit = True
        self.service.draining = True

    async def on_tick(self, counter: int) -> bool:
        if self.service.draining and self.drain is None:
            self.drain = asyncio.create_task(self._drain())
        return await super().on_tick(counter)

    async def _drain(self) -> None:
        busy = self.service.num_requests + self.service.num_streams
        self.say(f"Draining: {busy} requests are under way.")
        clock = asyncio.get_running_loop().time
        began = clock()
        while clock() - began < self.service.settings.drain_seconds:
            idle = self.service.num_requests + self.service.num_streams == 0
            if idle and clock() - began >= LISTEN_ON:
                break
            await asyncio.sleep(0.02)
        self.service.end_streams()
        while self.service.num_streams and clock() - began < self.service.settings.drain_seconds + LISTEN_ON:
            await asyncio.sleep(0.02)
        self.should_exit = True


def check_address(settings: Settings) -> None:
    """Fail early, with a line that says how to go on.

    Raises:
        CourseError: another process listens there, or the address is not ours.
    """
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((settings.host, settings.port))
    except OSError as error:
        raise CourseError(
            f"Can't listen on {settings.host}:{settings.port} ({error.strerror}). Another one: course serve --port 0"
        ) from None
