"""The page that the instructor begins with: where the class struggles, with which mistakes, and what has moved."""

from collections import Counter
from html import escape
from typing import Any

from course_lib.exercises.registry import LessonExercises
from course_lib.grading.pages import html_page, html_table
from course_lib.grading.sandbox import TIERS
from course_lib.grading.similarity import Pair
from course_lib.grading.tables import Row, number
from course_lib.grading.weights import Weights

LOOKS = ("right", "shortcut", "wrong", "unwritten", "not readable")
MOST_RUNS, MOST_REMARKS = 8, 200


class Class:
    """Collects what the instructor's page shows, one record at a time."""

    def __init__(self, lessons: dict[str, LessonExercises]):
        self.lessons = lessons
        self.looks: dict[str, Counter[str]] = {name: Counter() for name in self.exercises()}
        self.mistakes: dict[str, Counter[str]] = {name: Counter() for name in self.exercises()}
        self.to_look_at: list[tuple[Row, str]] = []
        self.students: list[tuple[Row, list[str]]] = []

    @property
    def size(self) -> int:
        return len(self.students)

    def exercises(self) -> list[str]:
        return [name for lesson in self.lessons.values() for name in lesson.exercises]

    def add(self, record: dict[str, Any], row: Row) -> None:
        """Take note of one student."""
        self.to_look_at += [(row, problem) for problem in record["problems"]]
        looks = []
        for lesson, each in record["lessons"].items():
            if each.get("look"):
                self.to_look_at.append((row, f"the code uses {', '.join(each['look'])}, which no answer needs"))
            nothing = "not readable" if record["problems"] and not each["file"] else "unwritten"
            for name in self.lessons[lesson].exercises:
                entry = each["exercises"].get(name)
                looks.append(entry["look"] if entry else nothing)
                self.looks[name][looks[-1]] += 1
                for diagnosis in entry["verdict"]["diagnoses"] if entry else []:
                    if diagnosis["certain"]:
                        self.mistakes[name][diagnosis["mistake"]] += 1
        self.students.append((row, looks))

    def summary(self) -> dict[str, Any]:
        """For the history: how many passed each exercise."""
        return {"students": self.size, "right": {name: looks["right"] for name, looks in self.looks.items()}}


def class_page(
    group: Class, weights: Weights, pairs: list[Pair], history: list[dict[str, Any]], *, tier: str, jplag: str = ""
) -> str:
    """What the instructor reads.

    Args:
        group: everybody, collected.
        weights: what each exercise is worth.
        pairs: equal answers; they name students by their pages.
        history: the summaries of all runs, this one last.
        tier: the isolation that was reached.
        jplag: what JPlag said, if it ran.
    """
    parts = [_in_a_sentence(group, weights), _where_it_struggles(group), _known_mistakes(group)]
    parts += [_over_time(group, history), _students(group, weights), _equal_answers(group, pairs, jplag)]
    if group.to_look_at:
        lines = [[_link(row), escape(what)] for row, what in group.to_look_at[:MOST_REMARKS]]
        parts += ["<h2>Worth a look</h2>", html_table("What was remarked while reading", ["student", "what"], lines)]
        if len(group.to_look_at) > MOST_REMARKS:
            parts.append(f"<p class=quiet>And {len(group.to_look_at) - MOST_REMARKS} more, on the students' pages.</p>")
    parts.append(
        f"<p class=quiet>Isolation: <b>{tier}</b> ({escape(TIERS[tier].means)}); "
        f"attacks that it withstands: {escape(TIERS[tier].promise)}.</p>"
    )
    return html_page("The class", *parts)


def _link(row: Row) -> str:
    return f'<a href="{escape(row.page)}">{escape(row.student)}</a>'


def _in_a_sentence(group: Class, weights: Weights) -> str:
    """How it went: points, and what was hardest."""
    most = sum(map(weights.worth, group.exercises()))
    totals = sorted(row.total for row, _ in group.students)
    says = [f"<b>{group.size} submissions.</b>"]
    if totals:
        middle = (totals[(len(totals) - 1) // 2] + totals[len(totals) // 2]) / 2
        mean = number(round(sum(totals) / len(totals), 2))
        half = f"; half of them {number(middle)} or more" if middle else ""
        says.append(f"Of {number(most)} points they have {mean} on average{half}.")
    fewest = min((looks["right"] for looks in group.looks.values()), default=group.size)
    hardest = [name for name, looks in group.looks.items() if looks["right"] == fewest]
    if fewest < group.size and (len(hardest) == 1 or len(hardest) < len(group.looks)):
        names = ", ".join(f"<code>{escape(name)}</code>" for name in hardest)
        says.append(f"Hardest {'was' if len(hardest) == 1 else 'were'} {names}: {fewest} of {group.size} passed.")
        if group.mistakes[hardest[0]]:
            (mistake, count), *_ = group.mistakes[hardest[0]].most_common(1)
            often = "once" if count == 1 else f"{count} times"
            says.append(f"A frequent known mistake: “{escape(_in_words(mistake, hardest[0]))}”, {often}.")
    return f"<p>{' '.join(says)}</p>"


def _where_it_struggles(group: Class) -> str:
    lines = []
    for name, looks in group.looks.items():
        share = looks["right"] / group.size if group.size else 0
        counts = [str(looks[look] or "") for look in LOOKS]
        lines.append([f"<code>{escape(name)}</code>", _bar(looks, group.size), f"{100 * share:.0f} %", *counts])
    heads = ["exercise", "", "passed", *(_key(look) for look in LOOKS)]
    table = html_table("Submissions by exercise", heads, lines, numbers=range(2, len(heads)))
    return f"<h2>Where the class struggles</h2>{table}"


def _key(look: str) -> str:
    return f'<span class="dot {look.replace(" ", "-")}"></span> {look}'


def _bar(looks: Counter[str], size: int) -> str:
    """A bar whose parts say how many; the numbers beside it say the same."""
    parts = (
        f'<i class="{look.replace(" ", "-")}" style="width:{100 * looks[look] / size:.2f}%"></i>'
        for look in LOOKS
        if looks[look]
    )
    return f"<span class=bar aria-hidden=true>{''.join(parts)}</span>"


def _known_mistakes(group: Class) -> str:
    lines = []
    for lesson in group.lessons.values():
        for name, exercise in lesson.exercises.items():
            for mistake, count in group.mistakes[name].items():
                hint = exercise.mistakes[mistake].hint if mistake in exercise.mistakes else ""
                words = escape(_in_words(mistake, name))
                lines.append([str(count), f"<code>{escape(name)}</code>", words, escape(hint)])
    lines.sort(key=lambda line: -int(line[0]))
    head = "<h2>Which known mistakes were made</h2>"
    if not lines:
        return f"{head}<p>No known mistake was recognized.</p>"
    caption = "Most frequent first, with the hint on the page of each student"
    return head + html_table(caption, ["how often", "exercise", "mistake", "hint"], lines, numbers=(0,))


def _in_words(mistake: str, exercise: str) -> str:
    return mistake.removeprefix(f"{exercise}_").replace("_", " ")


def _over_time(group: Class, history: list[dict[str, Any]]) -> str:
    """How many passed, from run to run, as far as runs graded these exercises."""
    shown = [each for each in history if each["students"] and each["right"].keys() & group.looks.keys()][-MOST_RUNS:]
    if len(shown) < 2:
        return ""
    lines = []
    for name in group.exercises():
        shares = [100 * each["right"][name] / each["students"] if name in each["right"] else None for each in shown]
        cells = ["–" if share is None else f"{share:.0f} %" for share in shares]
        known = [share for share in shares if share is not None]
        lines.append([f"<code>{escape(name)}</code>", *cells, f"{known[-1] - known[0]:+.0f}", _line(shares)])
    runs = [f"{escape(each['when'][:16].replace('T', ' '))}<br>{each['students']} submissions" for each in shown]
    heads = ["exercise", *runs, "percentage points", "0 to 100 %"]
    table = html_table("Share of submissions that passed", heads, lines, numbers=range(1, len(heads) - 1))
    return f"<h2>What has moved, from run to run</h2>{table}"


def _line(shares: list[float | None]) -> str:
    """A small line over the runs, from 0 to 100 percent; the numbers beside it say the same."""
    step = 88 / (len(shares) - 1)
    points = [(6 + step * at, 20 - 0.16 * share) for at, share in enumerate(shares) if share is not None]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in points)
    return (
        '<svg class=line width="100" height="24" aria-hidden="true"><path d="M0 20H100M0 4H100"/>'
        f'<polyline points="{path}"/>{dots}</svg>'
    )


def _students(group: Class, weights: Weights) -> str:
    most, names = number(sum(map(weights.worth, group.exercises()))), group.exercises()
    lines = []
    for row, looks in group.students:
        marks = "".join(
            f'<i class="dot {look.replace(" ", "-")}" title="{escape(name)}: {look}"></i>'
            for name, look in zip(names, looks, strict=True)
        )
        counts = ", ".join(f"{count} {look}" for look, count in Counter(looks).items())
        answers = f'<span class=dots role=img aria-label="{counts}">{marks}</span>'
        lines.append([_link(row), escape(row.identifier), answers, number(row.total), most])
    heads = ["student", "id", "answers", "points", "of"]
    return f"<h2>Students</h2>{html_table('Each with a page of their own', heads, lines, numbers=(3, 4))}"


def _equal_answers(group: Class, pairs: list[Pair], jplag: str) -> str:
    parts = ["<h2>Equal answers</h2>"]
    if pairs:
        links = {row.page: _link(row) for row, _ in group.students}
        lines = [[links[pair.first], links[pair.second], escape(", ".join(pair.exercises))] for pair in pairs]
        parts.append(html_table("Answers that few others have", ["student", "student", "exercises"], lines))
        parts.append("<p class=quiet>Equal means: the same structure, whatever the names. Talk before you judge.</p>")
    else:
        parts.append(
            "<p>No two students have a longer answer of the same structure in common that few others have, too.</p>"
        )
    return "".join([*parts, f"<p>{escape(jplag)}</p>" if jplag else ""])
