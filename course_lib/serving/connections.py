"""Connections that send nothing, or send it drop by drop, are closed: uvicorn alone would wait forever."""

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from course_lib.serving.settings import Settings

CROWDED = (
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Type: application/json\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%s"
)
WHY = b'{"error": {"code": "busy", "message": "There are too many connections.", "fix": "Try again after 1 s."}}'


class PatientProtocol(H11Protocol):
    """HTTP/1.1 with a limit on connections, and on the time in which the head of a request must have come."""

    header_seconds, max_connections = 5.0, 512

    @classmethod
    def within(cls, settings: Settings) -> type["PatientProtocol"]:
        """The same with these limits; uvicorn makes the objects itself, so the limits stand in the class."""
        limits = {"header_seconds": settings.header_seconds, "max_connections": settings.max_connections}
        return type("PatientProtocol", (cls,), limits)

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.head_timer: asyncio.TimerHandle | None = None
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            transport.write(CROWDED % (len(WHY), WHY))
            transport.close()
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def connection_lost(self, error: Exception | None) -> None:
        self._stop_watching()
        super().connection_lost(error)

    def _watch(self) -> None:
        """Let the time run while a head is expected, or the rest of a body that was refused already.

        Between requests uvicorn's own keep-alive timer does this, until the next byte comes.
        """
        head = self.conn.their_state is h11.IDLE and self.timeout_keep_alive_task is None
        rest = self.conn.their_state is h11.SEND_BODY and self.conn.our_state is h11.DONE
        if not (head or rest):
            self._stop_watching()
        elif self.head_timer is None:
            self.head_timer = self.loop.call_later(self.header_seconds, self.transport.close)

    def _stop_watching(self) -> None:
        if self.head_timer is not None:
            self.head_timer.cancel()
            self.head_timer = None
