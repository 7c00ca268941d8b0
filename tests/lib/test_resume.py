"""Killed at any moment, training goes on as if nothing had happened."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(sys.platform == "win32", reason="Windows can not fork")
def test_twenty_kills_at_random_moments_change_not_one_bit(tmp_path):
    worker = Path(__file__).with_name("resume_worker.py")
    done = subprocess.run(
        [sys.executable, worker, tmp_path, "20"], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found["places"]) == 20
    assert len({tuple(place or ()) for place in found["places"]}) > 5, "the kills should hit different places"
    assert found["killed"] == found["whole"]
