"""Many clients at once, each with a picture of its own whose answer is known: what `benchmarks.serving` measures with.

Each client keeps one connection, asks, holds the answer to what was computed outside the service, and asks again.
"""

import asyncio
import json
import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

TOLERANCE = 2e-3  # between probabilities; the pictures' own answers are further apart than this
PATIENCE = 60.0  # seconds until an answer counts as lost


@dataclass(frozen=True)
class Case:
    """A picture's file, and the probabilities that a network gives it outside the service, in the order of classes."""

    body: bytes
    expected: list[float]


@dataclass
class Tally:
    """What came of all requests.

    Attributes:
        statuses: how many answers had each status.
        wrong: answers of 200 that are not those of the client's own picture.
        crossed: those of them that are another client's, or came under another request's id.
        lost: requests without an answer.
        milliseconds: how long each answer of 200 took.
        refusal_ms: how long each 429 took.
        seconds: from the first request to the last answer.
    """

    statuses: Counter = field(default_factory=Counter)
    wrong: int = 0
    crossed: int = 0
    lost: int = 0
    milliseconds: list[float] = field(default_factory=list)
    refusal_ms: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def requests(self) -> int:
        return sum(self.statuses.values()) + self.lost

    @property
    def errors_5xx(self) -> int:
        return sum(count for status, count in self.statuses.items() if status >= 500)

    @property
    def per_second(self) -> float:
        """Right answers per second."""
        return (self.statuses[200] - self.wrong) / self.seconds


def request_head(path: str, body: bytes, *, request_id: str = "", content_type: str = "image/png") -> bytes:
    """The head of a request that keeps its connection."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Type: {content_type}"]
    lines += [f"Content-Length: {len(body)}", *([f"X-Request-ID: {request_id}"] if request_id else [])]
    return "\r\n".join([*lines, "", ""]).encode()


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers (names in lower case) of the next answer."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    return int(head[0].split()[1]), await reader.readexactly(int(headers.get("content-length", 0))), headers


class Load:
    """Some clients, for some seconds.

    Args:
        port: of the service on this machine.
        path: of the route.
        cases: one for each client.
        answer_of: what an answer's body says: probabilities in the order of classes, and a request id or None.
        pause_after_refusal: seconds that a refused client waits.
    """

    def __init__(
        self, port: int, path: str, cases: Sequence[Case], *, answer_of=None, pause_after_refusal: float = 0.0
    ):
        self.port, self.path, self.cases, self.pause = port, path, cases, pause_after_refusal
        self.answer_of = answer_of or probabilities_of
        self.tally = Tally()

    def run(self, seconds: float) -> Tally:
        """Let all clients ask for so long, and wait for their last answers."""
        asyncio.run(self._run(seconds))
        return self.tally

    async def _run(self, seconds: float) -> None:
        began = time.monotonic()
        until = began + seconds
        await asyncio.gather(*(self._client(number, until) for number in range(len(self.cases))))
        self.tally.seconds = time.monotonic() - began

    async def _client(self, number: int, until: float) -> None:
        connection, count = None, 0
        while time.monotonic() < until:
            try:
                if connection is None:
                    connection = await asyncio.open_connection("127.0.0.1", self.port)
                count += 1
                closes = await self._ask(connection, number, f"c{number}-{count}")
            except (OSError, asyncio.IncompleteReadError, TimeoutError):
                self.tally.lost += 1
                closes = True
            if closes and connection is not None:
                connection[1].close()
                connection = None
        if connection is not None:
            connection[1].close()

    async def _ask(self, connection, number: int, request_id: str) -> bool:
        """One request; returns whether the service closes the connection."""
        reader, writer = connection
        case, tally, began = self.cases[number], self.tally, time.monotonic()
        kind = "image/png" if case.body.startswith(b"\x89PNG") else "application/json"
        writer.write(request_head(self.path, case.body, request_id=request_id, content_type=kind) + case.body)
        async with asyncio.timeout(PATIENCE):
            status, body, headers = await read_answer(reader)
        took = 1000 * (time.monotonic() - began)
        tally.statuses[status] += 1
        if status == 200:
            tally.milliseconds.append(took)
            self._check(number, request_id, body)
        elif status == 429:
            tally.refusal_ms.append(took)
            await asyncio.sleep(self.pause)
        return headers.get("connection", "").lower() == "close"

    def _check(self, number: int, request_id: str, body: bytes) -> None:
        found, answered_id = self.answer_of(body)
        right = is_close(found, self.cases[number].expected)
        others = (case for other, case in enumerate(self.cases) if other != number)
        if not right or answered_id not in (None, request_id):
            self.tally.wrong += 1
            self.tally.crossed += right or any(is_close(found, case.expected) for case in others)


def probabilities_of(body: bytes) -> tuple[list[float], str]:
    """What the course's service says."""
    told = json.loads(body)
    named = {each["name"]: each["probability"] for each in told["classes"]}
    return [named[name] for name in sorted(named)], told["request_id"]


def is_close(found: Sequence[float], expected: Sequence[float]) -> bool:
    """Whether two lists of probabilities are the same but for rounding."""
    return len(found) == len(expected) and max(map(abs, map(float.__sub__, found, expected))) <= TOLERANCE


def distinct(cases: Sequence[Case], count: int) -> list[Case]:
    """The first so many cases whose answers can be told apart.

    Raises:
        ValueError: there are not so many.
    """
    chosen: list[Case] = []
    for case in cases:
        if all(max(map(abs, map(float.__sub__, case.expected, other.expected))) > 2 * TOLERANCE for other in chosen):
            chosen.append(case)
        if len(chosen) == count:
            return chosen
    raise ValueError(f"only {len(chosen)} of {len(cases)} cases have answers of their own; {count} are needed")


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent of the values don't exceed."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(len(ranked) * percent / 100) - 1)]
