"""What is solved and what is still open. Its text twin is `course_lib.exercises.progress.progress_text`."""

from html import escape

import ipywidgets

from course_lib.errors import CourseError
from course_lib.exercises.cards import HIDDEN, INK, LOOKS
from course_lib.exercises.progress import overview

MARKS = {"right": "✓", "shortcut": "!", "wrong": "✗", "unwritten": "○"}
WORDS = {
    "right": "solved",
    "shortcut": "solved with the library's own function",
    "wrong": "not right yet",
    "unwritten": "not begun",
}
PANEL = (
    f"background:#ffffff;color:{INK};padding:.8em 1em;border-radius:6px;border:1px solid #d5dae1;max-width:56em;"
    "font-family:system-ui,sans-serif;font-size:14px;line-height:1.5"
)


def progress_widget() -> ipywidgets.VBox:
    """The overview with a button that reads the progress anew."""
    view = ipywidgets.HTML(progress_html())
    button = ipywidgets.Button(description="Refresh", tooltip="Read the progress again")

    def refresh(_: ipywidgets.Button) -> None:
        view.value = progress_html()

    button.on_click(refresh)
    return ipywidgets.VBox([view, button])


def progress_html() -> str:
    """The overview as HTML: a row for each lesson, a word for each state, dark on light in every theme."""
    try:
        lessons = [(stem, exercises) for stem, exercises in overview() if exercises]
    except CourseError as error:
        return f'<div role="alert" style="{PANEL}">{escape(str(error))}</div>'
    states = [state for _, exercises in lessons for _, state in exercises]
    total = f"{states.count('right')} of {len(states)} exercises solved"
    rows = "".join(_row(stem, exercises) for stem, exercises in lessons)
    return (
        f'<div class="course-progress" style="{PANEL}"><div role="status" style="font-weight:600">{total}</div>'
        f'<table style="border-collapse:collapse;width:100%;font-size:inherit;color:{INK};background:#ffffff">'
        f'<caption style="{HIDDEN}">Progress by lesson</caption><thead style="{HIDDEN}"><tr><th scope="col">Lesson</th>'
        '<th scope="col">Solved</th><th scope="col">Exercises</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>{_key(states)}</div>"
    )


def _row(stem: str, exercises: list[tuple[str, str]]) -> str:
    solved = sum(state == "right" for _, state in exercises)
    cell = "text-align:left;vertical-align:top;padding:.45em .9em .45em 0;border-top:1px solid #e7ebef"
    return (
        f'<tr style="background:#ffffff"><th scope="row" style="{cell};font-weight:400;white-space:nowrap">'
        f'{escape(stem.replace("_", " "))}</th><td style="{cell};white-space:nowrap">{_bar(solved, len(exercises))}'
        f'{solved} of {len(exercises)}</td><td style="{cell}">{" ".join(_chip(*each) for each in exercises)}</td></tr>'
    )


def _bar(solved: int, count: int) -> str:
    full, part = (
        "display:inline-block;width:5em;margin-right:.6em;background:#d5dae1",
        f"width:{100 * solved / count:.0f}%",
    )
    shape = "height:.55em;border-radius:3px"
    return (
        f'<span aria-hidden="true" style="{full};{shape}">'
        f'<span style="display:block;{part};{shape};background:{LOOKS["right"][0]}"></span></span>'
    )


def _chip(name: str, state: str) -> str:
    accent, background = LOOKS[state]
    return (
        f'<span style="display:inline-block;margin:0 .3em .3em 0;padding:0 .5em;border-radius:3px;color:{accent};'
        f'background:{background};white-space:nowrap"><span aria-hidden="true">{MARKS[state]}</span> {escape(name)}'
        f'<span style="{HIDDEN}">: {WORDS[state]}</span></span>'
    )


def _key(states: list[str]) -> str:
    """What the marks mean, for those that occur."""
    parts = [f"{MARKS[state]} {word}" for state, word in WORDS.items() if state in states]
    return f'<div aria-hidden="true" style="font-size:12px;color:#3d4a5c;margin-top:.4em">{" · ".join(parts)}</div>'
