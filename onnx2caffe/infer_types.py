"""Shape and type of what one node makes, inferred by onnx from the tensors that the node reads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import onnx
import onnx_graphsurgeon as gs
from onnx import helper, numpy_helper, shape_inference

from gluon2caffe.onnx2caffe.surgeon import node_proto, stored

InferenceError = shape_inference.InferenceError

LARGEST_VALUE_READ = 1024
"""Shapes, axes, pads and scales are constants of a few numbers; weights need not be looked at."""

MADE_LIKE_FIRST_INPUT = frozenset({"GroupNormalization", "MeanVarianceNormalization"})
"""They make the type and shape of their first input. onnx infers neither the first, nor the second through its
definition where the axes are left to their default."""

# Their floats decide about shapes; those of other operators do not.
_READS_FLOATS = frozenset({"Resize", "Upsample", "Range", "OneHot"})


@dataclass(frozen=True)
class TensorType:
    """Type and shape of a tensor; None for what is not known, in a shape for each length that is not."""

    dtype: np.dtype[Any] | None
    shape: tuple[int | None, ...] | None


class TypeInference:
    """Infers what nodes of one graph make; equal nodes of equal inputs are inferred once."""

    def __init__(self, opset: int) -> None:
        self._opsets = [helper.make_opsetid("", opset)]
        self._known: dict[object, list[TensorType | None]] = {}

    def outputs_of(self, node: gs.Node) -> list[TensorType | None]:
        """What each output of the node is; None where onnx has no answer, or the output is no tensor.

        Nodes of other domains and those with subgraphs have no answer: they need more than their inputs.

        Raises:
            InferenceError: the inputs do not fit the node.
        """
        if node.domain or any(value.__class__ is gs.Graph for value in node.attrs.values()):
            return [None] * len(node.outputs)
        if node.op in MADE_LIKE_FIRST_INPUT:
            return [_type_of(node.inputs[0])]
        key = _signature(node)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._infer(node)
        return known

    def _infer(self, node: gs.Node) -> list[TensorType | None]:
        graph = onnx.GraphProto(name="node", node=[node_proto(node)])
        for tensor in {tensor.name: tensor for tensor in node.inputs if tensor.name}.values():
            if isinstance(tensor, gs.Constant) and _decides(node, tensor):
                graph.initializer.append(numpy_helper.from_array(np.asarray(tensor.values), tensor.name))
            else:
                graph.input.append(value_info(tensor))
        graph.output.extend(onnx.ValueInfoProto(name=tensor.name) for tensor in node.outputs if tensor.name)
        model = onnx.ModelProto(ir_version=onnx.IR_VERSION, graph=graph, opset_import=self._opsets)
        inferred = shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
        found = {info.name: tensor_type(info) for info in inferred.graph.output}
        return [found.get(tensor.name) for tensor in node.outputs]


def value_info(tensor: gs.Tensor) -> onnx.ValueInfoProto:
    """The type of a tensor as onnx reads it; the values of a constant stay untouched."""
    shape = tensor.shape
    return onnx.ValueInfoProto(
        name=tensor.name, type=_type_proto(tensor.dtype, None if shape is None else tuple(shape))
    )


@lru_cache(maxsize=1024)
def _type_proto(dtype: Any, shape: tuple[int | str | None, ...] | None) -> onnx.TypeProto:
    if dtype is None:
        kind = int(onnx.TensorProto.UNDEFINED)
    else:
        kind = dtype if isinstance(dtype, int) else helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return helper.make_tensor_type_proto(kind, shape)


def tensor_type(info: onnx.ValueInfoProto) -> TensorType | None:
    """What onnx inferred; None where that is no tensor."""
    if not info.type.HasField("tensor_type"):
        return None
    kind = info.type.tensor_type
    shape = tuple(d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim)
    return TensorType(
        np.dtype(helper.tensor_dtype_to_np_dtype(kind.elem_type)) if kind.elem_type else None,
        shape if kind.HasField("shape") else None,
    )


def _type_of(tensor: gs.Tensor) -> TensorType:
    shape = tensor.shape
    lengths = None if shape is None else tuple(int(n) if isinstance(n, (int, np.integer)) else None for n in shape)
    known = tensor.dtype is not None and not isinstance(tensor.dtype, int)
    return TensorType(np.dtype(tensor.dtype) if known else None, lengths)


def _decides(node: gs.Node, constant: gs.Constant) -> bool:
    """Whether shapes may depend on the values of a constant input."""
    held = stored(constant)
    if math.prod(held.shape) > LARGEST_VALUE_READ or isinstance(held.dtype, int):
        return False
    return held.dtype.kind in "iub" or node.op in _READS_FLOATS


def _signature(node: gs.Node) -> object:
    """Equal for nodes that make the same types."""
    parts: list[object] = [node.op, len(node.inputs), *[bool(tensor.name) for tensor in node.outputs]]
    if node.attrs:
        parts.append(repr(node.attrs))
    names = set()
    for tensor in node.inputs:
        if not tensor.name:
            parts.append(None)
            continue
        names.add(tensor.name)
        if isinstance(tensor, gs.Constant):
            held = stored(tensor)
            parts += (tuple(held.shape), held.dtype, tensor.values.tobytes() if _decides(node, tensor) else None)
        else:
            parts += (None if tensor.shape is None else tuple(tensor.shape), tensor.dtype)
    parts.append(len(names))  # a tensor that is read twice is not like two of one shape, where lengths are symbols
    return tuple(parts)
