"""Training: the loop that every lesson shares, and what looks after it."""

from course_lib.training.history import History
from course_lib.training.loop import evaluate, fit, train_epoch
from course_lib.training.runs import OutOfMemory, Recipe, TrainingDiverged
from course_lib.training.schedules import constant, cosine, one_cycle

__all__ = [
    "History",
    "OutOfMemory",
    "Recipe",
    "TrainingDiverged",
    "constant",
    "cosine",
    "evaluate",
    "fit",
    "one_cycle",
    "train_epoch",
]
