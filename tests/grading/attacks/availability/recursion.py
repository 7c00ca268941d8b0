# A stack without end.
import sys

from course_lib.exercises import exercise


def deeper(number):
    return deeper(number + 1)


@exercise
def accuracy(batches):
    sys.setrecursionlimit(10**9)
    return deeper(0)
