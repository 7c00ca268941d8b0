# Reads what another attack has left.
from pathlib import Path

from course_lib.exercises import exercise


@exercise
def accuracy(batches):
    for folder in ("/tmp", "/var/tmp", "/dev/shm", "/run", "{SECRET_FOLDER}"):
        if Path(folder, "course-note").exists():
            print(Path(folder, "course-note").read_text())
    return 0.0
