"""Lesson 16, deployment: the reference of each exercise, and the mistakes that people make."""

import io
import math
import queue

import numpy as np
import torch
from PIL import Image, ImageFile, UnidentifiedImageError

from course_lib.exercises import built_without, mistake


def validate_image(body, *, max_bytes, max_pixels, formats=("PNG", "JPEG")):
    """Let in pictures, and nothing else; look at the header before anything is decoded.

    Args:
        body: what a stranger sent, bytes of any kind; whatever they called it counts for nothing.
        max_bytes: so many are welcome, and no more.
        max_pixels: so many, height times width, are welcome, and no more.
        formats: names of Pillow's formats that are welcome.

    Returns:
        A pair: an HTTP status, and the pixels. 413 for too many bytes or too many pixels by the header, whatever
        follows the header; 415 for what is none of the formats; 422 for a welcome one that can't be decoded whole. In
        these cases the pixels are None. Else 200 and the pixels, uint8, shape `(h, w, 3)`, red, green, blue; what is
        transparent shows white paper below.

    Example: the header of a PNG that claims 9,000 by 9,000 pixels, with `max_pixels=1_000_000`: `(413, None)`.
    """
    if len(body) > max_bytes:
        return 413, None
    try:
        picture = Image.open(io.BytesIO(body), formats=formats)  # reads the header, no more
        if picture.width * picture.height > max_pixels:
            return 413, None
        drawing = picture.convert("RGBA")  # decodes
    except Image.DecompressionBombError:  # Pillow's own limit, 179 million pixels
        return 413, None
    except UnidentifiedImageError:
        return 415, None
    except Exception:  # a decoder that meets damage may raise anything
        return 422, None
    paper = Image.new("RGBA", drawing.size, "white")
    return 200, torch.from_numpy(np.array(Image.alpha_composite(paper, drawing).convert("RGB")))


@mistake(
    of=validate_image,
    hint="You decode before you have looked at the size. Ten thousand bytes can become 243 MB; the header says so "
    "before it happens. Ask for width and height first.",
)
def validate_image_decodes_first(body, *, max_bytes, max_pixels, formats=("PNG", "JPEG")):
    status, pixels = validate_image(body, max_bytes=max_bytes, max_pixels=10**8, formats=formats)
    if status == 200 and pixels.shape[0] * pixels.shape[1] > max_pixels:
        return 413, None
    return status, pixels


@mistake(
    of=validate_image,
    hint="You count the bytes and not the pixels. A picture of one color shrinks a ten-thousandfold: what is small on "
    "the wire need not be small in memory.",
)
def validate_image_counts_only_bytes(body, *, max_bytes, max_pixels, formats=("PNG", "JPEG")):
    return validate_image(body, max_bytes=max_bytes, max_pixels=10**8, formats=formats)


@mistake(
    of=validate_image,
    hint="You refuse what is exactly at the limit. So many are welcome: refuse what is above it.",
)
def validate_image_refuses_the_limit(body, *, max_bytes, max_pixels, formats=("PNG", "JPEG")):
    return validate_image(body, max_bytes=max_bytes - 1, max_pixels=max_pixels - 1, formats=formats)


@mistake(
    of=validate_image,
    hint="You take whatever Pillow can read. It knows dozens of formats, and each decoder is one more door: hand "
    "`formats` to Image.open.",
)
def validate_image_takes_any_format(body, *, max_bytes, max_pixels, formats=("PNG", "JPEG")):
    return validate_image(body, max_bytes=max_bytes, max_pixels=max_pixels, formats=None)


@mistake(
    of=validate_image,
    hint="You let half a picture through (LOAD_TRUNCATED_IMAGES): what is missing becomes gray or black, and the "
    "network answers as if it had seen something. Say 422.",
)
def validate_image_fills_up_what_is_missing(body, *, max_bytes, max_pixels, formats=("PNG", "JPEG")):
    before, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, True
    try:
        return validate_image(body, max_bytes=max_bytes, max_pixels=max_pixels, formats=formats)
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


@mistake(
    of=validate_image,
    hint='Your convert("RGB") throws the transparency away, and shows the color that was hidden below it, mostly '
    "black. A drawing on a transparent ground becomes a black square: lay it on white paper first.",
)
def validate_image_drops_the_transparency(body, *, max_bytes, max_pixels, formats=("PNG", "JPEG")):
    status, pixels = validate_image(body, max_bytes=max_bytes, max_pixels=max_pixels, formats=formats)
    if status == 200:
        pixels = torch.from_numpy(np.array(Image.open(io.BytesIO(body)).convert("RGB")))
    return status, pixels


@mistake(
    of=validate_image,
    hint="You say 422 for every refusal. The sender can mend it only if you say what is wrong: 413 is too large, 415 "
    "the wrong kind, 422 damaged.",
)
def validate_image_says_422_to_all(body, *, max_bytes, max_pixels, formats=("PNG", "JPEG")):
    status, pixels = validate_image(body, max_bytes=max_bytes, max_pixels=max_pixels, formats=formats)
    return (200 if status == 200 else 422), pixels


@mistake(
    of=validate_image,
    hint="Height and width have changed places: Pillow's `size` is (width, height), an array's shape begins with the "
    "height.",
)
def validate_image_swaps_height_and_width(body, *, max_bytes, max_pixels, formats=("PNG", "JPEG")):
    status, pixels = validate_image(body, max_bytes=max_bytes, max_pixels=max_pixels, formats=formats)
    return status, pixels if pixels is None else pixels.transpose(0, 1)


def micro_batcher(waiting, run, *, max_size, max_delay, clock):
    """Serve requests in batches until None comes: wait a little for company, never long.

    Args:
        waiting: a queue, as `queue.Queue`: `get()` waits for the next request, `get(timeout=...)` so long at most and
            then raises `queue.Empty`. A request is a pair: the input, and a `Future` for its answer. None is the end.
        run: takes a list of inputs in the order in which they came, gives a list of answers in the same order.
        max_size: a batch with so many runs at once.
        max_delay: otherwise it runs so long after its first request was taken from the queue.
        clock: tells the time, as `time.monotonic`, in the units of `max_delay`.

    Returns:
        None, after the end has come and all that were taken before it are answered (the end doesn't wait). Each answer
        goes to its own request: `future.set_result(answer)`. If `run` raises, every request of that batch gets the
        exception, `future.set_exception(error)`, and the next batch is served as if nothing had been.

    Example: `max_size=3`, `max_delay=10`, requests at the times 0, 4, 12: the first two run at 10, the third at 22.
    """
    going_on = True
    while going_on:
        request = waiting.get()
        batch, deadline = [], clock() + max_delay
        while request is not None:
            batch.append(request)
            if len(batch) == max_size:
                break
            try:
                request = waiting.get(timeout=max(0, deadline - clock()))
            except queue.Empty:
                break
        going_on = request is not None
        if batch:
            answer_all(batch, run)


def answer_all(batch, run):
    """Run one batch and hand each request its own answer, or all of them what went wrong."""
    try:
        answers = run([each for each, _ in batch])
    except Exception as error:
        for _, future in batch:
            future.set_exception(error)
    else:
        for (_, future), answer in zip(batch, answers, strict=True):
            future.set_result(answer)


@mistake(
    of=micro_batcher,
    hint="Each new request starts the wait afresh. If they trickle in steadily, the first one waits until the batch "
    "is full: set the deadline once, when the first is taken.",
)
def micro_batcher_slides_the_window(waiting, run, *, max_size, max_delay, clock):
    request = waiting.get()
    while request is not None:
        batch = [request]
        while len(batch) < max_size:
            try:
                request = waiting.get(timeout=max_delay)
            except queue.Empty:
                break
            if request is None:
                break
            batch.append(request)
        answer_all(batch, run)
        if request is not None:
            request = waiting.get()


@mistake(
    of=micro_batcher,
    hint="You take only what is already there. When a request comes alone, the next one is often a millisecond away: "
    "wait for it until the deadline.",
)
def micro_batcher_never_waits(waiting, run, *, max_size, max_delay, clock):
    micro_batcher(waiting, run, max_size=max_size, max_delay=0, clock=clock)


@mistake(
    of=micro_batcher,
    hint="You wait until the batch is full, however long that takes. At night, the first request waits for the "
    "morning: give `get` a timeout.",
)
def micro_batcher_waits_until_full(waiting, run, *, max_size, max_delay, clock):
    micro_batcher(waiting, run, max_size=max_size, max_delay=math.inf, clock=clock)


@mistake(
    of=micro_batcher,
    hint="Your batches hold one request too many: stop as soon as there are `max_size`; memory was planned for that.",
)
def micro_batcher_takes_one_too_many(waiting, run, *, max_size, max_delay, clock):
    micro_batcher(waiting, run, max_size=max_size + 1, max_delay=max_delay, clock=clock)


@mistake(
    of=micro_batcher,
    hint="The answers are crossed: somebody gets what belongs to somebody else. `pop()` takes from the end; keep "
    "requests and answers in one order.",
)
def micro_batcher_crosses_the_answers(waiting, run, *, max_size, max_delay, clock):
    def crossed(inputs):
        return run(inputs)[::-1]

    micro_batcher(waiting, crossed, max_size=max_size, max_delay=max_delay, clock=clock)


@mistake(
    of=micro_batcher,
    hint="One bad batch ends the whole service: the exception leaves your loop, and all who come later wait for ever. "
    "Catch it, give it to the batch's futures, go on.",
)
def micro_batcher_dies_of_an_error(waiting, run, *, max_size, max_delay, clock):
    failed = []

    def noting(inputs):
        try:
            return run(inputs)
        except Exception as error:
            failed.append(error)
            waiting.get = lambda *_, **__: None  # as if nobody ever looked at the queue again
            raise

    micro_batcher(waiting, noting, max_size=max_size, max_delay=max_delay, clock=clock)
    if failed:
        raise failed[0]


@mistake(
    of=micro_batcher,
    hint="When the end comes, you leave at once, and those who were already taken get no answer. They were accepted: "
    "run their batch first.",
)
def micro_batcher_forgets_the_last(waiting, run, *, max_size, max_delay, clock):
    request = waiting.get()
    while request is not None:
        batch, deadline = [request], clock() + max_delay
        while len(batch) < max_size:
            try:
                request = waiting.get(timeout=max(0, deadline - clock()))
            except queue.Empty:
                break
            if request is None:
                return
            batch.append(request)
        answer_all(batch, run)
        request = waiting.get()


@mistake(
    of=micro_batcher,
    hint="Your deadline runs while nobody is there: you set it before the first request came, so the batch after a "
    "quiet time waits for no one. Set it after the first `get()`.",
)
def micro_batcher_starts_the_clock_too_early(waiting, run, *, max_size, max_delay, clock):
    going_on = True
    while going_on:
        deadline = clock() + max_delay
        request, batch = waiting.get(), []
        while request is not None:
            batch.append(request)
            if len(batch) == max_size:
                break
            try:
                request = waiting.get(timeout=max(0, deadline - clock()))
            except queue.Empty:
                break
        going_on = request is not None
        if batch:
            answer_all(batch, run)


@built_without("numpy.percentile", "numpy.quantile", "torch.quantile", "torch.nanquantile", "scipy.stats.quantile")
def percentile_latency(due, finished, *, percent):
    """Say within which time so many percent of the requests were answered.

    Args:
        due: when each request was to be sent, in seconds, float64, shape `(n,)`, in any order. A client that has to
            wait before it can send has waited: that counts.
        finished: when its right answer had come, in seconds, float64, shape `(n,)`; infinite where none ever came.
        percent: a whole number from 1 to 100.

    Returns:
        Milliseconds, a Python number: the smallest of the n latencies such that at least `percent` percent of the
        requests took no longer. (The "nearest rank": no number between two latencies, each of which was somebody's.)

    Example: latencies of 10, 20, 30 and 40 ms: the 50th percentile is 20, the 51st is 30, the 100th is 40.
    """
    latencies = (finished - due).sort().values
    rank = -(-percent * len(latencies) // 100)  # rounded up: 1 is the fastest
    return 1000 * latencies[rank - 1].item()


@mistake(
    of=percentile_latency,
    hint="You leave out the requests that were never answered. Then a server that drops all slow ones looks fast: "
    "they took for ever, and count.",
)
def percentile_latency_leaves_out_the_lost(due, finished, *, percent):
    came = finished.isfinite()
    return percentile_latency(due[came], finished[came], percent=percent)


@mistake(of=percentile_latency, hint="Your answer is in seconds. Milliseconds were asked for.")
def percentile_latency_in_seconds(due, finished, *, percent):
    return percentile_latency(due, finished, percent=percent) / 1000


@mistake(
    of=percentile_latency,
    hint="You computed mean and standard deviation, as if latencies lay on a bell curve. They have a long tail on one "
    "side: sort them and count.",
)
def percentile_latency_believes_in_the_bell(due, finished, *, percent):
    latencies = finished - due
    away = torch.special.ndtri(torch.tensor(min(percent, 99.9) / 100, dtype=torch.float64))
    return 1000 * (latencies.mean() + away * latencies.std()).item()


@mistake(
    of=percentile_latency,
    hint="You draw a line between two latencies. Take the one at the rank, rounded up: beside a lost request, a line "
    "leads nowhere.",
)
def percentile_latency_draws_a_line(due, finished, *, percent):
    latencies = (finished - due).sort().values
    place = percent / 100 * (len(latencies) - 1)
    low, part = latencies[math.floor(place)].item(), place - math.floor(place)
    high = latencies[math.ceil(place)].item()
    return 1000 * (low if part == 0 or low == high else low + part * (high - low))


@mistake(
    of=percentile_latency,
    hint="You are one place too far. The latency of rank r stands at index r - 1, for Python counts from 0.",
)
def percentile_latency_is_one_too_far(due, finished, *, percent):
    latencies = (finished - due).sort().values
    rank = -(-percent * len(latencies) // 100)
    return 1000 * latencies[min(rank, len(latencies) - 1)].item()


@mistake(
    of=percentile_latency,
    hint="You count from the slow end. The 95th percentile is among the slow ones: 95 of 100 took no longer.",
)
def percentile_latency_counts_from_the_slow_end(due, finished, *, percent):
    latencies = (finished - due).sort(descending=True).values
    rank = -(-percent * len(latencies) // 100)
    return 1000 * latencies[rank - 1].item()


@mistake(
    of=percentile_latency,
    hint="You averaged the percentiles of pieces. An average of percentiles is no percentile: sort all requests "
    "together.",
)
def percentile_latency_averages_percentiles(due, finished, *, percent):
    half = max(1, len(due) // 2)
    pieces = [piece for piece in (slice(None, half), slice(half, None)) if len(due[piece])]
    found = [percentile_latency(due[piece], finished[piece], percent=percent) for piece in pieces]
    return sum(found) / len(found)


@built_without(
    "scipy.stats.ks_2samp", "scipy.stats.kstest", "course_lib.drift.drift_score", "course_lib.drift.distances"
)
def drift_score(reference, live):
    """Say for each statistic how unlike two crowds are: the Kolmogorov-Smirnov distance, scaled by their sizes.

    Let F(x) be the share of `reference` that is at most x, and G(x) that of `live`. The distance D is the largest
    difference |F(x) - G(x)| over all x.

    Args:
        reference: statistics of inputs from training, floating point, shape `(n, k)`; values may repeat.
        live: the same statistics of inputs from use, shape `(m, k)`.

    Returns:
        Floating point, shape `(k,)`: for each statistic D times the root of n m / (n + m). Without drift, hardly any
        score is above 2, however many inputs there are and whatever they measure.

    Example: reference `[[1.0], [2.0], [3.0]]`, live `[[3.0], [4.0], [5.0]]`: at x = 2 two thirds of the one lie below
        and nothing of the other, so D = 2/3, and the score is 2/3 times the root of 9/6.
    """
    n, m = len(reference), len(live)
    distances = []
    for before, now in zip(reference.T, live.T, strict=True):
        places = torch.cat([before, now])
        below = torch.searchsorted(before.sort().values, places, right=True).double() / n
        below_now = torch.searchsorted(now.sort().values, places, right=True).double() / m
        distances.append((below - below_now).abs().max())
    return math.sqrt(n * m / (n + m)) * torch.stack(distances)


def shares(sample, places, *, right=True):
    """The share of a sample that is at most each place."""
    return torch.searchsorted(sample.sort().values, places, right=right).double() / len(sample)


@mistake(
    of=drift_score,
    hint="You take the largest difference with its sign. A crowd that moves to the other side then scores nearly 0: "
    "take the magnitude.",
)
def drift_score_keeps_the_sign(reference, live):
    scale = math.sqrt(len(reference) * len(live) / (len(reference) + len(live)))
    pairs = [(a, b, torch.cat([a, b])) for a, b in zip(reference.T, live.T, strict=True)]
    return scale * torch.stack([(shares(a, x) - shares(b, x)).max() for a, b, x in pairs])


@mistake(
    of=drift_score,
    hint="You return the bare distance. Between small crowds it is large by chance; times the root of n m / (n + m) it "
    "means the same for all sizes.",
)
def drift_score_forgets_the_sizes(reference, live):
    return drift_score(reference, live) / math.sqrt(len(reference) * len(live) / (len(reference) + len(live)))


@mistake(
    of=drift_score,
    hint="You compare the means only. A crowd that spreads, or splits in two, keeps its mean: compare the whole "
    "staircases.",
)
def drift_score_compares_the_means(reference, live):
    n, m = len(reference), len(live)
    spread = torch.sqrt(reference.var(dim=0, correction=0) / n + live.var(dim=0, correction=0) / m).clamp(min=1e-12)
    return (reference.mean(dim=0) - live.mean(dim=0)).abs() / spread


@mistake(
    of=drift_score,
    hint="You put each crowd on its own scale first (its own mean and deviation, or its own bins). What moved is then "
    "moved back before you look: use one scale for both.",
)
def drift_score_takes_each_on_its_own_scale(reference, live):
    own = [
        (each - each.mean(dim=0)) / each.std(dim=0, correction=0).clamp(min=1e-12)
        for each in (reference.double(), live.double())
    ]
    return drift_score(*own)


@mistake(
    of=drift_score,
    hint="You look at the staircases only where the reference has its values. Between them, the live crowd may climb: "
    "look at the values of both.",
)
def drift_score_looks_at_one_crowd(reference, live):
    scale = math.sqrt(len(reference) * len(live) / (len(reference) + len(live)))
    pairs = zip(reference.T, live.T, strict=True)
    return scale * torch.stack([(shares(a, a.contiguous()) - shares(b, a.contiguous())).abs().max() for a, b in pairs])


@mistake(
    of=drift_score,
    hint="All statistics are thrown into one pot. A drift of one is then thinned by the others: go column by column.",
)
def drift_score_pools_the_statistics(reference, live):
    together = drift_score(reference.reshape(-1, 1), live.reshape(-1, 1))
    scale = math.sqrt(reference.shape[1])  # the sizes were counted that often
    return (together / scale).expand(reference.shape[1]).clone()


@mistake(
    of=drift_score,
    hint='You count "at most x" in one crowd and "below x" in the other. Where values repeat, two equal crowds then '
    "look different: the same side for both.",
)
def drift_score_mixes_the_sides(reference, live):
    scale = math.sqrt(len(reference) * len(live) / (len(reference) + len(live)))
    pairs = [(a, b, torch.cat([a, b])) for a, b in zip(reference.T, live.T, strict=True)]
    return scale * torch.stack([(shares(a, x) - shares(b, x, right=False)).abs().max() for a, b, x in pairs])
