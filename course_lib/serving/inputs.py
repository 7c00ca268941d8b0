"""Bytes that strangers send, turned into tensors. Headers are read first: a file of 10 kB can hold a gigabyte."""

import io
import struct
import warnings

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from course_lib.errors import CourseError
from course_lib.serving.refusals import Refusal
from course_lib.sound_files import TooLong, decode

SIGNATURES = {
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "JPEG": (b"\xff\xd8\xff",),
    "BMP": (b"BM",),
    "WAV": (b"RIFX", b"RF64"),
    "FLAC": (b"fLaC",),
    "OGG": (b"OggS",),
}
IMAGE_TYPES = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP", "image/bmp": "BMP"}
SOUND_TYPES = {
    **dict.fromkeys(("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"), "WAV"),
    **dict.fromkeys(("audio/flac", "audio/x-flac"), "FLAC"),
    **dict.fromkeys(("audio/ogg", "application/ogg"), "OGG"),
}
LEAST_SIDE, MOST_SIDE = 8, 16_384  # pixels
SHRUNK = 512  # a photo is decoded at no more than about twice this size, where its format allows that
DECODE_NOW = 256 * 256  # pixels that are decoded at once; more goes to another thread


def kind_of(content_type: str | None, types: dict[str, str], *, what: str) -> str:
    """The format that a Content-Type header names.

    Raises:
        Refusal: 415, there is no such header or it names another format.
    """
    named = (content_type or "").partition(";")[0].strip().lower()
    if named not in types:
        got = f"The Content-Type is {named[:60]!r}" if named else "There is no Content-Type"
        raise Refusal(
            415, f"{got}, and this route takes {what}.", fix=f"Send one of these, and say which: {', '.join(types)}."
        )
    return types[named]


def open_image(content: bytes, kind: str, *, max_pixels: int) -> Image.Image:
    """Read a picture's header, and nothing else.

    Args:
        content: the file.
        kind: the format that it claims to be, "PNG", "JPEG", "WEBP" or "BMP".
        max_pixels: more are refused.

    Returns:
        The picture, not decoded yet.

    Raises:
        Refusal: 415, it is of another format; 413, it has too many pixels; 422, it is empty, damaged or tiny.
    """
    _check_signature(content, kind, "picture")
    if kind == "WEBP":  # Pillow prepares memory for all of its pixels when it opens one
        _check_size(_webp_size(content), max_pixels)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own warning of too many pixels: ours is an error
            image = Image.open(io.BytesIO(content), formats=[kind])
    except Image.DecompressionBombError:
        raise _too_large("more pixels than any picture needs", max_pixels) from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, struct.error):
        raise _damaged("picture", kind) from None
    _check_size(image.size, max_pixels)
    return image


def decode_image(image: Image.Image) -> Image.Image:
    """Decode a picture: upright, 8 bit, RGB, what is transparent on white.

    Raises:
        Refusal: 422, the file is damaged or cut off.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.draft("RGB", (SHRUNK, SHRUNK))  # JPEG: an eighth of the pixels for an eighth of the work
            image.load()
            image = ImageOps.exif_transpose(image)
            return _to_rgb(image)
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, struct.error, Image.DecompressionBombError):
        raise _damaged("picture", image.format or "image") from None


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":  # 16 bit: 65,535 is white
        values = np.asarray(image, dtype=np.float32) / 257
        image = Image.fromarray(values.clip(0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def picture(image: Image.Image, *, size: int) -> Tensor:
    """The middle square of a decoded picture, as small as the network sees it.

    Returns:
        Float32 in [0, 1], shape `(3, size, size)`.
    """
    square = ImageOps.fit(image, (size, size), Image.Resampling.BOX if min(image.size) >= size else Image.BILINEAR)
    return torch.from_numpy(np.array(square, dtype=np.float32)).permute(2, 0, 1) / 255


def drawing(image: Image.Image, *, size: int) -> Tensor:
    """A drawn digit as those that the network has learned from: bright ink, filling the frame, strokes of their width.

    Light or dark ink on any even background will do, anywhere in the picture.

    Returns:
        Ink in [0, 1], float32, shape `(1, size, size)`; all 0 where nothing is drawn.
    """
    image.thumbnail((SHRUNK, SHRUNK), Image.Resampling.BOX)
    gray = np.asarray(image.convert("L"), dtype=np.float32) / 255
    rim = np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])
    ink = np.abs(gray - np.median(rim))
    if ink.max() < 0.1:
        return torch.zeros(1, size, size)
    ink = np.clip(ink / ink.max(), 0, 1)
    rows, columns = (np.flatnonzero((ink > 0.3).any(axis=axis)) for axis in (1, 0))
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return _normalized(torch.from_numpy(cut), size=size)


def _normalized(ink: Tensor, *, size: int, fine: int = 32, stroke: float = 5.0) -> Tensor:
    """Fit ink into a square of `fine` pixels, bring its strokes to about the usual width, and count blocks.

    So were the digits of the training set made: bitmaps of 32 x 32 pixels, counted in blocks of 4 x 4.
    """
    height, width = ink.shape
    scale = fine / max(height, width)
    new = [max(1, min(fine, round(length * scale))) for length in (height, width)]
    resized = torch.nn.functional.interpolate(ink[None, None], size=new, mode="area")[0, 0]
    top, left = (fine - new[0]) // 2, (fine - new[1]) // 2
    square = torch.zeros(fine, fine)
    square[top : top + new[0], left : left + new[1]] = resized
    square = (square > 0.4).float()
    missing = round(stroke - _stroke_width(square))
    if missing > 0:
        before, after = missing // 2, missing - missing // 2
        padded = torch.nn.functional.pad(square[None, None], (before, after, before, after))
        square = torch.nn.functional.max_pool2d(padded, missing + 1, stride=1)[0, 0]
    blocks = fine // size
    return torch.nn.functional.avg_pool2d(square[None], blocks)


def _stroke_width(ink: Tensor) -> float:
    """About how many pixels wide the strokes are: twice the area over the length of the outline."""
    outline = (ink[1:] != ink[:-1]).sum() + (ink[:, 1:] != ink[:, :-1]).sum()
    rim = ink[0].sum() + ink[-1].sum() + ink[:, 0].sum() + ink[:, -1].sum()
    return float(2.5 * ink.sum() / (outline + rim).clamp(min=1))  # 2.5: slanted outlines have longer steps


def read_audio(content: bytes, kind: str, *, max_seconds: float) -> Tensor:
    """A recording as the speech network hears it.

    Args:
        content: the file.
        kind: the format that it claims to be, "WAV", "FLAC" or "OGG".
        max_seconds: longer ones are refused before they are decoded.

    Returns:
        Mono, 16 kHz, float32 in [-1, 1], shape `(time,)`.

    Raises:
        Refusal: 415, it is of another format; 413, it is too long; 422, it is empty, damaged, or out of range.
    """
    _check_signature(content, kind, "recording")
    try:
        return decode(content, max_seconds=max_seconds)
    except CourseError as error:
        message, _, fix = str(error).rpartition(". ")
        if isinstance(error, TooLong):  # its fix is for those who call a function
            fix = f"Cut it into pieces of at most {max_seconds:g} s."
            raise Refusal(413, f"{message} for this service.", fix=fix) from None
        raise Refusal(422, (message or str(error)) + ".", fix=fix or "Send another file.") from None
    except (MemoryError, ValueError, RuntimeError, OverflowError):
        raise _damaged("recording", kind) from None


def _named_by_its_bytes(content: bytes) -> str | None:
    """The format that the first bytes speak of. WebP and WAV begin alike, and say after eight bytes which they are."""
    if content.startswith(b"RIFF") and content[8:12] in (b"WEBP", b"WAVE"):
        return "WEBP" if content[8:12] == b"WEBP" else "WAV"
    for name, starts in SIGNATURES.items():
        if content.startswith(starts):
            return name
    return None


def _check_signature(content: bytes, kind: str, what: str) -> None:
    if not content:
        raise Refusal(422, f"The body is empty: there is no {what}.", fix="Send the file's bytes as the body.")
    found = _named_by_its_bytes(content)
    if found == kind:
        return
    found = f"are {found}" if found else f"are no {kind}"
    raise Refusal(
        415,
        f"The Content-Type says {kind}, but the bytes {found}.",
        fix="Send the file as it is, with its own Content-Type.",
    )


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels or max(size) > MOST_SIDE:
        raise _too_large(f"{width:,} x {height:,} pixels", max_pixels)
    if min(size) < LEAST_SIDE:
        raise Refusal(
            422,
            f"The picture has {width:,} x {height:,} pixels; each side needs at least {LEAST_SIDE}.",
            fix="Send a larger one.",
        )


def _too_large(found: str, max_pixels: int) -> Refusal:
    return Refusal(
        413,
        f"The picture has {found}; {max_pixels:,} in all and {MOST_SIDE:,} to a side are the most.",
        fix="Make it smaller.",
    )


def _webp_size(content: bytes) -> tuple[int, int]:
    """Width and height from a WebP's header."""
    head, body = content[8:16], content[20:30]
    if len(body) == 10 and head == b"WEBPVP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if len(body) == 10 and head == b"WEBPVP8L" and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if len(body) == 10 and head == b"WEBPVP8 " and body[3:6] == b"\x9d\x01\x2a":
        return (body[6] | body[7] << 8) & 0x3FFF, (body[8] | body[9] << 8) & 0x3FFF
    raise _damaged("picture", "WEBP")


def _damaged(what: str, kind: str) -> Refusal:
    return Refusal(422, f"The {what} is not a whole {kind} file.", fix="Is it cut off? Save it anew and send it again.")
