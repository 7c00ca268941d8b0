"""A trained network as an ONNX file: exported with any batch and any time, run by ONNX Runtime, and held to PyTorch."""

import copy
import importlib
import inspect
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.errors import CourseError
from course_lib.speech_models import State, StreamingRecognizer

OPSET = 21  # of ONNX's operators: the first that knows numbers of 4 bits
Axes = Mapping[str, Mapping[int, str]]


def deploy_package(name: str) -> ModuleType:
    """Import a package that only those need who export and serve: "onnx" or "onnxruntime", or a part of them.

    Raises:
        CourseError: it is not installed; the text says how it gets there.
    """
    try:
        return importlib.import_module(name)
    except ImportError as reason:
        raise CourseError(
            f"ONNX needs the package {name.partition('.')[0]}, which can't be imported here ({reason}). "
            "Install it with: pip install -e '.[deploy]'"
        ) from None


def export_onnx(
    model: nn.Module,
    example_inputs: Mapping[str, Tensor],
    path: str | Path,
    *,
    dynamic: Axes,
    outputs: Sequence[str] = ("logits",),
) -> Path:
    """Write a network, as it is in evaluation mode, to an ONNX file.

    Args:
        model: any torch module whose inputs are tensors; neither its mode nor its weights change.
        example_inputs: for each input of `forward`, in order, its name in the file and an example. Let every axis
            that is to vary be at least 2 long: a length of 1 would be taken for a constant.
        path: of the file to write.
        dynamic: for each input the axes that may have any length, with a name; where two axes share a name, they must
            be equally long: `{"stacked": {0: "batch", 1: "frames"}, "lengths": {0: "batch"}}`.
        outputs: what the outputs shall be called in the file.

    Returns:
        The path.

    Raises:
        CourseError: onnx or onnxscript is not installed, or an axis can't vary.
        ValueError: `dynamic` names an input that there is not.
    """
    onnx, _ = deploy_package("onnx"), deploy_package("onnxscript")
    if unknown := sorted(dynamic.keys() - example_inputs.keys()):
        raise ValueError(f"dynamic names {unknown}, but the inputs are {list(example_inputs)}.")
    axes = {name: torch.export.Dim(name) for named in dynamic.values() for name in named.values()}
    shapes = [{axis: axes[name] for axis, name in dynamic.get(each, {}).items()} or None for each in example_inputs]
    kinds = [each.kind for each in inspect.signature(model.forward).parameters.values()]
    if inspect.Parameter.VAR_POSITIONAL in kinds:  # what goes into *args is one element for torch.export
        place = kinds.index(inspect.Parameter.VAR_POSITIONAL)
        shapes[place:] = [tuple(shapes[place:])]
    _forget_how_lstms_were_traced()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own insides
        program = torch.onnx.export(
            copy.deepcopy(model).cpu().eval(),  # a copy: tracing leaves traces in an LSTM
            tuple(each.detach().cpu() for each in example_inputs.values()),
            dynamo=True,
            dynamic_shapes=tuple(shapes),
            input_names=list(example_inputs),
            output_names=list(outputs),
            opset_version=OPSET,
            verbose=False,
        )
    for node in program.model.graph:  # where in our code each node came from: half of a small file, and paths of ours
        node.metadata_props.clear()
    file = program.model_proto
    _hold_axes(file, dynamic)
    onnx.save(file, str(path))
    return Path(path)


def _forget_how_lstms_were_traced() -> None:
    """Let an LSTM be traced anew: from the second export on, torch would else use a cached way, which fixes the time.

    Source: https://github.com/pytorch/pytorch/pull/184872, which changes that way without emptying its cache
    """
    getattr(torch.ops.aten.lstm.input, "_dispatch_cache", {}).clear()


def _hold_axes(file: Any, dynamic: Axes) -> None:
    """Refuse a file in which an axis has one length only: the exporter fixes what it can't vary, and says nothing."""
    for each in file.graph.input:
        for axis, name in dynamic.get(each.name, {}).items():
            if fixed := each.type.tensor_type.shape.dim[axis].dim_value:
                raise CourseError(
                    f"Axis {axis} of {each.name} was to be any '{name}', but the network fixes it at {fixed}. "
                    "Look for a shape that it uses as a number, or an example that is 1 long on this axis."
                )


def export_classifier(model: nn.Module, path: str | Path, *, size: tuple[int, int, int]) -> Path:
    """Write an image network to an ONNX file: "images" `(batch, c, h, w)` to "logits", with any batch.

    Args:
        model: images to logits.
        path: of the file to write.
        size: channels, height and width of the images.
    """
    return export_onnx(model, {"images": torch.zeros(2, *size)}, path, dynamic={"images": {0: "batch"}})


class StreamingStep(nn.Module):
    """A streaming network with its memory laid open: what `listen` does, with plain tensors in and out."""

    def __init__(self, model: StreamingRecognizer):
        super().__init__()
        self.model = model
        self.train(model.training)

    def forward(self, stacked: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        logits, new_state = self.model.listen(stacked, state)
        return logits, *new_state


def first_state(model: StreamingRecognizer, *, batch_size: int = 1) -> State:
    """What a streaming network remembers before it has heard anything: zeros, for so many streams at once."""
    frames = torch.zeros(batch_size, model.conv.kernel_size[0] - 1, model.conv.in_channels)
    memories = (torch.zeros(1, batch_size, layer.hidden_size) for layer in model.layers for _ in "hc")
    return frames, *memories


def export_recognizer(model: nn.Module, path: str | Path) -> Path:
    """Write a network that hears to an ONNX file, with any batch and any time.

    A `SpeechRecognizer` becomes "stacked" `(batch, frames, inputs)` and "lengths" `(batch,)` to "logits". A
    `StreamingRecognizer` becomes "stacked" and what it remembers ("state_0", "state_1", ...; at first `first_state`)
    to "logits" and what it remembers then ("new_state_0", ...).
    """
    batch_and_time = {0: "batch", 1: "frames"}
    if not isinstance(model, StreamingRecognizer):
        inputs = {"stacked": torch.zeros(2, 9, model.conv.in_channels), "lengths": torch.tensor([9, 7])}
        return export_onnx(model, inputs, path, dynamic={"stacked": batch_and_time, "lengths": {0: "batch"}})
    state = {f"state_{number}": each for number, each in enumerate(first_state(model, batch_size=2))}
    inputs = {"stacked": torch.zeros(2, 9, model.conv.in_channels)} | state
    dynamic = {"stacked": batch_and_time} | {name: {0 if name == "state_0" else 1: "batch"} for name in state}
    return export_onnx(
        StreamingStep(model), inputs, path, dynamic=dynamic, outputs=["logits", *(f"new_{name}" for name in state)]
    )


def onnx_session(path: str | Path, *, threads: int = 1) -> Any:
    """An ONNX file, ready to run on the CPU: an `onnxruntime.InferenceSession`.

    Args:
        path: of the file.
        threads: how many it may use; with 1 it computes where it is called.

    Raises:
        CourseError: onnxruntime is not installed, or there is no such file.
    """
    onnxruntime = deploy_package("onnxruntime")
    if not Path(path).is_file():
        raise CourseError(f"There is no file {path}. Write it first, with course_lib.export.export_onnx.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run_onnx(session: Any, *inputs: Tensor) -> list[Tensor]:
    """Run a session on tensors, in the order of its inputs; all outputs come back as tensors."""
    names = [each.name for each in session.get_inputs()]
    if len(names) != len(inputs):
        raise ValueError(f"Got {len(inputs)} inputs, but this file wants {len(names)}: {', '.join(names)}.")
    feed = {name: each.detach().cpu().numpy() for name, each in zip(names, inputs, strict=True)}
    return [torch.from_numpy(each) for each in session.run(None, feed)]


@torch.no_grad()
def parity(model: nn.Module, session: Any, examples: Iterable[Sequence[Tensor]]) -> float:
    """How far a session's outputs are from the network's, at most: 0.0001 or less is rounding.

    Args:
        model: the network that was exported; it is asked in evaluation mode and left in its own.
        session: what became of it.
        examples: the inputs of each call, tensors; take different batches and lengths.

    Returns:
        The largest absolute difference of all outputs.
    """
    was_training, largest = model.training, 0.0
    model.eval()
    for inputs in examples:
        expected = model(*inputs)
        expected = [expected] if isinstance(expected, Tensor) else expected
        for ours, theirs in zip(run_onnx(session, *inputs), expected, strict=True):
            largest = max(largest, (ours - theirs.cpu()).abs().max().item())
    model.train(was_training)
    return largest
