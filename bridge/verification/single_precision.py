"""The float32 twin of a model in half or double precision: the reference for what Caffe computes of it in float32.

In its own precision a half model is off by a thousandth, which says nothing of the conversion, and onnxruntime has many
operators for float32 alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

_OTHER_FLOATS = frozenset({TensorProto.FLOAT16, TensorProto.DOUBLE})
_TYPE_ATTRIBUTES = frozenset({"to", "dtype"})


def is_other_precision(model: onnx.ModelProto) -> bool:
    """Whether it takes half or double precision, or its weights are in half; double constants alone are arithmetic."""
    inputs = (info.type.tensor_type.elem_type for info in model.graph.input)
    return any(kind in _OTHER_FLOATS for kind in inputs) or any(
        tensor.data_type == TensorProto.FLOAT16 for tensor in model.graph.initializer
    )


def in_single_precision(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy with every tensor, type and cast of half or double precision in float32; its weights are in it."""
    twin = onnx.ModelProto()
    twin.CopyFrom(model)
    for graph in _graphs(twin.graph):
        for tensor in graph.initializer:
            _retype(tensor)
        for info in (*graph.input, *graph.output, *graph.value_info):
            if info.type.tensor_type.elem_type in _OTHER_FLOATS:
                info.type.tensor_type.elem_type = TensorProto.FLOAT
        _retype_nodes(graph.node)
    for function in twin.functions:
        _retype_nodes(function.node)
    return twin


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The graph and those inside it."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            inner = [attribute.g] if attribute.HasField("g") else attribute.graphs
            for each in inner:
                yield from _graphs(each)


def _retype_nodes(nodes: Iterable[onnx.NodeProto]) -> None:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.name in _TYPE_ATTRIBUTES and attribute.i in _OTHER_FLOATS:
                attribute.i = TensorProto.FLOAT
            for tensor in [attribute.t] if attribute.HasField("t") else attribute.tensors:
                _retype(tensor)


def _retype(tensor: TensorProto) -> None:
    if tensor.data_type in _OTHER_FLOATS:
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float32), tensor.name))
