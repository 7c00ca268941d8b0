"""`course grade --ray`: submissions go one by one to whoever is free on a Ray cluster, and come back as records.

A grader is a process on some node that judges; learners' code runs beside it behind the same walls as on one machine.
Whoever breaks off over a submission is replaced, and the submission goes to the next one.
"""

import contextlib
import hashlib
import os
import platform
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy
import torch
from tqdm import tqdm

import course_lib
from course_lib.cluster import connect
from course_lib.errors import CourseError
from course_lib.grading.frozen import PARTS
from course_lib.grading.intake import Source, Submission, Unreadable
from course_lib.grading.plan import Plan, edition_of, imports_of, make_plan
from course_lib.grading.pool import START, Mother, Setting, Zygote, drive
from course_lib.grading.sandbox import TIERS
from course_lib.grading.submission import grade, record_key
from course_lib.grading.surroundings import checkouts
from course_lib.paths import checkout

TRIES = 3  # graders that may break off over one submission
USERS = 4_000  # workers' user ids, so that no two graders of a node share one
BEST = next(iter(TIERS))  # below it learners' code could talk to Ray, and Ray runs what it is sent

Record = dict[str, Any]


@dataclass(frozen=True)
class Orders:
    """What every grader is told: the edition, file by file, and what was asked for."""

    files: dict[str, bytes]
    lessons: list[str]
    seed: int
    seconds: float
    hidden: list[Path]
    alike: dict[str, str]


@dataclass
class Case:
    """A submission on its way, and how many graders have broken off over it."""

    submission: Submission
    breaks: int = 0


class Grader:
    """Runs on a node: judges, with one zygote beside it, from which learners' code gets its workers."""

    def __init__(self, orders: Orders, slot: int):
        self._orders, self._slot = orders, slot

    def begin(self) -> dict[str, str]:
        """Put up the walls; returns the node's name, and the tier or what is wrong."""
        node = socket.gethostname()
        for name, value in alike().items():
            if value != self._orders.alike[name]:
                return {"node": node, "problem": f"{name} is {value} there and {self._orders.alike[name]} here."}
        self._folder = tempfile.TemporaryDirectory(prefix="course-edition-")
        for name, content in self._orders.files.items():
            path = Path(self._folder.name, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        os.environ["COURSE_CHECKOUT"] = self._folder.name
        self._plan = make_plan(self._orders.lessons, seed=self._orders.seed, seconds=self._orders.seconds)
        solutions = [folder / "solutions" for folder in (checkout(), *checkouts())]
        setting = Setting(imports_of(self._plan), [*self._orders.hidden, *solutions], [BEST])
        try:
            self._zygote = Zygote(setting, self._slot, Mother(setting.imports))
        except CourseError as error:
            return {"node": node, "problem": str(error)}
        return {"node": node, "tier": setting.tier}

    def grade(self, submission: Submission) -> Record:
        """Grade one submission, as one machine does."""
        return drive(grade(submission, self._plan, edition_of(self._plan)), self._zygote)


def alike() -> dict[str, str]:
    """What has to be the same on every node, so that it does not matter where somebody is graded."""
    library, folder = hashlib.sha256(), Path(course_lib.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        library.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    public = torch.__version__.partition("+")[0]  # +cpu and +cu130 compute alike on a processor
    versions = {"Python": platform.python_version(), "PyTorch": public, "NumPy": numpy.__version__}
    return {**versions, "The course's library": library.hexdigest()[:12]}


class Cluster:
    """Graders all over a Ray cluster; attributes `nodes` (those that take part) and `count` (graders at a time)."""

    def __init__(self, ray: Any, orders: Orders, count: int):
        self._ray, self._orders = ray, ray.put(orders)
        self._maker = ray.remote(num_cpus=1, scheduling_strategy="SPREAD")(Grader)
        self._made, self._failed_starts = 0, 0
        self._busy: dict[Any, tuple[Any, Case | None]] = {}  # by what they will answer; no case: not begun yet
        self._free: list[Any] = []
        self.nodes: set[str] = set()
        self.count = count
        for _ in range(count):
            self._new_grader()

    def spread(self, waiting: Iterable[Submission], plan: Plan, keep: Callable[[Record], None]) -> None:
        """Have these submissions graded, and pass on each record as it comes."""
        todo, again = (Case(_portable(each)) for each in waiting), []
        while True:
            while self._free and (case := again.pop() if again else next(todo, None)):
                grader = self._free.pop()
                self._busy[grader.grade.remote(case.submission)] = grader, case
            if self._free and not any(case for _, case in self._busy.values()):
                return
            case, record = self.wait()
            if case is None:
                continue
            if record is None and case.breaks < TRIES:
                again.append(case)
            else:
                keep(record or _given_up(case.submission, plan))

    def wait(self) -> tuple[Case | None, Record | None]:
        """Wait until a grader has done something: its case, and the record, or None where it broke off.

        Raises:
            CourseError: a grader can't begin as it must, or none can be had.
        """
        ready, _ = self._ray.wait(list(self._busy), timeout=START)
        if not ready and not any(case for _, case in self._busy.values()):
            raise CourseError(
                f"For {START / 60:.0f} minutes no node had a free core. Start again later: it goes on then."
            )
        if not ready:
            return None, None
        grader, case = self._busy.pop(ready[0])
        try:
            answer = self._ray.get(ready[0])
        except self._ray.exceptions.RayError as error:
            self._ray.kill(grader)
            self._failed_starts += case is None
            if self._failed_starts > TRIES * self.count:
                raise CourseError(f"Graders don't start on this cluster: {str(error).splitlines()[-1]}") from error
            self._new_grader()
            if case is None:
                return None, None
            tqdm.write(f"A process of the cluster broke off while it graded {case.submission.student}.")
            return replace(case, breaks=case.breaks + 1), None
        if case is None:
            self._join(answer)
        self._free.append(grader)
        return case, answer if case else None

    def _new_grader(self) -> None:
        grader = self._maker.remote(self._orders, self._made % USERS)
        self._made += 1
        self._busy[grader.begin.remote()] = grader, None

    def _join(self, answer: dict[str, str]) -> None:
        if "problem" in answer:
            raise CourseError(f"Node {answer['node']} can't grade with the others. {answer['problem']}")
        if answer["node"] not in self.nodes:
            self.nodes.add(answer["node"])
            tqdm.write(f"Node {answer['node']}: isolation {answer['tier']}.")


@contextlib.contextmanager
def graders(address: str, plan: Plan, *, hidden: list[Path], jobs: int) -> Iterator[Cluster]:
    """A cluster with as many graders as it has cores, or `jobs`; the first of them has begun.

    Args:
        address: of a Ray cluster; empty for one on this machine.
        plan: what is graded, with the run's seed: inputs follow from it alone, wherever they are drawn.
        hidden: files and folders that no worker may see, where a node has them.
        jobs: how many graders; 0 for one on each core.

    Raises:
        CourseError: Ray is missing, or a node can't do what is asked.
    """
    ray = connect(address or None, cpus=jobs or None)
    try:
        files = {
            path.relative_to(checkout()).as_posix(): path.read_bytes()
            for pattern in PARTS
            for path in checkout().glob(pattern)
        }
        orders = Orders(files, list(plan.lessons), plan.seed, plan.seconds, hidden, alike())
        cluster = Cluster(ray, orders, jobs or max(int(ray.cluster_resources().get("CPU", 1)), 1))
        while not cluster.nodes:
            cluster.wait()
        yield cluster
    finally:
        ray.shutdown()


def _portable(submission: Submission) -> Submission:
    """A submission with its files' bytes in it, for another machine."""
    sources = []
    for source in submission.sources:
        try:
            content, why = source.read(), ""
        except Unreadable as error:
            content, why = b"", str(error)
        sources.append(Source(source.name, partial(_hand_out, content, why)))
    return replace(submission, sources=sources)


def _hand_out(content: bytes, why_not: str) -> bytes:
    if why_not:
        raise Unreadable(why_not)
    return content


def _given_up(submission: Submission, plan: Plan) -> Record:
    """The record of a submission over which one grader after the other broke off."""
    told = f"Grading broke off {TRIES} times, each time on another process of the cluster: grade this one by itself."
    steps = grade(replace(submission, sources=[], problems=[*submission.problems, told]), plan, "")
    try:
        next(steps)
    except StopIteration as end:
        return {**end.value, "key": record_key(submission, edition_of(plan))}
    raise AssertionError("without files there is nothing to ask a worker")
