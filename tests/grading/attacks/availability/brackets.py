# Code that no parser likes. (Its brackets are put in by the test.)
from course_lib.exercises import exercise


@exercise
def accuracy(batches):
    return {BRACKETS}
