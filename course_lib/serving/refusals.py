"""Refusals: what is wrong with a request, and how to mend it, in one form."""

from collections.abc import Mapping
from typing import Any

CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "too_slow",
    413: "too_large",
    415: "unsupported_type",
    422: "unreadable",
    429: "busy",
    500: "internal",
    503: "draining",
    504: "too_late",
}


class Refusal(Exception):
    """A request that gets an error for an answer.

    Args:
        status: of HTTP.
        message: what is wrong.
        fix: what to do about it.
        headers: that go with the answer, such as Retry-After.
        code: a word for programs; by default the status decides.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        fix: str,
        headers: Mapping[str, str] | None = None,
        code: str | None = None,
    ):
        super().__init__(message)
        self.status, self.message, self.fix = status, message, fix
        self.headers, self.code = dict(headers or {}), code or CODES.get(status, "refused")

    def body(self, request_id: str) -> dict[str, Any]:
        """What the client reads."""
        return {"error": {"code": self.code, "message": self.message, "fix": self.fix}, "request_id": request_id}


def busy(what: str, retry_after: int) -> Refusal:
    """There is no room for more."""
    return Refusal(
        429,
        f"There is no room for more {what} now.",
        fix=f"Try again after {retry_after} s (Retry-After).",
        headers={"Retry-After": str(retry_after)},
    )
