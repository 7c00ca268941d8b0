# Threads that never end.
import threading

from course_lib.exercises import exercise


def forever():
    while True:
        pass


@exercise
def accuracy(batches):
    for _ in range(100):
        try:
            threading.Thread(target=forever).start()
        except RuntimeError:
            break
    return 0.0
