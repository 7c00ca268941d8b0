"""One submission, from its files to a record: plain data that holds all that the tables and pages need."""

import hashlib
from collections.abc import Generator
from dataclasses import asdict
from typing import Any

from course_lib.exercises.diagnosis import Diagnosis
from course_lib.exercises.registry import Exercise
from course_lib.exercises.verdict import Outcome, Verdict
from course_lib.grading.intake import Submission, Unreadable, split_name
from course_lib.grading.packing import MAX_HEADER, BadAnswer, read_header, text
from course_lib.grading.plan import MORE_TIME, Plan, all_exercises
from course_lib.grading.pool import Reply, Request
from course_lib.grading.verdicts import Graded, verdict_of

Steps = Generator[Request, Reply, Any]
MAX_CODE = 100_000  # characters of answers that are kept for comparison
BUSY = 0.6  # of the time limit: a worker that computed less than this was kept waiting by the machine


def grade(submission: Submission, plan: Plan, edition: str) -> Steps:
    """Grade everything that one student handed in; the generator's value is the record.

    Whatever goes wrong with a submission, it stands in the record, and the class goes on.
    """
    record: dict[str, Any] = {
        "student": submission.student,
        "identifier": submission.identifier,
        "key": record_key(submission, edition),
        "problems": list(submission.problems),
        "lessons": {},
    }
    files = yield from _read_all(submission, plan, record["problems"])
    for name, lesson in plan.lessons.items():
        chosen = _choose(files, name)
        if chosen is None:
            record["lessons"][name] = {"file": "", "exercises": {}}
            continue
        exercises = {}
        for exercise in lesson.exercises.values():
            exercises[exercise.name] = yield from _grade_exercise(exercise, chosen, plan)
        found = {"file": chosen["name"], "look": chosen["look"], "code": _code(chosen), "exercises": exercises}
        record["lessons"][name] = found
    return record


def record_key(submission: Submission, edition: str) -> str:
    """What a record is of: this student's files as they are, graded by this edition."""
    digest = hashlib.sha256(f"{edition}/{submission.key}".encode())
    for source in submission.sources:
        digest.update(source.name.encode())
        try:
            digest.update(source.read())
        except Unreadable as error:
            digest.update(str(error).encode())
    return digest.hexdigest()[:32]


def _read_all(submission: Submission, plan: Plan, problems: list[str]) -> Steps:
    files = []
    for source in submission.sources:
        try:
            blob = source.read()
        except Unreadable as error:
            problems.append(str(error))
            continue
        reply = yield Request(plan.read_request(source.name), blob)
        try:
            files.append({"name": source.name, **_what_was_read(reply, source.name)})
        except BadAnswer as error:
            named = str(error).startswith(source.name)
            problems.append(f"{error}." if named else f"{source.name} can't be read: {error}.")
    return files


def _what_was_read(reply: Reply, filename: str) -> dict[str, Any]:
    if reply.end != "ended" or not reply.said:
        raise BadAnswer(
            {"time": "it takes too long", "memory": "it takes too much memory"}.get(reply.end, "it is broken")
        )
    length = int.from_bytes(reply.said[:8], "little")
    if length > MAX_HEADER:
        raise BadAnswer("it holds too much code")
    header = read_header(reply.said[8 : 8 + length])
    if "error" in header:
        raise BadAnswer(text(header["error"], 300).rstrip("."))
    cells = [[f"{text(place, 200)}", source, tags, line] for place, source, tags, line in header["cells"]]
    return {**header, "cells": cells}


def _code(file: dict[str, Any]) -> str:
    """The cells that hold answers, as one text, for whoever compares them."""
    holding = [source for _, source, *_ in file["cells"] if any(name in source for name in file["answers"])]
    return text("\n\n".join(holding), MAX_CODE)


def _choose(files: list[dict[str, Any]], lesson: str) -> dict[str, Any] | None:
    """The file that is a student's answer to a lesson: one that is called so, and the last by name."""
    fitting = [each for each in files if _lesson_of(each) == lesson]

    def rank(file: dict[str, Any]) -> tuple:
        return bool(file["answers"]), split_name(file["name"])[1] == lesson, file["name"]

    return max(fitting, key=rank, default=None)


def _lesson_of(file: dict[str, Any]) -> str:
    """What a file is: by what it defines; where that says nothing, by what it says of itself or is called."""
    counts: dict[str, int] = {}
    for name in file["answers"]:
        counts[all_exercises()[name]] = counts.get(all_exercises()[name], 0) + 1
    return max(counts, key=counts.get) if counts else file["lesson"]


def _grade_exercise(exercise: Exercise, file: dict[str, Any], plan: Plan) -> Steps:
    found = file["answers"].get(exercise.name)
    if found is None:
        return entry_of(Verdict(exercise.name, "unwritten"), [], found)
    graded = yield from _run(exercise, file, plan, 1)
    return entry_of(graded.verdict, graded.remarks, found)


def _run(exercise: Exercise, file: dict[str, Any], plan: Plan, patience: float) -> Steps:
    mentions = set(file["mentions"])
    request = plan.run_request(exercise, file["cells"], mentions, patience=patience)
    reply = yield Request(request)
    graded = verdict_of(exercise, reply, seed=plan.seed, quiet=bool(request["lent"]))
    graded.verdict.seconds = reply.seconds
    if patience == 1 and _was_kept_waiting(graded, reply, plan.seconds):
        graded = yield from _run(exercise, file, plan, MORE_TIME)
    return graded


def _was_kept_waiting(graded: Graded, reply: Reply, seconds: float) -> bool:
    """Whether the machine may be to blame: time ran out, but little was computed; or the zygote itself died."""
    if reply.end == "died":
        return True
    out_of_time = reply.end == "time" or any("did not end within" in each.problem for each in graded.verdict.outcomes)
    return out_of_time and reply.cpu_seconds < BUSY * min(reply.seconds, seconds)


def entry_of(verdict: Verdict, remarks: list[str], found: dict[str, Any] | None) -> dict[str, Any]:
    """One exercise's part of a record."""
    found = found or {"fingerprint": "", "size": 0}
    return {
        "look": verdict.look,
        "verdict": asdict(verdict),
        "remarks": remarks,
        "fingerprint": text(found["fingerprint"], 32),
        "size": int(found["size"]),
    }


def verdict_in(entry: dict[str, Any]) -> Verdict:
    """The verdict that stands in a record."""
    parts = dict(entry["verdict"])
    parts["outcomes"] = [Outcome(**outcome) for outcome in parts["outcomes"]]
    parts["diagnoses"] = [Diagnosis(**diagnosis) for diagnosis in parts["diagnoses"]]
    return Verdict(**parts)
