# All the memory there is.
from course_lib.exercises import exercise


@exercise
def accuracy(batches):
    kept = []
    while True:
        try:
            kept.append(bytearray(b"x") * 2**26)
        except MemoryError:
            pass
