"""What lesson 16's exercises owe us: scenarios that use an exercise and return what they observed; a judge compares."""

import io
import math
import queue
import struct
import zlib
from concurrent.futures import Future

import torch
from PIL import Image

from course_lib.exercises import check

# validate_image


def picture(draw, height, width, *, mode="RGB", form="PNG", **options):
    """The bytes of a picture of random pixels."""
    channels = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}[mode]
    pixels = draw.integers(height, width, channels, high=256, dtype=torch.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels.squeeze(-1).numpy(), mode).save(content, form, **options)
    return content.getvalue()


LIMITS = {"max_bytes": 10**6, "max_pixels": 10**6}


@check("A picture comes in with its height, width and colors; gray becomes red, green and blue")
def pictures_come_in(validate_image, draw):
    return [validate_image(picture(draw, *size, mode=mode), **LIMITS) for size, mode in
            [((3, 5), "RGB"), ((7, 4), "RGB"), ((2, 9), "L"), ((6, 1), "RGB")]]  # fmt: skip


@check("What is transparent shows white paper below")
def transparent_is_white(validate_image, draw):
    return [validate_image(picture(draw, *size, mode=mode), **LIMITS) for size, mode in
            [((3, 5), "RGBA"), ((4, 3), "LA"), ((5, 2), "RGBA"), ((2, 7), "RGBA")]]  # fmt: skip


@check("So many bytes are welcome, and one more is not")
def the_limit_of_bytes(validate_image, draw):
    observed = []
    for height, width in [(3, 5), (8, 7), (4, 11), (9, 2), (5, 5)]:
        body = picture(draw, height, width)
        for spare in (0, -1, 1):
            status, pixels = validate_image(body, max_bytes=len(body) + spare, max_pixels=1000)
            observed += [status, pixels is None]
    return observed


@check("So many pixels are welcome, and one more is not, be the picture square or long")
def the_limit_of_pixels(validate_image, draw):
    observed = []
    for height, width in [(6, 6), (2, 40), (50, 3), (1, 90), (7, 9)]:
        body = picture(draw, height, width)
        for spare in (0, -1, 1):
            status, pixels = validate_image(body, max_bytes=10**5, max_pixels=height * width + spare)
            observed += [status, pixels is None]
    return observed


@check("Too large by its header: refused before it is decoded, so it doesn't matter what follows")
def header_before_pixels(validate_image, draw):
    observed = []
    for form in ("PNG", "JPEG", "PNG", "JPEG", "PNG", "JPEG", "PNG", "JPEG", "PNG", "JPEG"):
        body = picture(draw, 40, draw.choice([30, 50, 70]), form=form)
        status, _ = validate_image(body[: len(body) * 2 // 3], max_bytes=10**5, max_pixels=1000)
        observed.append(status)
    return observed


@check("A header that claims hundreds of millions of pixels is refused as any other that is too large")
def a_giant(validate_image, draw):
    giants = [claim(draw, side) for side in (14_001, 20_000, 30_000, 40_000, 20_000, 50_000, 60_000, 65_000)]
    return [validate_image(body, **LIMITS) for body in giants]


def claim(draw, side):
    """A small PNG whose header says that it is a large square."""
    body = picture(draw, 3, draw.choice([4, 5, 6]))
    header = b"IHDR" + struct.pack(">II", side, side) + body[24:29]
    return body[:12] + header + struct.pack(">I", zlib.crc32(header)) + body[33:]


@check("Other formats are refused, whatever they were called, and so is what is no picture")
def other_formats(validate_image, draw):
    strangers = [picture(draw, 4, 5, form=form) for form in ("GIF", "BMP", "WEBP", "TIFF", "PPM", "GIF", "BMP", "WEBP")]
    strangers += [b"", b"hello", b"\x89PNG", bytes(draw.integers(300, high=256).tolist())]
    observed = [validate_image(body, **LIMITS) for body in strangers]
    chosen = [(("BMP",), "BMP"), (("GIF", "PNG"), "GIF"), (("BMP",), "PNG")]
    return observed + [validate_image(picture(draw, 3, 4, form=form), **LIMITS, formats=f)[0] for f, form in chosen]


@check("Half a picture is no picture")
def half_a_picture(validate_image, draw):
    observed = []
    for form in ("PNG", "JPEG") * 5:
        body = picture(draw, 40, draw.choice([30, 50, 70]), form=form)
        status, pixels = validate_image(body[: len(body) * 2 // 3], **LIMITS)
        observed += [status, pixels is None]
    return observed


# micro_batcher


class Waiting:
    """A queue with a clock of its own: time passes only while somebody waits, or computes."""

    def __init__(self, arrivals, *, end=None, stalls=None):
        self.now, self.futures = 0.0, [Future() for _ in arrivals]
        named = [(when, (f"request {i}", self.futures[i])) for i, when in enumerate(arrivals)]
        self.coming = [*named, (max(arrivals) + 50.0 if end is None else end, None)]
        self.stalls = stalls or {}  # by request, the time for which the machine is busy with something else
        self.in_vain = 0

    def clock(self):
        return self.now

    def get(self, block=True, timeout=None):
        if not self.coming:
            raise RuntimeError("you wait for a request after the end (None) has come")
        if timeout is not None and timeout < 0:
            raise ValueError("'timeout' must be a non-negative number")  # as queue.Queue says
        when, request = self.coming[0]
        if when > self.now and (not block or (timeout is not None and when > self.now + timeout)):
            self.now += timeout if block else 0
            self._asked_in_vain(again=not block or timeout == 0)
            raise queue.Empty
        self.now = max(self.now, when) + self.stalls.get(request and request[0], 0.0)
        del self.coming[0]
        self.in_vain = 0
        return request

    def get_nowait(self):
        return self.get(block=False)

    def empty(self):
        nothing = not self.coming or self.coming[0][0] > self.now
        self._asked_in_vain(again=nothing)
        return nothing

    def qsize(self):
        self.empty()
        return sum(when <= self.now for when, _ in self.coming)

    def _asked_in_vain(self, *, again):
        """No time passes while one only asks: say so, instead of letting somebody ask for ever."""
        self.in_vain = self.in_vain + 1 if again else 0
        if self.in_vain > 1000:
            raise RuntimeError("you ask the queue again and again: waiting.get(timeout=...) waits for you")

    def answers(self):
        """For each request its answer, the error that it got, or that it got nothing."""
        return [self._state(future) for future in self.futures]

    @staticmethod
    def _state(future):
        if not future.done():
            return "no answer"
        return str(future.exception() or future.result())


def serve(micro_batcher, arrivals, *, max_size, max_delay, seconds=0.0, bad=(), **options):
    """Run the batcher; what it ran and when, and who got which answer."""
    waiting = Waiting(arrivals, **options)
    batches, times = [], []

    def run(inputs):
        batches.append(", ".join(inputs))
        times.append(waiting.now)
        waiting.now += seconds
        if any(each in bad for each in inputs):
            raise ValueError(f"bad batch {len(batches)}")
        return [f"answer to {each}" for each in inputs]

    try:
        micro_batcher(waiting, run, max_size=max_size, max_delay=max_delay, clock=waiting.clock)
        ended = "ended"
    except ValueError:
        ended = "died"
    return [ended, batches, torch.tensor([*times, waiting.now], dtype=torch.float64), waiting.answers()]


def arrivals_of(draw, count, *, within):
    return sorted(draw.number(0, within) for _ in range(count))


@check("A few requests with time between them: nobody waits longer than max_delay")
def lonely_requests(micro_batcher, draw):
    return [
        serve(micro_batcher, [20.0 * i + draw.number(0, 5) for i in range(6)], max_size=4, max_delay=delay)
        for delay in (3.0, 7.5, 1.25)
    ]


@check("Requests that trickle in steadily: the deadline is that of the first")
def a_steady_trickle(micro_batcher, draw):
    return [
        serve(micro_batcher, [i + draw.number(0, 0.5) for i in range(20)], max_size=16, max_delay=delay)
        for delay in (2.7, 3.6, 5.2)
    ]


@check("Many at once: a full batch runs without waiting, and holds max_size")
def many_at_once(micro_batcher, draw):
    return [
        serve(micro_batcher, arrivals_of(draw, 23, within=2.0), max_size=size, max_delay=10.0, seconds=1.5)
        for size in (3, 4, 7)
    ]


@check("Each gets its own answer, while new ones come during the computing")
def own_answers(micro_batcher, draw):
    return [
        serve(
            micro_batcher, arrivals_of(draw, 25, within=30.0), max_size=size, max_delay=2.0, seconds=draw.number(1, 4)
        )
        for size in (5, 6, 8)
    ]


@check("After a quiet time, the first still waits for company")
def after_a_quiet_time(micro_batcher, draw):
    arrivals = [base + draw.number(0, 2) + 2 * i for base in (5.0, 40.0, 90.0) for i in range(4)]
    return [serve(micro_batcher, arrivals, max_size=9, max_delay=delay) for delay in (3.1, 8.9, 15.3)]


@check("The machine stalls beyond the deadline: what was taken runs at once")
def a_stall(micro_batcher, draw):
    observed = []
    for _ in range(3):
        arrivals = [30.0 * i + draw.number(0, 1) + extra for i in range(4) for extra in (0.0, 1.0)]
        stalls = {f"request {number}": draw.number(5, 9) for number in (1, 4, 7)}
        observed.append(serve(micro_batcher, arrivals, max_size=5, max_delay=3.0, stalls=stalls))
    return observed


@check("A batch that fails: its requests get the exception, all others their answers")
def a_bad_batch(micro_batcher, draw):
    observed = []
    for _ in range(3):
        bad = {f"request {draw.choice([2, 3, 4])}", f"request {draw.choice([9, 10])}"}
        arrivals = arrivals_of(draw, 18, within=12.0)
        observed.append(serve(micro_batcher, arrivals, max_size=4, max_delay=1.0, seconds=0.5, bad=bad))
    return observed


@check("The end comes: those who were taken before it are answered at once")
def the_end(micro_batcher, draw):
    observed = []
    for count in (1, 2, 5, 10):
        arrivals = arrivals_of(draw, count, within=2.0)
        observed.append(serve(micro_batcher, arrivals, max_size=4, max_delay=30.0, end=arrivals[-1] + 1.5))
    return observed


# percentile_latency


def load(draw, count, *, tail=0.3):
    """When requests were due, and when they were answered: mostly soon, some late."""
    due = draw.uniform(count, high=60.0, dtype=torch.float64)
    latency = draw.uniform(count, low=0.005, high=0.02, dtype=torch.float64)
    slow = draw.uniform(count, dtype=torch.float64) < tail
    return due, due + latency + slow * draw.uniform(count, low=0.1, high=2.0, dtype=torch.float64)


@check("A few requests, small enough to count by hand")
def by_hand(percentile_latency, draw):
    due = torch.zeros(5, dtype=torch.float64)
    finished = torch.tensor([draw.permutation(5)], dtype=torch.float64)[0] + 1
    return [percentile_latency(due, finished, percent=percent) for percent in (1, 20, 21, 40, 50, 60, 61, 80, 99, 100)]


@check("Many requests, in no order")
def many_requests(percentile_latency, draw):
    return [
        percentile_latency(*load(draw, count), percent=percent)
        for count in (37, 64, 111)
        for percent in (3, 50, 90, 95, 99)
    ]


@check("Whole ranks: the rank is not rounded up where it is whole already")
def whole_ranks(percentile_latency, draw):
    return [
        percentile_latency(*load(draw, count), percent=percent)
        for count in (20, 40, 200)
        for percent in (5, 25, 50, 75, 95)
    ]


@check("A request without an answer took for ever")
def lost_requests(percentile_latency, draw):
    observed = []
    for count in (30, 50, 70):
        due, finished = load(draw, count)
        finished[: count // 10] = math.inf  # one in ten
        observed += [percentile_latency(due, finished, percent=percent) for percent in (10, 50, 80, 89, 95, 100)]
    return observed


@check("One hour is quiet and one is busy: the percentile is that of all requests")
def two_hours(percentile_latency, draw):
    observed = []
    for _ in range(3):
        quiet, busy = load(draw, 41, tail=0.0), load(draw, 40, tail=0.9)
        due, finished = (torch.cat(pair) for pair in zip(quiet, busy, strict=True))
        observed += [percentile_latency(due, finished, percent=percent) for percent in (50, 75, 95)]
    return observed


@check("The times are left as they were, and the answer is a plain number")
def times_survive(percentile_latency, draw):
    due, finished = load(draw, 15)
    answers = [percentile_latency(due, finished, percent=percent) for percent in range(10, 100, 10)]
    return due, finished, answers, [type(each).__name__ for each in answers]


# drift_score


def crowd(draw, count, *, move=0.0, stretch=1.0):
    return move + stretch * draw.normal(count, 3, dtype=torch.float64)


@check("Two crowds that one can count by hand")
def small_crowds(drift_score, draw):
    reference = torch.tensor([[1.0, 1.0], [2.0, 5.0], [3.0, 6.0]], dtype=torch.float64)
    live = torch.tensor([[3.0, 2.0], [4.0, 3.0], [5.0, 4.0]], dtype=torch.float64)
    return [drift_score(reference, live), drift_score(live, reference), drift_score(reference, reference)]


@check("What has moved, up or down, has a large score")
def moved(drift_score, draw):
    steps = torch.tensor([0.7, -0.9, 0.4], dtype=torch.float64)
    return [drift_score(crowd(draw, 60), crowd(draw, 45, move=sign * steps)) for sign in (1, -1, 2)]


@check("What spreads or draws together, while its mean stays, has a large score")
def stretched(drift_score, draw):
    stretch = torch.tensor([3.0, 0.3, 1.0], dtype=torch.float64)
    return [drift_score(crowd(draw, count), crowd(draw, 50, stretch=stretch)) for count in (40, 70, 90)]


@check("Crowds of any two sizes, also very small ones")
def any_sizes(drift_score, draw):
    return [drift_score(crowd(draw, n), crowd(draw, m)) for n, m in ((5, 200), (200, 5), (2, 3), (31, 30), (1, 9))]


@check("Where values repeat, equal crowds score 0 and others what their shares say")
def repeated_values(drift_score, draw):
    same = draw.integers(40, 3, high=4).double()
    observed = [drift_score(same, same[draw.permutation(40)])]
    for _ in range(3):
        reference, live = draw.integers(35, 3, high=5).double(), draw.integers(20, 3, high=5).double()
        observed.append(drift_score(reference, live))
    return observed


@check("The staircases are compared where either of them climbs")
def either_climbs(drift_score, draw):
    observed = []
    for _ in range(3):
        reference = draw.uniform(4, 2, dtype=torch.float64) + torch.tensor([0.0, 5.0], dtype=torch.float64)
        live = draw.uniform(30, 2, low=-3, high=9, dtype=torch.float64)
        observed.append(drift_score(reference, live))
    return observed


@check("Both crowds are left as they were")
def crowds_survive(drift_score, draw):
    reference, live = crowd(draw, 12), crowd(draw, 9, move=1.0)
    scores = drift_score(reference, live)
    return reference, live, scores
