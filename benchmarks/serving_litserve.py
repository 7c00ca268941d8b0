"""The same image model behind LitServe: serving_litserve.py FOLDER PORT MAX_BATCH. requirements.txt says how to get it.

LitServe takes no file as a body, so the picture comes as base64 in JSON, its documented way.
"""

import base64
import sys
from pathlib import Path

import litserve
import torch

from course_lib.serving.inputs import decode_image, open_image
from course_lib.serving.models import load_image_model

MAX_DELAY_S = 0.002


class Classifier(litserve.LitAPI):
    """Decodes, computes and answers with the very functions of the course's service."""

    def setup(self, device):
        torch.set_num_threads(1)
        _, self.reader = load_image_model("shapes", Path(sys.argv[1])).pick()

    def decode_request(self, request):
        content = base64.b64decode(request["image"])
        return self.reader.image(decode_image(open_image(content, "PNG", max_pixels=16_000_000)))

    def batch(self, inputs):
        return inputs

    def predict(self, inputs):
        return self.reader(inputs) if isinstance(inputs, list) else self.reader([inputs])[0]

    def unbatch(self, output):
        return output

    def encode_response(self, output):
        return {"probabilities": [round(each, 6) for each in output]}


if __name__ == "__main__":
    most = int(sys.argv[3])
    api = Classifier(max_batch_size=most, batch_timeout=MAX_DELAY_S if most > 1 else 0.0)
    server = litserve.LitServer(api, accelerator="cpu", devices=1, workers_per_device=1, timeout=60)
    server.run(
        host="127.0.0.1", port=int(sys.argv[2]), num_api_servers=1, generate_client_file=False, log_level="error"
    )
