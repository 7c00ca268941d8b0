# The exceptions by which a test is skipped, expected to fail, or ended as passed.
import unittest

import pytest
from course_lib.exercises import exercise


@exercise
def accuracy(batches):
    pytest.skip("not today")


@exercise
def confusion_matrix(predictions, labels, num_classes):
    raise unittest.SkipTest("nor this one")


@exercise
def stratified_split(images, labels, *, fractions=(0.6, 0.2, 0.2), seed=0):
    pytest.exit("all is well", returncode=0)
