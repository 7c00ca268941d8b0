"""Lesson 16: its references held to Pillow, NumPy, SciPy, a real queue with threads, and counting."""

import io
import queue
import threading
import time
from concurrent.futures import Future

import numpy as np
import pytest
import scipy.stats
import torch
from PIL import Image

from course_lib.exercises.registry import load_lesson

REFERENCES = {name: exercise.reference for name, exercise in load_lesson("deployment").exercises.items()}
validate_image, micro_batcher, percentile_latency, drift_score = (
    REFERENCES[name] for name in ("validate_image", "micro_batcher", "percentile_latency", "drift_score")
)
GUARD = 60  # seconds after which a test gives up waiting


def png_of(picture, form="PNG"):
    content = io.BytesIO()
    picture.save(content, form)
    return content.getvalue()


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16"])
@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_every_kind_of_picture_comes_in_as_pillow_shows_it(mode, form):
    noise = np.random.default_rng(0).integers(256, size=(5, 7, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).convert("L" if mode == "I;16" else mode)
    picture = picture.convert("I;16") if mode == "I;16" else picture
    try:
        body = png_of(picture, form)
    except OSError:
        return  # this format has no such pictures
    status, pixels = validate_image(body, max_bytes=10**5, max_pixels=35)
    assert status == 200 and pixels.dtype == torch.uint8
    if mode != "I;16":
        assert np.array_equal(pixels.numpy(), np.array(Image.open(io.BytesIO(body)).convert("RGB")))


def test_a_bomb_is_refused_before_it_goes_off():
    bomb = png_of(Image.new("L", (9_000, 9_000)))
    assert len(bomb) < 100_000
    began = time.process_time()
    assert validate_image(bomb, max_bytes=10**6, max_pixels=10**6) == (413, None)
    assert time.process_time() - began < 0.1  # decoding takes ten times as long


def test_whatever_is_cut_or_overwritten_gets_an_answer_and_no_exception():
    random, body = np.random.default_rng(0), png_of(Image.effect_noise((40, 30), 50))
    statuses = set()
    for _ in range(300):
        damaged = bytearray(body[: random.integers(len(body))])
        for _ in range(random.integers(4)):
            if damaged:
                damaged[random.integers(min(60, len(damaged)))] = random.integers(256)
        statuses.add(validate_image(bytes(damaged), max_bytes=10**5, max_pixels=10**5)[0])
    assert {415, 422} <= statuses <= {200, 413, 415, 422}


def batches_run_by(requests, *, max_size, max_delay):
    """Let a real queue and a real thread serve requests that all wait already."""
    waiting, sizes = queue.Queue(), []

    def run(inputs):
        sizes.append(len(inputs))
        return [each**2 for each in inputs]

    futures = [Future() for _ in requests]
    for each in [*zip(requests, futures, strict=True), None]:
        waiting.put(each)
    options = {"max_size": max_size, "max_delay": max_delay, "clock": time.monotonic}
    thread = threading.Thread(target=micro_batcher, args=(waiting, run), kwargs=options, daemon=True)
    thread.start()
    thread.join(GUARD)
    assert not thread.is_alive()
    return [each.result(timeout=GUARD) for each in futures], sizes


def test_with_a_real_queue_and_thread_each_gets_its_own_answer():
    answers, sizes = batches_run_by(range(103), max_size=8, max_delay=10 * GUARD)
    assert answers == [number**2 for number in range(103)]
    assert sizes == [8] * 12 + [7]


def test_many_clients_at_once_get_no_answer_of_another():
    waiting, wrong = queue.Queue(), []
    options = {"max_size": 16, "max_delay": 0.001, "clock": time.monotonic}
    batcher = threading.Thread(
        target=micro_batcher, args=(waiting, lambda xs: [-x for x in xs]), kwargs=options, daemon=True
    )

    def client(first):
        for number in range(first, first + 50):
            future = Future()
            waiting.put((number, future))
            if future.result(timeout=GUARD) != -number:
                wrong.append(number)

    clients = [threading.Thread(target=client, args=(1000 * each,), daemon=True) for each in range(12)]
    for thread in (batcher, *clients):
        thread.start()
    for thread in clients:
        thread.join(GUARD)
    waiting.put(None)
    batcher.join(GUARD)
    assert wrong == [] and not batcher.is_alive() and not any(each.is_alive() for each in clients)


@pytest.mark.parametrize("count", [1, 7, 20, 100])
def test_percentiles_are_numpys_nearest_rank(count):
    latencies = torch.rand(count, dtype=torch.float64, generator=torch.Generator().manual_seed(count))
    zeros = torch.zeros(count, dtype=torch.float64)
    for percent in range(1, 101):
        ours = percentile_latency(zeros, latencies, percent=percent)
        exact = np.partition(latencies.numpy(), (rank := -(-percent * count // 100)) - 1)[rank - 1]
        assert ours == pytest.approx(1000 * exact)
        assert (latencies <= ours / 1000 + 1e-12).sum() * 100 >= percent * count
        assert (latencies < ours / 1000 - 1e-12).sum() * 100 < percent * count
    expected = np.percentile(latencies.numpy(), 50, method="inverted_cdf")
    assert percentile_latency(zeros, latencies, percent=50) == pytest.approx(1000 * expected)


@pytest.mark.parametrize(("n", "m"), [(3, 3), (50, 8), (200, 301)])
def test_drift_is_scipys_kolmogorov_smirnov_distance_with_and_without_ties(n, m):
    random = np.random.default_rng(n)
    for reference, live in [
        (random.normal(size=(n, 4)), random.normal(0.3, 2, size=(m, 4))),
        (random.integers(5, size=(n, 4)) * 1.0, random.integers(1, 6, size=(m, 4)) * 1.0),
    ]:
        scores = drift_score(torch.from_numpy(reference), torch.from_numpy(live))
        exact = [scipy.stats.ks_2samp(a, b).statistic for a, b in zip(reference.T, live.T, strict=True)]
        assert scores.numpy() == pytest.approx(np.sqrt(n * m / (n + m)) * np.array(exact))


def test_without_drift_hardly_any_score_is_above_two():
    generator = torch.Generator().manual_seed(0)
    scores = torch.cat(
        [
            drift_score(torch.randn(300, 20, generator=generator), torch.randn(100, 20, generator=generator))
            for _ in range(100)
        ]
    )
    assert len(scores) == 2000
    assert (scores > 2).sum() <= 6  # 2 exp(-8) = 0.0007 of them are expected, 1.3; seven or more once in 1,500 times
    assert (scores > 1).float().mean() > 0.1  # and the scale is no larger than it has to be: 0.27 in large crowds
