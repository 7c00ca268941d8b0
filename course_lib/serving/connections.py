"""Connections that send nothing, or send it drop by drop, are closed: uvicorn alone would wait forever."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from course_lib.serving.settings import Settings

MAX_HEAD = 65_536  # bytes
CROWDED = (
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Type: application/json\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%s"
)
WHY = b'{"error": {"code": "busy", "message": "There are too many connections.", "fix": "Try again after 1 s."}}'


class LingeringTransport:
    """A transport that is closed only after the client has said all, if the client is still speaking.

    Otherwise the system would answer what still comes with a reset, and the client might lose the refusal that we sent.

    Args:
        transport: the real one.
        protocol: that reads from it.
    """

    def __init__(self, transport: asyncio.Transport, protocol: "PatientProtocol"):
        self.transport, self.protocol = transport, protocol

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)

    def close(self) -> None:
        if self.protocol.is_spoken_to and not self.transport.is_closing() and self.transport.can_write_eof():
            self.protocol.linger()
        else:
            self.transport.close()

    def is_closing(self) -> bool:
        return self.protocol.lingers or self.transport.is_closing()


class PatientProtocol(HttpToolsProtocol):
    """HTTP/1.1 with limits: on connections, on the head of a request, and on the time in which it must have come."""

    header_seconds, max_connections = 5.0, 512
    lingers, timer = False, None
    phase, head_size = "head", 0  # what is expected next: a "head", a "body", or "nothing", since all is there

    @classmethod
    def within(cls, settings: Settings) -> type["PatientProtocol"]:
        """The same with these limits; uvicorn makes the objects itself, so the limits stand in the class."""
        limits = {"header_seconds": settings.header_seconds, "max_connections": settings.max_connections}
        return type("PatientProtocol", (cls,), limits)

    @property
    def is_spoken_to(self) -> bool:
        """Whether more of a request is to come, which nobody will read: of one that has begun."""
        return self.phase == "body" or (self.phase == "head" and self.head_size > 0)

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(LingeringTransport(transport, self))
        if len(self.connections) > self.max_connections:
            transport.write(CROWDED % (len(WHY), WHY))
            self.linger()
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self.phase == "head":
            self.head_size += len(data)
            if self.head_size > MAX_HEAD and not self.transport.is_closing():
                self.send_400_response(f"The head of a request may have {MAX_HEAD} bytes.")
        self._watch()

    def on_message_begin(self) -> None:
        self.phase, self.head_size = "head", 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self.phase = "body"
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self.phase = "nothing"
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self.phase = "nothing"
        self._stop_watching()
        super().handle_websocket_upgrade()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def connection_lost(self, error: Exception | None) -> None:
        self._stop_watching()
        super().connection_lost(error)

    def eof_received(self) -> None:
        if self.lingers:
            self._hang_up()

    def linger(self) -> None:
        """Say no more, and let what still comes pass by for a while."""
        self.lingers = True
        self._stop_watching()
        self.transport.resume_reading()
        self.transport.write_eof()
        self.timer = self.loop.call_later(self.header_seconds, self._hang_up)

    def _watch(self) -> None:
        """Let the time run while nobody but the client can go on: a head is expected, or the rest of a refused body.

        Between requests uvicorn's own keep-alive timer does this, until the next byte comes.
        """
        responding = self.cycle is not None and not self.cycle.response_complete
        if self.lingers or self.transport.is_closing():
            return
        if responding or self.timeout_keep_alive_task is not None:
            self._stop_watching()
        elif self.timer is None:
            self.timer = self.loop.call_later(self.header_seconds, self._hang_up)

    def _stop_watching(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def _hang_up(self) -> None:
        self.transport.transport.close()
