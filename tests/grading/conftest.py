"""One graded class for all the tests that look at it: grading it takes a minute, looking at it nothing."""

import os
import pickle

import pytest
from filelock import FileLock

from tests.grading.classroom import ATTACKS, Classroom, honest, listening, with_a_secret
from tests.grading.generated import GENERATED
from tests.grading.messy import MESSY


@pytest.fixture(scope="session")
def attacked_class(tmp_path_factory) -> Classroom:
    """A class of attackers and a few honest students, graded once, even where the tests run in several processes."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    done = shared / "attacked-class.pickle"
    with FileLock(shared / "attacked-class.lock"):
        if not done.exists():
            room = Classroom(shared / "attacked-class")
            grade_attacks(room)
            done.write_bytes(pickle.dumps(room))
    room = pickle.loads(done.read_bytes())
    if "Isolation: namespaces" not in room.printed:
        pytest.skip("isolation: these tests need Linux, as root or with user namespaces switched on")
    return room


def grade_attacks(room: Classroom, *options: str) -> None:
    with listening(room):
        for student in ("aaron", "mia", "zoe"):
            room.hand_in(student, honest())
        room.hand_in("with_secret", with_a_secret(), "01_software_2.py")
        for student, (make, _, name) in MESSY.items():
            room.hand_in(student, make(), name)
        for attack in sorted(ATTACKS.glob("*/*.py")):
            room.hand_in_attack(attack)
        for name, make in GENERATED.items():
            make(room, name)
        room.printed = room.grade("--seconds", "2", *options).stdout
