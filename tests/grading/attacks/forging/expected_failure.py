# xfail, as a call and as a mark.
import pytest
from course_lib.exercises import exercise


@exercise
def accuracy(batches):
    pytest.xfail("as expected")


@exercise
@pytest.mark.xfail
def confusion_matrix(predictions, labels, num_classes):
    return None
