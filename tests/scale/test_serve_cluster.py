"""The service on a cluster: one of two replicas is killed under load, and no answer is wrong."""

import itertools
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest
from PIL import Image

from course_lib.datasets import load
from course_lib.serving.inputs import decode_image, open_image
from course_lib.serving.models import load_image_model
from tests.serving.conftest import as_file

pytestmark = pytest.mark.scale
ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300  # seconds, for a machine that others use
PNG = {"content-type": "image/png"}


class Cluster:
    """scripts/serve_cluster.py with two replicas, and everything that it started."""

    def __init__(self, folder, log):
        command = [sys.executable, str(ROOT / "scripts" / "serve_cluster.py"), "--replicas", "2", "--port", "0"]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        self.log = log
        with log.open("w") as stream:
            self.process = subprocess.Popen(
                [*command, "--cpus", "0.5", "--models", folder], stdout=stream, stderr=stream, env=environment
            )

    def wait_for(self, found, what):
        deadline = time.monotonic() + PATIENCE
        while not (answer := found()):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, f"{what}: not within {PATIENCE} s\n{self.log.read_text()}"
            time.sleep(0.1)
        return answer

    def address(self):
        said = self.log.read_text().partition("Listening on ")[2]
        return said.partition(",")[0] if "\n" in said else ""

    def replicas(self):
        """The processes that answer, by their number."""
        found = {}
        for child in psutil.Process(self.process.pid).children(recursive=True):
            try:
                if "ServeReplica" in " ".join(child.cmdline()):
                    found[child.pid] = child
            except psutil.NoSuchProcess:
                continue
        return found

    def end(self):
        family = psutil.Process(self.process.pid).children(recursive=True) if self.process.poll() is None else []
        self.process.terminate()
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
        for each in family:
            try:
                each.kill()
            except psutil.NoSuchProcess:
                continue
        self.process.wait()


@pytest.fixture
def cluster(models_folder, tmp_path):
    cluster = Cluster(models_folder, tmp_path / "cluster.log")
    yield cluster
    cluster.end()


class Load:
    """Clients that ask for known pictures, again where they are told no, until `stop` is set."""

    def __init__(self, address, pictures, expected):
        self.address, self.pictures, self.expected = address, pictures, expected
        self.stop = threading.Event()
        self.right, self.wrong, self.retried = [0] * len(pictures), [], []

    def run(self, number):
        with httpx.Client(base_url=self.address, timeout=PATIENCE) as client:
            while not self.stop.is_set():
                answer = self.ask(client, number)
                if answer != pytest.approx(self.expected[number], abs=1e-4):
                    self.wrong.append((number, answer))
                self.right[number] += 1

    def ask(self, client, number):
        for _ in range(200):
            try:
                answer = client.post("/v1/images:classify", content=self.pictures[number], headers=PNG)
                if answer.status_code == 200:
                    return {each["name"]: each["probability"] for each in answer.json()["classes"]}
                self.retried.append(answer.status_code)
            except httpx.TransportError as error:
                self.retried.append(type(error).__name__)
            time.sleep(0.05)
        return None


def handwritten(number):
    """A digit of the test set, as the bytes of a picture."""
    ink = (255 * load("digits").splits["test"].images[number, 0]).byte().numpy()
    return as_file(Image.fromarray(255 - ink).resize((80, 80)))


def probabilities(reader, content):
    """What the model says without any service around it."""
    image = decode_image(open_image(content, "PNG", max_pixels=10**6))
    return {name: float(share) for name, share in zip(reader.classes, reader([reader.image(image)])[0], strict=True)}


@pytest.mark.slow
def test_a_replica_killed_under_load_costs_no_wrong_answer(cluster, models_folder):
    reader = load_image_model("digits", models_folder).pick(None)[1]
    pictures = [handwritten(number) for number in range(8)]
    expected = [probabilities(reader, picture) for picture in pictures]
    pairs = itertools.combinations(expected, 2)
    assert not any(one == pytest.approx(other, abs=1e-3) for one, other in pairs), "a crossed answer would not show"
    address = cluster.wait_for(cluster.address, "the cluster listens")
    before = cluster.wait_for(lambda: len(found := cluster.replicas()) == 2 and found, "two replicas")
    work = Load(address, pictures, expected)
    with ThreadPoolExecutor(len(pictures)) as clients:
        done = [clients.submit(work.run, number) for number in range(len(pictures))]
        try:
            cluster.wait_for(lambda: min(work.right) >= 5, "answers")
            victim = next(iter(before.values()))
            victim.kill()
            so_far = list(work.right)
            more = lambda: min(now - then for now, then in zip(work.right, so_far, strict=True)) >= 20  # noqa: E731
            cluster.wait_for(more, "answers after the loss")
            mended = lambda: len(found := cluster.replicas()) == 2 and victim.pid not in found  # noqa: E731
            cluster.wait_for(mended, "a new replica")
        finally:
            work.stop.set()
        for each in done:
            each.result()
    assert work.wrong == []
    print(
        f"{sum(work.right)} answers, none wrong; asked again: {len(work.retried)} {sorted(set(map(str, work.retried)))}"
    )
