"""Micro-batching: requests that arrive close together are computed together, and too many are refused at once.

A network takes hardly longer for 32 pictures than for 8, but requests come one by one. So the first one waits a moment
for others (`max_delay_s`), at most so many go together (`max_batch`), and the computing happens in a thread of its own,
while the event loop receives the next ones.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any


class QueueFull(Exception):
    """As many requests wait as may wait. Come again after so many seconds."""

    def __init__(self, retry_after: int):
        super().__init__(f"the queue is full; come again after {retry_after} s")
        self.retry_after = retry_after


class PastDeadline(Exception):
    """There was no answer in time."""


class Closed(Exception):
    """No more requests are taken on."""


@dataclass(frozen=True)
class Answer:
    """What came out for one item, and how long it took.

    Attributes:
        value: the answer.
        queue_s: seconds from `submit` to the beginning of its batch.
        compute_s: seconds that the batch took.
        batch_size: items computed together.
    """

    value: Any
    queue_s: float
    compute_s: float
    batch_size: int


@dataclass(eq=False)
class Waiting:
    """An item in the queue; `future` receives its answer."""

    item: Any
    deadline: float
    future: asyncio.Future
    since: float = field(default_factory=time.monotonic)


class Batcher:
    """Gathers single items into batches. Made and used within one event loop.

    Args:
        compute: takes a list of items and returns as many answers in the same order; called in the executor, one batch
            at a time.
        executor: where the computing happens.
        max_batch: items computed together.
        max_delay_s: how long the first item waits for others.
        max_queue: items that may wait.
        on_batch: called with the size and the seconds of each batch.
    """

    def __init__(
        self,
        compute: Callable[[list[Any]], Sequence[Any]],
        *,
        executor: Executor,
        max_batch: int,
        max_delay_s: float,
        max_queue: int,
        on_batch: Callable[[int, float], None] = lambda size, seconds: None,
    ):
        self.compute, self.executor, self.on_batch = compute, executor, on_batch
        self.max_batch, self.max_delay_s, self.max_queue = max_batch, max_delay_s, max_queue
        self.queue: deque[Waiting] = deque()
        self.arrived = asyncio.Event()
        self.seconds_per_item = max_delay_s  # a running mean, for Retry-After
        self.closed = False
        self.worker = asyncio.create_task(self._work())

    @property
    def is_alive(self) -> bool:
        """Whether somebody works on the queue."""
        return not self.worker.done()

    def check_room(self) -> None:
        """Refuse early, before anything is received.

        Raises:
            QueueFull: as many items wait as may wait.
        """
        if len(self.queue) >= self.max_queue:
            raise QueueFull(max(1, math.ceil(len(self.queue) * self.seconds_per_item)))

    async def submit(self, item: Any, *, deadline: float) -> Answer:
        """Wait for an item's answer.

        Args:
            item: what `compute` understands.
            deadline: the moment, by `time.monotonic`, from which on nobody waits for the answer.

        Raises:
            QueueFull: as many items wait as may wait.
            PastDeadline: there was no answer in time; if the item had not begun, it is not computed.
            Closed: `close` was called.
        """
        if self.closed:
            raise Closed
        self.check_room()
        waiting = Waiting(item, deadline, asyncio.get_running_loop().create_future())
        self.queue.append(waiting)
        self.arrived.set()
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                return await waiting.future
        except TimeoutError:
            raise PastDeadline from None

    async def close(self) -> None:
        """Take no more, finish what waits, and end."""
        self.closed = True
        self.arrived.set()
        await self.worker

    async def _work(self) -> None:
        while batch := await self._gather():
            began = time.monotonic()
            answers = await self._compute([waiting.item for waiting in batch])
            seconds = time.monotonic() - began
            self.seconds_per_item += 0.1 * (seconds / len(batch) - self.seconds_per_item)
            self.on_batch(len(batch), seconds)
            for waiting, answer in zip(batch, answers, strict=True):
                if waiting.future.done():  # nobody waits any more
                    continue
                if isinstance(answer, Exception):
                    waiting.future.set_exception(answer)
                else:
                    waiting.future.set_result(Answer(answer, began - waiting.since, seconds, len(batch)))

    async def _gather(self) -> list[Waiting]:
        """The next batch; empty when the batcher is closed and nothing is left."""
        while True:
            while not self.queue and not self.closed:
                self.arrived.clear()
                await self.arrived.wait()
            if not self.queue:
                return []
            left = self.queue[0].since + self.max_delay_s - time.monotonic()
            if len(self.queue) < self.max_batch and left > 0 and not self.closed:
                await self._wait_for_more(left)
            taken = [self.queue.popleft() for _ in range(min(self.max_batch, len(self.queue)))]
            now = time.monotonic()
            batch = [waiting for waiting in taken if waiting.deadline > now and not waiting.future.done()]
            if batch:
                return batch

    async def _wait_for_more(self, seconds: float) -> None:
        """Until the batch is full, or so long."""
        try:
            async with asyncio.timeout(seconds):
                while len(self.queue) < self.max_batch and not self.closed:
                    self.arrived.clear()
                    await self.arrived.wait()
        except TimeoutError:
            pass

    async def _compute(self, items: list[Any]) -> Sequence[Any]:
        """The answers; where a batch fails, each item alone, so that only the guilty one fails."""
        loop = asyncio.get_running_loop()
        try:
            answers = await loop.run_in_executor(self.executor, self.compute, items)
            if len(answers) != len(items):
                raise RuntimeError(f"compute gave {len(answers)} answers for {len(items)} items: one for each is due.")
            return answers
        except Exception as error:
            if len(items) == 1:
                return [error]
            return [(await self._compute([item]))[0] for item in items]
