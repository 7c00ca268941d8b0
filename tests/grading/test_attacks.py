"""Learners' code is never trusted: no attack earns a point, learns a secret, or costs another student theirs."""

import pytest

from tests.grading.classroom import ATTACKS, CANARIES
from tests.grading.generated import GENERATED
from tests.grading.messy import MESSY

WRITTEN = sorted(ATTACKS.glob("*/*.py"))
NAMES = [attack.stem for attack in WRITTEN]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_there_are_at_least_forty_attacks_in_each_family_some():
    assert len(NAMES) == len(set(NAMES)) and len(NAMES) + len(GENERATED) >= 40
    families = [attack.parent.name for attack in WRITTEN]
    assert all(families.count(family) >= 10 for family in ("forging", "secrecy", "availability"))


@pytest.mark.parametrize("attack", [*NAMES, *GENERATED])
def test_an_attack_earns_nothing_and_learns_nothing(attacked_class, attack):
    points = attacked_class.points()
    assert points.get(attack, 0.0) == 0.0
    if attack in points:
        said = attacked_class.everything_said_to(attack)
        assert [name for name, canary in CANARIES.items() if canary in said] == []
        assert "canary-note-left" not in said


def test_everybody_else_has_exactly_what_they_earned(attacked_class):
    points = attacked_class.points()
    earned = {student: value for student, value in points.items() if value and student not in MESSY}
    assert earned == dict.fromkeys(("aaron", "mia", "zoe", "with_secret"), 2.0)
    assert len(points) >= 40


def test_nothing_was_sent_and_nothing_was_left_behind(attacked_class):
    assert attacked_class.heard == []
    assert list((attacked_class.folder / "spoils").iterdir()) == []


def test_the_tier_is_printed_with_what_it_withstands(attacked_class):
    assert "Isolation: namespaces" in attacked_class.printed
    assert "forging, secrecy, availability" in attacked_class.printed


def test_names_and_messages_do_no_harm_in_tables_and_pages(attacked_class):
    grades = (attacked_class.out / "grades.csv").read_text(encoding="utf-8")
    assert "\n=HYPERLINK" not in grades and "'=HYPERLINK(1)" in grades
    pages = [attacked_class.out / "class.html", *(attacked_class.out / "students").iterdir()]
    assert all("<script" not in page.read_text(encoding="utf-8").lower() for page in pages)
    assert all("<img" not in page.read_text(encoding="utf-8") for page in pages)
