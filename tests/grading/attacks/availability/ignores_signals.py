# A loop that no signal ends.
import signal

from course_lib.exercises import exercise


@exercise
def accuracy(batches):
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))
    while True:
        pass
