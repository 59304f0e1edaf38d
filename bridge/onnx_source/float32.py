"""Every float number of a graph in float32, the only type that Caffe computes in."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import onnx
import onnx_graphsurgeon as gs

from gluon2caffe.bridge.normalize.infer_and_fold import infer_and_fold
from gluon2caffe.onnx2caffe.errors import ConversionError, SourceError

Array = np.ndarray[Any, np.dtype[Any]]

_NAMES_SHOWN = 3
# A bound that is infinite is none; an attention mask is chosen, or added, and a maximum padded, by minus infinity.
_CHOOSING = frozenset({"Clip", "Where"})
_MASKING = _CHOOSING | {"Add", "Pad"}
_FLOATS = {onnx.TensorProto.FLOAT16: "float16", onnx.TensorProto.DOUBLE: "float64"}


def infer_any_precision(graph: gs.Graph, notes: list[str]) -> bool:
    """Infer and fold in the precision of the source, since shape arithmetic may rely on it.

    Where precisions are mixed, which ONNX does not allow, they may fit together in float32: `notes` say so then.
    """
    try:
        return infer_and_fold(graph)
    except ConversionError:
        found = use_float32(graph)
        if not found:
            raise
        notes += found
        infer_and_fold(graph)
        return True


def use_float32(graph: gs.Graph) -> list[str]:
    """Convert weights, inputs, outputs and casts of other float types; return notes on what that changed.

    Raises:
        SourceError: a node reads the bits of such a number.
    """
    notes = []
    _refuse_bits(graph)
    for tensor in graph.inputs:
        if _is_other_float(tensor.dtype):
            notes.append(f"input {tensor.name} is {np.dtype(tensor.dtype)} in the source; the Caffe net takes float32")
            tensor.dtype = np.dtype(np.float32)
    changed: dict[str, list[str]] = {}
    for node in graph.nodes:
        for tensor in itertools.chain(node.inputs, node.attrs.values()):
            if isinstance(tensor, gs.Constant) and (name := _convert(tensor)):
                changed.setdefault(name, []).append(tensor.name or node.name)
        for tensor in node.outputs:
            # A BitCast of integers keeps its type, and is refused later.
            if _is_other_float(tensor.dtype) and node.op != "BitCast":
                tensor.dtype = np.dtype(np.float32)
        if node.attrs.get("dtype") in _FLOATS:
            # What makes numbers without reading any, such as EyeLike, says of which type.
            node.attrs["dtype"] = int(onnx.TensorProto.FLOAT)
        wanted = node.attrs.get("to") if node.op == "Cast" else None
        if wanted in _FLOATS:
            node.attrs["to"] = int(onnx.TensorProto.FLOAT)
            title = node.outputs[0].name
            notes.append(f"{title}: a cast to {_FLOATS[wanted]} is left out; Caffe computes in float32")
    for name, tensors in changed.items():
        shown = ", ".join(tensors[:_NAMES_SHOWN]) + (
            f", and {len(tensors) - _NAMES_SHOWN} more" if len(tensors) > _NAMES_SHOWN else ""
        )
        notes.insert(0, f"{name} in the source and float32 here: {shown}")
    return notes


def _refuse_bits(graph: gs.Graph) -> None:
    """In another precision a number has other bits."""
    for node in graph.nodes:
        if node.op == "BitCast" and _is_other_float(node.inputs[0].dtype):
            title = node.name or node.outputs[0].name
            raise SourceError(f"BitCast {title!r} reads the bits of a float64 or float16; Caffe computes in float32.")


def _is_other_float(dtype: Any) -> bool:
    return dtype is not None and not isinstance(dtype, int) and np.dtype(dtype) in (np.float16, np.float64)


def _convert(constant: gs.Constant) -> str | None:
    """Make the constant float32; return the type it had where that was another float type."""
    values: Array = constant.values
    if not _is_other_float(values.dtype):
        return None
    with np.errstate(over="ignore"):
        constant.values = values.astype(np.float32)
    return str(values.dtype)


def refuse_non_finite(graph: gs.Graph) -> None:
    """Refuse weights that hold NaN or infinity; an infinity may mask, or bound."""
    for tensor in graph.tensors().values():
        if not isinstance(tensor, gs.Constant) or tensor.values.dtype.kind != "f":
            continue
        values = tensor.values
        with np.errstate(over="ignore", invalid="ignore"):
            # The sum is finite only if every value is; it may overflow though none is infinite.
            suspicious = not np.isfinite(values.sum())
        if suspicious and not np.isfinite(values).all() and not _masks(tensor):
            raise SourceError(
                f"The weights of {tensor.name!r} contain NaN or infinity; allow_non_finite=True accepts them."
            )


def _masks(tensor: gs.Constant) -> bool:
    """Whether it has no NaN, and is read only where an infinity says what does not count."""
    masking = _MASKING if not np.isposinf(tensor.values).any() else _CHOOSING
    return not np.isnan(tensor.values).any() and all(node.op in masking and not node.domain for node in tensor.outputs)
