"""Networks in small integers: close to what they were, smaller, and quiet about it."""

import logging

import pytest
import torch
from torch import nn

from course_lib.export import export_classifier, export_onnx, export_recognizer, onnx_session, parity, run_onnx
from course_lib.models import SmallCNN
from course_lib.quantization import quantize_static, quantize_tensor, quantize_weights
from course_lib.speech_models import SpeechRecognizer


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_no_number_moves_by_more_than_half_a_step(bits, axis):
    values = noise(6, 5, 4)
    multiples, scale = quantize_tensor(values, bits=bits, axis=axis)
    assert multiples.dtype == torch.int8
    assert multiples.abs().max() == 2 ** (bits - 1) - 1
    assert ((multiples * scale - values).abs() <= scale / 2 * (1 + 1e-5)).all()
    assert list(scale.shape) == [
        size if axis is not None and place == axis % 3 else 1 for place, size in enumerate((6, 5, 4))
    ]


def test_zeros_stay_zeros():
    multiples, scale = quantize_tensor(torch.zeros(3, 2), axis=0)
    assert (multiples * scale).tolist() == [[0, 0]] * 3


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A network that tells pictures with a bright top from those with a bright bottom, and its file."""
    torch.manual_seed(0)
    model = SmallCNN(num_classes=2)
    images = noise(512, 1, 8, 8)
    labels = (images[:, 0, :4].sum((1, 2)) > images[:, 0, 4:].sum((1, 2))).long()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(40):
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
        optimizer.zero_grad()
    path = export_classifier(model, tmp_path_factory.mktemp("onnx") / "model.onnx", size=(1, 8, 8))
    return model, path, images


def test_a_network_in_8_bits_decides_as_before_with_any_batch(trained, tmp_path, capfd):
    model, path, images = trained
    small = quantize_static(path, tmp_path / "small.onnx", images[:256].split(64))
    session = onnx_session(small)
    for count in (1, 7, 256):
        (logits,) = run_onnx(session, images[-count:])
        agree = (logits.argmax(1) == model(images[-count:]).argmax(1)).float().mean()
        assert agree >= 0.98 or count < 50
    assert small.stat().st_size < path.stat().st_size
    assert capfd.readouterr().err == ""


def test_its_numbers_are_integers_and_its_activations_unsigned(trained, tmp_path):
    onnx = pytest.importorskip("onnx")
    file = onnx.load(quantize_static(trained[1], tmp_path / "small.onnx", trained[2].split(128)))
    kinds = {each.name: each.data_type for each in file.graph.initializer}
    assert "QLinearConv" in {node.op_type for node in file.graph.node}
    assert {kind for name, kind in kinds.items() if name.endswith("weight_quantized")} == {onnx.TensorProto.INT8}
    zeros = [
        kind
        for name, kind in kinds.items()
        if name.endswith("zero_point") and "weight" not in name and "bias" not in name
    ]
    assert zeros
    assert set(zeros) == {onnx.TensorProto.UINT8}


def test_calibrating_on_other_pictures_than_those_to_come_does_harm(trained, tmp_path):
    model, path, images = trained
    right = []
    for scale in (1.0, 0.01):
        session = onnx_session(quantize_static(path, tmp_path / "q.onnx", [scale * images[:256]]))
        right.append((run_onnx(session, images)[0].argmax(1) == model(images).argmax(1)).float().mean())
    assert right[0] > right[1] + 0.01


def test_logging_is_as_before_after_quantizing(trained, tmp_path):
    quantize_static(trained[1], tmp_path / "q.onnx", [trained[2][:64]])
    assert logging.root.manager.disable == logging.NOTSET


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(96, 70), nn.Tanh(), nn.Linear(70, 3))
    path = tmp_path_factory.mktemp("onnx") / "line.onnx"
    return model, export_onnx(model, {"x": torch.zeros(2, 96)}, path, dynamic={"x": {0: "batch"}})


def rounded(model, bits):
    """The same network, its large weights rounded in PyTorch: by rows, or by blocks of neighbors."""
    model = nn.Sequential(nn.Linear(96, 70), nn.Tanh(), nn.Linear(70, 3)).requires_grad_(False)
    torch.manual_seed(0)
    for part in (model[0], model[2]):
        part.reset_parameters()
    width = {8: 96, 4: 48}[bits]  # the longest block of at most 64 that fits into 96
    integers, scale = quantize_tensor(model[0].weight.reshape(-1, width), bits=bits, axis=0)
    model[0].weight.copy_((integers * scale).reshape(70, 96))
    return model


@pytest.mark.parametrize("bits", [8, 4])
def test_a_network_stored_in_integers_is_the_network_with_rounded_weights(line, tmp_path, bits):
    model, path = line
    small = quantize_weights(path, tmp_path / "small.onnx", bits=bits)
    assert parity(rounded(model, bits), onnx_session(small), [(noise(n, 96, seed=n),) for n in (1, 4, 9)]) < 1e-5
    assert path.stat().st_size - small.stat().st_size > {8: 2.6, 4: 3.0}[bits] * 70 * 96


def test_weights_can_have_their_own_bits_by_name(line, tmp_path):
    mixed = quantize_weights(line[1], tmp_path / "a.onnx", bits={"0.": 4}).read_bytes()
    assert mixed == quantize_weights(line[1], tmp_path / "b.onnx", bits=4).read_bytes()
    assert mixed != quantize_weights(line[1], tmp_path / "c.onnx", bits={"1.": 4}).read_bytes()


def test_other_bits_are_refused(line, tmp_path):
    with pytest.raises(ValueError, match=r"Got 3 bits for 0\.weight, but a file holds integers of 8 or of 4"):
        quantize_weights(line[1], tmp_path / "x.onnx", bits=3)


@pytest.mark.slow
def test_a_recognizer_in_integers_hears_nearly_the_same(tmp_path):
    torch.manual_seed(0)
    model = SpeechRecognizer(9, num_inputs=20, hidden_size=32).eval()
    path = export_recognizer(model, tmp_path / "model.onnx")
    examples = [(noise(2, frames, 20), torch.tensor([frames, 1])) for frames in (1, 5, 30)]
    gaps = []
    for bits in (8, {"conv.": 4}, 4):
        small = quantize_weights(path, tmp_path / "small.onnx", bits=bits)
        gaps.append(parity(model, onnx_session(small), examples))
        assert small.stat().st_size < 0.6 * path.stat().st_size
    assert gaps[0] < 0.1
    assert 2 * gaps[0] < gaps[2] < 1
