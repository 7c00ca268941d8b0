# A process that outlives the worker, keeps its pipe open, and writes later.
import os
import time

from course_lib.exercises import exercise


@exercise
def accuracy(batches):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(5)
            os.system("touch {SECRET_FOLDER}/daemon")
            time.sleep(600)
        os._exit(0)
    return 0.0
