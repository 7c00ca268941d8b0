"""Messages between the trusted process and a zygote: a JSON header and bytes, each with its length before it."""

import json
import socket
import struct
from typing import Any

LENGTHS = struct.Struct("<QQ")


def send(channel: socket.socket, header: dict[str, Any], blob: bytes = b"") -> None:
    """Send one message."""
    text = json.dumps(header).encode()
    channel.sendall(LENGTHS.pack(len(text), len(blob)) + text)
    channel.sendall(blob)


def receive(channel: socket.socket) -> tuple[dict[str, Any], bytes]:
    """Receive one message, from a process that runs our own code.

    Raises:
        ConnectionError: the other side is gone.
        TimeoutError: it said nothing for the channel's timeout.
    """
    header, blob = LENGTHS.unpack(_exactly(channel, LENGTHS.size))
    return json.loads(_exactly(channel, header)), _exactly(channel, blob)


def _exactly(channel: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        part = channel.recv(min(size, 1 << 20))
        if not part:
            raise ConnectionError("the other side is gone")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
