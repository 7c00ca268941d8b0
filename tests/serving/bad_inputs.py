"""What strangers send: each with the statuses that are a clear answer to it."""

import struct
import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from PIL import Image

from tests.serving.conftest import a_one, a_sound, as_file

IMAGE, SOUND = "/v1/images:classify", "/v1/audio:transcribe"
SECOND = 0.1 * np.sin(np.arange(16_000) / 10)


class Bad(NamedTuple):
    """A request in good form with something bad in it."""

    statuses: tuple[int, ...]
    body: bytes = b""
    path: str = IMAGE
    method: str = "POST"
    headers: Mapping[str, str] = MappingProxyType({})


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width, height, *, rows=b"", before=b"", depth=8, color=0) -> bytes:
    """A PNG of any claimed size around some compressed rows."""
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + before + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")


def bmp(width: int, height: int) -> bytes:
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + info


def webp_header(width: int, height: int) -> bytes:
    body = b"VP8X" + struct.pack("<I", 10) + bytes(4) + (width - 1).to_bytes(3, "little")
    body += (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def wav(*, channels=1, rate=16_000, bits=16, code=1, data=b"\0\0" * 800, claimed: int | None = None) -> bytes:
    """A WAV whose header claims anything."""
    block = channels * bits // 8
    head = struct.pack("<HHIIHH", code, channels, rate, min(rate * block, 2**32 - 1), block % 65536, bits)
    size = len(data) if claimed is None else claimed
    parts = b"WAVEfmt " + struct.pack("<I", len(head)) + head + b"data" + struct.pack("<I", size) + data
    return b"RIFF" + struct.pack("<I", min(len(parts) + size, 2**32 - 1)) + parts


def aiff() -> bytes:
    return a_sound(SECOND, form="AIFF")


def damaged(content: bytes, place: float) -> bytes:
    """The same with some bytes overwritten."""
    at = int(place * len(content))
    return content[:at] + b"\xff\x00\xaa\x55" * 8 + content[at + 32 :]


def noise_image(kind: str, **options) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    return as_file(Image.fromarray(pixels), kind, **options)


def hour_of_flac() -> bytes:
    """An hour of silence in a few kilobytes; its header says how long it is."""
    return a_sound(np.zeros(3600 * 8000, dtype=np.int16), rate=8000, form="FLAC")


def image_cases() -> dict[str, Bad]:
    one, jpeg = as_file(a_one()), noise_image("JPEG")
    text_bomb = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(50_000_000), 9))
    profile_bomb = png_chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(50_000_000), 9))
    cases = {
        "no body": ("image/png", (422,), b""),
        "no content type": (None, (415,), one),
        "plain text": ("text/plain", (415,), one),
        "a form": ("application/x-www-form-urlencoded", (415,), b"image=1"),
        "json": ("application/json", (415,), b'{"image": "' + b"A" * 100_000 + b'"}'),
        "gif": ("image/gif", (415,), b"GIF89a" + bytes(100)),
        "svg": ("image/svg+xml", (415,), b"<svg onload='alert(1)'/>"),
        "tiff": ("image/tiff", (415,), b"II*\0" + bytes(100)),
        "multipart": ("multipart/form-data; boundary=x", (415,), b"--x\r\n\r\n" + one + b"\r\n--x--"),
        "jpeg that says png": ("image/png", (415,), jpeg),
        "png that says jpeg": ("image/jpeg", (415,), one),
        "gif that says png": ("image/png", (415,), b"GIF89a" + bytes(100)),
        "html that says png": ("image/png", (415,), b"<html><script>alert(1)</script></html>"),
        "zip that says png": ("image/png", (415,), b"PK\x03\x04" + bytes(1000)),
        "wav that says webp": ("image/webp", (415,), wav()),
        "random bytes": ("image/png", (415,), np.random.default_rng(1).bytes(10_000)),
        "zeros": ("image/bmp", (415,), bytes(10_000)),
        "only the signature": ("image/png", (422,), b"\x89PNG\r\n\x1a\n"),
        "half a png": ("image/png", (422,), one[: len(one) // 2]),
        "half a jpeg": ("image/jpeg", (422,), jpeg[: len(jpeg) // 2]),
        "half a webp": ("image/webp", (422,), noise_image("WEBP")[:2000]),
        "half a bmp": ("image/bmp", (422,), noise_image("BMP")[:5000]),
        "a jpeg's first bytes": ("image/jpeg", (422,), b"\xff\xd8\xff\xe0"),
        "a webp's first bytes": ("image/webp", (422,), b"RIFF\0\0\0\0WEBP"),
        "a png of another kind of bytes": ("image/png", (422,), damaged(noise_image("PNG"), 0.5)),
        "a png without pixels": ("image/png", (422,), png(64, 64)),
        "a png of depth 77": ("image/png", (422,), png(64, 64, depth=77, rows=bytes(65 * 64))),
        "a png of color 9": ("image/png", (422,), png(64, 64, color=9, rows=bytes(65 * 64))),
        "a bomb of 400 million pixels": (
            "image/png",
            (413,),
            png(20_000, 20_000, depth=1, rows=bytes(20_000 * 2_501)),
        ),
        "a png that claims 4 exapixels": ("image/png", (413,), png(2**31 - 1, 2**31 - 1)),
        "a png without width": ("image/png", (422,), png(0, 100)),
        "a webp that claims 268 million pixels": ("image/webp", (413,), webp_header(16_384, 16_384)),
        "a bmp that claims 900 million pixels": ("image/bmp", (413,), bmp(30_000, 30_000)),
        "a bmp upside down and too large": ("image/bmp", (413, 422), bmp(30_000, -30_000)),
        "a bmp of negative width": ("image/bmp", (413, 422), bmp(-100, 100)),
        "a comment that unpacks to 50 MB": ("image/png", (422,), png(64, 64, before=text_bomb, rows=bytes(65 * 64))),
        "a profile that unpacks to 50 MB": (
            "image/png",
            (422,),
            png(64, 64, before=profile_bomb, rows=bytes(65 * 64)),
        ),
        "one pixel": ("image/png", (422,), as_file(Image.new("L", (1, 1)))),
        "a line": ("image/png", (422,), as_file(Image.new("L", (3, 900)))),
        "too long a side": ("image/png", (413,), as_file(Image.new("1", (20_000, 8)))),
        "too many bytes": ("image/png", (413,), b"\x89PNG\r\n\x1a\n" + bytes(9_000_000)),
    }
    return {
        f"image: {name}": Bad(statuses, body, headers={} if kind is None else {"Content_Type": kind})
        for name, (kind, statuses, body) in cases.items()
    }


def sound_cases() -> dict[str, Bad]:
    flac, ogg = a_sound(SECOND, form="FLAC"), a_sound(SECOND, form="OGG")
    floats = {"subtype": "FLOAT"}
    cases = {
        "no body": ("audio/wav", (422,), b""),
        "mp3": ("audio/mpeg", (415,), b"ID3" + bytes(1000)),
        "webm": ("audio/webm", (415,), b"\x1a\x45\xdf\xa3" + bytes(1000)),
        "wav that says flac": ("audio/flac", (415,), wav()),
        "flac that says wav": ("audio/wav", (415,), flac),
        "png that says wav": ("audio/wav", (415,), as_file(a_one())),
        "aiff that says wav": ("audio/wav", (415,), aiff()),
        "webp that says wav": ("audio/wav", (415,), noise_image("WEBP")),
        "random bytes": ("audio/ogg", (415,), np.random.default_rng(2).bytes(10_000)),
        "only riff": ("audio/wav", (415,), b"RIFF"),
        "a wav without samples": ("audio/wav", (422,), wav(data=b"")),
        "half a header": ("audio/wav", (422,), wav()[:30]),
        "half a flac": ("audio/flac", (422,), damaged(flac, 0.5)[: len(flac) // 2]),
        "a flac's first bytes": ("audio/flac", (422,), b"fLaC\0\0\0\x22"),
        "an ogg's first bytes": ("audio/ogg", (422,), ogg[:40]),
        "1,000 channels": ("audio/wav", (422,), a_sound(np.zeros((80, 1000)), rate=16_000)),
        "no channels": ("audio/wav", (422,), wav(channels=0)),
        "not a number": ("audio/wav", (422,), a_sound(np.where(SECOND > 0.09, np.nan, SECOND), **floats)),
        "infinite": ("audio/wav", (422,), a_sound(np.where(SECOND > 0.09, np.inf, SECOND), **floats)),
        "an hour of flac": ("audio/flac", (413,), hour_of_flac()),
        "a minute": ("audio/wav", (413,), a_sound(np.zeros(60 * 16_000))),
        "one sample per second": ("audio/wav", (413, 422), wav(rate=1)),
        "no sample rate": ("audio/wav", (422,), wav(rate=0)),
        "four billion samples per second": ("audio/wav", (422,), wav(rate=2**32 - 1)),
        "an unknown codec": ("audio/wav", (422,), wav(code=0xABCD)),
        "1,024 bits": ("audio/wav", (422,), wav(bits=1024)),
        "too many bytes": ("audio/wav", (413,), b"RIFF" + bytes(9_000_000)),
    }
    return {
        f"sound: {name}": Bad(statuses, body, SOUND, headers={"Content_Type": kind})
        for name, (kind, statuses, body) in cases.items()
    }


def parameter_cases() -> dict[str, Bad]:
    one, as_png = as_file(a_one()), {"Content_Type": "image/png"}
    queries = {
        "an unknown model": "model=cats",
        "the speech model": "model=speech",
        "a path for a model": "model=../../etc/passwd",
        "an unknown version": "version=99",
        "a path for a version": "version=..%2F..%2Fsecret",
        "a NUL for a version": "version=%00",
        "broken percent signs": "model=%zz%",
    }
    unfit = {
        "a long model": f"model={'m' * 5000}",
        "an unknown parameter": "modell=shapes",
        "an unknown parameter beside a good one": "model=digits&Version=1",
    }
    cases = {name: Bad((404,), one, f"{IMAGE}?{query}", headers=as_png) for name, query in queries.items()}
    cases |= {name: Bad((422,), one, f"{IMAGE}?{query}", headers=as_png) for name, query in unfit.items()}
    for value in ("0", "-5", "soon", "1e999", "9" * 400):
        cases[f"a deadline of {value[:5]}"] = Bad((422,), one, headers={**as_png, "X_Deadline_Ms": value})
    return {f"parameter: {name}": case for name, case in cases.items()}


def path_cases() -> dict[str, Bad]:
    paths = {
        "up and out": "/page/../../../../etc/passwd",
        "up and out, written in percent": "/page/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "slashes in percent": "/page/..%2f..%2f..%2fpyproject.toml",
        "twice in percent": "/page/%252e%252e/app.py",
        "backslashes": "/page/..\\..\\app.py",
        "another host": "//etc/passwd",
        "NUL": "/page/index.html%00.png",
        "python": "/app.py",
        "long": "/" + "a" * 7000,
        "not UTF-8": "/%ff%fe",
        "a hidden file": "/.git/config",
    }
    cases = {name: Bad((404, 405), path=path, method="GET") for name, path in paths.items()}
    cases |= {f"{method} a picture": Bad((405,), method=method) for method in ("GET", "DELETE", "PUT", "PATCH")}
    cases["POST to health"] = Bad((405,), path="/healthz")
    cases["to activate without a token"] = Bad((403,), path="/v1/models/digits:activate?version=1")
    return {f"path: {name}": case for name, case in cases.items()}


def all_cases() -> dict[str, Bad]:
    """By name; made once, since some take a moment."""
    return {**image_cases(), **sound_cases(), **parameter_cases(), **path_cases()}


POST = b"POST /v1/images:classify HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
UPGRADE = b"Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
RAW = {  # what no library would send
    "no HTTP at all": b"hello\r\n\r\n",
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "two lengths": POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "a negative length": POST + b"Content-Length: -5\r\n\r\nhello",
    "a length in words": POST + b"Content-Length: five\r\n\r\nhello",
    "a length beyond all bounds": POST + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n",
    "a chunk of unknown size": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
    "an unknown encoding": POST + b"Transfer-Encoding: rot13\r\n\r\nhello",
    "a method of its own": b"BREW /v1/models HTTP/1.1\r\nHost: x\r\n\r\n",
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "a head without end": b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 200_000,
    "headers without end": b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 40_000,
    "a name with a space": b"GET /healthz HTTP/1.1\r\nHost: x\r\nBad Name: 1\r\n\r\n",
    "a NUL in a header": b"GET /healthz HTTP/1.1\r\nHost: x\r\nName: a\0b\r\n\r\n",
    "a path with spaces": b"GET /health z HTTP/1.1\r\nHost: x\r\n\r\n",
    "chunks that are too many": POST
    + b"Transfer-Encoding: chunked\r\n\r\n"
    + (b"100000\r\n" + bytes(0x100000) + b"\r\n") * 9
    + b"0\r\n\r\n",
    "a websocket without a key": b"GET /v1/stream HTTP/1.1\r\n" + UPGRADE + b"\r\n",
    "a websocket elsewhere": b"GET /v1/models HTTP/1.1\r\n"
    + UPGRADE
    + b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
}
