"""Networks as ONNX files: equal to PyTorch for every batch and every length, and quiet about it."""

import sys
import warnings

import pytest
import torch
from torch import nn

from course_lib import export
from course_lib.errors import CourseError
from course_lib.export import (
    StreamingStep,
    export_classifier,
    export_onnx,
    export_recognizer,
    first_state,
    onnx_session,
    parity,
    run_onnx,
)
from course_lib.models import SmallResNet
from course_lib.speech_models import SpeechRecognizer, StreamingRecognizer


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def lived_in(model):
    """A network whose batch norms have seen something, so that they are not just ones and zeros."""
    torch.manual_seed(1)
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
    return model


@pytest.fixture(scope="module")
def image_model():
    torch.manual_seed(0)
    return lived_in(SmallResNet(widths=(8, 12, 16)))


@pytest.fixture(scope="module")
def image_file(image_model, tmp_path_factory):
    return export_classifier(image_model, tmp_path_factory.mktemp("onnx") / "image.onnx", size=(3, 32, 32))


@pytest.fixture(scope="module")
def whole_model():
    torch.manual_seed(0)
    return SpeechRecognizer(29, num_inputs=20, hidden_size=12)


@pytest.fixture(scope="module")
def whole_file(whole_model, tmp_path_factory):
    return export_recognizer(whole_model, tmp_path_factory.mktemp("onnx") / "whole.onnx")


@pytest.fixture(scope="module")
def streaming_model():
    torch.manual_seed(0)
    model = StreamingRecognizer(29, num_inputs=20, hidden_size=12).eval()
    model.mean.normal_()
    model.std.uniform_(0.5, 2)
    return model


@pytest.fixture(scope="module")
def streaming_file(streaming_model, tmp_path_factory):
    return export_recognizer(streaming_model, tmp_path_factory.mktemp("onnx") / "streaming.onnx")


def test_an_image_network_is_the_same_for_every_batch(image_model, image_file):
    batches = [(noise(count, 3, 32, 32, seed=count),) for count in (1, 2, 3, 5, 8, 13, 64)]
    assert parity(image_model, onnx_session(image_file), batches) < 1e-4


@pytest.mark.slow
def test_exporting_leaves_the_network_in_its_mode_and_fit_to_learn(image_model, whole_model, image_file, whole_file):
    for model, inputs in (
        (image_model, (noise(2, 3, 32, 32),)),
        (whole_model, (noise(2, 9, 20), torch.tensor([9, 4]))),
    ):
        assert model.training
        model(*inputs).sum().backward()
        assert all(each.grad is not None for each in model.parameters())
        model.zero_grad()


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 2, 3, 5])
def test_a_recognizer_is_the_same_for_every_batch_and_every_length(whole_model, whole_file, batch):
    session = onnx_session(whole_file)
    examples = []
    for frames in (1, 2, 3, 7, 20, 33, 101):
        lengths = torch.randint(1, frames + 1, (batch,), generator=torch.Generator().manual_seed(frames))
        lengths[0] = frames
        examples.append((noise(batch, frames, 20, seed=frames), lengths))
    assert parity(whole_model, session, examples) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 2, 4])
def test_a_stream_is_the_same_for_every_batch_and_every_length_from_any_state(streaming_model, streaming_file, batch):
    session = onnx_session(streaming_file)
    start = first_state(streaming_model, batch_size=batch)
    examples = [
        (noise(batch, frames, 20, seed=frames), *(each + scale * noise(*each.shape, seed=frames) for each in start))
        for frames in (1, 2, 3, 8, 21)
        for scale in (0.0, 0.5)
    ]
    assert parity(StreamingStep(streaming_model), session, examples) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("cuts", [[1] * 19, [4, 4, 4, 4, 3], [7, 1, 11]])
def test_a_stream_in_pieces_equals_the_whole_when_the_state_is_carried(streaming_model, streaming_file, cuts):
    session, frames, state, pieces = onnx_session(streaming_file), noise(2, 19, 20), None, []
    state = first_state(streaming_model, batch_size=2)
    for piece in frames.split(cuts, dim=1):
        logits, *state = run_onnx(session, piece, *state)
        pieces.append(logits)
    torch.testing.assert_close(torch.cat(pieces, dim=1), streaming_model(frames), atol=1e-4, rtol=0)


def test_the_first_state_is_what_listening_starts_from(streaming_model):
    frames = noise(3, 5, 20)
    ours, after = streaming_model.listen(frames, first_state(streaming_model, batch_size=3))
    theirs, expected = streaming_model.listen(frames)
    torch.testing.assert_close(ours, theirs)
    assert [each.shape for each in after] == [each.shape for each in expected]


def test_parity_sees_a_difference(image_model, image_file):
    other = lived_in(SmallResNet(widths=(8, 12, 16)))
    assert parity(other, onnx_session(image_file), [(noise(2, 3, 32, 32),)]) > 1e-2


@pytest.mark.slow
def test_inputs_and_outputs_have_the_names_that_we_gave_them(image_file, whole_file, streaming_file):
    def names(path):
        session = onnx_session(path)
        return [[each.name for each in end] for end in (session.get_inputs(), session.get_outputs())]

    assert names(image_file) == [["images"], ["logits"]]
    assert names(whole_file) == [["stacked", "lengths"], ["logits"]]
    states = [f"state_{number}" for number in range(5)]
    assert names(streaming_file) == [["stacked", *states], ["logits", *(f"new_{each}" for each in states)]]


@pytest.mark.slow
def test_a_file_tells_nothing_about_where_it_was_made(image_file, whole_file, streaming_file):
    for path in (image_file, whole_file, streaming_file):
        assert b"site-packages" not in path.read_bytes()
        assert b"speech_models.py" not in path.read_bytes()


def test_exporting_is_quiet(tmp_path, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        export_onnx(nn.Linear(3, 2), {"x": torch.zeros(2, 3)}, tmp_path / "line.onnx", dynamic={"x": {0: "n"}})
    assert capfd.readouterr() == ("", "")


def test_what_is_wrong_is_said_with_what_to_do(tmp_path, image_file):
    with pytest.raises(ValueError, match=r"dynamic names \['y'\], but the inputs are \['x'\]"):
        export_onnx(nn.Linear(3, 2), {"x": torch.zeros(2, 3)}, tmp_path / "a.onnx", dynamic={"y": {0: "n"}})
    with pytest.raises(ValueError, match="Got 2 inputs, but this file wants 1: images"):
        run_onnx(onnx_session(image_file), noise(1, 3, 32, 32), noise(1))
    with pytest.raises(CourseError, match="There is no file"):
        onnx_session(tmp_path / "nothing.onnx")


@pytest.mark.parametrize("package", ["onnxruntime", "onnx"])
def test_a_missing_package_is_told_with_the_command_that_brings_it(package, image_file, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(CourseError, match=r"pip install -e '\.\[deploy\]'"):
        onnx_session(image_file) if package == "onnxruntime" else export_classifier(
            nn.Flatten(), "unwritten.onnx", size=(1, 2, 2)
        )


def test_an_axis_that_the_network_fixes_is_told(tmp_path):
    class Fixed(nn.Module):
        def forward(self, x):
            return x.reshape(4, 3)

    with pytest.raises(CourseError, match="Axis 0 of x was to be any 'n', but the network fixes it at 4"):
        export_onnx(Fixed(), {"x": torch.zeros(4, 3)}, tmp_path / "fixed.onnx", dynamic={"x": {0: "n"}})


@pytest.mark.slow
def test_a_second_lstm_is_exported_like_the_first_although_torch_remembers_how_it_ran(
    streaming_model, streaming_file, tmp_path
):
    session = onnx_session(export_recognizer(streaming_model, tmp_path / "again.onnx"))
    assert session.get_inputs()[0].shape == ["batch", "frames", 20]


def test_the_library_does_not_load_onnx_before_it_is_needed():
    assert not any(hasattr(export, name) for name in ("onnx", "onnxruntime"))
