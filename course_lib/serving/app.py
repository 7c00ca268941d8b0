"""The app: `create_app(models)` puts trained models behind HTTP and WebSocket. It keeps no state outside of itself."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Query, Request, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection
from starlette.staticfiles import StaticFiles

from course_lib import __version__
from course_lib.errors import what_was_meant
from course_lib.serving import schemas
from course_lib.serving.bodies import read_body
from course_lib.serving.guard import Guard
from course_lib.serving.inputs import (
    DECODE_NOW,
    IMAGE_TYPES,
    SOUND_TYPES,
    decode_image,
    kind_of,
    open_image,
    read_audio,
)
from course_lib.serving.models import Model
from course_lib.serving.refusals import Refusal
from course_lib.serving.service import Service
from course_lib.serving.settings import Settings
from course_lib.serving.sockets import serve_stream

PAGE = Path(__file__).parent / "page"
Deadline = Annotated[int | None, Header(ge=1, le=3_600_000, description="Milliseconds that you are willing to wait.")]
Version = Annotated[str | None, Query(max_length=40, description="The active one, unless another is named.")]


def create_app(models: Mapping[str, Model], *, settings: Settings | None = None) -> FastAPI:
    """Make the app.

    Args:
        models: by name; `course_lib.serving.first_models.load_models` gives those of the course.
        settings: the limits; the defaults of `Settings` where none are given.

    Returns:
        An ASGI app. Its threads and queues begin with its lifespan; `app.state.service` is what they share.
    """
    service = Service(models, settings or Settings())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with service.running():
            yield

    app = FastAPI(
        title="Software 2.0: Seeing and Hearing",
        version=__version__,
        description="Small trained networks that classify pictures and transcribe speech.",
        docs_url=None,  # they load scripts from another host
        redoc_url=None,
        lifespan=lifespan,
        dependencies=[Depends(only_known_parameters)],
    )
    app.state.service = service
    app.add_middleware(Guard, service=service)
    if service.settings.origins:
        allowed = {
            "allow_origins": service.settings.origins,
            "allow_methods": ["GET", "POST"],
            "allow_headers": ["Authorization", "Content-Type", "X-Deadline-Ms", "X-Request-ID"],
        }
        app.add_middleware(CORSMiddleware, **allowed)
    _add_error_forms(app)
    _add_health(app, service)
    _add_models(app, service)
    _add_images(app, service)
    _add_audio(app, service)
    _add_page(app)
    return app


def _add_images(app: FastAPI, service: Service) -> None:
    settings = service.settings

    @app.post("/v1/images:classify", **schemas.CLASSIFY)
    async def classify(
        request: Request,
        model: Annotated[str, Query(max_length=40)] = "digits",
        version: Version = None,
        x_deadline_ms: Deadline = None,
    ) -> Response:
        """Say what a picture shows. The body is the file itself: PNG, JPEG, WebP or BMP."""
        began = time.monotonic()
        chosen, reader = service.pick(model, "image", version)
        kind = kind_of(request.headers.get("content-type"), IMAGE_TYPES, what="PNG, JPEG, WebP and BMP")
        service.check_room(model)
        async with read_body(request, service, max_bytes=settings.max_image_bytes) as content:
            deadline = deadline_of(x_deadline_ms, settings)
            image = open_image(content, kind, max_pixels=settings.max_pixels)

            def prepare():
                return reader.image(decode_image(image))

            small = image.width * image.height <= DECODE_NOW
            item = prepare() if small else await service.decode(prepare, deadline=deadline)
        answer = await service.answer(model, chosen, item, deadline=deadline)
        service.monitor.queue.labels(model).observe(answer.queue_s)
        named = zip(reader.classes, answer.value, strict=True)
        classes = [{"name": name, "probability": round(share, 6)} for name, share in named]
        classes.sort(key=lambda each: -each["probability"])
        body = {"model": model, "version": chosen, "classes": classes, "milliseconds": milliseconds(answer, began)}
        return JSONResponse({**body, "request_id": request.state.request_id})


def _add_audio(app: FastAPI, service: Service) -> None:
    settings = service.settings

    @app.post("/v1/audio:transcribe", **schemas.TRANSCRIBE)
    async def transcribe(request: Request, version: Version = None, x_deadline_ms: Deadline = None) -> Response:
        """Write down what is said. The body is the file itself: WAV, FLAC or Ogg."""
        began = time.monotonic()
        chosen, _ = service.pick("speech", "speech", version)
        kind = kind_of(request.headers.get("content-type"), SOUND_TYPES, what="WAV, FLAC and Ogg")
        service.check_room("speech")
        async with read_body(request, service, max_bytes=settings.max_audio_bytes) as content:
            deadline = deadline_of(x_deadline_ms, settings)

            def read():
                return read_audio(content, kind, max_seconds=settings.max_audio_seconds)

            waveform = await service.decode(read, deadline=deadline)
        answer = await service.answer("speech", chosen, waveform, deadline=deadline)
        service.monitor.queue.labels("speech").observe(answer.queue_s)
        heard, times = answer.value, milliseconds(answer, began)
        body = {"text": heard.text, "words": heard.words, "seconds": heard.seconds, "version": chosen}
        return JSONResponse({**body, "milliseconds": times, "request_id": request.state.request_id})

    @app.websocket("/v1/stream")
    async def stream(socket: WebSocket) -> None:
        await serve_stream(socket, service)


def _add_models(app: FastAPI, service: Service) -> None:
    @app.get("/v1/models", **schemas.MODELS)
    async def list_models() -> Response:
        """The models, their versions, and which one answers."""
        return JSONResponse({"models": [describe(model) for model in service.models.values()]})

    @app.post("/v1/models/{name}:activate", **schemas.ACTIVATE)
    async def activate(name: str, version: Annotated[str, Query(max_length=40)]) -> Response:
        """Let another version answer from now on. Only where the service was started with a token."""
        if service.settings.token is None:
            raise Refusal(403, "Without a token nobody may change what is served.", fix="Start it with --token.")
        if name not in service.models:
            fix = what_was_meant(name, service.models, kind="models")
            raise Refusal(404, f"There is no model {name[:60]!r}.", fix=fix)
        service.pick(name, service.models[name].kind, version)
        service.models[name].activate(version)
        return JSONResponse(describe(service.models[name]))

    @app.get("/v1/drift", **schemas.DRIFT)
    async def drift() -> Response:
        """Whether what comes in still looks like what the models know; null until a whole window has come."""
        return JSONResponse({"models": service.drift()})


def _add_health(app: FastAPI, service: Service) -> None:
    @app.get("/healthz", **schemas.HEALTH)
    async def is_alive() -> Response:
        """Whether the process works; a supervisor restarts it where not."""
        return JSONResponse({"status": "alive" if service.is_alive else "dead"}, 200 if service.is_alive else 503)

    @app.get("/readyz", **schemas.HEALTH)
    async def is_ready() -> Response:
        """Whether new requests are welcome; a load balancer sends none where not."""
        status = "ready" if service.is_ready else "draining" if service.draining else "dead"
        return JSONResponse({"status": status}, 200 if service.is_ready else 503)

    @app.get("/metrics", **schemas.METRICS)
    async def metrics() -> Response:
        """Counters and histograms, as Prometheus reads them."""
        return Response(service.monitor.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_page(app: FastAPI) -> None:
    if not (PAGE / "index.html").exists():
        return

    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        return FileResponse(PAGE / "index.html")

    app.mount("/page", StaticFiles(directory=PAGE), name="page")


def _add_error_forms(app: FastAPI) -> None:
    """All errors look alike, also those that FastAPI finds."""

    async def refused(request: Request, refusal: Refusal) -> Response:
        return JSONResponse(refusal.body(request.state.request_id), refusal.status, refusal.headers)

    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        refusal = Refusal(422, f"{where}: {first['msg']}.", fix="/openapi.json says what each route takes.")
        return await refused(request, refusal)

    async def unknown(request: Request, error: HTTPException) -> Response:
        path, method = request.url.path[:200], request.method
        message = f"{method} is not for {path}." if error.status_code == 405 else f"There is nothing at {path}."
        fix = "/openapi.json lists the routes."
        return await refused(request, Refusal(error.status_code, message, fix=fix, headers=error.headers))

    app.add_exception_handler(Refusal, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, unknown)


def only_known_parameters(connection: HTTPConnection) -> None:
    """Whether a request names only parameters that its route has: a misspelled one would be passed over in silence.

    Raises:
        Refusal: 422.
    """
    if connection.scope["type"] == "http" and connection.url.path.startswith("/v1/"):
        known = [parameter.alias for parameter in connection.scope["route"].dependant.query_params]
        unknown = [name for name in dict.fromkeys(connection.query_params) if name not in known]
        if unknown:
            there = what_was_meant(unknown[0], known, kind="parameters")
            names = ", ".join(repr(name[:40]) for name in unknown[:5])
            raise Refusal(422, f"Unknown parameters: {names}.", fix=there)


def describe(model: Model) -> dict[str, Any]:
    """What /v1/models says about a model."""
    about = {"name": model.name, "kind": model.kind, "versions": list(model.versions), "active": model.active}
    return about | ({"classes": model.classes} if model.classes else {})


def deadline_of(milliseconds: int | None, settings: Settings) -> float:
    """The moment at which a request that arrives now is too late."""
    seconds = settings.deadline_s if milliseconds is None else min(milliseconds / 1000, settings.deadline_s)
    return time.monotonic() + seconds


def milliseconds(answer: Any, began: float) -> dict[str, float]:
    """Where the time went."""
    parts = {"queue": answer.queue_s, "compute": answer.compute_s, "total": time.monotonic() - began}
    return {name: round(1000 * seconds, 2) for name, seconds in parts.items()}
