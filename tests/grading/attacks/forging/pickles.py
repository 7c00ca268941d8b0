# An object that runs a command when it is unpickled.
import os
import pickle

from course_lib.exercises import exercise


class Bomb:
    def __reduce__(self):
        return os.system, ("touch {SECRET_FOLDER}/unpickled",)


@exercise
def accuracy(batches):
    os.write(3, pickle.dumps(Bomb()))
    return Bomb()
