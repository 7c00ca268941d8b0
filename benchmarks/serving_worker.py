"""The service in a process of its own, with the runtime that is asked for: serving_worker.py FOLDER OPTIONS_AS_JSON"""

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from course_lib.export import export_classifier, onnx_session, run_onnx
from course_lib.serving.command import run
from course_lib.serving.first_models import load_models
from course_lib.serving.settings import Settings


class OnnxNetwork(nn.Module):
    """A network's ONNX twin, in its place."""

    def __init__(self, network: nn.Module, *, size: tuple[int, int, int]):
        super().__init__()
        with tempfile.TemporaryDirectory() as folder:
            self.session = onnx_session(export_classifier(network, Path(folder) / "network.onnx", size=size))

    def forward(self, images: Tensor) -> Tensor:
        return run_onnx(self.session, images)[0]


if __name__ == "__main__":
    torch.set_num_threads(1)
    options = json.loads(sys.argv[2])
    models = load_models(Path(sys.argv[1]))
    if options.pop("runtime", "eager") == "onnx":
        version, reader = models["shapes"].pick()
        twin = OnnxNetwork(reader.network, size=(3, reader.size, reader.size))
        models["shapes"].versions[version] = replace(reader, network=twin)
    sys.exit(run(models, Settings(port=0, **options), quiet=True))
