"""What `make test-colab` installs is what Colab ships, and enough for the course."""

import importlib.util
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LIST = (ROOT / "scripts" / "colab_packages.txt").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def requirements(text):
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {canonicalize_name(each.name): each for each in map(Requirement, lines)}


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("test_colab_script", ROOT / "scripts" / "test_colab.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_dependency_is_there_and_every_extra_is_missing_as_on_colab():
    there = requirements(LIST)
    assert [name for name in requirements("\n".join(PROJECT["dependencies"])) if name not in there] == []
    assert {"espeakng-loader", "onnx", "onnxruntime", "onnxscript"}.isdisjoint(there)


def test_what_may_not_be_touched_has_one_version(script):
    there = requirements(LIST)
    assert [name for name in script.HELD if not str(there[name].specifier).startswith("==")] == []


@pytest.mark.parametrize(
    ("torch", "expected"),
    [
        ("2.10.0", {"torch": "==2.10.0", "torchvision": "==0.25.*", "torchaudio": "==2.10.*"}),
        ("2.15.0", {"torch": "==2.15.0", "torchvision": "==0.30.*", "torchaudio": ""}),
        ("newest", {"torch": "<2.16,>=2.10", "torchvision": "", "torchaudio": ""}),
    ],
)
def test_another_torch_comes_with_its_own_torchvision_and_all_else_as_it_is(script, torch, expected):
    before, after = requirements(LIST), requirements(script.with_torch(LIST, torch))
    assert {name: str(after[name].specifier) for name in expected} == expected
    assert {name: str(each) for name, each in after.items() if name not in expected} == {
        name: str(each) for name, each in before.items() if name not in expected
    }


def test_a_torch_that_is_no_version_is_refused(script):
    with pytest.raises(SystemExit, match=r"2\.10\.0, or newest"):
        script.with_torch(LIST, "latest")
