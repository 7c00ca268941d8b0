"""The models that `course serve` starts with: kept ones, or first ones, trained on the course's own data."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from course_lib.batches import Batches
from course_lib.checkpoints import load_checkpoint, save_checkpoint
from course_lib.datasets import available, load
from course_lib.images import channel_statistics, normalize, on_images, random_affine, random_crop
from course_lib.models import SmallCNN, SmallResNet
from course_lib.serving.models import ImageReader, Model, SpeechReader, load_image_model, models_dir, save_version
from course_lib.speech_models import load_recognizer
from course_lib.text import Alphabet
from course_lib.training import Recipe, fit, one_cycle

PLANS = {
    "digits": {
        "network": SmallCNN,
        "prepare": "drawing",
        "size": 8,
        "epochs": 30,
        "augment": [partial(random_affine, shift=0.1, zoom=0.25, shear=0.4)],
    },
    "shapes": {
        "network": SmallResNet,
        "prepare": "picture",
        "size": 32,
        "epochs": 3,
        "augment": [partial(random_crop, padding=3)],
    },
}


def losses_of(model: torch.nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Cross-entropy of each example."""
    images, labels = batch
    return F.cross_entropy(model(images), labels, reduction="none", label_smoothing=0.1)


def train_first_version(name: str, folder: Path, *, say: Callable[[str], None], seed: int = 0) -> None:
    """Train a model and keep it as version "1".

    Args:
        name: "digits" or "shapes".
        folder: of all models.
        say: told what is going on.
        seed: of the weights and of the order.
    """
    plan, data = PLANS[name], load(name)
    train, test = data.splits["train"], data.splits["test"]
    say(f"Training the model for {name}: {len(train):,} pictures, {plan['epochs']} epochs.")
    mean, std = channel_statistics(train.images)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = plan["network"]()
        batches = Batches(
            normalize(train.images, mean=mean, std=std),
            train.labels,
            batch_size=50,
            shuffle=True,
            augment=on_images(*plan["augment"]),
            seed=seed,
        )
        recipe = Recipe(
            lambda model: torch.optim.AdamW(model.parameters(), lr=4e-3), plan["epochs"], one_cycle(warmup=0.2)
        )
        fit(network, batches, losses_of, recipe=recipe)
    reader = ImageReader(network.cpu().eval(), data.classes, plan["prepare"], plan["size"], mean, std)
    reader = replace(reader, reference=reference_of(reader, data.splits["validation"].images))
    right = (torch.tensor(reader(list(test.images))).argmax(dim=1) == test.labels).float().mean().item()
    path = save_version(name, "1", reader, kind=plan["network"].__name__, options={}, folder=folder)
    say(f"  {100 * right:.1f} % of the {len(test):,} test pictures are right. Kept in {path}")


def reference_of(reader: ImageReader, images: Tensor) -> Tensor:
    """The statistics of known images, after they went the way that a client's go, shape `(n, statistics)`.

    Args:
        reader: the network.
        images: in [0, 1], shape `(n, c, h, w)`; what it was not trained on, since it is surer of what it was.
    """
    inputs = []
    for image in images[:500]:
        pixels = image.mul(255).round().byte().permute(1, 2, 0).numpy()
        picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).convert("RGB")
        large = picture.resize((20 * picture.width, 20 * picture.height)) if reader.prepare == "drawing" else picture
        inputs.append(reader.image(large))
    return reader.statistics(inputs, reader(inputs))


def reference_of_speech(reader: SpeechReader, folder: Path, *, say: Callable[[str], None]) -> Tensor | None:
    """The statistics of known recordings, kept or made now; None where the engine that speaks is not installed."""
    path = folder / "speech" / "reference.safetensors"
    if not path.exists():
        if not available("spoken_commands"):
            return None
        say("Listening to known voices, so that drift can be seen.")
        waveforms = load("spoken_commands").splits["validation"].waveforms()[:300]
        pieces = [waveforms[start : start + 30] for start in range(0, len(waveforms), 30)]
        rows = torch.cat([reader.statistics(piece, reader(piece)) for piece in pieces])
        save_checkpoint(path, {"reference": rows})
    return load_checkpoint(path)["reference"]


def load_models(folder: Path | None = None, *, say: Callable[[str], None] = lambda line: None) -> dict[str, Model]:
    """All models of the course, ready to serve: those that are kept, and those that are not yet, trained now.

    Args:
        folder: where they are kept; by default `models_dir()`.
        say: told what is going on.

    Returns:
        "digits", "shapes" and "speech".
    """
    folder, models = folder or models_dir(), {}
    for name in ("digits", "shapes"):
        if load_image_model(name, folder) is None:
            train_first_version(name, folder, say=say)
        models[name] = load_image_model(name, folder)
    network, card = load_recognizer("speech_streaming")
    reader = SpeechReader(network, Alphabet(card["characters"]))
    reader = replace(reader, reference=reference_of_speech(reader, folder, say=say))
    models["speech"] = Model("speech", "speech", {"1": reader}, "1")
    return models
