# A tensor of terabytes that takes no memory, until somebody looks at it.
import torch
from course_lib.exercises import exercise


@exercise
def accuracy(batches):
    return torch.zeros(1).expand(2**40)
