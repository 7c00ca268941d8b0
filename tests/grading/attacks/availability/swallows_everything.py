# A loop that catches whatever is raised in it.
from course_lib.exercises import exercise


@exercise
def accuracy(batches):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
