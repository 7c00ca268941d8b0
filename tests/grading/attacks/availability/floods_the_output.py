# Output without end, above and below Python.
import os
import sys

from course_lib.exercises import exercise


@exercise
def accuracy(batches):
    while True:
        print("x" * 10_000)
        os.write(1, b"x" * 10_000)
        sys.stderr.write("x" * 10_000)
