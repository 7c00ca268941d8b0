"""What pyproject.toml, constraints.txt, environment.yml, the Makefile and the code say of each other is true."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from course_lib import doctor
from tests.lib.tracked import project_files

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
DEPENDENCIES = [Requirement(line) for line in PROJECT["dependencies"]]
EXTRAS = {extra: [Requirement(line) for line in lines] for extra, lines in PROJECT["optional-dependencies"].items()}
EVERYTHING = DEPENDENCIES + [requirement for lines in EXTRAS.values() for requirement in lines]
LINES = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
CONSTRAINTS = [Requirement(line) for line in LINES if line and not line.startswith("#")]
OURS = {"course_lib", "data_scripts", "lessons", "solutions", "tests", "benchmarks", "checkpoints"}
INSTALLED = [extra for extra in EXTRAS if extra != "scale"]  # that one is large: who wants it asks for it
SETUP = (ROOT / "scripts" / "setup.py").read_text(encoding="utf-8")


def names(requirements) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in requirements}


def pin(name: str) -> str:
    (found,) = [each for each in CONSTRAINTS if canonicalize_name(each.name) == name]
    return str(found.specifier).removeprefix("==")


def test_every_constraint_is_one_exact_version():
    assert [str(each) for each in CONSTRAINTS if not re.fullmatch(r"==[\w.]+", str(each.specifier))] == []
    unconditional = [canonicalize_name(each.name) for each in CONSTRAINTS if each.marker is None]
    assert len(unconditional) == len(set(unconditional))


@pytest.mark.parametrize("requirement", EVERYTHING, ids=str)
def test_every_requirement_is_pinned_to_a_version_that_it_allows(requirement):
    assert requirement.specifier.contains(pin(canonicalize_name(requirement.name)))


def test_torch_torchvision_and_torchaudio_belong_together():
    # Torchvision 0.N goes with torch 2.(N - 15); torchaudio ended with 2.11 and loads under these.
    assert int(pin("torchvision").split(".")[1]) == int(pin("torch").split(".")[1]) + 15
    assert pin("torchaudio") == "2.11.0"


@pytest.mark.parametrize(
    ("package", "version"),
    [
        ("torch", "2.11.0"),
        ("torchvision", "0.26.0"),
        ("numpy", "2.1.0"),
        ("ipywidgets", "7.7.1"),
        ("ipython", "7.34.0"),
    ],
)
def test_what_colab_ships_is_enough_so_that_nothing_is_reinstalled_there(package, version):
    (requirement,) = [each for each in DEPENDENCIES if each.name == package]
    assert requirement.specifier.contains(version)


def test_the_doctor_supports_what_pyproject_allows():
    (torch,) = [each for each in DEPENDENCIES if each.name == "torch"]
    oldest, newest = doctor.OLDEST_TORCH, doctor.NEWEST_TORCH
    assert torch.specifier == SpecifierSet(f">={oldest[0]}.{oldest[1]},<{newest[0]}.{newest[1] + 1}")
    oldest, newest = doctor.OLDEST_PYTHON, doctor.NEWEST_PYTHON
    assert SpecifierSet(PROJECT["requires-python"]) == SpecifierSet(f">={oldest[0]}.{oldest[1]},<3.{newest[1] + 1}")


def test_set_up_knows_the_same_pythons_and_extras():
    assert f"OLDEST, NEWEST = {doctor.OLDEST_PYTHON}, {doctor.NEWEST_PYTHON}" in SETUP
    assert f'EXTRAS = "{",".join(INSTALLED)}"' in SETUP


def test_conda_users_get_the_same_environment():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    *conda, from_pip = environment["dependencies"]
    assert environment["name"] == PROJECT["name"]
    assert conda == [
        f"python {PROJECT['requires-python']}",
        "pip",
    ]  # the pytorch channel has ended: torch comes from pip
    assert from_pip == {"pip": ["--constraint constraints.txt", f"--editable .[{','.join(INSTALLED)}]"]}


def imported_packages(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names - OURS - {"google"}  # google.colab is there on Colab, and only there


def test_what_the_code_imports_is_declared():
    distributions = packages_distributions()
    undeclared = []
    for path in project_files("*.py"):
        folder, *_ = path.relative_to(ROOT).parts
        if folder == "benchmarks":
            continue  # whoever runs a comparison installs the peers
        for_learners = (
            folder in ("course_lib", "data_scripts", "lessons", "solutions") and "authoring" not in path.parts
        )
        allowed = names(
            DEPENDENCIES + EXTRAS["lab"] + EXTRAS["speech"] + EXTRAS["deploy"] + EXTRAS["scale"]
            if for_learners
            else EVERYTHING
        )
        for package in imported_packages(path):
            if not {canonicalize_name(each) for each in distributions.get(package, [package])} & allowed:
                undeclared.append(f"{path.name}: {package}")
    assert undeclared == []


def test_the_library_asks_for_nothing_that_nobody_imports():
    used = {"torchvision"}  # in lessons to come
    for folder in ("course_lib", "data_scripts", "lessons", "solutions"):
        used = used.union(*(imported_packages(path) for path in project_files(f"{folder}/*.py")))
    modules = {"scikit-learn": "sklearn", "ipython": "IPython", "pillow": "PIL"}
    assert [each.name for each in DEPENDENCIES if modules.get(each.name, each.name) not in used] == []


def test_every_make_target_says_what_it_is_for():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):(?!.*export)", makefile, re.MULTILINE))
    explained = set(re.findall(r"^([a-z-]+):.*## \S", makefile, re.MULTILINE))
    phony = set(re.search(r"^\.PHONY: (.*)", makefile, re.MULTILINE)[1].split())
    assert targets == explained == phony


def test_the_version_is_written_once_and_the_citation_agrees():
    from course_lib import __version__

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert "version" in PROJECT["dynamic"]
    assert citation["version"] == __version__
