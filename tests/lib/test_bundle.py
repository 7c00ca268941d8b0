"""The bundle for a room without a network: whole, held to its hashes, and installed from itself alone."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from course_lib.errors import CourseError
from tests.lib.test_hosted import make_wheel

ROOT = Path(__file__).resolve().parents[2]
SMALL = '[project]\nname = "seeing-and-hearing"\nversion = "1"\noptional-dependencies = { lab = ["voices"] }\n'


@pytest.fixture(scope="module")
def bundle():
    spec = importlib.util.spec_from_file_location("bundle", ROOT / "scripts" / "bundle.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def packed(bundle, tmp_path, monkeypatch):
    """A bundle of a small course whose only dependency is a small wheel."""
    checkout = tmp_path / "checkout"
    (checkout / "notebooks").mkdir(parents=True)
    (checkout / "notebooks" / "01_first.ipynb").write_text("{}", encoding="utf-8")
    (checkout / "constraints.txt").write_text("voices==0.2\n", encoding="utf-8")
    (checkout / "not_known_to_git").write_text("private", encoding="utf-8")
    subprocess.run(["git", "init", "--quiet", str(checkout)], check=True)
    subprocess.run(["git", "-C", str(checkout), "add", "notebooks", "constraints.txt"], check=True)
    monkeypatch.setenv("COURSE_CHECKOUT", str(checkout))
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(bundle, "available", lambda name: name == "other_shapes")

    def load(name):
        place = bundle.CATALOG[name].place
        place.parent.mkdir(parents=True, exist_ok=True)
        place.with_name(f"{name}.safetensors").write_bytes(b"drawn")

    def fetch_wheels(folder):
        folder.mkdir()
        make_wheel(folder, "voices", "0.2", "")

    monkeypatch.setattr(bundle, "load", load)
    monkeypatch.setattr(bundle, "fetch_wheels", fetch_wheels)
    bundle.pack(tmp_path / "bundle")
    return tmp_path / "bundle"


def install(folder):
    command = [sys.executable, str(folder / "install.py")]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_a_bundle_holds_notebooks_data_and_wheels_and_nothing_private(packed):
    files = set(json.loads((packed / "bundle.json").read_text(encoding="utf-8"))["sha256"])
    assert files == {
        "course/constraints.txt",
        "course/data/generated/other_shapes.safetensors",
        "course/notebooks/01_first.ipynb",
        "install.py",
        "wheels/voices-0.2-py3-none-any.whl",
    }


def test_a_damaged_file_is_refused_before_anything_is_installed(packed):
    (packed / "wheels" / "voices-0.2-py3-none-any.whl").write_bytes(b"cut off")
    done = install(packed)
    assert done.returncode == 1 and "voices-0.2" in done.stderr and "copy the bundle again" in done.stderr
    assert not (packed / "course" / ".venv").exists()


def test_a_bundle_for_another_machine_is_refused(packed):
    about = json.loads((packed / "bundle.json").read_text(encoding="utf-8"))
    about["made_for"][2] = "3.9"
    (packed / "bundle.json").write_text(json.dumps(about), encoding="utf-8")
    done = install(packed)
    assert done.returncode == 1 and "3.9" in done.stderr and "make another bundle" in done.stderr


def test_an_old_bundle_is_not_written_over(bundle, packed):
    with pytest.raises(CourseError, match="exists already"):
        bundle.pack(packed)


@pytest.mark.slow
def test_what_is_installed_comes_from_the_bundle_alone(packed):
    course = packed / "course"
    (course / "backend.py").write_text(BACKEND, encoding="utf-8")
    build = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    (course / "pyproject.toml").write_text(build + SMALL, encoding="utf-8")
    done = install(packed)
    assert done.returncode == 0, done.stdout + done.stderr
    listed = [
        *(course / ".venv").rglob("voices-0.2.dist-info"),
        *(course / ".venv").rglob("seeing_and_hearing-1.dist-info"),
    ]
    assert len(listed) == 2 and "course lab" in done.stdout


BACKEND = '''\
"""A build backend that needs nothing, in place of flit."""
import zipfile


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name, info = "seeing_and_hearing-1-py3-none-any.whl", "seeing_and_hearing-1.dist-info"
    metadata = "Metadata-Version: 2.1\\nName: seeing-and-hearing\\nVersion: 1\\nProvides-Extra: lab\\n"
    with zipfile.ZipFile(f"{wheel_directory}/{name}", "w") as wheel:
        wheel.writestr(f"{info}/METADATA", metadata + "Requires-Dist: voices; extra == 'lab'\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
'''
