"""The house stays in order: imports run downward, files stay small, and the README's map is true."""

import ast
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.lib.tracked import project_files

ROOT = Path(__file__).resolve().parents[2]
NUM_LINES = 300

# A module may import what stands above it in this list, or beside it as long as there is no cycle.
LAYERS = [
    ["errors", "paths", "hosted", "seeds", "storage", "cluster"],
    ["device", "metrics", "drift", "images", "audio", "sound_effects", "text", "decoding"],
    [
        "recordings",
        "sound_files",
        "catalog",
        "datasets",
        "generate",
        "batches",
        "sequence_batches",
        "models",
        "speech_models",
        "medical_models",
        "plots",
    ],
    ["training", "history", "checkpoints", "transfer", "pretrained", "export", "quantization", "compression"],
    ["exercises"],
    [
        "widgets",
        "copies",
        "python_cells",
        "editions",
        "execution",
        "answers",
        "reports",
        "workbook",
        "grading",
        "serving",
    ],
    ["authoring", "doctor", "preflight", "cli"],
]
LAYER_OF = {name: number for number, names in enumerate(LAYERS) for name in names}


MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in project_files("course_lib/*.py")
}


def statements(source: str) -> list[tuple[str, list[str]]]:
    """Every import, those inside functions too, as (module, imported names)."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(alias.name, []) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append(("." * node.level + (node.module or ""), [alias.name for alias in node.names]))
    return found


def ours(source: str) -> set[str]:
    """The modules of course_lib that a source imports."""
    found = set()
    for module, names in statements(source):
        if module.partition(".")[0] == "course_lib":
            inner = {f"{module}.{name}" for name in names} & MODULES.keys()
            found |= inner or {module}
    return found


def layer(module: str) -> int:
    _, _, inside = module.partition(".")
    name = inside.partition(".")[0]
    assert not name or name in LAYER_OF, f"{module} stands in no layer yet: add it to LAYERS and to the README's map"
    return LAYER_OF.get(name, 0)


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_downward(module):
    upward = [each for each in ours(MODULES[module].read_text(encoding="utf-8")) if layer(each) > layer(module)]
    assert upward == []


def test_imports_have_no_cycle():
    graph = {module: ours(path.read_text(encoding="utf-8")) - {module} for module, path in MODULES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("module", MODULES)
def test_imports_are_absolute_and_without_wildcards(module):
    wrong = [
        (name, names)
        for name, names in statements(MODULES[module].read_text(encoding="utf-8"))
        if name.startswith(".") or "*" in names
    ]
    assert wrong == []


def test_torchaudio_is_imported_nowhere_since_it_lags_behind_torch():
    users = [
        module
        for module, path in MODULES.items()
        if any(name.startswith("torchaudio") for name, _ in statements(path.read_text(encoding="utf-8")))
    ]
    assert users == []


@pytest.mark.parametrize("module", MODULES)
def test_a_file_stays_small(module):
    assert len(MODULES[module].read_text(encoding="utf-8").splitlines()) <= NUM_LINES


def test_the_ground_floor_is_there_before_torch():
    script = (
        "import course_lib, course_lib.errors, course_lib.paths, course_lib.cli, sys; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT).returncode == 0


def test_the_rules_see_an_import_wherever_it_stands():
    source = (
        "def f():\n    from course_lib import paths\n    from course_lib.exercises.judge import compare\nimport torch\n"
    )
    assert ours(source) == {"course_lib.paths", "course_lib.exercises.judge"}
    assert layer("course_lib.paths") < layer("course_lib.exercises.judge") < layer("course_lib.cli")


def readme_tree() -> dict[str, str]:
    """The paths of the README's file tree, each with its phrase."""
    (tree,) = re.findall(r"```text\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    paths, parents = {}, []
    for line in tree.splitlines():
        indent, name, phrase = re.fullmatch(r"( *)(\S+) +(.+)", line).groups()
        parents = [*parents[: len(indent) // 4], name]
        paths["".join(parents)] = phrase
    return paths


def test_everything_on_the_readmes_map_exists():
    made_later = {"workbook/", "data/"}
    missing = [path for path in readme_tree() if path not in made_later and not list(ROOT.glob(path))]
    assert missing == []


def test_everything_that_exists_is_on_the_readmes_map():
    named = {path.rstrip("/") for path in readme_tree()}
    top = {path.relative_to(ROOT).parts[0] for path in project_files("*")}
    unnamed = {name for name in top if not name.startswith(".") and not name.startswith("LICENSE")} - named
    library = {"/".join(path.relative_to(ROOT).parts[:2]) for path in project_files("course_lib/*.py")}
    assert unnamed | library - named - {"course_lib/__init__.py"} == set()


def test_no_file_names_a_machine_it_was_made_on():
    traces = re.compile(
        "|".join(["/work" + "/main", "/work" + "/shared", "/root" + "/", "/opt" + "/pypi", "/tmp" + "/plan"])
    )
    text_files = [path for path in project_files("*") if path.suffix not in (".png", ".jpg", ".gif", ".safetensors")]
    assert [path.name for path in text_files if traces.search(path.read_text(encoding="utf-8"))] == []


def test_the_readme_lists_every_lesson_with_its_exercises():
    from course_lib.exercises.registry import load_lesson
    from course_lib.paths import lessons

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| \[(\d\d) · .*?\]\(notebooks/.*\| (.*) \|$", readme, re.MULTILINE))
    listed = {number: re.findall(r"`(\w+)`", exercises) for number, exercises in rows.items()}
    assert listed == {f"{each.number:02d}": list(load_lesson(each.name).exercises) for each in lessons()}
