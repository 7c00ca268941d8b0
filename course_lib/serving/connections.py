"""Connections that send nothing, or send it drop by drop, are closed: uvicorn alone would wait forever."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from course_lib.serving.settings import Settings

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


class PatientProtocol(H11Protocol):
    """HTTP/1.1 with a limit on connections, and on the time in which the head of a request must have come."""

    header_seconds, max_connections = 5.0, 512
    lingers, head_timer = False, None

    @classmethod
    def within(cls, settings: Settings) -> type["PatientProtocol"]:
        """The same with these limits; uvicorn makes the objects itself, so the limits stand in the class."""
        limits = {"header_seconds": settings.header_seconds, "max_connections": settings.max_connections}
        return type("PatientProtocol", (cls,), limits)

    @property
    def is_spoken_to(self) -> bool:
        """Whether more of a request is to come, which nobody will read."""
        return self.conn.their_state in (h11.SEND_BODY, h11.ERROR)

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(LingeringTransport(transport, self))
        if len(self.connections) > self.max_connections:
            transport.write(CROWDED % (len(WHY), WHY))
            self.linger()
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        if not self.transport.is_closing():
            super().data_received(data)
            self._watch()

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
        self.head_timer = self.loop.call_later(self.header_seconds, self._hang_up)

    def _watch(self) -> None:
        """Let the time run while a head is expected, or the rest of a body that was refused already.

        Between requests uvicorn's own keep-alive timer does this, until the next byte comes.
        """
        if self.lingers:
            return
        head = self.conn.their_state is h11.IDLE and self.timeout_keep_alive_task is None
        rest = self.conn.their_state is h11.SEND_BODY and self.conn.our_state is h11.DONE
        if not (head or rest):
            self._stop_watching()
        elif self.head_timer is None:
            self.head_timer = self.loop.call_later(self.header_seconds, self._hang_up)

    def _stop_watching(self) -> None:
        if self.head_timer is not None:
            self.head_timer.cancel()
            self.head_timer = None

    def _hang_up(self) -> None:
        self.transport.transport.close()
