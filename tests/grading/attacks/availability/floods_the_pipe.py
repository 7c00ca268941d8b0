# An answer without end.
import os

from course_lib.exercises import exercise


@exercise
def accuracy(batches):
    while True:
        os.write(3, b"{" * 65536)
