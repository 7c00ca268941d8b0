"""Small lessons in several editions and a learner with a copy of one, for the tests of `course update`."""

import copy

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course_lib.copies import fingerprint
from course_lib.editions import carry_over

ADD = '@exercise\ndef add(a, b):\n    """The sum."""\n    ...  # your code here'
DOUBLE = '@exercise\ndef double(a):\n    """Twice as much."""\n    ...  # your code here'
COUNTER = "@exercise\nclass Counter:\n    def up(self, by):\n        ...\n\n    def total(self):\n        ..."
ADDED, DOUBLED = (stub.replace("...  # your code here", "return 1") for stub in (ADD, DOUBLE))


def text(source):
    return _with_id(new_markdown_cell(source))


def code(source, *tags):
    return _with_id(new_code_cell(source, metadata={"tags": list(tags)} if tags else {}))


def stub(source):
    return code(source, "exercise")


def _with_id(cell):
    cell.id = fingerprint(cell)  # from the content, as `course build` makes it
    return cell


def edition(*cells):
    listed = [[cell.id, fingerprint(cell)] for cell in cells]
    return new_notebook(cells=copy.deepcopy(list(cells)), metadata={"course": {"lesson": "tiny", "cells": listed}})


FIRST = [text("# Tiny"), code("import math"), stub(ADD), text("Now twice."), stub(DOUBLE), code("print(math.pi)")]
RETOLD = [text("# Tiny, retold"), *FIRST[1:]]


class Learner:
    """Somebody with a copy of the first edition, or of another one."""

    def __init__(self, cells):
        self.notebook = edition(*cells)
        self.cells = self.notebook.cells

    def writes(self, old, new):
        next(cell for cell in self.cells if cell.source == old).source = new

    def gets(self, *cells):
        """The cells of the learner's notebook in the edition with these cells."""
        merged, self.carried = carry_over(self.notebook, edition(*cells))
        nbformat.validate(merged)
        return merged.cells

    def reads(self, *cells):
        return [cell.source for cell in self.gets(*cells)]
