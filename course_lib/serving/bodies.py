"""Bodies of requests: read within limits of size and time, and counted as long as they are held."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

from fastapi import Request
from starlette.requests import ClientDisconnect

from course_lib.serving.refusals import Refusal
from course_lib.serving.service import Service


@asynccontextmanager
async def read_body(request: Request, service: Service, *, max_bytes: int) -> AsyncIterator[bytes]:
    """Read a request's body.

    Args:
        request: whose body is still to be read.
        service: counts the bytes that are held.
        max_bytes: more are refused, by the header alone where there is one.

    Raises:
        Refusal: 408, it came too slowly; 413, it is too large; 429, too much is held already.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise too_large(max_bytes)
    with ExitStack() as held:
        chunks, size = [], 0
        try:
            async with asyncio.timeout(service.settings.body_seconds):
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > max_bytes:
                        raise too_large(max_bytes)
                    held.enter_context(service.holding(len(chunk)))
                    chunks.append(chunk)
        except TimeoutError:
            seconds = service.settings.body_seconds
            raise Refusal(
                408,
                f"The body was not there within {seconds:g} s.",
                fix="Send it faster, or a smaller file.",
                headers={"Connection": "close"},
            ) from None
        except ClientDisconnect:
            raise Refusal(499, "The client has gone.", fix="Stay.", code="gone") from None
        yield b"".join(chunks)


def too_large(max_bytes: int) -> Refusal:
    """A body of so many bytes is the most."""
    return Refusal(
        413,
        f"The body is larger than {max_bytes:,} bytes, which is the most.",
        fix="Send a smaller or shorter file.",
    )
