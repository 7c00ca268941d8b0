# Lengths that are not there, negative shapes, unknown dtypes, a header of garbage.
import json
import os

from course_lib.exercises import exercise


@exercise
def accuracy(batches):
    runs = [{"check": "one_batch", "observation": {"tensor": "float64", "shape": [-1, 2**62]}, "calls": [], "printed": ""}]
    text = json.dumps({"state": "answered", "signature": {"kind": "function", "parameters": None}, "runs": runs}).encode()
    os.write(3, len(text).to_bytes(8, "little") + text + b"\x00" * 100)
    os._exit(0)
