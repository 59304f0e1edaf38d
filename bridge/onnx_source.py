"""Reading an ONNX model: from disk, with its input sizes fixed, as a graph with weights by reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_graphsurgeon as gs
from google.protobuf.message import DecodeError

from onnx2caffe.errors import SourceError

FixedShape = tuple[int, ...] | dict[str, tuple[int, ...]] | None


def load_model(path: Path) -> onnx.ModelProto:
    """Read an .onnx file; SourceError where there is none or it is not ONNX."""
    if not path.is_file():
        raise SourceError(f"There is no file {path}.")
    try:
        model = onnx.load(str(path))
    except (DecodeError, onnx.checker.ValidationError, OSError, ValueError) as error:
        raise SourceError(f"{path} cannot be read as an ONNX model: {_sentence(error)}") from None
    if not model.graph.node:
        raise SourceError(f"{path} is not an ONNX model with a graph: it may be empty, cut off or of another kind.")
    return model


def graph_of_model(model: onnx.ModelProto, given: FixedShape, *, allow_non_finite: bool = False) -> gs.Graph:
    """The model as a graph with static input shapes and float32 weights."""
    try:
        onnx.checker.check_model(model)
        graph = gs.import_onnx(model)
    except (onnx.checker.ValidationError, ValueError, KeyError) as error:
        raise SourceError(f"The ONNX model is not valid: {_sentence(error)}") from None
    graph.inputs = [tensor for tensor in graph.inputs if not isinstance(tensor, gs.Constant)]
    _fix_inputs(graph, given)
    for tensor in graph.tensors().values():
        if isinstance(tensor, gs.Constant):
            _as_float32(tensor, allow_non_finite)
    return graph


def _fix_inputs(graph: gs.Graph, given: FixedShape) -> None:
    shapes: dict[str, tuple[int, ...]] = {}
    if isinstance(given, dict):
        shapes = given
    elif given is not None:
        if len(graph.inputs) != 1:
            names = ", ".join(tensor.name for tensor in graph.inputs)
            raise SourceError(f"The model has the inputs {names}: give a shape for each of them by name.")
        shapes = {graph.inputs[0].name: given}
    unknown = set(shapes) - {tensor.name for tensor in graph.inputs}
    if unknown:
        names = ", ".join(tensor.name for tensor in graph.inputs)
        raise SourceError(f"The model has no input {', '.join(sorted(unknown))}; its inputs are {names}.")
    changed = False
    for tensor in graph.inputs:
        declared = list(tensor.shape) if tensor.shape is not None else None
        wanted = shapes.get(tensor.name)
        if wanted is not None:
            _require_match(tensor.name, declared, wanted)
            changed |= declared != list(wanted)
            tensor.shape = list(wanted)
        elif declared is None or not all(isinstance(length, int) and length > 0 for length in declared):
            raise SourceError(
                f"Input {tensor.name!r} has dynamic dimensions {declared}: give its shape, as in input_shape="
                f"{{{tensor.name!r}: (1, 3, 224, 224)}}."
            )
    if changed:
        # What was inferred for other sizes no longer holds.
        for node in graph.nodes:
            for tensor in node.outputs:
                tensor.shape = None


def _require_match(name: str, declared: list[Any] | None, wanted: tuple[int, ...]) -> None:
    if declared is None:
        return
    fits = len(declared) == len(wanted) and all(
        axis == 0 or not isinstance(length, int) or length <= 0 or length == size
        for axis, (length, size) in enumerate(zip(declared, wanted, strict=False))
    )
    if not fits:
        raise SourceError(f"Input {name!r} has shape {declared}; {list(wanted)} does not fit it.")


def _as_float32(tensor: gs.Constant, allow_non_finite: bool) -> None:
    values = tensor.values
    if values.dtype.kind != "f":
        return
    if values.dtype != np.float32:
        values = tensor.values = values.astype(np.float32)
    # The sum is finite only if every value is; it may overflow though none is infinite.
    if not allow_non_finite and not np.isfinite(values.sum()) and not np.isfinite(values).all():
        raise SourceError(
            f"The weights of {tensor.name!r} hold NaN or infinity (allow_non_finite takes them as they are)."
        )


def _sentence(error: Exception) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__
