"""Prepared data on disk: one safetensors file and, written after it, one JSON card with its size and hash.

Where card and file don't fit, something went wrong on the way: then nothing is there. Half is never taken for whole.
"""

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor

from course_lib.paths import write_atomically

FORMAT = 1


class NotPrepared(Exception):
    """What stands at a place is not a whole prepared data set; the text says why."""


def store(place: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write tensors to `place.safetensors` and their card to `place.json`, in this order, each whole or not at all.

    Args:
        place: folder and name, without an ending.
        tensors: by name.
        facts: what the card says beside size and hash: source, license, counts.

    Raises:
        OSError: the disk is full or can't be written to.
    """
    content = to_bytes({name: tensor.contiguous() for name, tensor in tensors.items()})
    card = {**facts, "format": FORMAT, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    write_atomically(place.with_suffix(".safetensors"), content)
    write_atomically(place.with_suffix(".json"), json.dumps(card, indent=2, ensure_ascii=False) + "\n")


def card_of(place: Path) -> dict[str, Any]:
    """The card of what is prepared, after holding the file to its size and hash.

    Raises:
        NotPrepared: nothing is there, or it is half-made or damaged.
    """
    card_file, file = place.with_suffix(".json"), place.with_suffix(".safetensors")
    if not card_file.exists():
        raise NotPrepared("half-made: it has no card" if file.exists() else "not there")
    try:
        card = json.loads(card_file.read_text(encoding="utf-8"))
        expected = card["format"], card["bytes"], card["sha256"]
    except (ValueError, KeyError, TypeError):
        raise NotPrepared("damaged: its card can't be read") from None
    if not file.exists():
        raise NotPrepared("damaged: it has a card, but no file")
    state = file.stat()
    if expected[0] != FORMAT:
        raise NotPrepared("from another edition of the course")
    if expected[1:] != (state.st_size, _sha256(file, state.st_size, state.st_mtime_ns)):
        raise NotPrepared("damaged: the file is not the one that its card describes")
    return card


def retrieve(place: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the card that `store` wrote. Tensors are read from disk only where they are used.

    Raises:
        NotPrepared: nothing is there, or it is half-made or damaged.
    """
    card = card_of(place)
    return load_file(place.with_suffix(".safetensors")), card


@lru_cache
def _sha256(file: Path, size: int, modified: int) -> str:
    """The hash of a file, computed once as long as size and time of modification stay."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
