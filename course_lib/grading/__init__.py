"""`course grade`: a class's notebooks to grades. Learners' code runs in workers of its own, and is never trusted."""
