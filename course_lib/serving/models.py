"""The models that are served: each with its versions side by side, one of them active."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from PIL import Image
from torch import Tensor, nn

from course_lib.checkpoints import load_checkpoint, save_checkpoint
from course_lib.drift import IMAGE_STATISTICS, SOUND_STATISTICS, image_statistics
from course_lib.errors import CourseError
from course_lib.images import normalize
from course_lib.models import MLP, FastResNet, SmallCNN, SmallResNet
from course_lib.paths import checkout, write_atomically
from course_lib.serving.inputs import drawing, picture
from course_lib.serving.streams import Stream, Transcript, transcribe
from course_lib.text import Alphabet

NETWORKS = {
    "SmallCNN": SmallCNN,
    "SmallResNet": SmallResNet,
    "FastResNet": lambda **options: FastResNet(None, **options),
    "MLP": MLP,
}
PREPARE = {"drawing": drawing, "picture": picture}
VERSION = re.compile(r"[A-Za-z0-9._-]{1,40}")


@dataclass(frozen=True, eq=False)
class ImageReader:
    """A network that classifies pictures, and all that belongs to it.

    Attributes:
        network: in evaluation mode; normalized images `(n, c, size, size)` to logits.
        classes: by their labels.
        prepare: "drawing" or "picture": how a file becomes an image in [0, 1].
        size: of the image that the network sees.
        mean, std: of each channel over the training images.
        reference: the statistics of images that the network knows, `(n, statistics)`, for drift; None where unknown.
    """

    STATISTICS: ClassVar[tuple[str, ...]] = IMAGE_STATISTICS

    network: nn.Module
    classes: list[str]
    prepare: str
    size: int
    mean: Tensor
    std: Tensor
    reference: Tensor | None = None

    def image(self, decoded: Image.Image) -> Tensor:
        """What the network sees of a decoded picture, in [0, 1], shape `(c, size, size)`."""
        return PREPARE[self.prepare](decoded, size=self.size)

    @torch.inference_mode()
    def __call__(self, inputs: list[Tensor]) -> list[list[float]]:
        """Probabilities, a list for each image."""
        images = normalize(torch.stack(inputs), mean=self.mean, std=self.std)
        return self.network(images).softmax(dim=1).tolist()

    def statistics(self, inputs: list[Tensor], answers: list[list[float]]) -> Tensor:
        """What drift is seen by, shape `(n, statistics)`."""
        confidence = torch.tensor([max(probabilities) for probabilities in answers])
        return torch.cat([image_statistics(torch.stack(inputs)), confidence[:, None]], dim=1)


@dataclass(frozen=True, eq=False)
class SpeechReader:
    """A network that hears, and its letters.

    Attributes:
        network: a `StreamingRecognizer` in evaluation mode.
        alphabet: its labels.
        reference: the statistics of recordings that the network knows, `(n, statistics)`; None where unknown.
    """

    STATISTICS: ClassVar[tuple[str, ...]] = SOUND_STATISTICS

    network: nn.Module
    alphabet: Alphabet
    reference: Tensor | None = None

    def stream(self) -> Stream:
        """A transcript that has just begun."""
        return Stream(self.network, self.alphabet)

    def __call__(self, inputs: list[Tensor]) -> list[Transcript]:
        """Transcripts of waveforms, 16 kHz."""
        return transcribe(self.network, self.alphabet, inputs)

    def statistics(self, inputs: list[Tensor], answers: list[Transcript]) -> Tensor:
        """What drift is seen by, shape `(n, statistics)`."""
        return torch.stack([answer.statistics for answer in answers])


@dataclass
class Model:
    """A model's versions side by side. Requests go to the active one unless they name another.

    Attributes:
        name: as clients call it.
        kind: "image" or "speech".
        versions: readers by the names of their versions.
        active: the version for those who don't name one.
        before: versions that were active, the latest last.
        folder: where the versions live; None for a model that lives in memory only.
    """

    name: str
    kind: str
    versions: dict[str, Any]
    active: str
    before: list[str] = field(default_factory=list)
    folder: Path | None = None

    @property
    def classes(self) -> list[str] | None:
        """What the active version can tell apart; None for speech."""
        return getattr(self.versions[self.active], "classes", None)

    def pick(self, version: str | None = None) -> tuple[str, Any]:
        """A version's name and its reader; the active one where none is named.

        Raises:
            KeyError: there is no such version.
        """
        version = self.active if version is None else version
        return version, self.versions[version]

    def add(self, version: str, reader: Any, *, activate: bool = False) -> None:
        """Put a new version beside the others.

        Raises:
            ValueError: the name is taken or can't be a file's name.
        """
        if not VERSION.fullmatch(version) or version in self.versions:
            raise ValueError(f"version is {version!r}, but must be new and of letters, digits, '.', '_' and '-'.")
        self.versions = {**self.versions, version: reader}
        if activate:
            self.activate(version)

    def activate(self, version: str) -> None:
        """Let requests go to this version from now on; those under way end with the one they began with.

        Raises:
            KeyError: there is no such version.
        """
        self.versions[version]  # raises
        if version != self.active:
            self.before.append(self.active)
            self._set(version)

    def roll_back(self) -> str:
        """Go back to the version that was active before. Returns its name.

        Raises:
            CourseError: there is none.
        """
        if not self.before:
            raise CourseError(f"{self.name} has had no other active version: there is nothing to go back to.")
        self._set(self.before.pop())
        return self.active

    def _set(self, version: str) -> None:
        if self.folder is not None:
            write_atomically(self.folder / "active.txt", "\n".join([*self.before, version]) + "\n")
        self.active = version


def models_dir() -> Path:
    """Where `course serve` keeps its models: `artifacts/serving/` in the checkout."""
    return checkout() / "artifacts" / "serving"


def save_version(name: str, version: str, reader: ImageReader, *, kind: str, options: dict, folder: Path) -> Path:
    """Keep a version of an image model, so that `course serve` finds it.

    Args:
        name: the model's.
        version: its own name.
        reader: the network and what belongs to it.
        kind: the network's kind, a key of `NETWORKS`.
        options: what its constructor was given.
        folder: of all models.

    Returns:
        The file.
    """
    if kind not in NETWORKS or not VERSION.fullmatch(version):
        raise ValueError(f"kind is {kind!r} and version {version!r}; kinds are {', '.join(NETWORKS)}.")
    path = folder / name / f"{version}.safetensors"
    about = {key: getattr(reader, key) for key in ("classes", "prepare", "size", "mean", "std", "reference")}
    save_checkpoint(path, {"network": kind, "options": options, "weights": reader.network.state_dict(), **about})
    return path


def load_version(path: Path) -> ImageReader:
    """Read what `save_version` wrote.

    Raises:
        CourseError: the file is damaged or is no version of an image model.
    """
    state = load_checkpoint(path)
    try:
        options = {key: tuple(value) if isinstance(value, list) else value for key, value in state["options"].items()}
        network = NETWORKS[state["network"]](**options)
        network.load_state_dict(state["weights"])
        about = {key: state[key] for key in ("classes", "prepare", "size", "mean", "std", "reference")}
    except (KeyError, TypeError, RuntimeError) as error:
        raise CourseError(
            f"{path} holds no image model ({error}). Delete it; `course serve` makes a first one."
        ) from None
    return ImageReader(network.eval(), **about)


def load_image_model(name: str, folder: Path) -> Model | None:
    """A model with all versions in its folder; None where there is none yet."""
    paths = sorted((folder / name).glob("*.safetensors"), key=lambda path: (path.stat().st_mtime_ns, path.name))
    if not paths:
        return None
    versions = {path.stem: load_version(path) for path in paths}
    *before, active = _activated(folder / name / "active.txt", versions) or [paths[0].stem]
    return Model(name, "image", versions, active, before, folder / name)


def _activated(path: Path, versions: dict[str, Any]) -> list[str]:
    """The versions that were active, the present one last, as far as they are still there."""
    lines = path.read_text(encoding="utf-8").split() if path.exists() else []
    return [line for line in lines if line in versions]
