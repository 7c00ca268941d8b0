"""The card below an exercise: what is right, what is wrong, and which mistake it probably is. In HTML and in text."""

import re
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
INK, QUIET, PAPER = "#1c2430", "#3d4a5c", "#ffffff"
# Hidden from the eye, not from screen readers.
HIDDEN = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap"
ROW, MARK = "display:flex;gap:.4em", "flex:0 0 1em"
HINT = f"font-size:1.05em;margin:.6em 0 0;padding:.5em .8em;background:{PAPER};border-radius:4px"
SEEN = (
    "display:grid;grid-template-columns:max-content 1fr;align-items:baseline;gap:.15em .8em;"
    f"margin:.3em 0 .5em 1.5em;padding:.4em .8em;background:{PAPER};border-radius:4px"
)


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
            f'`borrow("{verdict.exercise}")` in a cell of its own.'
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
    bold, _, rest = headline(verdict).partition(". ")
    parts = [
        f'<div style="{ROW};color:{INK}"><b aria-hidden="true" style="{MARK};color:{accent}">{mark}</b><span>'
        f'<b style="color:{accent}">{escape(bold)}{"." if rest else ""}</b> {escape(rest)}</span></div>'
    ]
    if state != "unwritten":
        parts += [_paragraph(line, f"{HINT};border:1px solid {accent}40") for line in diagnosis_lines(verdict)]
        parts += [_paragraph(verdict.note, "margin:.6em 0 0")] if verdict.note else []
        parts += [_check_list(verdict)]
        parts += [_paragraph(advice(verdict), f"margin:.6em 0 0;color:{QUIET}")] if advice(verdict) else []
    return (
        f'<div class="course-card course-card-{state}" role="{role}" style="border-left:5px solid {accent};'
        f"background:{background};color:{INK};padding:.7em 1em;border-radius:4px;max-width:56em;line-height:1.5;"
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
        mark = f'<b aria-hidden="true" style="{MARK};color:{color}">{MARKS[outcome.passed]}</b>'
        demand = f'<span><span style="{HIDDEN}">{said}: </span>{_with_code(outcome.demand)}</span>'
        seen = _seen(outcome) if outcome is shown else ""
        items.append(f'<li style="list-style:none;margin:.1em 0"><div style="{ROW}">{mark}{demand}</div>{seen}</li>')
    return f'<ul style="margin:.6em 0 0;padding:0">{"".join(items)}</ul>' if items else ""


def _seen(outcome: Outcome) -> str:
    code = f"white-space:pre-wrap;overflow-wrap:anywhere;background:{PAPER};color:{INK};padding:0;font-size:13px"
    rows = "".join(
        f'<span style="color:{QUIET}">{label}</span><code style="{code}">{escape(text)}</code>'
        for label, text in details(outcome)
    )
    return f'<div style="{SEEN}">{rows}</div>'


def _paragraph(text: str, style: str) -> str:
    return f'<p style="{style}">{_with_code(text)}</p>'


def _with_code(text: str) -> str:
    """As HTML, with what stands between backticks as code."""
    code = r'<code style="background:#00000010;color:inherit;padding:.05em .3em;border-radius:3px">\1</code>'
    return re.sub(r"`([^`\n]+)`", code, escape(text))


def _wrap(text: str, first: str) -> str:
    return textwrap.fill(
        text,
        110,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        replace_whitespace=True,
    )
