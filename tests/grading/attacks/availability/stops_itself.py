# Neither running nor ended.
import os
import signal

from course_lib.exercises import exercise


@exercise
def accuracy(batches):
    os.kill(os.getpid(), signal.SIGSTOP)
    return 0.0
