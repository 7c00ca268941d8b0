"""Small models that are trained in a second, the app over them in this process, and the inputs that tests send."""

import io

import numpy as np
import pytest
import soundfile
import torch
from fastapi.testclient import TestClient
from PIL import Image, ImageDraw

from course_lib.catalog import find
from course_lib.checkpoints import save_checkpoint
from course_lib.serving.app import create_app
from course_lib.serving.models import ImageReader, Model, SpeechReader
from course_lib.serving.settings import Settings
from course_lib.speech_models import load_recognizer
from course_lib.text import Alphabet


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory):
    """Where a quickly trained digits model and a shapes model with random weights are kept."""
    from course_lib.models import SmallResNet
    from course_lib.serving.first_models import PLANS, train_first_version
    from course_lib.serving.models import save_version

    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PLANS, "digits", PLANS["digits"] | {"epochs": 5})
        train_first_version("digits", folder, say=lambda line: None)
    torch.manual_seed(0)
    network = SmallResNet().eval()
    reader = ImageReader(
        network, list(find("shapes").classes), "picture", 32, torch.full((3,), 0.5), torch.full((3,), 0.25)
    )
    save_version("shapes", "1", reader, kind="SmallResNet", options={}, folder=folder)
    reference = torch.rand(100, 5, generator=torch.Generator().manual_seed(0))
    save_checkpoint(folder / "speech" / "reference.safetensors", {"reference": reference})  # real voices take 10 s
    return folder


@pytest.fixture
def models(models_folder):
    """Fresh `Model`s for each test, since versions may change."""
    from course_lib.serving.models import load_image_model

    made = {name: load_image_model(name, models_folder) for name in ("digits", "shapes")}
    for model in made.values():
        model.folder = None
    network, card = load_recognizer("speech_streaming")
    made["speech"] = Model("speech", "speech", {"1": SpeechReader(network, Alphabet(card["characters"]))}, "1")
    return made


@pytest.fixture
def client(models):
    with TestClient(create_app(models, settings=Settings(deadline_s=50))) as client:
        yield client


def as_file(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    """An image as the bytes of a file."""
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def a_one(*, ink="black", paper="white", size=280, pen=20) -> Image.Image:
    """A drawn 1."""
    image = Image.new("RGB", (size, size), paper)
    ImageDraw.Draw(image).line([(size // 2, size // 5), (size // 2, 4 * size // 5)], fill=ink, width=pen)
    return image


def a_sound(samples: np.ndarray, *, rate: int = 16_000, form: str = "WAV", subtype: str | None = None) -> bytes:
    """Samples as the bytes of a file."""
    content = io.BytesIO()
    soundfile.write(content, samples, rate, format=form, subtype=subtype)
    return content.getvalue()
