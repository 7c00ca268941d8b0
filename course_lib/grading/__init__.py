"""`course grade`: a class's notebooks to grades. Learners' code runs in workers of its own, and is never trusted."""

WEIGHTS_EXAMPLE = """for example:

[rules]
default = 1      # point for each exercise that is not named; without the line, too
shortcut = 0.5   # of the points for an answer that calls what was to be built; without the line, none

[backprop]
backward_rule = 10
gradient_check = 5
"""
