"""Pretrained weights: from a server on this machine, whole or not at all, held to their hash at every load."""

import hashlib
import io
import re
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
import torch
import torchvision

from course_lib.errors import CourseError
from course_lib.pretrained import pretrained

MODEL = "squeezenet1_1"  # the smallest of torchvision's


class _Files(BaseHTTPRequestHandler):
    """Serves what the test put into `files`; a path that starts with /cut/ breaks off in the middle."""

    def do_GET(self):
        self.server.asked.append(self.path)
        content = self.server.files.get(self.path)
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        content = content or b""
        self.wfile.write(content[: len(content) // 2] if self.path.startswith("/cut/") else content)

    def log_message(self, *about):
        pass


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A server on this machine, whose checkpoints torchvision's catalog is made to name, and an empty data folder."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Files)
    server.files, server.asked = {}, []
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def offer(content, *, folder="", beginning=None):
        beginning = beginning or hashlib.sha256(content).hexdigest()[:8]
        path = f"/{folder}{MODEL}-{beginning}.pth"
        server.files[path] = content
        url = f"http://127.0.0.1:{server.server_port}{path}"
        monkeypatch.setattr(torchvision.models, "get_model_weights", lambda name: {"DEFAULT": SimpleNamespace(url=url)})
        return tmp_path / "weights" / urllib.parse.urlparse(url).path.rpartition("/")[2]

    server.offer = offer
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def original():
    torch.manual_seed(0)
    return torchvision.models.get_model(MODEL, weights=None)


@pytest.fixture(scope="module")
def checkpoint(original):
    return as_file(original.state_dict())


def as_file(content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def same_weights(one, other):
    others = other.state_dict()
    return all(torch.equal(value, others[name]) for name, value in one.state_dict().items())


def test_the_weights_arrive_and_are_kept(server, original, checkpoint):
    place = server.offer(checkpoint)
    assert same_weights(original, pretrained(MODEL))
    assert place.read_bytes() == checkpoint and [each.name for each in place.parent.iterdir()] == [place.name]
    assert same_weights(original, pretrained(MODEL)) and len(server.asked) == 1


def test_without_the_network_the_kept_copy_does(server, original, checkpoint):
    server.offer(checkpoint)
    pretrained(MODEL)
    server.files.clear()
    assert same_weights(original, pretrained(MODEL))


def test_a_new_head_comes_with_it(server, original, checkpoint):
    server.offer(checkpoint)
    model = pretrained(MODEL, num_classes=7).eval()
    with torch.no_grad():
        assert model(torch.zeros(2, 3, 64, 64)).shape == (2, 7)
    assert torch.equal(model.features[0].weight, original.features[0].weight)


@pytest.mark.parametrize("damage", [lambda c: c[:1000], lambda c: c[:-1] + b"?", lambda c: b""])
def test_a_damaged_copy_is_fetched_anew(server, original, checkpoint, damage):
    place = server.offer(checkpoint)
    place.parent.mkdir()
    place.write_bytes(damage(checkpoint))  # half written, or changed later
    assert same_weights(original, pretrained(MODEL))
    assert place.read_bytes() == checkpoint and len(server.asked) == 1


def test_a_damaged_copy_is_never_loaded_even_without_the_network(server, checkpoint):
    place = server.offer(checkpoint)
    pretrained(MODEL)
    place.write_bytes(checkpoint[:-1] + b"?")
    server.files.clear()
    with pytest.raises(CourseError, match=r"could not be downloaded \(HTTPError\)"):
        pretrained(MODEL)


def test_another_file_than_promised_is_refused_and_not_kept(server, checkpoint):
    place = server.offer(checkpoint, beginning="0123abcd")
    with pytest.raises(CourseError, match=r"0123abcd.pth is not the file .* Nothing was kept"):
        pretrained(MODEL)
    assert not place.exists()


def test_a_download_that_breaks_off_is_refused_and_not_kept(server, checkpoint):
    place = server.offer(checkpoint, folder="cut/")
    with pytest.raises(CourseError, match="could not be downloaded"):
        pretrained(MODEL)
    assert not place.exists()


def test_without_a_network_the_error_says_what_to_do(server, checkpoint):
    place = server.offer(checkpoint)
    server.shutdown()
    server.server_close()
    with pytest.raises(
        CourseError, match=rf"{place.name} could not be .* \(ConnectionError\)\. Connect to the network"
    ):
        pretrained(MODEL)


def test_a_checkpoint_that_would_run_code_is_refused(server):
    server.offer(as_file({"weight": threading.Event}))
    with pytest.raises(CourseError, match="no checkpoint of plain tensors"):
        pretrained(MODEL)


def test_a_file_that_is_no_checkpoint_is_refused(server):
    server.offer(b"<html>Please log in</html>")
    with pytest.raises(CourseError, match="no checkpoint of plain tensors"):
        pretrained(MODEL)


def test_weights_of_another_model_are_refused(server):
    server.offer(as_file(torch.nn.Linear(2, 2).state_dict()))
    with pytest.raises(CourseError, match="do not fit the model"):
        pretrained(MODEL)


def test_a_name_without_a_hash_is_refused(server, checkpoint):
    server.offer(checkpoint, beginning="latest")
    with pytest.raises(CourseError, match="holds no hash"):
        pretrained(MODEL)
    assert server.asked == []


def test_unknown_names_are_refused_with_the_way_out():
    for options in ({"name": "resnet5000"}, {"name": "resnet50", "weights": "IMAGENET9"}):
        with pytest.raises(CourseError, match="list_models"):
            pretrained(**options)


def test_every_checkpoint_of_torchvisions_classifiers_names_its_hash():
    for name in torchvision.models.list_models(module=torchvision.models):
        for weights in torchvision.models.get_model_weights(name):
            assert re.search(r"-[0-9a-f]{8,}\.pth$", weights.url), weights.url
