"""Carry a learner's work from their copy of a lesson into its newer edition.

Each cell of the old copy is one of four things: a cell of the lesson as it came (the new edition has its own), an
answer to an exercise, a cell of the lesson that the learner changed, or a cell of the learner's own. The last three are
carried. Code that may no longer fit is not run: it is set aside as text, beside the place where it belongs.
"""

import ast
import copy
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from course_lib.copies import cells_it_came_with, fingerprint, tags
from course_lib.exercises.stubs import Definition, is_exercise, is_unwritten
from course_lib.python_cells import definitions_in

KEPT = "**Kept for you by `course update`.** "
CALLED_DIFFERENTLY = "The new edition calls this exercise with other parameters. Here is your earlier answer."
NO_LONGER_ASKED = "The new edition no longer has this exercise. Here is your answer."
REWORKED = "The new edition has another cell here. This is your version of the earlier one."
NOT_RUN = " It is not run: take from it what you need, then delete this cell."


@dataclass
class Carried:
    """What became of a learner's work.

    Attributes:
        answers: the exercises whose answers stand in the new edition.
        set_aside: the exercises whose answers were set aside because the new edition calls them differently.
        dropped: the exercises that the new edition no longer has; their answers were set aside at the end.
        own_cells: how many cells of their own were carried.
        edited_cells: how many changed cells of the lesson were carried.
    """

    answers: list[str] = field(default_factory=list)
    set_aside: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    own_cells: int = 0
    edited_cells: int = 0

    def in_words(self) -> Iterator[str]:
        """One line for each kind of work that there was."""
        if self.answers:
            yield f"your answers are in it: {', '.join(self.answers)}"
        if self.own_cells:
            yield f"your own cells are in it: {self.own_cells}"
        if self.edited_cells:
            yield f"cells of the lesson that you had changed, kept: {self.edited_cells}"
        if self.set_aside:
            yield f"new parameters, so your answer stands as text below the new exercise: {', '.join(self.set_aside)}"
        if self.dropped:
            yield f"no longer asked, so your answer stands as text at the end: {', '.join(self.dropped)}"


def carry_over(old: NotebookNode, new: NotebookNode) -> tuple[NotebookNode, Carried]:
    """Put the learner's work into the new edition of a lesson.

    Args:
        old: the learner's copy.
        new: the newest edition, as `fresh_notebook` gives it.

    Returns:
        The new edition with the learner's work in it, and what became of that work. `old` and `new` stay as they are.
    """
    known, page, carried = _Known(old, new), _Page(new), Carried()
    for number, cell in enumerate(old.cells):
        exercises = known.answered_by(number)
        if known.is_as_it_came(cell):
            page.go_past(known.place_of(cell, exercises))
        elif exercises:
            _carry_answer(cell, exercises, known, page, carried)
        elif known.is_of_the_lesson(cell):
            _carry_edited(cell, known, page, carried)
        else:
            carried.own_cells += 1
            page.insert(copy.deepcopy(cell) if known.fits(cell) else _as_text(cell, CALLED_DIFFERENTLY))
    metadata = {**old.metadata, **new.metadata}
    metadata.pop("widgets", None)  # what widgets looked like in the old edition
    merged = {**new, "metadata": metadata, "cells": page.cells(), "nbformat": 4, "nbformat_minor": 5}
    return nbformat.from_dict(merged), carried


def _carry_answer(cell: NotebookNode, exercises: list[str], known: "_Known", page: "_Page", carried: Carried) -> None:
    home = known.place_of(cell, exercises)
    page.go_past(home)
    if home is None:
        carried.dropped += exercises
        page.append(_as_text(cell, NO_LONGER_ASKED))
    elif known.fits(cell) and (_is_written(cell) or known.is_unchanged(home)):
        carried.answers += exercises if _is_written(cell) else []
        page.replace(home, cell, also=known.stubs_answered_by(exercises))
    elif known.fits(cell):  # the stub with notes in it
        carried.edited_cells += 1
        page.insert(_as_text(cell, REWORKED))
    else:
        carried.set_aside += exercises
        page.insert(_as_text(cell, CALLED_DIFFERENTLY))


def _carry_edited(cell: NotebookNode, known: "_Known", page: "_Page", carried: Carried) -> None:
    home = known.place_of(cell, [])
    page.go_past(home)
    carried.edited_cells += 1
    if home is not None and known.is_unchanged(home):
        page.replace(home, cell)
    else:
        page.insert(_as_text(cell, REWORKED))


class _Known:
    """What can be known of the cells of an old copy, from the list that came with it and from the new edition."""

    def __init__(self, old: NotebookNode, new: NotebookNode):
        self.came_with = cells_it_came_with(old)
        self._still_to_come = Counter(self.came_with.values() or map(fingerprint, new.cells))
        self._by_id = {cell.id: cell for cell in new.cells}
        self._by_text = {fingerprint(cell): cell for cell in new.cells}
        self.stubs = {name: cell for cell in new.cells if "exercise" in tags(cell) for name in _answers_in(cell, ())}
        self._definitions = {name: definitions_in(cell.source)[name] for name, cell in self.stubs.items()}
        self._answers = self._choose_answers(old)

    def _choose_answers(self, old: NotebookNode) -> dict[str, int]:
        """The number of the cell that answers each exercise: the tagged one, else any that defines it."""
        chosen: dict[str, int] = {}
        for wanted in (lambda cell: "exercise" in tags(cell), lambda cell: True):
            for number, cell in enumerate(old.cells):
                for name in _answers_in(cell, self.stubs) if wanted(cell) else ():
                    chosen.setdefault(name, number)
        return chosen

    def answered_by(self, number: int) -> list[str]:
        """The exercises that the old copy's cell of this number answers, written or not."""
        return [name for name, chosen in self._answers.items() if chosen == number]

    def is_as_it_came(self, cell: NotebookNode) -> bool:
        """Whether the learner left a cell of the lesson alone. Each came once: a second one like it is their own."""
        if not self.came_with and _answers_in(cell, self.stubs) and not _is_written(cell):
            return True  # a copy that doesn't list its cells: an unwritten stub is taken to be the lesson's
        came = self._still_to_come[fingerprint(cell)] > 0
        self._still_to_come[fingerprint(cell)] -= came
        return came or not cell.source.strip()

    def is_of_the_lesson(self, cell: NotebookNode) -> bool:
        """Whether a cell was the lesson's before the learner changed it."""
        return cell.get("id") in self.came_with or cell.get("id") in self._by_id

    def is_unchanged(self, home: NotebookNode) -> bool:
        """Whether a cell of the new edition was in the old one already."""
        return fingerprint(home) in self.came_with.values()

    def place_of(self, cell: NotebookNode, exercises: list[str]) -> NotebookNode | None:
        """The cell of the new edition in whose place an old one stood; None if there is no such place any more."""
        stubs = [self.stubs[name] for name in exercises if name in self.stubs]
        return self._by_id.get(cell.get("id")) or self._by_text.get(fingerprint(cell)) or next(iter(stubs), None)

    def stubs_answered_by(self, exercises: list[str]) -> list[NotebookNode]:
        """The new edition's exercise cells that ask for nothing else than these exercises."""
        asked = defaultdict(set)
        for name, cell in self.stubs.items():
            asked[cell.id].add(name)
        return [self._by_id[cell_id] for cell_id, names in asked.items() if names <= set(exercises)]

    def fits(self, cell: NotebookNode) -> bool:
        """Whether the new edition still calls the exercises that a cell defines in the same way."""
        return all(
            self.is_unchanged(self.stubs[name]) or node is None or _called_alike(node, self._definitions[name])
            for name, node in _definitions(cell).items()
            if name in self.stubs
        )


class _Page:
    """The new edition, into which cells are put at the place that the old ones had."""

    def __init__(self, new: NotebookNode):
        self._new = copy.deepcopy(new.cells)
        self._instead: dict[str, NotebookNode | None] = {}
        self._before: dict[str, list[NotebookNode]] = defaultdict(list)
        self._after: dict[str, list[NotebookNode]] = defaultdict(list)
        self._waiting: list[NotebookNode] = []
        self._last: list[NotebookNode] = []
        self._here: str | None = None

    def go_past(self, home: NotebookNode | None) -> None:
        """What comes now follows this cell. If it is gone (None), it goes before the next one that isn't."""
        self._here = home.id if home is not None else None
        if home is not None:
            self._before[home.id] += self._waiting
            self._waiting = []

    def insert(self, cell: NotebookNode) -> None:
        (self._waiting if self._here is None else self._after[self._here]).append(cell)

    def append(self, cell: NotebookNode) -> None:
        self._last.append(cell)

    def replace(self, home: NotebookNode, cell: NotebookNode, *, also: Sequence[NotebookNode] = ()) -> None:
        """Put a cell's text in place of the new edition's cell, and of others that it also answers."""
        if self._instead.get(home.id) is not None:  # two answers, but the new edition asks for both in one cell
            return self.insert(copy.deepcopy(cell))
        self._instead |= {other.id: None for other in also}
        changed = {"source": cell.source} | ({"attachments": cell.attachments} if "attachments" in cell else {})
        self._instead[home.id] = NotebookNode({**home, **changed})

    def cells(self) -> list[NotebookNode]:
        cells = []
        for cell in self._new:
            cells += [*self._before[cell.id], self._instead.get(cell.id, cell), *self._after[cell.id]]
        cells = [cell for cell in [*cells, *self._waiting, *self._last] if cell is not None]
        return _with_distinct_ids(cells, {cell.id for cell in self._new})


def _with_distinct_ids(cells: list[NotebookNode], taken: set[str]) -> list[NotebookNode]:
    seen: set[str] = set()
    for cell in cells:
        if "id" not in cell or cell.id in seen:
            cell.id = next(
                name
                for number in range(len(cells) + 1)
                if (name := f"{fingerprint(cell)}-own{number or ''}") not in seen | taken
            )
        seen.add(cell.id)
    return cells


def _definitions(cell: NotebookNode) -> dict[str, Definition | None]:
    return definitions_in(cell.source) if cell.cell_type == "code" else {}


def _answers_in(cell: NotebookNode, exercises: object) -> list[str]:
    """The exercises that a cell answers: those known by name or decorated, else all that a tagged cell defines."""
    defined = _definitions(cell)
    named = [name for name, node in defined.items() if name in exercises or (node and is_exercise(node))]
    return named or (list(defined) if "exercise" in tags(cell) else [])


def _is_written(cell: NotebookNode) -> bool:
    """Whether a cell holds more than unwritten functions and classes."""
    return any(node is None or not _says_nothing(node) for node in _definitions(cell).values())


def _says_nothing(node: Definition) -> bool:
    if isinstance(node, ast.ClassDef):
        return all(_says_nothing(part) for part in node.body if isinstance(part, Definition))
    return is_unwritten(ast.unparse(node))


def _called_alike(answer: Definition, stub: Definition | None) -> bool:
    """Whether both have the same parameters and defaults; of a class, each method that the stub has."""
    if type(answer) is not type(stub):
        return False
    if isinstance(answer, ast.ClassDef):
        methods = {part.name: part for part in answer.body if isinstance(part, Definition)}
        return all(
            part.name in methods and _called_alike(methods[part.name], part)
            for part in stub.body
            if isinstance(part, Definition)
        )
    return _parameters(answer) == _parameters(stub)


def _parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    arguments = copy.deepcopy(node.args)
    for argument in ast.walk(arguments):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    return ast.unparse(arguments)


def _as_text(cell: NotebookNode, why: str) -> NotebookNode:
    """A cell that shows another one and can't be run."""
    if cell.cell_type != "code":
        return NotebookNode({**copy.deepcopy(cell), "source": f"{KEPT}{why}\n\n{cell.source}"})
    fence = "```"
    while fence in cell.source:
        fence += "`"
    return new_markdown_cell(
        f"{KEPT}{why}{NOT_RUN}\n\n{fence}python\n{cell.source}\n{fence}", id=f"{fingerprint(cell)}-kept"
    )
