"""Networks in small integers: computing in 8 bits, or only stored in 8 or 4."""

import logging
import math
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from course_lib.export import deploy_package

SMALLEST = 1024  # weights with fewer numbers stay as they are: they take no room, and biases are worth their digits
BLOCK = 64  # neighbors in a row of 4-bit weights that share a scale, at most


def quantize_static(source: str | Path, path: str | Path, batches: Iterable[Tensor]) -> Path:
    """Let an ONNX network compute in 8-bit integers: weights signed, activations unsigned.

    Args:
        source: an ONNX file with one input, of 32-bit floats.
        path: of the file to write.
        batches: real inputs, some hundred examples in all. The least and the greatest number that each layer gives for
            them fix the range that its 256 steps cover; what lies beyond is cut off.

    Returns:
        The path. Weights have a scale for each filter and 7 bits: without VNNI, x86 adds two products into 16 bits,
        and the eighth bit would overflow there.

    Source: Jacob et al. 2018, doi:10.1109/CVPR.2018.00286; ONNX Runtime's "Quantize ONNX models"
    """
    tools = deploy_package("onnxruntime.quantization")
    shapes = deploy_package("onnxruntime.quantization.shape_inference")
    (name,) = (each.name for each in deploy_package("onnx").load(str(source)).graph.input)

    class Reader(tools.CalibrationDataReader):
        def __init__(self) -> None:
            self.feeds = ({name: batch.numpy()} for batch in batches)

        def get_next(self) -> dict[str, Any] | None:
            return next(self.feeds, None)

    with tempfile.TemporaryDirectory() as folder, _quiet():
        ready = str(Path(folder) / "ready.onnx")
        shapes.quant_pre_process(str(source), ready)
        tools.quantize_static(
            ready,
            str(path),
            Reader(),
            quant_format=tools.QuantFormat.QOperator,
            activation_type=tools.QuantType.QUInt8,
            weight_type=tools.QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
        )
    return Path(path)


@contextmanager
def _quiet() -> Iterator[None]:
    """The quantizer logs advice that its caller has followed already."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def quantize_tensor(values: Tensor, *, bits: int = 8, axis: int | None = None) -> tuple[Tensor, Tensor]:
    """Round numbers to whole multiples of a scale, so that the largest becomes 127 (with 8 bits).

    Args:
        values: floating point, any shape.
        bits: 2 to 8.
        axis: along which each index has a scale of its own; None takes one scale for all.

    Returns:
        The multiples, int8, shape of the values, and the scales, such that `multiples * scales` is nearly the values:
        as many axes as the values, each 1 long but the given one.
    """
    others = [each for each in range(values.ndim) if axis is None or each != axis % values.ndim]
    largest = values.abs().amax(dim=others, keepdim=True)
    scale = torch.where(largest > 0, largest, 1) / (2 ** (bits - 1) - 1)
    return (values / scale).round().to(torch.int8), scale


def quantize_weights(source: str | Path, path: str | Path, *, bits: Mapping[str, int] | int = 8) -> Path:
    """Store the large weights of an ONNX network as integers: a smaller file that still computes in floats.

    Args:
        source: an ONNX file.
        path: of the file to write.
        bits: 8 or 4 for all weights; or by the first letters of their names, and 8 for the rest: `{"conv": 4}`. With 8
            bits each row of a weight has a scale, with 4 each block of at most 64 neighbors in a row.

    Returns:
        The path. ONNX Runtime makes floats of the integers once, when the file is opened.
    """
    onnx = deploy_package("onnx")
    model = onnx.load(str(source))
    tensors, nodes = [], []
    for each in model.graph.initializer:
        if each.data_type != onnx.TensorProto.FLOAT or len(each.dims) < 2 or math.prod(each.dims) < SMALLEST:
            tensors.append(each)
            continue
        new_tensors, new_nodes = _as_integers(onnx, each, bits=_bits_of(each.name, bits))
        tensors += new_tensors
        nodes += new_nodes
    nodes += model.graph.node
    for field, entries in ((model.graph.initializer, tensors), (model.graph.node, nodes), (model.graph.value_info, [])):
        entries = list(entries)
        del field[:]
        field.extend(entries)  # shapes in between are left out: whoever opens the file finds them
    onnx.save(model, str(path))
    return Path(path)


def _bits_of(name: str, bits: Mapping[str, int] | int) -> int:
    if isinstance(bits, int):
        return bits
    return next((number for start, number in bits.items() if name.removeprefix("model.").startswith(start)), 8)


def _as_integers(onnx: Any, weight: Any, *, bits: int) -> tuple[list, list]:
    """Integers and scales in place of a weight, and the nodes that multiply them again."""
    if bits not in (4, 8):
        raise ValueError(f"Got {bits} bits for {weight.name}, but a file holds integers of 8 or of 4.")
    name, kinds, make = weight.name, onnx.TensorProto, onnx.helper
    values = torch.from_numpy(onnx.numpy_helper.to_array(weight).copy()).flatten(1)
    width = values.shape[1]
    if bits == 4:
        width = next(each for each in range(min(BLOCK, width), 0, -1) if width % each == 0)
    integers, scale = quantize_tensor(values.reshape(-1, width), bits=bits, axis=0)
    raw = integers.flatten()
    if bits == 4:  # two to a byte, the first in the lower half
        raw = (raw[::2] & 15) | (raw[1::2] << 4)
    tensors = [
        make.make_tensor(
            f"{name}.int", {4: kinds.INT4, 8: kinds.INT8}[bits], integers.shape, raw.numpy().tobytes(), True
        ),
        make.make_tensor(f"{name}.scale", kinds.FLOAT, scale.shape, scale.numpy().tobytes(), True),
        make.make_tensor(f"{name}.shape", kinds.INT64, [len(weight.dims)], list(weight.dims)),
    ]
    nodes = [
        make.make_node("Cast", [f"{name}.int"], [f"{name}.float"], to=kinds.FLOAT),
        make.make_node("Mul", [f"{name}.float", f"{name}.scale"], [f"{name}.rows"]),
        make.make_node("Reshape", [f"{name}.rows", f"{name}.shape"], [name]),
    ]
    return tensors, nodes
