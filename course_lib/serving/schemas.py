"""What /openapi.json says about bodies and answers that FastAPI can't see by itself."""

from typing import Any

from course_lib.serving.inputs import IMAGE_TYPES, SOUND_TYPES

NUMBER, TEXT = {"type": "number"}, {"type": "string"}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _list(of: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of}


ERROR = _object(error=_object(code=TEXT, message=TEXT, fix=TEXT), request_id=TEXT)
TIMES = _object(queue=NUMBER, compute=NUMBER, total=NUMBER)
MODEL = {
    **_object(name=TEXT, kind={"enum": ["image", "speech"]}, versions=_list(TEXT), active=TEXT),
    "properties": {
        "name": TEXT,
        "kind": {"enum": ["image", "speech"]},
        "versions": _list(TEXT),
        "active": TEXT,
        "classes": _list(TEXT),
    },
}
WHAT_IS_WRONG = {
    401: "the token is missing or wrong",
    403: "not allowed here",
    404: "there is no such model or version",
    408: "the body came too slowly",
    413: "too many bytes, pixels or seconds",
    415: "another format than the Content-Type says, or one that can't be read",
    422: "damaged, empty, or a parameter that makes no sense",
    429: "no room: come again after Retry-After seconds",
    503: "shutting down",
    504: "no answer within the deadline",
}


def _json(schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _route(answer: dict[str, Any], *statuses: int, body: list[str] | None = None) -> dict[str, Any]:
    """What a route's decorator takes."""
    responses: dict[int | str, Any] = {200: answer}
    responses |= {status: _json(ERROR, WHAT_IS_WRONG[status]) for status in (401, *statuses, 503)}
    route: dict[str, Any] = {"responses": responses}
    if body:
        content = {each: {"schema": {"type": "string", "format": "binary"}} for each in body}
        route["openapi_extra"] = {"requestBody": {"required": True, "content": content}}
    return route


WORK = (404, 408, 413, 415, 422, 429, 504)
CLASSES = _list(_object(name=TEXT, probability={"type": "number", "minimum": 0, "maximum": 1}))
CLASSIFY = _route(
    _json(
        _object(model=TEXT, version=TEXT, classes=CLASSES, milliseconds=TIMES, request_id=TEXT),
        "the classes, the most probable first",
    ),
    *WORK,
    body=list(IMAGE_TYPES),
)
WORDS = _list(_object(word=TEXT, start=NUMBER, end=NUMBER))
TRANSCRIBE = _route(
    _json(
        _object(text=TEXT, words=WORDS, seconds=NUMBER, version=TEXT, milliseconds=TIMES, request_id=TEXT),
        "what was said, and when each word, in seconds",
    ),
    *WORK,
    body=list(SOUND_TYPES),
)
MODELS = _route(_json(_object(models=_list(MODEL)), "all models"), 422)
ACTIVATE = _route(_json(MODEL, "the model as it is now"), 403, 404, 422)
MAYBE_NUMBER = {"type": ["number", "null"]}
WATCH = _object(
    model=TEXT,
    version=TEXT,
    alarm={"type": ["boolean", "null"]},
    alarm_level=NUMBER,
    window=NUMBER,
    waiting=NUMBER,
    scores={"type": "object", "additionalProperties": MAYBE_NUMBER},
)
DRIFT = _route(_json(_object(models=_list(WATCH)), "each version that has had inputs"), 422)
METRICS = _route({"description": "metrics as text", "content": {"text/plain": {"schema": TEXT}}})
HEALTH = {
    "responses": {
        200: _json(_object(status=TEXT), "yes"),
        503: _json(_object(status=TEXT), "no"),
    }
}
