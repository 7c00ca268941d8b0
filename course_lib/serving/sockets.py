"""The WebSocket of /v1/stream: speech in, text out while it is spoken.

The client sends {"type": "start", "sample_rate": 16000}, then binary messages of 16-bit little-endian mono samples, at
last {"type": "stop"}. The service sends {"type": "partial"} messages, at last {"type": "final"}; or {"type": "error"},
and then it closes. A service that shuts down doesn't wait for "stop": it sends the final text of what it has heard, and
closes with code 1012. Each stream is one line of the log, which says how it ended.
"""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from fastapi import WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from course_lib.audio import SAMPLE_RATE
from course_lib.serving.guard import is_token, is_welcome
from course_lib.serving.monitoring import LOG
from course_lib.serving.service import Service

MAX_TEXT, MAX_PIECE = 1_000, 4 * 2 * SAMPLE_RATE  # characters of JSON; bytes of sound, four seconds
TELL_EVERY = 0.25  # seconds of sound between two partial texts that are alike
NORMAL, POLICY, BUSY, OOPS, RESTARTING = 1000, 1008, 1013, 1011, 1012


STOP = {"type": "stop"}


class Abuse(Exception):
    """The client did something that the protocol doesn't allow."""

    def __init__(self, code: str, message: str, *, close: int = POLICY):
        super().__init__(message)
        self.code, self.message, self.close = code, message, close


def draining() -> Abuse:
    """The service is about to end."""
    return Abuse("draining", "The service is shutting down. Try again in a moment.", close=RESTARTING)


async def serve_stream(socket: WebSocket, service: Service) -> None:
    """Talk with one client, from the handshake to the end."""
    if not is_welcome(socket.headers, service.settings.origins):
        await socket.close(POLICY)  # before accepting: the handshake is answered with 403
        return
    await socket.accept()
    conversation, ended = Conversation(socket, service), "stopped"
    try:
        with counted(service, conversation):
            await conversation.run()
            if conversation.ends_early:
                ended = "draining"
                await socket.close(RESTARTING, ended)
            else:
                await socket.close(NORMAL)
    except Abuse as abuse:
        ended = abuse.code
        await fail(socket, abuse)
    except (WebSocketDisconnect, RuntimeError):  # the client has gone; starlette says so in two ways
        ended = "gone"
    except Exception:
        ended = "internal"
        LOG.exception("internal error", extra={"about": {"path": "/v1/stream"}})
        await fail(socket, Abuse("internal", "Something went wrong in here; it has been logged.", close=OOPS))
    finally:
        about = {"path": "/v1/stream", "ended": ended, "seconds": round(conversation.seconds, 2)}
        LOG.info("stream", extra={"about": about})


class counted:
    """Count a stream as long as it is open."""

    def __init__(self, service: Service, conversation: "Conversation"):
        self.service, self.conversation = service, conversation

    def __enter__(self) -> None:
        if self.service.draining:
            raise draining()
        most = self.service.settings.max_streams
        if self.service.num_streams >= most:
            raise Abuse("busy", f"All {most} streams are taken. Try again in a few seconds.", close=BUSY)
        self.service.num_streams += 1
        self.service.streams.add(self.conversation)

    def __exit__(self, *_: Any) -> None:
        self.service.num_streams -= 1
        self.service.streams.discard(self.conversation)


class Conversation:
    """One stream, from start to final.

    Args:
        socket: accepted.
        service: whose speech model listens.
    """

    def __init__(self, socket: WebSocket, service: Service):
        self.socket, self.service, self.settings = socket, service, service.settings
        self.ends_early, self.clock = False, None
        self.seconds = 0.0  # of sound

    def end_early(self) -> None:
        """Wait for nothing more from the client."""
        self.ends_early = True
        if self.clock is not None:
            self.clock.reschedule(asyncio.get_running_loop().time())

    async def run(self) -> None:
        """Listen until the client stops, or until the service ends."""
        version, reader = self.service.models["speech"].pick(self._check_start(await self._receive()))
        stream, told, told_at = reader.stream(), "", 0.0
        while not self.ends_early:
            message = await self._receive()
            if isinstance(message, dict):
                self._check_stop(message)
                break
            self._check_piece(message, stream.seconds)
            text = await self._compute(stream.hear, message)
            self.seconds = stream.seconds
            if text != told or stream.seconds - told_at >= TELL_EVERY:
                told, told_at = text, stream.seconds
                await self._send(type="partial", text=text, seconds=round(stream.seconds, 3))
        began = time.perf_counter()
        text = await self._compute(stream.end)
        took = time.perf_counter() - began
        self.service.monitor.stream_final.observe(took)
        await self._send(type="final", text=text, words=stream.words(), milliseconds={"final": round(1000 * took, 2)})
        await self._compute(self.service.watch, "speech", version, stream.statistics)

    async def _compute(self, function: Callable[..., str], *args: Any) -> str:
        return await asyncio.get_running_loop().run_in_executor(self.service.computing, function, *args)

    async def _send(self, **content: Any) -> None:
        await self.socket.send_text(json.dumps(content))

    async def _receive(self) -> bytes | dict[str, Any]:
        """The next message: sound, or a JSON object."""
        idle = self.settings.stream_idle_s
        try:
            async with asyncio.timeout(idle) as self.clock:
                message = await self.socket.receive()
        except TimeoutError:
            if self.ends_early:
                return STOP
            raise Abuse("idle", f"Nothing came for {idle:g} s. Start again when you speak.") from None
        finally:
            self.clock = None
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        if message.get("bytes") is not None:
            return message["bytes"]
        return parse(message["text"])

    def _check_start(self, message: bytes | dict[str, Any]) -> str | None:
        if self.ends_early:
            raise draining()
        if not isinstance(message, dict) or message.get("type") != "start":
            raise Abuse("no_start", 'The first message must be {"type": "start", "sample_rate": 16000}.')
        token = self.settings.token
        if token is not None and not self._has_token(message, token):
            raise Abuse("unauthorized", 'This service asks for a token: {"type": "start", "token": "...", ...}.')
        if message.get("sample_rate") != SAMPLE_RATE or isinstance(message["sample_rate"], bool):
            raise Abuse("sample_rate", f'"sample_rate" must be {SAMPLE_RATE}: resample before you send.')
        version, versions = message.get("version"), list(self.service.models["speech"].versions)
        if version is not None and version not in versions:
            raise Abuse("unknown_version", f"Versions: {', '.join(versions)}.")
        return version

    def _has_token(self, message: dict[str, Any], token: str) -> bool:
        header = self.socket.headers.get("authorization", "").removeprefix("Bearer ")
        return is_token(header, token) or is_token(message.get("token"), token)

    def _check_stop(self, message: dict[str, Any]) -> None:
        if message.get("type") != "stop":
            raise Abuse("unknown_type", 'After the start come binary messages, and then {"type": "stop"}.')

    def _check_piece(self, piece: bytes, seconds: float) -> None:
        if len(piece) % 2:
            raise Abuse("odd_bytes", f"A message has {len(piece)} bytes, but each sample has two.")
        if len(piece) > MAX_PIECE:
            raise Abuse("too_large", f"A message has {len(piece):,} bytes; {MAX_PIECE:,} are the most.")
        most = self.settings.max_audio_seconds
        if seconds + len(piece) / 2 / SAMPLE_RATE > most:
            raise Abuse("too_long", f"A stream may be {most:g} s long. Start another one.")


def parse(text: str) -> dict[str, Any]:
    """A JSON object, not too long.

    Raises:
        Abuse: it is something else.
    """
    try:
        if len(text) > MAX_TEXT:
            raise ValueError
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise Abuse("not_json", f"A text message must be a JSON object of at most {MAX_TEXT:,} characters.") from None
    if not isinstance(message, dict):
        raise Abuse("not_json", "A text message must be a JSON object.")
    return message


async def fail(socket: WebSocket, abuse: Abuse) -> None:
    """Say what was wrong, and close."""
    try:
        if socket.application_state == WebSocketState.CONNECTED:
            await socket.send_text(json.dumps({"type": "error", "code": abuse.code, "message": abuse.message}))
            await socket.close(abuse.close, abuse.code)
    except (WebSocketDisconnect, RuntimeError):
        pass
