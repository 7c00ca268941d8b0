"""Small corpora for the tests of `course data`: files in published forms, archives, and a server that may misbehave."""

import gzip
import http.server
import io
import socket
import struct
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image

from course_lib.catalog import CIFAR10


@contextmanager
def servers() -> Iterator[Callable[..., str]]:
    """`with servers() as serve: serve({"name": bytes})` gives the address of a local server that has these files."""
    started = []

    def serve(files, *, promise=0):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(files, promise))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        started.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    yield serve
    for server in started:
        server.shutdown()
        server.server_close()


def _handler(files, promise):
    """Answers with the files; where `promise` is above 0, it says that they are longer by so much, and breaks off."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            content = files.get(self.path.removeprefix("/"))
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"") + promise))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *args):
            pass

    return Handler


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/"


def only_whole_files(folder, expected):
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == expected


def pack(path, members):
    """An archive of `members`: names with bytes, or with a link's target as text."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                entry = zipfile.ZipInfo(name)
                entry.external_attr = (0o120777 if isinstance(content, str) else 0o100644) << 16
                archive.writestr(entry, content)
        return path
    with tarfile.open(path, "w:" + path.suffix.removeprefix(".").replace("tar", "")) as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
            else:
                entry.size = len(content)
            archive.addfile(entry, None if isinstance(content, str) else io.BytesIO(content))
    return path


def idx(values):
    header = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    return gzip.compress(header + values.astype(np.uint8).tobytes(), mtime=0)


def small_mnist():
    """The four files, with 40 training and 20 test images."""
    random = np.random.RandomState(0)
    files = {}
    for part, count in (("train", 40), ("t10k", 20)):
        files[f"{part}-images-idx3-ubyte.gz"] = idx(random.randint(0, 256, size=(count, 28, 28)))
        files[f"{part}-labels-idx1-ubyte.gz"] = idx(np.arange(count) % 10)
    return files


def batch_as_published(pixels, labels):
    """A batch in the form of the official ones, which Python 2 pickled."""
    kind = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    shape = b"(M" + struct.pack("<H", len(pixels)) + b"M" + struct.pack("<H", 3072) + b"t"
    state = b"(K\x01" + shape + kind + b"\x89T" + struct.pack("<I", pixels.size) + pixels.tobytes() + b"t"
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR" + state + b"b"
    numbers = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(U\x06labels" + numbers + b"U\x04data" + array + b"u."


def image_folder(root, *, train=2, test=1, kind="png"):
    """`train/<class>/*` and `test/<class>/*`; each image has its own colors."""
    color = 0
    for part, count in (("train", train), ("test", test)):
        for name in CIFAR10:
            (root / part / name).mkdir(parents=True)
            for number in range(count):
                color += 1
                Image.new("RGB", (32, 32), (color, 255 - color, 7)).save(root / part / name / f"{number:04d}.{kind}")
    return root
