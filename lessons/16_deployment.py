# %% [markdown]
# # 16 · A model that others can use
#
# A network in a notebook helps one person. Here you put the ones that see and hear behind a service: it refuses what
# would hurt it, answers many at once, says how fast it is, and notices when the world has changed.
#
# **You will be able to** serve a model, check what strangers send, gather requests into batches, read latencies as
# those see them who wait, watch for drift, mend a model, and take a bad one back.
#
# **You need** lessons 05 and 09 (pictures, speech) and a little of 11. **Time:** 90 minutes, with four exercises.

# %%
import copy
import dataclasses
import io
import json
import time

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from PIL import Image

from course_lib.datasets import load
from course_lib.exercises import borrow, exercise
from course_lib.models import SmallResNet
from course_lib.plots import PALETTE, show
from course_lib.training import Recipe, fit, one_cycle

# %% [markdown]
# ## Two models, and an address
#
# A network for shapes, trained here for some seconds, and the course's own streaming recognizer, which comes ready.
#
# A service gets files, not tensors. What turns one into the other travels with the weights: size, mean, scale, names
# of classes. The library keeps them together in a *reader*. A *model* is versions of it, and the service is one short
# app on uvicorn, `course_lib/serving`, with *settings*, its limits. It runs in a thread of this notebook.
#
# **Predict.** Somebody forgets to subtract the mean in the service. Which error will they see?

# %%
from course_lib.batches import Batches
from course_lib.images import channel_statistics, normalize

shapes = load("shapes")
train_images, exam = shapes.splits["train"], shapes.splits["test"]
mean, std = channel_statistics(train_images.images)


def teach(network, images, labels, *, num_steps, rate):
    batches = Batches(normalize(images, mean=mean, std=std), labels, batch_size=64, shuffle=True)
    epochs = max(1, round(num_steps / len(batches)))
    recipe = Recipe(lambda each: torch.optim.AdamW(each.parameters(), lr=rate), epochs, one_cycle())
    fit(network, batches, lambda net, batch: F.cross_entropy(net(batch[0]), batch[1], reduction="none"), recipe=recipe)
    return network.cpu().eval()


torch.manual_seed(0)
network = teach(SmallResNet(), train_images.images[:6000], train_images.labels[:6000], num_steps=280, rate=5e-3)

# %%
from course_lib.serving.models import ImageReader, Model, SpeechReader
from course_lib.speech_models import load_recognizer
from course_lib.text import Alphabet

seer = ImageReader(network, shapes.classes, "picture", 32, mean, std)
recognizer, card = load_recognizer("speech_streaming")
listener = SpeechReader(recognizer, Alphabet(card["characters"]))


def accuracy(reader, images, labels):
    answers = [torch.tensor(reader(list(part))) for part in images.split(250)]  # (250, 10) each
    return (torch.cat(answers).argmax(dim=1) == labels).float().mean().item()


print(f"shapes that it has not seen: {accuracy(seer, exam.images, exam.labels):.1%} right")

# %%
from threading import Thread

import uvicorn

from course_lib.serving.app import create_app
from course_lib.serving.command import configuration
from course_lib.serving.settings import Settings


def start(models, **limits):
    settings = Settings(port=0, **limits)  # port 0: any that is free
    server = uvicorn.Server(configuration(create_app(models, settings=settings), settings))
    Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.01)
    return server, f"127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"


models = {"shapes": Model("shapes", "image", {"1": seer}, active="1"),
          "speech": Model("speech", "speech", {"1": listener}, active="1")}
server, address = start(models, deadline_s=60)

# %% [markdown]
# They would see no error at all: a service fails in silence, unless somebody looks.
#
# Yours runs. A request is a few lines of text, and the file's bytes. Any program in any language can send one.
#
# **Predict.** The network computes for about a millisecond. How long does the whole way take, there and back?

# %%
import urllib.error
import urllib.request


def ask(path, body, media_type, at=None):
    request = urllib.request.Request(f"http://{at or address}{path}", body, {"Content-Type": media_type})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        return refusal.code, json.load(refusal)


def file_of(image, form="PNG"):
    content = io.BytesIO()
    image.save(content, form)
    return content.getvalue()

# %% tags=["machine"]
classify = "/v1/images:classify?model=shapes"


def as_png(picture):  # (3, h, w) in [0, 1]
    return file_of(Image.fromarray((255 * picture).round().byte().permute(1, 2, 0).numpy()))


began = time.perf_counter()
status, answer = ask(classify, as_png(exam.images[0]), "image/png")
print(f"there and back: {1000 * (time.perf_counter() - began):.1f} ms; in the server:", answer["milliseconds"])
print(status, "version", answer["version"], answer["classes"][:3], "truth:", shapes.classes[exam.labels[0]])
print(f"Open http://{address}/ in a browser: draw, drop a picture, speak.")

# %% [markdown]
# Most of the time is not the network's: bytes are sent, a picture is decoded, and the request *waits* in a queue, for a
# reason that you will find below.
#
# ## While somebody speaks
#
# For speech, a request per sentence is too late. Over a **WebSocket** both sides talk whenever they like: sound goes up
# in pieces of 0.2 s, and text comes down.
#
# **Predict.** What will the first text be?

# %%
# NBVAL_CHECK_OUTPUT
from websockets.sync.client import connect

from course_lib.generate.speech import speak

pcm = (32767 * F.pad(speak("one two three", voice="en-us+m4"), (0, 4000))).to(torch.int16).numpy().tobytes()
told = []
with connect(f"ws://{address}/v1/stream") as stream:
    stream.send(json.dumps({"type": "start", "sample_rate": 16000}))
    for first in range(0, len(pcm), 6400):
        stream.send(pcm[first : first + 6400])
    stream.send(json.dumps({"type": "stop"}))
    while not told or told[-1]["type"] == "partial":
        told.append(json.loads(stream.recv(timeout=60)))
print("first:", next(each["text"] for each in told if each["text"])[:1], "  last:", told[-1]["text"])
print("words come in order:", [each["word"] for each in told[-1]["words"]] == told[-1]["text"].split())

# %% [markdown]
# The service has a page, too, at the address above: draw or drop a picture, hold a button and speak. It lives until the
# end of this notebook. In a terminal, `course serve` does all of this, with a network for drawn digits.
#
# ## Strangers
#
# Whoever has the address can send anything. A picture of 10 kB may hold 81 million pixels, a file named `cat.png` may
# be a program, a photo may break off in the middle.
#
# **Predict.** Which of these can you find out without decoding a single pixel? What will each of the five strangers
# below the exercise hear?
#
# ### Exercise 1 · `validate_image` · difficulty ●●○ · 15 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# `Image.open(io.BytesIO(body), formats=formats)` reads the header and stops. What do you know then, before you go on?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Four gates, the cheap ones first: bytes, format, pixels by the header, decoding. Only the last one costs something.
# What is transparent goes onto white paper: `Image.alpha_composite(paper, drawing)`, both in mode RGBA.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# In a `try`: open, compare `picture.width * picture.height`, `drawing = picture.convert("RGBA")`. Then
# `except Image.DecompressionBombError` (413), `except UnidentifiedImageError` (415), `except Exception` (422), in this
# order.
# </details>

# %% tags=["exercise"]
@exercise
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
    ...  # your code here

# %%
# NBVAL_CHECK_OUTPUT
whole = as_png(exam.images[0])
strangers = {"a picture": whole, "a text": b"I am a picture. Trust me.", "half a picture": whole[: len(whole) // 2],
             "another format": file_of(Image.new("RGB", (32, 32)), "GIF"),
             "a bomb": file_of(Image.new("1", (9000, 9000)))}
for name, body in strangers.items():
    mine, _ = validate_image(body, max_bytes=8_000_000, max_pixels=16_000_000)
    theirs, answer = ask(classify, body, "image/png")
    fix = "" if theirs == 200 else answer["error"]["fix"]
    print(f"{name:15s} {len(body):6,} bytes: {mine}, the service {theirs}  {fix}")

# %% [markdown]
# An error is part of the service, too. **413** is too large, **415** the wrong kind, **422** damaged, and each says
# what to do. What it never says is 500, "something broke in here".
#
# ## Many at once
#
# **Predict.** A network looks at one picture, then at 64 in one batch. How much cheaper is a picture in the batch?

# %%
@torch.inference_mode()
def seconds_for(count, repeats=15):
    batch, took = torch.randn(count, 3, 32, 32), []
    for _ in range(repeats):
        began = time.process_time()
        network(batch)
        took.append(time.process_time() - began)
    return sorted(took)[repeats // 2]


sizes = "1", "4", "16", "64"
figure, axes = plt.subplots(figsize=(7, 3))
axes.bar(sizes, [1000 * seconds_for(int(size)) / int(size) for size in sizes])
axes.set(title="What a picture costs in a batch", xlabel="pictures in the batch", ylabel="CPU time per picture (ms)")
show(figure, alt="Milliseconds per picture: alone several times as many as in a batch of 16; in one of 64 little less.")

# %% [markdown]
# Each call has a price of its own, whatever is in it: Python, and dozens of small operations. A batch shares it. But
# strangers don't come in batches; they come one by one.
#
# So let the first one **wait a little**, for others who may come, and then run all of them together.
#
# **Predict.** Below the exercise, 512 pictures come one by one. How many more get their answer in the same time, if
# batches may hold 32?
#
# ### Exercise 2 · `micro_batcher` · difficulty ●●● · 20 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# Two loops: an outer one for each batch, an inner one that fills it. When does the inner one end? (Three reasons.)
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Take the first with `waiting.get()`, however long that takes; only then set the deadline. Take the others with
# `waiting.get(timeout=max(0, deadline - clock()))`. The end (None) may come in both places: run what you have, then go.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `try: answers = run([each for each, _ in batch])`, `except Exception as error:` give it to every future of the batch.
# Else `for (_, future), answer in zip(batch, answers): future.set_result(answer)`.
# </details>

# %% tags=["exercise"]
@exercise
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
    ...  # your code here

# %%
# NBVAL_CHECK_OUTPUT
import queue
from concurrent.futures import Future


def serve_all(pictures, max_size):
    waiting, futures, began = queue.Queue(), [Future() for _ in pictures], time.process_time()
    options = {"max_size": max_size, "max_delay": 0.002, "clock": time.monotonic}
    Thread(target=micro_batcher, args=(waiting, seer), kwargs=options, daemon=True).start()
    for request in [*zip(pictures, futures, strict=True), None]:
        waiting.put(request)
    return torch.tensor([future.result(timeout=60) for future in futures]), time.process_time() - began


(alone, slow), (together, fast) = (serve_all(list(exam.images[:512]), size) for size in (1, 32))
print("more than one and a half times as many in the same CPU time:", slow > 1.5 * fast)
print("each got its own answer, as if it had come alone:", torch.allclose(alone, together, atol=1e-4))

# %% [markdown]
# That is what your first request waited for: company. The price is `max_delay`, 2 ms here, and only for those who come
# alone.
#
# ## How long they wait
#
# An average latency of 20 ms may be 19 people with 10 ms and one with 200. Each of your users is that one sometimes.
# So one asks: within which time were 95 of 100 answered?
#
# ### Exercise 3 · `percentile_latency` · difficulty ●○○ · 10 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# Subtract, sort. Which place in the sorted list is the answer?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# With n requests, the rank is `percent * n / 100`, rounded up. Infinity sorts to the end by itself.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `rank = math.ceil(percent * len(due) / 100)`; the latency at index `rank - 1`, times 1000.
# </details>

# %% tags=["exercise"]
@exercise
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
    ...  # your code here

# %% [markdown]
# Now put the service under load. Requests are sent when they are *due*, at random moments, whether or not the earlier
# ones are answered: users don't wait for each other. And each latency counts from when its request was due. A tester
# that waits for a slow answer before it asks again would spare the service just when it is slow.
#
# **Predict.** The rate doubles from step to step. Does the latency double, too?

# %%
import gc
import math
from concurrent.futures import ThreadPoolExecutor


def load_at(rate, seconds=1.5):
    gaps = torch.empty(round(rate * seconds), dtype=torch.float64).exponential_(rate, generator=chance)
    due = time.monotonic() + 0.05 + gaps.cumsum(dim=0)

    def send(moment):
        time.sleep(max(0, moment - time.monotonic()))
        status, _ = ask(classify, whole, "image/png")
        return time.monotonic() if status == 200 else math.inf

    with ThreadPoolExecutor(32) as pool:
        return due, torch.tensor(list(pool.map(send, due.tolist())), dtype=torch.float64)


chance = torch.Generator().manual_seed(0)

# %%
gc.freeze()  # what is there already, Python need not search for garbage: that would hold everybody up
rates = 10, 20, 40, 80, 160, 320, 640
measured = {rate: load_at(rate) for rate in rates}
figure, axes = plt.subplots(figsize=(7, 3.2))
for percent, marker in ((50, "o"), (95, "s"), (99, "^")):
    axes.plot(rates, [percentile_latency(*measured[rate], percent=percent) for rate in rates], marker + "-",
              label=f"{percent} of 100")
axes.set(title="Answered within", xlabel="requests per second", ylabel="latency (ms)", xscale="log", yscale="log")
axes.set_xticks(rates, rates)
axes.minorticks_off()
axes.legend()
show(figure, alt="Latency against the rate of requests, for the median and the 95th and 99th percentile. All are low "
     "while there is room; near the most that this machine can serve, they climb steeply, the 99th first.")

# %% [markdown]
# While there is room, the rate hardly matters. Near the limit everybody stands in line, and the line only grows: the
# curve is a wall. (Here, the clients share the processor with the service; on its own it stands further to the right.)
#
# A line that grows forever helps nobody. So the service's queue is **bounded**: who finds it full hears 429 at once,
# "come again in a second", instead of waiting for nothing.
#
# **Predict.** A queue of 4, and 200 requests at the same moment. How many are lost without an answer?

# %%
# NBVAL_CHECK_OUTPUT
from collections import Counter

narrow, at = start({"shapes": models["shapes"]}, max_queue=4, max_batch=4, deadline_s=60)
with ThreadPoolExecutor(64) as pool:
    statuses = Counter(pool.map(lambda _: ask(classify, whole, "image/png", at)[0], range(200)))
narrow.should_exit = True
print("lost without an answer:", 200 - statuses[200] - statuses[429])
print("some were answered:", statuses[200] > 0)

# %% [markdown]
# ## The world moves on
#
# Your service runs. Nobody labels what it is asked, so nobody sees its accuracy. But you can see whether today's
# pictures look like those that it was tested on: brightness, contrast, sharpness, color, and how sure the network is.
#
# For each statistic, compare two **staircases**: the share of pictures up to each value, then and now. Their largest
# gap is the Kolmogorov-Smirnov distance.
#
# ### Exercise 4 · `drift_score` · difficulty ●●○ · 15 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# A staircase climbs only at its own values. At which x can the gap be largest?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# At the values of both crowds. Sort a column; `torch.searchsorted(sorted, places, right=True)` counts how many of its
# values are at most each place. Divide by how many there are.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `for before, now in zip(reference.T, live.T)`: `places = torch.cat([before, now])`, two shares,
# `(share - share_now).abs().max()`. Stack them, times `math.sqrt(n * m / (n + m))`.
# </details>

# %% tags=["exercise"]
@exercise
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
    ...  # your code here

# %% [markdown]
# When is a score too large? Chance alone gives a gap, and its distribution is known, whatever is measured
# (Kolmogorov, 1933). `alarm_level(5)` is the score that the largest of five exceeds at most once in a hundred looks,
# without any drift.
#
# **Predict.** Forty windows of 50 fresh pictures, nothing has changed. How many alarms?

# %%
# NBVAL_CHECK_OUTPUT
from course_lib.drift import IMAGE_STATISTICS, SOUND_STATISTICS, alarm_level

known = shapes.splits["validation"].images[:500]


def statistics(reader, inputs):
    return reader.statistics(list(inputs), reader(list(inputs)))  # (n, 5)


reference, level = statistics(seer, known), alarm_level(5)
alarms = [drift_score(reference, statistics(seer, window)).max().item() > level for window in exam.images.split(50)]
print(f"{len(alarms)} windows, at most two with a score above {level:.2f}:", sum(alarms) <= 2)

# %% [markdown]
# ## The camera gets dark
#
# Dust settles on the lens, a little more each day, and the sensor answers with noise. We know the labels, the service
# doesn't.
#
# **Predict.** What falls first: the accuracy, or the quiet of the alarm?

# %%
grain = torch.Generator().manual_seed(0)


def darker(images, light):
    return (light * images + 0.05 * (1 - light) * torch.randn(images.shape, generator=grain)).clamp(0, 1)


days = [darker(exam.images[:500], 1 - 0.05 * day) for day in range(11)]  # half of the light is left at the end
scores = torch.stack([drift_score(reference, statistics(seer, day[:50])) for day in days])  # (days, 5)
right = [accuracy(seer, day, exam.labels[:500]) for day in days]
figure, (above, below) = plt.subplots(2, 1, figsize=(7.5, 5), sharex=True)
above.plot(scores, marker="o", label=[*IMAGE_STATISTICS])
above.axhline(level, color=PALETTE["black"], linestyle=":", label="alarm")
above.set(title="What the service sees: today's pictures against the known ones", ylabel="drift score")
above.legend(loc="center left", bbox_to_anchor=(1, 0.5))
below.plot(right, "o-", color=PALETTE["black"])
below.set(title="What it does not see", xlabel="day", ylabel="accuracy", ylim=(0, 1))
show(figure, alt="Above, five drift scores over eleven days: sharpness and contrast cross the alarm level in the "
     "first days, others follow. Below, the accuracy stays high for the first days and then falls to a quarter.")

# %%
# NBVAL_CHECK_OUTPUT
first = next(day for day, largest in enumerate(scores.amax(dim=1)) if largest > level)
print("when the alarm first rings, the accuracy is still within 5 points:", right[first] > right[0] - 0.05)
print("at the end it has lost more than 40 points:", right[-1] < right[0] - 0.4)

# %% [markdown]
# The alarm rings while the answers are still good. Even the network's own confidence drops, though much later: a
# network is often sure of its errors. (A reader that has a `reference` is watched by the service itself: `/v1/drift`.)
#
# ## Mend it
#
# Label 300 dark pictures, and fine-tune for a few seconds (lesson 11), with 600 old ones among them: a dark camera may
# be cleaned some day.
#
# **Predict.** What does it cost on bright pictures, with the old ones and without?

# %%
dark, labels = darker(train_images.images[6000:6300], 0.5), train_images.labels[6000:6300]
mended = {}
for name, old in (("without old ones", 0), ("with old ones", 600)):
    images = torch.cat([dark, train_images.images[:old]])
    mixed = torch.cat([labels, train_images.labels[:old]])
    better = teach(copy.deepcopy(network), images, mixed, num_steps=100, rate=2e-3)
    mended[name] = dataclasses.replace(seer, network=better)
tonight = darker(exam.images[500:], 0.5), exam.labels[500:]
bright = exam.images[500:], exam.labels[500:]
for name, reader in {"as it was": seer, **mended}.items():
    print(f"{name:17s} dark {accuracy(reader, *tonight):.1%}, bright {accuracy(reader, *bright):.1%}")

# %% [markdown]
# Without the old pictures it forgets them; with them it keeps most. (One seed each; the direction is plain, the last
# digit is not.)
#
# ## Versions, side by side
#
# Never replace what works by what might. Put the new version **beside** the old one, ask both, then decide; and keep
# the way back open.

# %%
# NBVAL_CHECK_OUTPUT
models["shapes"].add("2", mended["with old ones"])
asked = [as_png(picture) for picture in tonight[0][:60]]
for version in ("1", "2"):
    best = [ask(f"{classify}&version={version}", body, "image/png")[1]["classes"][0]["name"] for body in asked]
    hits = sum(name == shapes.classes[label] for name, label in zip(best, tonight[1], strict=False))
    print("version", version, "is right about more than half of 60 dark pictures:", hits > 30)
models["shapes"].activate("2")
print("who names no version gets", ask(classify, asked[0], "image/png")[1]["version"])
models["shapes"].roll_back()
print("and after a look at the complaints,", ask(classify, asked[0], "image/png")[1]["version"], "again")

# %% [markdown]
# Requests under way end with the version that they began with; nobody notices the change.
#
# ## A new accent
#
# The same loop for speech. The voices stay, but now they read English by German rules ("set" becomes "zet"). The
# recognizer has never heard that. espeak makes it; ours is a caricature of what people do.
#
# **Predict.** Which of the five statistics will notice: level, dynamics, low bands, high bands, confidence?

# %%
import numpy as np

from course_lib.generate import voices
from course_lib.generate.grammar import command
from course_lib.generate.speech import Request, recite

voices.ACCENTS["de"] = "English by German rules"  # only in this notebook


def listen_to(accent, people, count, seed):
    random = np.random.RandomState(seed)
    texts = [command(random) for _ in range(count)]
    spoken = recite([Request(text, f"{accent}+{people[i % len(people)]}") for i, text in enumerate(texts)])
    return texts, [torch.from_numpy(samples).float() / 32768 for samples, _ in spoken]


people, others = voices.variants_of("validation"), voices.variants_of("test")
reference_of_speech = statistics(listener, listen_to("en-us", people, 200, seed=5)[1])
for accent in ("en-us", "de"):
    live = drift_score(reference_of_speech, statistics(listener, listen_to(accent, people, 50, seed=2)[1]))
    print(f"{accent:6s}", *(f"{name} {score:.2f}  " for name, score in zip(SOUND_STATISTICS, live, strict=True)))

# %% [markdown]
# Loudness and bands hardly move: same throats, same microphone. The dynamics stir, since the rhythm is another. But by far
# the most changes in how **sure** the network is: what inputs hardly tell, its doubt does.
#
# **Predict.** 150 sentences in the new accent, 100 in the old ones, some seconds of fine-tuning; then an exam by
# *other* voices. How many of the word errors go?

# %%
from course_lib.audio import log_mel
from course_lib.sequence_batches import SequenceBatches
from course_lib.speech_models import ctc_losses

new, old = listen_to("de", people, 150, seed=3), listen_to("en-us", people, 100, seed=4)
targets = [listener.alphabet.encode(text) for text in new[0] + old[0]]
batches = SequenceBatches([log_mel(sound) for sound in new[1] + old[1]], targets, batch_size=20, shuffle=True)
torch.manual_seed(0)
tuned = copy.deepcopy(recognizer).train()
recipe = Recipe(lambda each: torch.optim.AdamW(each.parameters(), lr=2e-3), 5, one_cycle())
fit(tuned, batches, ctc_losses, recipe=recipe)
second = dataclasses.replace(listener, network=tuned.cpu().eval())
exams = {accent: listen_to(accent, others, 60, seed=1) for accent in ("de", "en-us")}
said, sound = exams["de"][0][3], exams["de"][1][3:4]
print("said:  ", said, "\nbefore:", listener(sound)[0].text, "\nafter: ", second(sound)[0].text)

# %%
# NBVAL_CHECK_OUTPUT
from course_lib.metrics import word_error_rate

before, after = ({accent: word_error_rate(said, [each.text for each in reader(sounds)])
                  for accent, (said, sounds) in exams.items()} for reader in (listener, second))
print("the new accent: a third of the word errors or more are gone:", after["de"] < 2 / 3 * before["de"])
print("the old accents: at most 5 points worse:", after["en-us"] < before["en-us"] + 0.05)
models["speech"].add("2", second, activate=True)
server.should_exit = True  # the service finishes what it has accepted, and ends

# %% [markdown]
# The loop is closed: serve, watch, label a little, fine-tune, compare, switch, keep the way back. That is what
# "deployed" means; the first day is the smallest part.
#
# ## Past one machine
#
# One process fills one core. More of the same, and more than one machine, are scripts, not notebooks:
#
# - `python scripts/serve_cluster.py --replicas 2` (extra `scale`) runs this very app on Ray Serve: one replica may die.
# - `torchrun --nproc-per-node 2 scripts/train_ddp.py` trains on several devices or machines, as one with the same
#   batch would.
# - `deploy/kubernetes.yaml` tells a cluster how to start the service, when to send it requests (`/readyz`), and when to
#   start it anew (`/healthz`).

# %% [markdown]
# ## What to remember
#
# - What turns a file into a tensor belongs to the model: ship both together, or fail in silence.
# - Look at the header before you decode; say what is wrong, and how to mend it.
# - Batches share the price of a call: let the first wait a little. Bound the queue, and refuse early.
# - Latency is a percentile, counted from when a request was due; what is lost took forever.
# - Without labels, watch inputs and confidence; know your false alarms. Mend with old examples among the new.
# - Versions side by side, and a way back.

# %% [markdown]
# ## Going further
#
# - Put lesson 15's small network into the reader. Where does the wall stand now?
# - Give the drift watch 10 pictures, or 500, instead of 50. How dark must it get?
# - `course serve --help`: set a token, and let a friend try to break it.
#
# Read: D. Sculley and others, *Hidden technical debt in machine learning systems*, 2015; J. Dean and L. Barroso, *The
# tail at scale*, 2013, [doi:10.1145/2408776.2408794](https://doi.org/10.1145/2408776.2408794); S. Rabanser and others,
# *Failing loudly*, 2019, [arXiv:1810.11953](https://arxiv.org/abs/1810.11953).
#
# You can now make a machine see and hear, know how well, and let others use it. **The course ends here; what you teach
# it next is up to you.**
