# A definition that never ends.
import time

from course_lib.exercises import exercise


class Slow(type):
    def __init__(cls, *arguments):
        time.sleep(600)


class Bed(metaclass=Slow):
    pass


@exercise
def accuracy(batches):
    return 0.0
