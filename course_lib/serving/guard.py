"""What stands before every route: request ids, the token, draining, counting, and one form for all errors."""

import hmac
import json
import re
import time
import uuid
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from course_lib.serving.monitoring import LOG
from course_lib.serving.refusals import Refusal
from course_lib.serving.service import Service, draining

REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
ROUTES = ("/v1/models", "/v1/images:classify", "/v1/audio:transcribe", "/v1/drift", "/healthz", "/readyz", "/metrics")
OPEN = ("/", "/healthz", "/readyz", "/openapi.json", "/favicon.ico")  # without a token; the page's files too
WHILE_DRAINING = ("/healthz", "/readyz", "/metrics")
PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; worker-src 'self' blob:; "
    "script-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


class Guard:
    """Middleware in plain ASGI, so that a refusal costs next to nothing.

    Args:
        app: what is guarded.
        service: the state.
    """

    def __init__(self, app: ASGIApp, *, service: Service):
        self.app, self.service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._request(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, service, path = time.perf_counter(), self.service, scope["path"]
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        told: dict[str, Any] = {"status": None}

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                told["status"] = message["status"]
                dress(MutableHeaders(scope=message), request_id, closing=service.draining)
            await send(message)

        is_accepted = False
        try:
            check(headers, path, service)
            is_accepted, service.num_requests = True, service.num_requests + 1
            await self.app(scope, receive, tell)
        except Refusal as refusal:
            if told["status"] is None:
                await answer_error(tell, refusal, request_id)
        except Exception:
            LOG.exception("internal error", extra={"about": {"request_id": request_id, "path": path}})
            if told["status"] is None:
                oops = Refusal(500, "Something went wrong in here; it has been logged.", fix="Tell us the request_id.")
                await answer_error(tell, oops, request_id)
        finally:
            service.num_requests -= is_accepted
            route = path if path in ROUTES else "page" if path == "/" or path.startswith("/page/") else "other"
            about = {"request_id": request_id, "method": scope["method"], "path": path[:200]}
            status, seconds = told["status"] or 499, time.perf_counter() - began
            service.monitor.on_request(route=route, status=status, seconds=seconds, about=about)


def check(headers: Headers, path: str, service: Service) -> None:
    """Whether a request may go on.

    Raises:
        Refusal: 400 without a host, 503 while draining, 401 without the token.
    """
    if "host" not in headers:
        raise Refusal(400, "There is no Host header.", fix="Send Host: and the name by which you reach this service.")
    if service.draining and path not in WHILE_DRAINING:
        raise draining()
    token = service.settings.token
    if token is not None and path not in OPEN and not path.startswith("/page/"):
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not is_token(given, token):
            raise Refusal(
                401,
                "This service asks for a token.",
                fix="Send the header Authorization: Bearer TOKEN.",
                headers={"WWW-Authenticate": "Bearer"},
            )


def is_token(given: Any, token: str) -> bool:
    """Compare in a time that tells nothing about the token."""
    return isinstance(given, str) and hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())


def is_welcome(headers: Headers, origins: tuple[str, ...]) -> bool:
    """Whether a WebSocket is opened by our own page, by an allowed one, or by none: browsers let any page try."""
    origin = headers.get("origin")
    return origin is None or origin in origins or urlsplit(origin).netloc == headers.get("host")


def dress(headers: MutableHeaders, request_id: str, *, closing: bool) -> None:
    """The headers that every answer has."""
    headers["X-Request-ID"] = request_id
    headers["X-Content-Type-Options"] = "nosniff"
    if headers.get("content-type", "").startswith("text/html"):
        headers["Content-Security-Policy"] = PAGE_POLICY
    if closing:
        headers["Connection"] = "close"


async def answer_error(send: Send, refusal: Refusal, request_id: str) -> None:
    """Send a refusal."""
    body = json.dumps(refusal.body(request_id)).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body)), **refusal.headers}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
