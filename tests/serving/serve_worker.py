"""The service in a process of its own: serve_worker.py FOLDER SETTINGS_AS_JSON; "pause" makes each batch slower."""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch

from course_lib.serving.command import run
from course_lib.serving.first_models import load_models
from course_lib.serving.models import ImageReader
from course_lib.serving.settings import Settings


class SlowReader(ImageReader):
    """Takes its time for each batch."""

    pause = 0.0

    def __call__(self, inputs):
        time.sleep(self.pause)
        return super().__call__(inputs)


if __name__ == "__main__":
    torch.set_num_threads(1)
    options = json.loads(sys.argv[2])
    SlowReader.pause = options.pop("pause", 0.0)
    models = load_models(Path(sys.argv[1]))
    if SlowReader.pause:
        (version,) = models["digits"].versions
        reader = models["digits"].versions[version]
        models["digits"].versions[version] = SlowReader(**replace(reader).__dict__)
    sys.exit(run(models, Settings(port=0, **options), quiet=True))
