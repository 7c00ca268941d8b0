"""Pages to read: one for each student, with the hints; one for the instructor, with where the class struggles."""

from collections import Counter
from html import escape
from typing import Any

from course_lib.exercises.cards import card_html
from course_lib.exercises.registry import LessonExercises
from course_lib.grading.sandbox import TIERS
from course_lib.grading.similarity import Pair
from course_lib.grading.submission import verdict_in
from course_lib.grading.tables import Row, number
from course_lib.grading.weights import Weights

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;color:#1c2430;background:#fff;max-width:64em;margin:2em auto;padding:0 1em}
table{border-collapse:collapse;margin:1em 0}th,td{padding:.3em .8em;text-align:left;border-bottom:1px solid #d5dae1}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}caption{text-align:left;font-weight:600}
.bar{display:inline-block;height:.8em;background:#1a7f4b;vertical-align:middle}a{color:#0b57a4}
.quiet{color:#3d4a5c}.course-card{margin:.5em 0 1.2em}.scroll{overflow-x:auto}
"""


def _page(title: str, *parts: str) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main><h1>{escape(title)}</h1>\n"
        + "\n".join(parts)
        + "\n</main></body></html>\n"
    )


def _table(caption: str, heads: list[str], rows: list[list[str]], *, numbers: tuple[int, ...] = ()) -> str:
    """A table; the cells are HTML already."""

    def line(cells: list[str], tag: str) -> str:
        marked = (
            f"<{tag}{' class=number' if index in numbers else ''}{' scope=col' if tag == 'th' else ''}>{cell}</{tag}>"
            for index, cell in enumerate(cells)
        )
        return f"<tr>{''.join(marked)}</tr>"

    body = "\n".join(line(row, "td") for row in rows)
    return (
        f'<div class="scroll"><table><caption>{escape(caption)}</caption><thead>{line(heads, "th")}</thead>'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def student_page(record: dict[str, Any], row: Row, weights: Weights) -> str:
    """What one student reads: points, and for each exercise the card that their notebook would have shown."""
    most = sum(map(weights.worth, row.points))
    of_how_many = f" of {number(most)}" if row.points else ""  # nothing could be read: nobody knows of how many
    parts = [f"<p><b>{number(row.total)}{of_how_many} points.</b></p>"]
    parts += [f"<p>{escape(problem)}</p>" for problem in record["problems"]]
    for lesson, each in record["lessons"].items():
        source = f"from {escape(each['file'])}" if each["file"] else "nothing to grade was found"
        parts.append(f"<h2>{escape(lesson.replace('_', ' ').capitalize())}</h2><p class=quiet>{source}</p>")
        for name, entry in each["exercises"].items():
            points = f"{number(row.points[name])} of {number(weights.worth(name))} points"
            parts.append(f"<h3>{escape(name)} <small class=quiet>{points}</small></h3>")
            parts.append(card_html(verdict_in(entry)))
            parts += [f"<p class=quiet>Did not run: {escape(remark)}</p>" for remark in entry["remarks"][:3]]
    parts.append(
        "<p class=quiet>Your answers met the same checks as in the notebook, with random inputs of their own. "
        "If you are sure to be right, <code>course report</code> writes down all about an answer.</p>"
    )
    return _page(f"Feedback for {record['student']}", *parts)


class Class:
    """Collects what the instructor's page shows, one record at a time."""

    def __init__(self, lessons: dict[str, LessonExercises]):
        self.lessons = lessons
        self.looks: dict[str, Counter[str]] = {name: Counter() for name in self.exercises()}
        self.mistakes: dict[str, Counter[str]] = {name: Counter() for name in self.exercises()}
        self.to_look_at: list[tuple[str, str]] = []
        self.size = 0

    def exercises(self) -> list[str]:
        return [name for lesson in self.lessons.values() for name in lesson.exercises]

    def add(self, record: dict[str, Any], who: str) -> None:
        """Take note of one student."""
        self.size += 1
        self.to_look_at += [(who, problem) for problem in record["problems"]]
        for lesson, each in record["lessons"].items():
            if each.get("look"):
                self.to_look_at.append((who, f"the code uses {', '.join(each['look'])}, which no answer needs"))
            for name in self.lessons[lesson].exercises:
                entry = each["exercises"].get(name)
                self.looks[name][entry["look"] if entry else "unwritten"] += 1
                for diagnosis in entry["verdict"]["diagnoses"] if entry else []:
                    if diagnosis["certain"]:
                        self.mistakes[name][diagnosis["mistake"]] += 1

    def summary(self) -> dict[str, Any]:
        """For the history: how many passed each exercise."""
        return {"students": self.size, "right": {name: looks["right"] for name, looks in self.looks.items()}}


def class_page(
    group: Class, rows: list[Row], weights: Weights, pairs: list[Pair], history: list[dict[str, Any]], tier: str
) -> str:
    """What the instructor reads."""
    parts = [
        f"<p>{group.size} submissions. Isolation: <b>{tier}</b> ({escape(TIERS[tier].means)}); "
        f"it withstands {TIERS[tier].promise}.</p>",
        _where_it_struggles(group),
        _known_mistakes(group),
        _students(group, rows, weights),
    ]
    if len(history) > 1:
        parts.append(_over_time(group, history))
    if pairs:
        lines = [[escape(pair.first), escape(pair.second), escape(", ".join(pair.exercises))] for pair in pairs]
        parts.append(_table("Equal answers that few others have", ["student", "student", "exercises"], lines))
        parts.append("<p class=quiet>Equal means: the same structure, whatever the names. Talk before you judge.</p>")
    if group.to_look_at:
        lines = [[escape(who), escape(what)] for who, what in group.to_look_at[:200]]
        parts.append(_table("Worth a look", ["student", "what"], lines))
    return _page("The class", *parts)


def _where_it_struggles(group: Class) -> str:
    lines = []
    for name, looks in group.looks.items():
        share = looks["right"] / group.size if group.size else 0
        bar = f'<span class=bar style="width:{6 * share:.2f}em"></span> {100 * share:.0f} %'
        lines.append([escape(name), *(str(looks[look]) for look in ("right", "shortcut", "wrong", "unwritten")), bar])
    heads = ["exercise", "right", "shortcut", "wrong", "unwritten", "passed"]
    return _table("Where the class struggles", heads, lines, numbers=(1, 2, 3, 4))


def _known_mistakes(group: Class) -> str:
    lines = []
    for lesson in group.lessons.values():
        for name, exercise in lesson.exercises.items():
            for mistake, count in group.mistakes[name].most_common():
                hint = exercise.mistakes[mistake].hint if mistake in exercise.mistakes else ""
                lines.append([escape(name), escape(_in_words(mistake, name)), str(count), escape(hint)])
    if not lines:
        return "<p>No known mistake was recognized.</p>"
    return _table("Which known mistakes were made", ["exercise", "mistake", "how often", "hint"], lines, numbers=(2,))


def _in_words(mistake: str, exercise: str) -> str:
    return mistake.removeprefix(f"{exercise}_").replace("_", " ")


def _students(group: Class, rows: list[Row], weights: Weights) -> str:
    most = number(sum(map(weights.worth, group.exercises())))
    lines = [
        [f'<a href="{escape(row.page)}">{escape(row.student)}</a>', escape(row.identifier), number(row.total), most]
        for row in rows
    ]
    return _table("Students", ["student", "id", "points", "of"], lines, numbers=(2, 3))


def _over_time(group: Class, history: list[dict[str, Any]]) -> str:
    shown = history[-8:]
    lines = [
        [escape(name), *(f"{each['right'].get(name, 0)} of {each['students']}" for each in shown)]
        for name in group.exercises()
    ]
    heads = ["exercise", *(escape(each["when"][:16].replace("T", " ")) for each in shown)]
    return _table("Passed, from run to run", heads, lines, numbers=tuple(range(1, len(heads))))
