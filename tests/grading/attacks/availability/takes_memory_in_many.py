# The memory in many processes, each below its limit.
import os
import time

from course_lib.exercises import exercise


@exercise
def accuracy(batches):
    for _ in range(20):
        if os.fork() == 0:
            kept = [bytearray(b"x") * 2**28 for _ in range(6)]
            time.sleep(60)
            os._exit(len(kept))
    time.sleep(60)
