"""Each tier withstands what it says, and no more; what is required is had, or nothing runs."""

import itertools

import pytest

from course_lib.errors import CourseError
from course_lib.grading import command, pool
from course_lib.grading.command import Options, grade_class
from course_lib.grading.sandbox import TIERS
from course_lib.grading.surroundings import visible_paths
from tests.grading.classroom import ATTACKS, CANARIES, Classroom, honest

READS_THE_DISK = {"asks_the_registry"}  # references lie open below the uppermost tier


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_separate_processes_withstand_forging_and_say_what_they_do_not(tmp_path):
    room = Classroom(tmp_path / "class")
    forging = [path for path in sorted(ATTACKS.glob("forging/*.py")) if path.stem not in READS_THE_DISK]
    for attack in [*forging, ATTACKS / "secrecy/reads_the_solutions.py"]:
        room.hand_in_attack(attack)
    room.hand_in("honest", honest())
    printed = room.grade("--isolation", "process", "--seconds", "2", jobs=2).stdout
    assert (
        "Isolation: process" in printed
        and "Attacks that it withstands: forging; but code that finds the references" in printed
    )
    assert {student: value for student, value in room.points().items() if value} == {"honest": 2.0}
    assert CANARIES["solutions"] in room.everything_said_to("reads_the_solutions")  # so the test above can fail


@pytest.fixture
def no_namespaces(monkeypatch):
    """A platform that lets nobody build the uppermost tier; and a list of what was asked of workers all the same."""
    asked = []

    class Poor(pool.Zygote):
        def _try(self, tier):
            return "not on this platform" if tier == "namespaces" else super()._try(tier)

        def ask(self, request):
            asked.append(request)
            super().ask(request)

    monkeypatch.setattr(pool, "Zygote", Poor)
    monkeypatch.setattr(command, "imports_of", lambda plan: [])
    return asked


@pytest.mark.slow
def test_what_is_required_and_can_not_be_had_stops_everything_before_any_code_runs(no_namespaces, tmp_path):
    room = Classroom(tmp_path / "class")
    room.hand_in("honest", honest())
    options = Options([room.submissions], lessons=["software_2"], out=room.out, jobs=1, require_isolation=True)
    with pytest.raises(CourseError, match=r"No isolation could be reached.*not on this platform.*no learner's code"):
        grade_class(options)
    assert no_namespaces == [] and not (room.out / "grades.csv").exists()


@pytest.mark.slow
def test_without_the_requirement_the_next_tier_is_taken_and_named(no_namespaces, tmp_path, capsys):
    room = Classroom(tmp_path / "class")
    room.hand_in("honest", honest())
    grade_class(Options([room.submissions], lessons=["software_2"], out=room.out, jobs=1))
    said = capsys.readouterr()
    assert "Isolation: user" in said.out or "Isolation: process" in said.out
    assert "namespaces: not on this platform" in said.err
    assert room.points() == {"honest": 2.0}


def test_a_higher_tier_withstands_all_that_a_lower_one_does():
    withstood = [set(tier.withstands) for tier in TIERS.values()]
    assert all(lower <= higher for higher, lower in itertools.pairwise(withstood))
    assert all("forging" in each for each in withstood)


def test_what_the_instructors_own_python_finds_beside_its_packages_stays_hidden(monkeypatch, tmp_path):
    (tmp_path / "diary.py").write_text("token = 1\n")
    monkeypatch.syspath_prepend(tmp_path)  # as `python -m` does with the current folder, and Ray with the driver's
    mother = pool.Mother([])
    try:
        mother.fork().close()
        shown = visible_paths(mother.search)
    finally:
        mother.close()
    assert mother.search and not any(path == tmp_path or path in tmp_path.parents for path in shown)
