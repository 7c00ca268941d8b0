"""The card below an exercise: what is right, what is wrong, and which mistake it probably is. In HTML and in text."""

import textwrap
from html import escape

from course_lib.exercises.verdict import Outcome, Verdict

MARKS = {True: "✓", False: "✗", None: "–"}
LOOKS = {  # accent, background; text stays dark on light in both of JupyterLab's themes, at 4.5:1 or better
    "right": ("#1a7f4b", "#eef8f2"),
    "shortcut": ("#8a5a00", "#fdf6e3"),
    "wrong": ("#b3261e", "#fdf1f0"),
    "unwritten": ("#4a5568", "#f4f5f7"),
}
INK = "#1c2430"


def headline(verdict: Verdict) -> str:
    """The verdict in one line."""
    name, count = verdict.exercise, len(verdict.outcomes)
    if verdict.state == "unwritten":
        part = f" ({', '.join(verdict.unwritten)})" if verdict.unwritten not in ([], [name]) else ""
        return f"{name} is still unwritten{part}. The reference stands in, so the lesson goes on: come back any time."
    if verdict.state == "right" and verdict.shortcut:
        return f"{name} is right, but it calls {verdict.shortcut}, which is what you were to build."
    if verdict.state == "right":
        return f"{name} is right: {count} of {count} checks in {verdict.seconds:.2f} s."
    if not verdict.failed:
        return f"{name} could not be checked."
    missed = sum(outcome.passed is not True for outcome in verdict.outcomes)
    return f"{name} is not right yet: {missed} of {count} checks not passed."


def advice(verdict: Verdict) -> str:
    """What to do next, in one or two sentences; empty where nothing is needed."""
    if verdict.state == "wrong":
        return (
            "The hints above the cell climb in small steps. To read on with the reference, run "
            f'borrow("{verdict.exercise}") in a cell of its own.'
        )
    if verdict.state == "right" and verdict.shortcut:
        return "It counts as practice, not as solved: try it without."
    return ""


def diagnosis_lines(verdict: Verdict) -> list[str]:
    """The hints of the diagnosed mistakes, "Perhaps" before those that are not certain."""
    return [diagnosis.hint if diagnosis.certain else f"Perhaps: {diagnosis.hint}" for diagnosis in verdict.diagnoses]


def details(outcome: Outcome) -> list[tuple[str, str]]:
    """What a failed check saw, as pairs of a label and a text."""
    pairs = [("called", outcome.call), ("seen", outcome.problem), ("printed", outcome.printed.strip())]
    return [(label, text) for label, text in pairs if text]


def card_text(verdict: Verdict) -> str:
    """The card for a terminal."""
    state = _look(verdict)
    mark = {"right": "✓", "shortcut": "!", "wrong": "✗", "unwritten": "○"}[state]
    lines = [f"{mark} {headline(verdict)}"]
    if state == "unwritten":
        return lines[0]
    lines += [_wrap(line, "  → ") for line in [*diagnosis_lines(verdict), verdict.note] if line]
    shown = _detailed(verdict)
    for outcome in _listed(verdict):
        lines.append(
            f"    {MARKS[outcome.passed]} {outcome.demand}" + ("" if outcome.passed is not None else " (not reached)")
        )
        if outcome is shown:
            lines += [_wrap(text, f"        {label}: ") for label, text in details(outcome)]
    if advice(verdict):
        lines.append(_wrap(advice(verdict), "  "))
    return "\n".join(lines)


def card_html(verdict: Verdict) -> str:
    """The card for a notebook. A wrong answer is announced by screen readers at once, the others politely."""
    state = _look(verdict)
    accent, background = LOOKS[state]
    role = "alert" if state == "wrong" else "status"
    mark = {"right": "✓", "shortcut": "!", "wrong": "✗", "unwritten": "○"}[state]
    parts = [
        f'<div style="font-weight:600;color:{accent}"><span aria-hidden="true">{mark}</span> '
        f"{escape(headline(verdict))}</div>"
    ]
    if state != "unwritten":
        parts += [_paragraph(line, "font-size:1.05em;margin:.5em 0") for line in diagnosis_lines(verdict)]
        parts += [_paragraph(verdict.note, "margin:.5em 0")] if verdict.note else []
        parts += [_check_list(verdict)]
        parts += [_paragraph(advice(verdict), "margin:.4em 0 0;color:#3d4a5c")] if advice(verdict) else []
    return (
        f'<div class="course-card course-card-{state}" role="{role}" style="border-left:5px solid {accent};'
        f"background:{background};color:{INK};padding:.6em .9em;border-radius:4px;max-width:52em;line-height:1.45;"
        f'font-family:system-ui,sans-serif;font-size:14px">{"".join(parts)}</div>'
    )


def _look(verdict: Verdict) -> str:
    return "shortcut" if verdict.state == "right" and verdict.shortcut else verdict.state


def _detailed(verdict: Verdict) -> Outcome | None:
    """The failed check to show in full: the first one; the others most often fail for the same reason."""
    return next((outcome for outcome in verdict.outcomes if outcome.passed is False), None)


def _listed(verdict: Verdict) -> list[Outcome]:
    """The checks to list; none of them if none was run."""
    return [] if all(outcome.passed is None for outcome in verdict.outcomes) else verdict.outcomes


def _check_list(verdict: Verdict) -> str:
    shown, items = _detailed(verdict), []
    for outcome in _listed(verdict):
        color = {True: LOOKS["right"][0], False: LOOKS["wrong"][0], None: LOOKS["unwritten"][0]}[outcome.passed]
        said = {True: "passed", False: "failed", None: "not reached"}[outcome.passed]
        item = (
            f'<span aria-hidden="true" style="color:{color};font-weight:700">{MARKS[outcome.passed]}</span> '
            f'<span style="position:absolute;left:-9999px">{said}: </span>{escape(outcome.demand)}'
        )
        if outcome is shown:
            rows = "".join(
                f'<div><span style="color:#3d4a5c">{label}</span> '
                f'<code style="white-space:pre-wrap;background:#fff;color:{INK};padding:0 .3em">{escape(text)}</code>'
                "</div>"
                for label, text in details(outcome)
            )
            item += f'<div style="margin:.2em 0 .3em 1.4em">{rows}</div>'
        items.append(f'<li style="list-style:none;margin:.1em 0">{item}</li>')
    return f'<ul style="margin:.4em 0;padding:0">{"".join(items)}</ul>'


def _paragraph(text: str, style: str) -> str:
    return f'<p style="{style}">{escape(text)}</p>'


def _wrap(text: str, first: str) -> str:
    return textwrap.fill(
        text,
        110,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        replace_whitespace=True,
    )
