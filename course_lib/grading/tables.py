"""Grades for other programs: CSV, Canvas, JUnit XML, Gradescope."""

import csv
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from course_lib.exercises.cards import card_text, headline
from course_lib.grading.submission import verdict_in
from course_lib.grading.weights import Weights
from course_lib.paths import write_atomically


@dataclass
class Row:
    """One student's points."""

    student: str
    identifier: str
    points: dict[str, float]
    looks: dict[str, str]
    remarks: str
    page: str

    @property
    def total(self) -> float:
        return sum(self.points.values())


def row_of(record: dict[str, Any], weights: Weights, page: str) -> Row:
    """A record's points. What is missing or could not be checked brings none."""
    looks = {name: entry["look"] for each in record["lessons"].values() for name, entry in each["exercises"].items()}
    points = {name: weights.earned(name, look) for name, look in looks.items()}
    return Row(record["student"], record["identifier"], points, looks, " ".join(record["problems"]), page)


def slug_of(record: dict[str, Any]) -> str:
    """A file name for a student: safe on every system, and nobody else's."""
    plain = re.sub(r"[^a-zA-Z0-9]+", "-", record["student"]).strip("-").lower()[:40] or "student"
    return f"{plain}-{record['key'][:6]}"


def harmless(value: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return "'" + value if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def number(value: float) -> str:
    """Points without needless zeros."""
    return f"{value:.4f}".rstrip("0").rstrip(".")


def write_grades(path: Path, rows: list[Row], exercises: list[str], weights: Weights) -> None:
    """Our own CSV: a row for each student, a column for each exercise."""
    most = sum(map(weights.worth, exercises))
    lines = [["student", "id", *exercises, "total", "of", "percent", "remarks"]]
    for row in rows:
        points = [number(row.points.get(name, 0.0)) for name in exercises]
        percent = number(round(100 * row.total / most, 2)) if most else "0"
        who = [harmless(row.student), harmless(row.identifier)]
        lines.append([*who, *points, number(row.total), number(most), percent, harmless(row.remarks)])
    _write_csv(path, lines)


def write_canvas(path: Path, rows: list[Row], exercises: list[str], weights: Weights, *, assignment: str) -> None:
    """The CSV that Canvas imports into its gradebook, with the points possible in the second row."""
    most = sum(map(weights.worth, exercises))
    lines = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", assignment]]
    lines.append(["    Points Possible", "", "", "", "", number(most)])
    lines += [[harmless(row.student), harmless(row.identifier), "", "", "", number(row.total)] for row in rows]
    _write_csv(path, lines)


def _write_csv(path: Path, lines: list[list[str]]) -> None:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(lines)
    write_atomically(path, stream.getvalue())


def junit_suite(record: dict[str, Any]) -> ElementTree.Element:
    """One student as a JUnit test suite: a case for each exercise."""
    suite = ElementTree.Element("testsuite", name=record["student"])
    counts = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for problem in record["problems"]:
        case = ElementTree.SubElement(suite, "testcase", classname="submission", name="reading", time="0")
        counts["tests"] += 1
        counts["errors"] += 1
        ElementTree.SubElement(case, "error", message=problem)
    for lesson, each in record["lessons"].items():
        for name, entry in each["exercises"].items():
            verdict = verdict_in(entry)
            case = ElementTree.SubElement(suite, "testcase", classname=lesson, name=name, time=f"{verdict.seconds:.3f}")
            counts["tests"] += 1
            if verdict.look == "unwritten":
                counts["skipped"] += 1
                ElementTree.SubElement(case, "skipped", message="unwritten")
            elif verdict.look != "right":
                counts["failures"] += 1
                failure = ElementTree.SubElement(case, "failure", message=headline(verdict))
                failure.text = card_text(verdict)
    suite.attrib.update({name: str(count) for name, count in counts.items()})
    return suite


def write_junit(path: Path, suites: list[ElementTree.Element]) -> None:
    """All students as one JUnit file."""
    root = ElementTree.Element("testsuites")
    root.extend(suites)
    ElementTree.indent(root)
    write_atomically(path, ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def write_gradescope(path: Path, record: dict[str, Any], weights: Weights) -> None:
    """What Gradescope's autograder wants to find in results.json."""
    tests = []
    for each in record["lessons"].values():
        for name, entry in each["exercises"].items():
            verdict = verdict_in(entry)
            tests.append(
                {
                    "name": name,
                    "score": weights.earned(name, verdict.look),
                    "max_score": weights.worth(name),
                    "status": "passed" if verdict.look == "right" else "failed",
                    "output_format": "text",
                    "output": card_text(verdict),
                    "visibility": "visible",
                }
            )
    score = sum(test["score"] for test in tests)
    results = {"score": score, "output": " ".join(record["problems"]), "output_format": "text", "tests": tests}
    write_atomically(path, json.dumps(results, ensure_ascii=False, indent=1))
