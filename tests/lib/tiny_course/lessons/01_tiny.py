# %% [markdown]
# # A tiny lesson, for the tests of the library only

# %%
import torch

from course_lib.exercises import borrow, exercise


# %% tags=["exercise"]
@exercise
def softmax(logits, *, dim=-1):
    """Turn numbers into probabilities along one axis."""
    ...  # your code here


# %% tags=["exercise"]
@exercise
def cross_entropy(logits, labels):
    """How surprised `softmax(logits)` is by the labels, on average."""
    raise NotImplementedError("your code here")


# %% tags=["exercise"]
@exercise
def accuracy(predictions, labels):
    """The share of predictions that equal their labels, as a number."""
    ...  # your code here


# %% tags=["exercise"]
@exercise
def topological_order(parents):
    """The names in an order in which each one stands after its parents; any such order is right."""
    ...  # your code here


# %% tags=["exercise"]
@exercise
def flatten(nested):
    """All numbers of a nested list, from left to right."""
    pass


# %% tags=["exercise"]
@exercise
class RunningMean:
    """The mean of all the numbers so far."""

    def __init__(self):
        self.total, self.count = 0.0, 0

    def update(self, values):
        """Take in a tensor of numbers."""
        ...  # your code here

    def compute(self):
        """The mean so far."""
        ...  # your code here


# %% tags=["exercise"]
@exercise
def count_correct(predictions, labels):
    """How many predictions equal their labels. Bug hunt: two things are wrong here."""
    correct = 1
    for prediction, label in zip(predictions, labels):
        correct += prediction != label
    return correct


# %% tags=["exercise"]
@exercise
def dropout(values, *, probability, generator):
    """Set each number to zero with the given probability and scale the others, so that the mean stays."""
    ...  # your code here


# %%
print("the end is reached:", softmax(torch.zeros(2)).tolist())
