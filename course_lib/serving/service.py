"""What lives between requests: the models' queues, the thread that computes, counters, and whether it is draining."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor

from course_lib.drift import DriftWatch
from course_lib.errors import what_was_meant
from course_lib.serving.batching import Answer, Batcher, Closed, PastDeadline, QueueFull
from course_lib.serving.models import Model
from course_lib.serving.monitoring import LOG, Monitor
from course_lib.serving.refusals import Refusal, busy
from course_lib.serving.settings import Settings


class Service:
    """The models at work. One per app; everything that runs begins in `running` and ends with it.

    Args:
        models: by name.
        settings: the limits.
    """

    def __init__(self, models: Mapping[str, Model], settings: Settings):
        self.models, self.settings = dict(models), settings
        self.monitor = Monitor(self)
        self.draining = False
        self.num_requests = self.num_streams = self.bytes_in_flight = 0
        self.batchers: dict[str, Batcher] = {}
        self.watches: dict[tuple[str, str], DriftWatch] = {}
        self.streams: set[Any] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start the threads and the queues, and end them when all that was accepted has its answer."""
        self.draining = False
        self.computing = ThreadPoolExecutor(1, "computing", initializer=torch.set_num_threads, initargs=(1,))
        self.decoding = ThreadPoolExecutor(1, "decoding", initializer=torch.set_num_threads, initargs=(1,))
        for name, model in self.models.items():
            self.batchers[name] = Batcher(
                partial(self._compute, name),
                executor=self.computing,
                max_batch=self.settings.max_batch,
                max_delay_s=self.settings.max_delay_s,
                max_queue=self.settings.max_queue,
                on_batch=self.monitor.on_batch(model.name),
            )
        try:
            yield
        finally:
            self.draining = True
            await asyncio.gather(*(batcher.close() for batcher in self.batchers.values()))
            self.decoding.shutdown()
            self.computing.shutdown()

    @property
    def is_alive(self) -> bool:
        """Whether every queue has somebody who works on it."""
        return bool(self.batchers) and all(batcher.is_alive for batcher in self.batchers.values())

    @property
    def is_ready(self) -> bool:
        """Whether new requests are welcome."""
        return self.is_alive and not self.draining

    def pick(self, name: str, kind: str, version: str | None) -> tuple[str, Any]:
        """The version of a model that a request is about, and its reader.

        Raises:
            Refusal: 404, there is no such model or version.
        """
        of_kind = [each for each, model in self.models.items() if model.kind == kind]
        if name not in of_kind:
            fix = what_was_meant(name, of_kind, kind=f"{kind} models")
            raise Refusal(404, f"There is no {kind} model {name[:60]!r}.", fix=fix)
        try:
            return self.models[name].pick(version)
        except KeyError:
            fix = what_was_meant(version, self.models[name].versions, kind="versions")
            raise Refusal(404, f"{name} has no version {version[:60]!r}.", fix=fix) from None

    def check_room(self, name: str) -> None:
        """Refuse before the body is read, where there is no room.

        Raises:
            Refusal: 429, with Retry-After.
        """
        try:
            self.batchers[name].check_room()
        except QueueFull as full:
            raise busy("requests", full.retry_after) from None

    async def answer(self, name: str, version: str, item: Any, *, deadline: float) -> Answer:
        """Put an item into the model's queue, and wait for its answer.

        Args:
            name: the model's.
            version: that is to answer.
            item: what its reader takes.
            deadline: by `time.monotonic`.

        Raises:
            Refusal: 429, 503 or 504.
        """
        try:
            return await self.batchers[name].submit((version, item), deadline=deadline)
        except QueueFull as full:
            raise busy("requests", full.retry_after) from None
        except PastDeadline:
            raise too_late() from None
        except Closed:
            raise draining() from None

    def _compute(self, name: str, items: list[tuple[str, Any]]) -> list[Any]:
        """Answers in the order of the items, each by its own version; those of one version together."""
        answers: list[Any] = [None] * len(items)
        places: dict[str, list[int]] = {}
        for place, (version, _) in enumerate(items):
            places.setdefault(version, []).append(place)
        for version, own in places.items():
            reader, inputs = self.models[name].versions[version], [items[place][1] for place in own]
            results = reader(inputs)
            self.watch(name, version, lambda reader=reader, pair=(inputs, results): reader.statistics(*pair))
            for place, result in zip(own, results, strict=True):
                answers[place] = result
        return answers

    def watch(self, name: str, version: str, statistics: Callable[[], Tensor]) -> None:
        """Look at inputs for drift, where the model says what it knows."""
        reference = self.models[name].versions[version].reference
        if reference is not None:
            window = self.settings.drift_window
            watch = self.watches.setdefault((name, version), DriftWatch(reference, window=window))
            try:
                watch.observe(statistics())
            except Exception:  # whoever asked for an answer gets it all the same
                LOG.exception("drift could not be judged", extra={"about": {"model": name}})

    def drift(self) -> list[dict[str, Any]]:
        """What the watches saw, for each version that has one."""
        told = []
        for (name, version), watch in list(self.watches.items()):
            names, latest = self.models[name].versions[version].STATISTICS, watch.latest
            scores = [None] * len(names) if latest is None else [round(score, 3) for score in latest.scores.tolist()]
            told.append(
                {
                    "model": name,
                    "version": version,
                    "alarm": None if latest is None else latest.alarm,
                    "alarm_level": round(watch.level, 3),
                    "window": watch.window,
                    "waiting": len(watch.rows),
                    "scores": dict(zip(names, scores, strict=True)),
                }
            )
        return told

    async def decode(self, function: Any, *args: Any, deadline: float) -> Any:
        """Call a function that takes longer than the event loop may wait, in the thread for that.

        Raises:
            Refusal: 504.
        """
        work = asyncio.get_running_loop().run_in_executor(self.decoding, lambda: function(*args))
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                return await work
        except TimeoutError:
            raise too_late() from None

    def end_streams(self) -> None:
        """Let every open stream end now, with the text that it has."""
        for stream in list(self.streams):
            stream.end_early()

    @contextmanager
    def holding(self, num_bytes: int) -> Iterator[None]:
        """Count bytes that are held in memory.

        Raises:
            Refusal: 429, there are too many already.
        """
        if self.bytes_in_flight + num_bytes > self.settings.max_bytes_in_flight:
            raise busy("bytes", 1)
        self.bytes_in_flight += num_bytes
        try:
            yield
        finally:
            self.bytes_in_flight -= num_bytes


def too_late() -> Refusal:
    """There was no answer within the deadline."""
    return Refusal(
        504, "There was no answer within the deadline.", fix="Send it again later, or with a longer deadline."
    )


def draining() -> Refusal:
    """The service is about to end."""
    return Refusal(
        503,
        "The service is shutting down and takes no new requests.",
        fix="Try again in a moment.",
        headers={"Retry-After": "1", "Connection": "close"},
    )
