"""Weights that others trained: torchvision's checkpoints by name, held to their hash each time they are loaded."""

import hashlib
import io
import pickle
import re
from pathlib import Path

import requests
import torch
from torch import Tensor, nn
from torchvision import models

from course_lib.errors import CourseError
from course_lib.paths import data_dir, write_atomically
from course_lib.transfer import replace_head

PATIENCE = (10, 60)  # seconds: until a server answers, and between two pieces of a file


def pretrained(name: str, *, weights: str = "DEFAULT", num_classes: int | None = None) -> nn.Module:
    """One of torchvision's classifiers as it was trained on ImageNet, with a new head if you like.

    The checkpoint is downloaded once and kept under `weights/` in the data folder. Its file name holds the beginning
    of its sha256; what does not match is never loaded. A damaged copy is fetched anew.

    Args:
        name: of the model, such as "resnet50"; `torchvision.models.list_models(module=torchvision.models)` lists them.
        weights: which of its checkpoints, such as "IMAGENET1K_V1"; the newest where nothing is said.
        num_classes: of the new task; None keeps the head for ImageNet's 1,000 classes.

    Returns:
        The model on the CPU, in training mode, as torchvision makes it.

    Raises:
        CourseError: there is no such model or checkpoint, it can't be had, or it is not what its name promises.
    """
    try:
        url = models.get_model_weights(name)[weights].url
        model = models.get_model(name, weights=None)
    except (KeyError, ValueError):
        raise CourseError(
            f"torchvision has no weights '{weights}' for a model '{name}'. Take a name from "
            "torchvision.models.list_models(module=torchvision.models), such as 'resnet50'."
        ) from None
    try:
        model.load_state_dict(_state_dict(url))
    except RuntimeError:
        raise CourseError(
            f"The weights of '{name}' do not fit the model as torchvision builds it without them. Take another model, "
            "such as 'resnet50'."
        ) from None
    if num_classes is not None:
        replace_head(model, num_classes)
    return model


def _state_dict(url: str) -> dict[str, Tensor]:
    """The tensors of a checkpoint, read with `weights_only`: nothing in the file is ever executed."""
    content = _checked_content(url)
    try:
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError, RuntimeError) as error:
        raise CourseError(f"{url} is no checkpoint of plain tensors, and anything else is refused.") from error


def _checked_content(url: str) -> bytes:
    """The bytes of a checkpoint from the cache, or downloaded into it, after holding them to their hash."""
    file_name = url.rpartition("/")[2]
    found = re.fullmatch(r".+-([0-9a-f]{8,64})\.pth?", file_name)
    if found is None:
        raise CourseError(f"The file name {file_name} holds no hash, so nobody can tell whether the file is whole.")
    place = data_dir() / "weights" / file_name
    if place.exists() and _matches(content := place.read_bytes(), found[1]):
        return content
    content = _download(url, place)
    if not _matches(content, found[1]):
        raise CourseError(
            f"{url} is not the file that its name promises: its sha256 begins with "
            f"{hashlib.sha256(content).hexdigest()[: len(found[1])]} ({len(content):,} bytes came). Nothing was kept. "
            "Try again; if it stays so, somebody on the way changes the file."
        )
    write_atomically(place, content)
    return content


def _matches(content: bytes, beginning: str) -> bool:
    return hashlib.sha256(content).hexdigest().startswith(beginning)


def _download(url: str, place: Path) -> bytes:
    try:
        answer = requests.get(url, timeout=PATIENCE)
        answer.raise_for_status()
        return answer.content
    except requests.RequestException as error:
        raise CourseError(
            f"{place.name} could not be downloaded ({type(error).__name__}). Connect to the network, or fetch {url} "
            f"elsewhere and put it into {place.parent}."
        ) from error
