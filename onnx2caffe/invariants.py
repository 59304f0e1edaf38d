"""What holds of a graph after every pass, and of the layers after every lowered node; checked in every conversion.

Of a graph:

- nodes stand in topological order: each reads inputs of the graph, constants, and what nodes before it made;
- names are unique: two tensors of one name are one tensor, and each is made once;
- shape and type of what a node makes are those that onnx infers from what the node reads. Only the nodes that differ
  from the last check, in themselves or in what they read, are inferred anew.

Before lowering, every float constant is float32. After a node is lowered, the blob of each output has the shape of its
tensor. At the end, every layer fits what it reads, and the layers make the shapes that
the blobs were recorded with.

A violation is a fault of this program, never of the source: `InternalError`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import is_
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
from onnx import helper

from gluon2caffe.onnx2caffe.caffe_pb2 import LayerParameter
from gluon2caffe.onnx2caffe.errors import InternalError
from gluon2caffe.onnx2caffe.infer_types import InferenceError, TensorType, TypeInference
from gluon2caffe.onnx2caffe.model import CaffeModel
from gluon2caffe.onnx2caffe.shapes import MisfitError, Shape, UnknownShapeError, net_shapes, top_shapes
from gluon2caffe.onnx2caffe.surgeon import stored


class GraphWatch:
    """Checks the invariants of one graph again and again, each time at the cost of what has changed."""

    def __init__(self, graph: gs.Graph) -> None:
        self._graph = graph
        self._inference = TypeInference(graph.opset)
        # By the identity of a node: all that its inference depends on. They hold references, so identities stay theirs.
        self._checked: dict[int, list[object]] = {}

    def check(self, where: str, *, types: bool = True) -> None:
        """Raise InternalError where an invariant does not hold.

        Args:
            where: what ran last, as "after pass 'x'".
            types: compare shapes and types too. Before they are inferred, a misfit is the source's fault.
        """
        graph, checked = self._graph, self._checked
        constant = gs.Constant
        named: dict[str, gs.Tensor] = {tensor.name: tensor for tensor in graph.inputs}
        made: set[int] = set(map(id, graph.inputs))
        changed = []
        states: dict[int, list[object]] = {}
        for node in graph.nodes:
            state: list[object] = [node, node.op, *node.attrs.values()]
            for tensor in node.inputs:
                name = tensor.name
                if not name:
                    state.append(None)
                    continue
                if named.setdefault(name, tensor) is not tensor:
                    raise InternalError(where, f"two tensors are called {name!r}, expected unique names")
                if tensor.__class__ is constant:
                    state.append(stored(tensor))
                    continue
                if id(tensor) not in made:
                    raise InternalError(where, _order(node, tensor))
                state += (tensor, tensor.shape, tensor.dtype)
            for tensor in node.outputs:
                name = tensor.name
                if name:
                    if id(tensor) in made or named.setdefault(name, tensor) is not tensor:
                        raise InternalError(where, f"{name!r} is made twice, expected unique names")
                    made.add(id(tensor))
                    state += (tensor, tensor.shape, tensor.dtype)
            key = id(node)
            states[key] = state
            before = checked.get(key)
            if before is None or len(before) != len(state) or not all(map(is_, before, state)):
                changed.append(node)
        self._checked = states if types else {}
        for tensor in graph.outputs:
            if not isinstance(tensor, gs.Constant) and id(tensor) not in made:
                raise InternalError(where, f"output {tensor.name!r} is made by no node, expected one that makes it")
        for node in changed if types else ():
            self._check_types(node, where)

    def _check_types(self, node: gs.Node, where: str) -> None:
        """Compare what the node is said to make with what onnx infers; what is not known yet is not compared."""
        for tensor in node.inputs:
            if tensor.name and (tensor.dtype is None or tensor.shape is None):
                return
        try:
            inferred = self._inference.outputs_of(node)
        except InferenceError as error:
            reason = str(error).strip().splitlines()[0]
            raise InternalError(where, f"{_title(node)} does not fit what it reads: {reason}") from error
        for tensor, found in zip(node.outputs, inferred, strict=False):
            if tensor.name and found is not None and not _agrees(tensor, found):
                raise InternalError(
                    where,
                    f"{tensor.name!r} is said to be {_text(tensor.dtype, tensor.shape)}, expected "
                    f"{_text(found.dtype, found.shape)}, which {_title(node)} makes of what it reads",
                )


def find_other_float(graph: gs.Graph) -> str | None:
    """Describe a float constant that is not float32, as stage two reads them; None where there is none."""
    for node in graph.nodes:
        for tensor in node.inputs:
            if isinstance(tensor, gs.Constant):
                dtype = stored(tensor).dtype
                if isinstance(dtype, int) or (dtype.kind == "f" and dtype != np.float32):
                    return f"constant {tensor.name!r} is {dtype}, expected float32"
    return None


def require_blob_shape(node: gs.Node, tensor: gs.Tensor, shape: Sequence[int]) -> None:
    """Check that the blob of a node's output has the tensor's shape."""
    if list(tensor.shape) != list(shape):
        raise InternalError(
            f"in lowering {_title(node)}",
            f"the blob of {tensor.name!r} is {_lengths(shape)}, expected {_lengths(tensor.shape)}",
        )


def require_recorded_shapes(model: CaffeModel, shapes: Mapping[str, Sequence[int]]) -> None:
    """Check that each layer makes the shape of the tensor whose values its blob holds.

    Args:
        model: the finished layers.
        shapes: tensor -> shape, where it is known.
    """
    held: dict[str, list[str]] = {}
    for tensor, blob in (*model.tensors.items(), *model.outputs.items()):
        held.setdefault(blob, []).append(tensor)
    messages = [layer.message for layer in model.layers]
    made = dict(model.inputs)
    for message, layer in zip(messages, net_shapes(model.inputs, messages), strict=True):
        _require_fit(message, layer.bottoms, layer.tops)
        made.update((top, shape) for top, shape in zip(message.top, layer.tops, strict=True) if shape is not None)
    for blob, tensors in held.items():
        for tensor in tensors:
            # A scalar is written as a blob of one axis of length 1.
            if blob in made and tensor in shapes and (list(made[blob]) or [1]) != (list(shapes[tensor]) or [1]):
                raise InternalError(
                    "in the finished layers",
                    f"blob {blob!r} of {tensor!r} is {_lengths(made[blob])}, expected {_lengths(shapes[tensor])}",
                )


def _require_fit(message: LayerParameter, bottoms: Sequence[Shape | None], tops: Sequence[Shape | None]) -> None:
    """Check that a layer can stand on its bottoms, such as a Reshape to as many values as there are."""
    if None in tops and None not in bottoms:
        try:
            top_shapes(message, [shape for shape in bottoms if shape is not None])
        except MisfitError as error:
            raise InternalError("in the finished layers", f"{error}, expected fields that do") from error
        except UnknownShapeError:
            return


def _agrees(tensor: gs.Tensor, found: TensorType) -> bool:
    dtype, shape = tensor.dtype, tensor.shape
    both = found.dtype is not None and dtype is not None and dtype is not found.dtype
    if both and _numpy_type(dtype) != found.dtype:
        return False
    if found.shape is None or shape is None or found.shape == tuple(shape):
        return True
    return len(found.shape) == len(shape) and all(
        a == b for a, b in zip(found.shape, shape, strict=True) if a is not None and isinstance(b, int)
    )


def _numpy_type(dtype: Any) -> np.dtype[Any]:
    """Graphsurgeon keeps types that numpy itself lacks, such as float8, as ONNX's number of them."""
    return np.dtype(helper.tensor_dtype_to_np_dtype(dtype) if isinstance(dtype, int) else dtype)


def _order(node: gs.Node, tensor: gs.Tensor) -> str:
    return f"{_title(node)} reads {tensor.name!r}, which nothing before it makes, expected topological order"


def _title(node: gs.Node) -> str:
    name = node.name or next((tensor.name for tensor in node.outputs), "")
    return f"{node.op} {name!r}"


def _text(dtype: object, shape: Sequence[object] | None) -> str:
    kind = "of no type" if dtype is None else str(dtype if isinstance(dtype, int) else np.dtype(dtype))  # type: ignore[call-overload]
    return f"{kind} {'of any shape' if shape is None else _lengths(shape)}"


def _lengths(shape: Sequence[object]) -> str:
    return "×".join("?" if length is None else str(length) for length in shape) or "a scalar"
