"""Pages to read: what all of them share, and one for each student, with the hints."""

from collections.abc import Collection
from html import escape
from typing import Any

from course_lib.exercises.cards import LOOKS, card_html
from course_lib.grading.submission import verdict_in
from course_lib.grading.tables import Row, number
from course_lib.grading.weights import Weights

COLORS = {look: accent for look, (accent, _) in LOOKS.items()} | {"unwritten": "#c3cad4", "not-readable": "#1c2430"}
STYLE = """
body{font:16px/1.5 system-ui,sans-serif;color:#1c2430;background:#fff;max-width:70em;margin:2em auto 4em;padding:0 1em}
h1{line-height:1.2}h2{margin:2em 0 .2em;line-height:1.25}code{font-size:.92em}a{color:#0b57a4}
table{border-collapse:collapse;margin:.4em 0 1em}caption{text-align:left;color:#3d4a5c;padding-bottom:.3em}
th,td{padding:.35em .9em .35em 0;text-align:left;vertical-align:top;border-bottom:1px solid #e3e7ec}
th{font-weight:600;border-bottom:2px solid #1c2430;vertical-align:bottom}tbody tr:hover{background:#f4f6f9}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.quiet{color:#3d4a5c}.course-card{margin:.5em 0 1.2em}.scroll{overflow-x:auto}
.bar{display:flex;gap:1px;width:14em;height:1.1em;margin-top:.2em;border-radius:3px;overflow:hidden;background:#fff}
.dot{display:inline-block;width:.75em;height:.75em;border-radius:2px;vertical-align:baseline}
.dots{display:inline-flex;flex-wrap:wrap;gap:.25em;max-width:22em;padding-top:.4em}
.dot.wrong{border-radius:50%}.dot.shortcut{transform:rotate(45deg) scale(.85)}.dot.unwritten{transform:scale(.7)}
.line{display:block}.line path{stroke:#e3e7ec;fill:none}
.line polyline{stroke:#0b57a4;stroke-width:2;fill:none}.line circle{fill:#0b57a4}
""" + "".join(f".{look}{{background:{color}}}\n" for look, color in COLORS.items())


def html_page(title: str, *parts: str) -> str:
    """A whole page; the parts are HTML already. Nothing in it may run or be fetched."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main><h1>{escape(title)}</h1>\n"
        + "\n".join(parts)
        + "\n</main></body></html>\n"
    )


def html_table(caption: str, heads: list[str], rows: list[list[str]], *, numbers: Collection[int] = ()) -> str:
    """A table; heads and cells are HTML already, and those in the columns `numbers` stand to the right."""

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


_HOW_CHECKED = (
    "<p class=quiet>Your answers met the same checks as in the notebook, with random inputs of their own. "
    "If you are sure to be right, <code>course report</code> writes down all about an answer.</p>"
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
    if any(each["file"] for each in record["lessons"].values()):
        parts.append(_HOW_CHECKED)
    return html_page(f"Feedback for {record['student']}", *parts)
