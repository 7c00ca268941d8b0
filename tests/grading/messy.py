"""Honest notebooks as they come in: prints, plots, magics, installs, drafts. Each with what it has earned."""

import json
from collections.abc import Callable

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.grading.classroom import IMPORTS, RIGHT, WRONG_ACCURACY

ACCURACY, MATRIX = RIGHT["accuracy"], RIGHT["confusion_matrix"]
BOTH = {"accuracy": "right", "confusion_matrix": "right", "stratified_split": "unwritten"}
UNWRITTEN = '@exercise\ndef accuracy(batches):\n    """The share."""\n    ...  # your code here\n'
MESSY: dict[str, tuple[Callable[[], bytes], dict[str, str], str]] = {}


def messy(*, name: str = "01_software_2.ipynb", **earned: str) -> Callable[[Callable[[], list]], Callable[[], list]]:
    def register(make: Callable[[], list]) -> Callable[[], list]:
        MESSY[make.__name__] = (lambda: _bytes(make()), {**BOTH, **earned}, name)
        return make

    return register


def _bytes(made: list | bytes) -> bytes:
    if isinstance(made, bytes):
        return made
    cells = [each if not isinstance(each, str) else new_code_cell(each) for each in made]
    return nbformat.writes(new_notebook(cells=cells, metadata={"course": {"lesson": "software_2"}})).encode()


def answer(source: str):
    return new_code_cell(source, metadata={"tags": ["exercise"]})


@messy()
def as_it_should_be():
    return [IMPORTS, answer(ACCURACY), answer(MATRIX)]


@messy()
def prints_everywhere():
    loud = ACCURACY.replace("    right = total", "    print('batches!', batches, '\\u2713' * 5000)\n    right = total")
    return [IMPORTS, "print('hello')", answer(loud), "print(accuracy([]))", answer(MATRIX), "confusion_matrix"]


@messy()
def plots():
    drawn = MATRIX.replace(
        "    return table", "    plt.imshow(table)\n    plt.show()\n    plt.close('all')\n    return table"
    )
    return [
        IMPORTS + "import matplotlib.pyplot as plt\n",
        "plt.plot([1, 2])\nplt.show()",
        answer(ACCURACY),
        answer(drawn),
    ]


@messy()
def magics():
    return [
        "%matplotlib inline\n%load_ext autoreload\n" + IMPORTS,
        answer("%%time\n" + ACCURACY),
        answer(MATRIX),
        "%timeit 1",
    ]


@messy()
def installs():
    return [
        "!pip install einops\n%pip install -q tqdm",
        IMPORTS,
        answer(ACCURACY),
        "files = !ls\nfiles",
        answer(MATRIX),
    ]


@messy()
def extra_cells():
    notes = ["a = 5", "%%bash\nls", "%%html\n<b>hi</b>", "for i in range(3): print(i)"]
    return [new_markdown_cell("# My notes"), *notes, IMPORTS, *notes, answer(ACCURACY), *notes, answer(MATRIX), *notes]


@messy()
def reordered():
    return [answer(IMPORTS + MATRIX), "print(accuracy)", answer(ACCURACY), IMPORTS]


@messy()
def renamed_variables():
    renamed = ACCURACY.replace("right", "hits").replace("total", "n").replace("predictions", "guesses")
    return [IMPORTS, answer(renamed), answer(MATRIX.replace("table", "counts"))]


@messy()
def fails_after_the_exercise():
    return [IMPORTS, answer(ACCURACY + "\naccuracy(None)\n1 / 0"), "raise KeyError('later')", answer(MATRIX), "1 / 0"]


@messy()
def drafts_before():
    return [IMPORTS, answer(WRONG_ACCURACY), answer(WRONG_ACCURACY), answer(ACCURACY), answer(MATRIX)]


@messy()
def scratch_after():
    scratch = "def accuracy(batches):\n    return 'an older try'"
    return [IMPORTS, answer(ACCURACY), answer(MATRIX), scratch, "accuracy = None"]


@messy()
def helpers_and_constants():
    helped = "@exercise\ndef accuracy(batches):\n    pairs = [(hits(*b), len(b[1])) for b in batches]\n"
    helped += "    return START + sum(h for h, _ in pairs) / sum(n for _, n in pairs)\n"
    return [IMPORTS, "START = 0", "def hits(p, y):\n    return int((p == y).sum())", answer(helped), answer(MATRIX)]


@messy()
def with_numpy():
    other = "@exercise\ndef accuracy(batches):\n    a = [(p.numpy() == y.numpy()) for p, y in batches]\n"
    other += "    return np.concatenate(a).mean()\n"
    return [IMPORTS + "import numpy as np\n", answer(other), answer(MATRIX)]


@messy()
def annotated():
    typed = ACCURACY.replace("(batches)", "(batches: Iterable[tuple[Tensor, Tensor]]) -> float")
    imports = (
        "from __future__ import annotations\n"
        + IMPORTS
        + "from collections.abc import Iterable\nfrom torch import Tensor\n"
    )
    return [imports, answer(typed), answer(MATRIX)]


@messy()
def classes_for_helpers():
    helper = "from dataclasses import dataclass\n\n@dataclass\nclass Tally:\n    right: int = 0\n    total: int = 0\n"
    used = "@exercise\ndef accuracy(batches):\n    t = Tally()\n    for p, y in batches:\n"
    used += "        t.right += (p == y).sum()\n"
    used += "        t.total += len(y)\n    return float(t.right) / t.total\n"
    return [IMPORTS, helper, answer(used), answer(MATRIX)]


@messy()
def unfinished_elsewhere():
    return [IMPORTS, "for x in", answer(ACCURACY), "def half(:\n    pass", answer(MATRIX), "print('oops'"]


@messy(name="01_software_2.py")
def percent_file():
    return (
        f"# %% [markdown]\n# # Lesson\n\n# %%\n{IMPORTS}\n# %%\n{ACCURACY}\n# %% tags=['exercise']\n{MATRIX}".encode()
    )


@messy()
def from_windows():
    book = _bytes([IMPORTS, answer(ACCURACY), answer(MATRIX)]).decode().replace("\\n", "\\r\\n")
    return b"\xef\xbb\xbf" + book.encode()


@messy()
def from_colab():
    book = json.loads(_bytes([IMPORTS, answer(ACCURACY), answer(MATRIX)]))
    for cell in book["cells"]:
        cell.pop("id"), cell.pop("outputs"), cell.pop("execution_count")
        cell["metadata"], cell["source"] = {"id": "aBc"}, "".join(cell["source"])
    book["metadata"] = {"colab": {"name": "Copy of 01_software_2.ipynb"}}
    return json.dumps({**book, "nbformat_minor": 0}).encode()


@messy()
def long_training():
    training = "model = torch.nn.Linear(2, 2)\nwhile True:\n    model(torch.zeros(2))"
    return [IMPORTS, answer(ACCURACY), training, answer(MATRIX), "import time\ntime.sleep(10_000)"]


@messy(accuracy="wrong")
def one_known_mistake():
    return [IMPORTS, answer(WRONG_ACCURACY), answer(MATRIX)]


@messy(accuracy="unwritten")
def one_left_out():
    return [IMPORTS, answer(UNWRITTEN), answer(MATRIX)]


@messy(confusion_matrix="shortcut")
def one_shortcut():
    short = "from sklearn import metrics\n\n@exercise\ndef confusion_matrix(predictions, labels, num_classes):\n"
    short += "    names = range(num_classes)\n"
    short += "    return torch.from_numpy(metrics.confusion_matrix(labels, predictions, labels=list(names)))\n"
    return [IMPORTS, answer(ACCURACY), answer(short)]


@messy(accuracy="wrong", confusion_matrix="wrong")
def two_that_break():
    looping = "@exercise\ndef accuracy(batches):\n    while True:\n        pass\n"
    return [IMPORTS, answer(looping), answer(MATRIX.replace("return table", "return tabel"))]


@messy()
def files_that_are_not_there():
    return [
        IMPORTS,
        "data = open('grades.csv').read()",
        "import pandas_that_nobody_has",
        answer(ACCURACY),
        answer(MATRIX),
    ]
