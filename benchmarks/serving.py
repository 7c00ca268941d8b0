"""The service under load, beside itself without micro-batching and beside LitServe: python -m benchmarks.serving

LitServe lives in an environment of its own (requirements.txt); the option --peer names its Python. `wrong` counts what
differs from the answers computed here, outside the service; each client has a picture whose answer nobody else has.
"""

import argparse
import base64
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import torch
from PIL import Image
from websockets.sync.client import connect

from benchmarks.report import report
from benchmarks.serving_load import Case, Load, Tally, distinct, percentile
from course_lib.datasets import load
from course_lib.paths import checkout
from course_lib.serving.first_models import load_models
from course_lib.serving.inputs import decode_image, open_image
from course_lib.serving.models import ImageReader, models_dir
from tests.serving.bad_inputs import RAW, all_cases
from tests.serving.conftest import as_file
from tests.serving.wire import RunningService

CLIENTS, SECONDS, ROUNDS, ROUND_SECONDS = 64, 30.0, 3, 5.0
PATH = "/v1/images:classify?model=shapes"
PIECE = 1600  # samples: a tenth of a second


def make_cases(reader: ImageReader, *, by_name: bool) -> list[Case]:
    """Pictures with answers of their own, computed one at a time."""
    names = sorted(range(len(reader.classes)), key=lambda label: reader.classes[label])
    cases = []
    for image in load("shapes").splits["test"].images[:600]:
        body = as_file(Image.fromarray((255 * image).round().byte().permute(1, 2, 0).numpy()))
        item = reader.image(decode_image(open_image(body, "PNG", max_pixels=10**6)))
        probabilities = [round(each, 6) for each in reader([item])[0]]
        cases.append(Case(body, [probabilities[label] for label in names] if by_name else probabilities))
    return distinct(cases, CLIENTS)


@contextmanager
def service(folder: Path, **options) -> Iterator[RunningService]:
    """The service in a process of its own, warmed up."""
    with tempfile.TemporaryDirectory() as logs:
        running = RunningService(folder, Path(logs) / "log.txt", module="benchmarks.serving_worker", **options)
        try:
            yield running
        finally:
            running.end()


def under_load(folder: Path, cases: list[Case]) -> dict:
    """64 clients for half a minute, with the settings that `course serve` has."""
    with service(folder) as running:
        Load(running.port, PATH, cases).run(3)
        before = running.megabytes
        spent = -cpu_seconds(running.process.pid)
        tally = Load(running.port, PATH, cases).run(SECONDS)
        spent += cpu_seconds(running.process.pid)
        return {
            "clients": CLIENTS,
            "seconds": round(tally.seconds, 1),
            "requests": tally.requests,
            "wrong": tally.wrong,
            "lost": tally.lost,
            "crossed": tally.crossed,
            "errors_5xx": tally.errors_5xx,
            "refused": tally.statuses[429],
            "requests_per_s": round(tally.per_second, 1),
            "answer_p50_ms": round(percentile(tally.milliseconds, 50), 1),
            "answer_p99_ms": round(percentile(tally.milliseconds, 99), 1),
            "server_cpu_ms_per_request": round(1000 * spent / tally.requests, 3),
            "memory_growth_mb": round(running.megabytes - before, 1),
        }


def past_capacity(folder: Path, cases: list[Case]) -> dict:
    """Eight times as many clients as may wait; who is refused tries again after a tenth of what Retry-After says."""
    with service(folder, max_queue=CLIENTS // 8, max_batch=CLIENTS // 8) as running:
        tally = Load(running.port, PATH, cases, pause_after_refusal=0.1).run(10)
    return {
        "overload_answered": tally.statuses[200],
        "overload_refused": tally.statuses[429],
        "overload_wrong_or_lost": tally.wrong + tally.lost,
        "refusal_p50_ms": round(percentile(tally.refusal_ms, 50), 1),
        "refusal_p99_ms": round(percentile(tally.refusal_ms, 99), 1),
        "overload_answer_p99_ms": round(percentile(tally.milliseconds, 99), 1),
    }


def batching(folder: Path, cases: list[Case], runtime: str) -> dict:
    """Throughput with micro-batches of up to 32 and with none, in turns."""
    rates: dict[int, list[float]] = {32: [], 1: []}
    costs: dict[int, list[float]] = {32: [], 1: []}
    for _ in range(ROUNDS):
        for most in rates:
            with service(folder, runtime=runtime, max_batch=most, deadline_s=60) as running:
                Load(running.port, PATH, cases).run(1)
                rate, cost = measured(Load(running.port, PATH, cases), running.process.pid)
            rates[most].append(rate)
            costs[most].append(cost)
    gains = [with_it / without for with_it, without in zip(rates[32], rates[1], strict=True)]
    prefix = "" if runtime == "eager" else f"{runtime}_"
    return {
        **spread(f"{prefix}batching_gain", gains, 2),
        **spread(f"{prefix}batched_per_s", rates[32], 0),
        **spread(f"{prefix}unbatched_per_s", rates[1], 0),
        f"{prefix}batched_cpu_ms": round(statistics.median(costs[32]), 3),
        f"{prefix}unbatched_cpu_ms": round(statistics.median(costs[1]), 3),
    }


def litserve(folder: Path, python: Path, cases: list[Case], theirs: list[Case]) -> dict:
    """Throughput beside LitServe's, in turns, each with micro-batches of up to 32."""
    ours, others = [], []
    for _ in range(ROUNDS):
        with service(folder, max_batch=32, deadline_s=60) as running:
            Load(running.port, PATH, cases).run(1)
            ours.append(measured(Load(running.port, PATH, cases), running.process.pid))
        with litserve_running(folder, python) as (port, pid):
            Load(port, "/predict", theirs, answer_of=their_answer).run(1)
            others.append(measured(Load(port, "/predict", theirs, answer_of=their_answer), pid))
    version = [str(python), "-c", "from importlib.metadata import version; print(version('litserve'))"]
    return {
        "litserve": subprocess.run(version, capture_output=True, text=True, check=True).stdout.strip(),
        **spread("litserve_ratio", [mine[0] / its[0] for mine, its in zip(ours, others, strict=True)], 2),
        **spread("beside_litserve_per_s", [rate for rate, _ in ours], 0),
        **spread("litserve_per_s", [rate for rate, _ in others], 0),
        "beside_litserve_cpu_ms": round(statistics.median(cost for _, cost in ours), 3),
        "litserve_cpu_ms": round(statistics.median(cost for _, cost in others), 3),
    }


def measured(clients: Load, pid: int) -> tuple[float, float]:
    """Right answers per second, and the CPU milliseconds that each took the server with all of its processes."""
    spent = -cpu_seconds(pid)
    tally = check(clients.run(ROUND_SECONDS))
    return tally.per_second, 1000 * (spent + cpu_seconds(pid)) / tally.requests


def cpu_seconds(pid: int) -> float:
    """What a process and all that it started have used so far."""
    process = psutil.Process(pid)
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def their_answer(body: bytes) -> tuple[list[float], None]:
    """What LitServe's answer says."""
    return json.loads(body)["probabilities"], None


@contextmanager
def litserve_running(folder: Path, python: Path) -> Iterator[tuple[int, int]]:
    """LitServe in processes of its own; it orphans its workers on SIGTERM, so all of them are ended here."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [str(python), "-m", "benchmarks.serving_litserve", str(folder), str(port), "32"]
    environment = os.environ | {"PYTHONPATH": str(checkout()), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command,
        cwd=checkout(),
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )
    try:
        for _ in range(1200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        time.sleep(3)  # its worker loads the model after its port is open
        yield port, process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def bad_inputs(folder: Path) -> dict:
    """Each bad input, and whether it got a clear refusal while the service stayed well."""
    survived, cases = 0, all_cases()
    with service(folder) as running:
        before = running.megabytes
        for case in cases.values():
            reply = running.request(case.method, case.path, case.body, **case.headers)
            survived += reply.status in case.statuses and running.request("GET", "/readyz").status == 200
        for raw in RAW.values():
            survived += 400 <= running.send(raw).status < 500 and running.request("GET", "/readyz").status == 200
        growth = running.megabytes - before
    tried = len(cases) + len(RAW)
    return {"bad_inputs_tried": tried, "bad_inputs_survived": survived, "bad_inputs_growth_mb": round(growth, 1)}


def streams(folder: Path) -> dict:
    """From the stop of a stream, spoken in real time, to its final text, at the client."""
    recordings, finals, agree = load("spoken_commands").splits["test"], [], 0
    with service(folder) as running:
        for number in range(20):
            samples = (32768 * recordings.waveform(number)).short().numpy()
            with connect(f"ws://127.0.0.1:{running.port}/v1/stream") as channel:
                channel.send(json.dumps({"type": "start", "sample_rate": 16000}))
                for start in range(0, len(samples), PIECE):
                    channel.send(samples[start : start + PIECE].tobytes())
                    time.sleep(PIECE / 16000)
                began = time.perf_counter()
                channel.send('{"type": "stop"}')
                while (message := json.loads(channel.recv()))["type"] != "final":
                    pass
                finals.append(1000 * (time.perf_counter() - began))
                agree += message["text"] == recordings.texts[number]
    return {
        "stream_final_ms": round(statistics.median(finals), 1),
        "stream_final_p95_ms": round(percentile(finals, 95), 1),
        "streams": len(finals),
        "streams_right_word_for_word": agree,
    }


def priority() -> int:
    """The nice value of this session, where Linux groups processes by sessions; below 0 others got out of the way."""
    group = Path("/proc/self/autogroup")
    return int(group.read_text().split()[-1]) if group.exists() else 0


def check(tally: Tally) -> Tally:
    """A rate counts only where every answer is right."""
    if tally.wrong or tally.lost or set(tally.statuses) != {200}:
        raise RuntimeError(f"statuses {tally.statuses}, {tally.wrong} wrong, {tally.lost} lost: no rate to speak of.")
    return tally


def spread(name: str, values: list[float], digits: int) -> dict[str, float]:
    """The median with its range."""
    found = {name: statistics.median(values), f"{name}_min": min(values), f"{name}_max": max(values)}
    return {key: round(value, digits) if digits else round(value) for key, value in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    peer = checkout() / ".venv-benchmarks" / "bin" / "python"
    parser.add_argument("--peer", type=Path, default=peer, help="the Python that has LitServe")
    parser.add_argument("--models", type=Path, default=models_dir(), help="where the models are kept")
    options = parser.parse_args()
    torch.set_num_threads(1)
    models = load_models(options.models, say=lambda line: print(line, file=sys.stderr))
    _, reader = models["shapes"].pick()
    cases = make_cases(reader, by_name=True)
    figures, loads = {}, [os.getloadavg()[0]]
    for part in (bad_inputs, streams):
        figures |= part(options.models)
    for part in (under_load, past_capacity):
        figures |= part(options.models, cases)
        loads.append(os.getloadavg()[0])
    for runtime in ("eager", "onnx"):
        figures |= batching(options.models, cases, runtime)
        loads.append(os.getloadavg()[0])
    theirs = [
        Case(json.dumps({"image": base64.b64encode(case.body).decode()}).encode(), case.expected)
        for case in make_cases(reader, by_name=False)
    ]
    if options.peer.exists():
        figures |= litserve(options.models, options.peer, cases, theirs)
    figures |= spread("load", [*loads, os.getloadavg()[0]], 1) | {"priority": priority()}
    report("serving", figures, packages=("fastapi", "uvicorn", "onnxruntime"))


if __name__ == "__main__":
    main()
