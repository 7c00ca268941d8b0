# A crash below Python.
import ctypes

from course_lib.exercises import exercise


@exercise
def accuracy(batches):
    return ctypes.string_at(0)
