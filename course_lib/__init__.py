"""The helper library of the course Software 2.0: Seeing and Hearing."""

__version__ = "0.1.0"
