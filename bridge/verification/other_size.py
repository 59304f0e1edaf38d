"""A model that declares one input size, made to take another: the reference for a conversion at that size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import onnx

Shapes = Mapping[str, tuple[int, ...]]


def fixes_other_size(model: onnx.ModelProto, shapes: Shapes) -> bool:
    """Whether a length that the model fixes, the batch left out, differs from that of `shapes`."""
    return any(
        dim.HasField("dim_value") and dim.dim_value != length
        for info in model.graph.input
        if info.name in shapes and len(info.type.tensor_type.shape.dim) == len(shapes[info.name])
        for dim, length in list(zip(info.type.tensor_type.shape.dim, shapes[info.name], strict=True))[1:]
    )


def at_other_size(model: onnx.ModelProto, shapes: Shapes) -> onnx.ModelProto:
    """A copy whose inputs take `shapes`, and which declares no other shape of what it computes; weights are in it."""
    twin = onnx.ModelProto()
    twin.CopyFrom(model)
    for info in twin.graph.input:
        dims = info.type.tensor_type.shape.dim
        for dim, length in zip(dims, shapes.get(info.name, ()), strict=False):
            dim.dim_value = length
    for graph in _graphs(twin.graph):
        del graph.value_info[:]
        for info in graph.output:
            for dim in info.type.tensor_type.shape.dim:
                dim.Clear()
    return twin


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The graph and those inside it."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield from _graphs(inner)
