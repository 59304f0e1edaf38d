"""Running a part of a graph on chosen numbers, to find out what it computes whatever it is written in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx_graphsurgeon as gs
from onnx import numpy_helper

Doubles = npt.NDArray[np.float64]


def ancestors(tensor: gs.Tensor) -> Iterator[gs.Tensor]:
    """The tensors that `tensor` is computed from, nearest first, itself first of all."""
    waiting, seen = [tensor], {id(tensor)}
    while waiting:
        current = waiting.pop(0)
        yield current
        for node in current.inputs:
            for source in node.inputs:
                if id(source) not in seen:
                    seen.add(id(source))
                    waiting.append(source)


class Probe:
    """The part of a graph between two tensors, in double precision."""

    def __init__(self, start: gs.Tensor, end: gs.Tensor) -> None:
        """Take the nodes that compute `end` from `start`; all else that they read must be constant.

        Raises:
            ValueError: something else is read that is no constant.
        """
        nodes: list[gs.Node] = []
        _collect(end, {id(start)}, nodes)
        if any(node.domain for node in nodes):
            raise ValueError("a node of another domain is in between")
        graph = gs.Graph(nodes=nodes, inputs=[start], outputs=[end], opset=13)
        model = gs.export_onnx(graph)
        _in_doubles(model)
        self._name = start.name
        from onnx.reference import ReferenceEvaluator  # where it is used: a tenth of a small conversion

        self._evaluator = ReferenceEvaluator(model)

    def __call__(self, values: npt.NDArray[Any]) -> Doubles:
        """The end for these values of the start."""
        (result,) = self._evaluator.run(None, {self._name: values.astype(np.float64)})
        return np.asarray(result, np.float64)


def _collect(tensor: gs.Tensor, seen: set[int], nodes: list[gs.Node]) -> None:
    """Append the nodes behind a tensor, each after those that it reads from."""
    if id(tensor) in seen or isinstance(tensor, gs.Constant) or not tensor.name:
        return
    seen.add(id(tensor))
    if not tensor.inputs:
        raise ValueError(f"{tensor.name} is no constant")
    (node,) = tensor.inputs
    for source in node.inputs:
        _collect(source, seen, nodes)
    if not any(node is other for other in nodes):
        nodes.append(node)


def _in_doubles(model: onnx.ModelProto) -> None:
    """Constants in double precision, and no types that say otherwise."""
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), name))
    for info in (*model.graph.input, *model.graph.output):
        info.type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    del model.graph.value_info[:]
