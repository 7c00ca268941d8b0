"""The micro-batcher: sizes, delays, bounds, deadlines, failures, and who gets which answer."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.serving.batching import Batcher, Closed, PastDeadline, QueueFull

FAR = 1e9


def run(scenario, compute, **options):
    """Run a coroutine function with a batcher; returns what it returns."""

    async def main():
        with ThreadPoolExecutor(1) as executor:
            given = {"max_batch": 4, "max_delay_s": 0.0, "max_queue": 100} | options
            batcher = Batcher(compute, executor=executor, **given)
            try:
                return await asyncio.wait_for(scenario(batcher), 30)
            finally:
                if not batcher.closed:
                    await batcher.close()

    return asyncio.run(main())


class Gate:
    """Computes only once it is opened, and notes its batches."""

    def __init__(self):
        self.open, self.batches = threading.Event(), []

    def __call__(self, items):
        assert self.open.wait(30)
        self.batches.append(list(items))
        return [10 * item for item in items]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(), min_size=1, max_size=50), st.integers(1, 7))
def test_everybody_gets_their_own_answer(items, max_batch):
    async def scenario(batcher):
        return await asyncio.gather(*(batcher.submit(item, deadline=FAR) for item in items))

    answers = run(scenario, lambda batch: [-item for item in batch], max_batch=max_batch)
    assert [answer.value for answer in answers] == [-item for item in items]
    assert max(answer.batch_size for answer in answers) <= max_batch


def test_what_waits_together_is_computed_together():
    gate = Gate()

    async def scenario(batcher):
        first = asyncio.create_task(batcher.submit(0, deadline=FAR))
        await asyncio.sleep(0.05)  # the first one is being computed; the others queue up behind it
        others = [asyncio.create_task(batcher.submit(item, deadline=FAR)) for item in range(1, 7)]
        await asyncio.sleep(0.05)
        gate.open.set()
        await asyncio.gather(first, *others)

    run(scenario, gate)
    assert gate.batches == [[0], [1, 2, 3, 4], [5, 6]]


def test_the_first_waits_for_others_but_not_for_long():
    gate = Gate()
    gate.open.set()

    async def scenario(batcher):
        first = asyncio.create_task(batcher.submit(0, deadline=FAR))
        await asyncio.sleep(0.01)
        await asyncio.gather(first, batcher.submit(1, deadline=FAR))
        began = time.monotonic()
        await batcher.submit(2, deadline=FAR)
        return time.monotonic() - began

    waited = run(scenario, gate, max_delay_s=1.0)
    assert gate.batches == [[0, 1], [2]] and 0.99 <= waited < 10


def test_a_full_batch_does_not_wait():
    gate = Gate()
    gate.open.set()

    async def scenario(batcher):
        await asyncio.gather(*(batcher.submit(item, deadline=FAR) for item in range(8)))

    began = time.monotonic()
    run(scenario, gate, max_delay_s=20)
    assert time.monotonic() - began < 15 and gate.batches == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_a_full_queue_refuses_at_once_and_says_when_to_come_again():
    gate = Gate()

    async def scenario(batcher):
        tasks = [asyncio.create_task(batcher.submit(0, deadline=FAR))]
        await asyncio.sleep(0.05)
        tasks += [asyncio.create_task(batcher.submit(item, deadline=FAR)) for item in (1, 2, 3)]
        await asyncio.sleep(0.05)
        with pytest.raises(QueueFull) as full:
            await batcher.submit(4, deadline=FAR)
        gate.open.set()
        await asyncio.gather(*tasks)
        return full.value.retry_after

    assert run(scenario, gate, max_queue=3) >= 1
    assert gate.batches == [[0], [1, 2, 3]]


def test_past_its_deadline_nobody_waits_and_nothing_is_computed():
    gate = Gate()

    async def scenario(batcher):
        first = asyncio.create_task(batcher.submit(0, deadline=FAR))
        await asyncio.sleep(0.05)
        with pytest.raises(PastDeadline):
            await batcher.submit(1, deadline=time.monotonic() + 0.05)
        gate.open.set()
        await first
        return (await batcher.submit(2, deadline=FAR)).value

    assert run(scenario, gate) == 20
    assert gate.batches == [[0], [2]]


def test_only_the_guilty_one_fails():
    def compute(items):
        if "bad" in items:
            raise ValueError("bad")
        return [item.upper() for item in items]

    async def scenario(batcher):
        tasks = (batcher.submit(item, deadline=FAR) for item in ("a", "bad", "b"))
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, bad, last = run(scenario, compute)
    assert (first.value, last.value) == ("A", "B") and isinstance(bad, ValueError)


def test_answers_that_are_too_few_are_an_error_and_no_mix_up():
    async def scenario(batcher):
        return await asyncio.gather(*(batcher.submit(n, deadline=FAR) for n in range(3)), return_exceptions=True)

    answers = run(scenario, lambda items: items[:-1] if len(items) > 1 else items)
    assert [answer.value for answer in answers] == [0, 1, 2]  # each alone


def test_closing_finishes_what_waits_and_takes_no_more():
    gate = Gate()

    async def scenario(batcher):
        tasks = [asyncio.create_task(batcher.submit(item, deadline=FAR)) for item in range(6)]
        await asyncio.sleep(0.05)
        closing = asyncio.create_task(batcher.close())
        await asyncio.sleep(0.05)
        with pytest.raises(Closed):
            await batcher.submit(9, deadline=FAR)
        gate.open.set()
        await closing
        return [(await task).value for task in tasks]

    assert run(scenario, gate) == [0, 10, 20, 30, 40, 50]
