"""Nodes that depend on constants and static shapes alone are computed now, by onnx's reference evaluator.

The evaluator runs over the foldable nodes only, so no weights but those that such a node reads pass through it. What
would blow up is refused: one node can make gigabytes out of a constant of a few numbers.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
import onnx_graphsurgeon as gs
from onnx import helper, numpy_helper, shape_inference

from gluon2caffe.onnx2caffe import growth
from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.onnx2caffe.node import is_static
from gluon2caffe.onnx2caffe.sizes.marks import (
    Lengths,
    bound_by,
    from_size,
    lengths_in,
    mark_constant,
    mark_lengths,
    new_lengths,
)
from gluon2caffe.onnx2caffe.surgeon import node_proto

Array = np.ndarray[Any, np.dtype[Any]]

_LARGEST_SHAPE = 1024

_MOVES_FIRST = frozenset(("Gather", "Slice", "Squeeze", "Unsqueeze", "Reshape", "Cast", "Identity", "Transpose"))

# Their value depends on more than their inputs, or is no array.
_RANDOM = "RandomNormal RandomUniform RandomNormalLike RandomUniformLike Multinomial Bernoulli"
_SEQUENCE = "SequenceConstruct SequenceEmpty SequenceInsert SequenceErase SplitToSequence Optional"
_NEVER = frozenset((*_RANDOM.split(), *_SEQUENCE.split()))

_CONSTANT_FORMS: dict[str, type[np.generic]] = {
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
}


def fold(node: gs.Node, opset: int, total: growth.Total) -> bool:
    """Make the node's outputs constants, where they depend on constants and static shapes alone; count what grows.

    Raises:
        SourceError: the model cannot be right, since onnx cannot compute the node from its constants; or it would make
            more of them than it may (`growth`).
    """
    if _fold_shape(node):
        return True
    if node.op == "Constant" and not node.domain:
        _become_constant(node.outputs[0], _values(node))
        return True
    if not _is_foldable(node):
        return False
    _evaluate(node, opset, total)
    # Its inputs are read by one node less, which what is folded next may depend on.
    node.inputs.clear()
    return True


def find_foldable(graph: gs.Graph) -> str | None:
    """Describe a node that constants alone decide; None where all are folded."""
    found = next((node for node in graph.nodes if _is_foldable(node)), None)
    return None if found is None else f"{found.op} {found.outputs[0].name!r} still reads constants alone"


def _is_foldable(node: gs.Node) -> bool:
    if node.op in _NEVER or node.domain or any(isinstance(value, gs.Graph) for value in node.attrs.values()):
        return False
    # Outputs that have become constants have left the node.
    made = any(tensor.name for tensor in node.outputs)
    return made and all(isinstance(tensor, gs.Constant) or not tensor.name for tensor in node.inputs)


def _values(node: gs.Node) -> Array:
    """The value of a Constant node, in whichever attribute it is."""
    value = node.attrs.get("value")
    if isinstance(value, gs.Constant):
        return np.asarray(value.values)
    for name, kind in _CONSTANT_FORMS.items():
        if name in node.attrs:
            return np.asarray(node.attrs[name], kind)
    raise SourceError(
        f"The Constant node of {node.outputs[0].name!r} holds {', '.join(node.attrs) or 'a sparse tensor'}: only dense "
        "tensors of numbers can be converted."
    )


def _fold_shape(node: gs.Node) -> bool:
    """Shape and Size of a tensor whose shape is static."""
    if node.op not in ("Shape", "Size") or node.domain or isinstance(node.inputs[0], gs.Constant):
        return False
    if not is_static(node.inputs[0]):
        return False
    shape = node.inputs[0].shape
    if node.op == "Size":
        values = np.array(math.prod(shape), np.int64)
    else:
        taken = range(len(shape))[node.attrs.get("start", 0) : node.attrs.get("end", len(shape))]
        values = np.array([shape[axis] for axis in taken], np.int64)
        mark_lengths(node.outputs[0], new_lengths(node.inputs[0], taken))
    mark_constant(node.outputs[0])
    _become_constant(node.outputs[0], values)
    node.inputs.clear()
    return True


def _run(model: onnx.ModelProto, feeds: dict[str, Array]) -> Any:
    """Compute the outputs of a model of one node."""
    # Most nets have nothing to compute here, and the import costs a tenth of a small conversion.
    from onnx.reference import ReferenceEvaluator

    return ReferenceEvaluator(model).run(None, feeds)


def _evaluate(node: gs.Node, opset: int, total: growth.Total) -> None:
    """Compute the node."""
    outputs = [tensor for tensor in node.outputs if tensor.name]
    _refuse_growth(node, opset, total)
    feeds = {tensor.name: np.asarray(tensor.values) for tensor in node.inputs if tensor.name}
    model = _model(node, opset, [_value_info(name, values) for name, values in feeds.items()], [])
    _mark_outputs(node, model, feeds)
    try:
        with np.errstate(all="ignore"):
            results = _run(model, feeds)
    except Exception as error:  # the evaluator raises whatever numpy raises over values that do not fit
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise SourceError(
            f"Node {node.name or outputs[0].name!r} ({node.op}) cannot be computed from its constants: {reason}"
        ) from error
    for tensor, result in zip(outputs, results, strict=True):
        values = np.asarray(result)
        for source in node.inputs:
            if source.name and np.may_share_memory(values, source.values):
                # A view, as a Reshape gives: neither may be written to for the sake of one reader any more.
                values, source.values = _read_only(values), _read_only(source.values)
        _become_constant(tensor, values)


def _mark_outputs(node: gs.Node, model: onnx.ModelProto, feeds: dict[str, Array]) -> None:
    """Hand on which values come from shapes: place by place where the node only moves them, else all."""
    masks = {tensor.name: mask for tensor in node.inputs if (mask := from_size(tensor)) is not None}
    if bound_by(node):
        masks = {name: np.ones(values.shape, bool) for name, values in feeds.items()}
    if not masks:
        return
    moved = [node.inputs[0].name] if node.op in _MOVES_FIRST else list(feeds)
    places: list[Any] = [True] * len(node.outputs)
    if (node.op in _MOVES_FIRST or node.op == "Concat") and masks.keys() <= set(moved):
        seen = {name: masks.get(name, np.zeros(feeds[name].shape, bool)).astype(feeds[name].dtype) for name in moved}
        places = list(_run(model, {**feeds, **seen}))
        _mark_lengths(node, model, feeds, moved)
    for tensor, each in zip((tensor for tensor in node.outputs if tensor.name), places, strict=False):
        mark_constant(tensor, each)


def _mark_lengths(node: gs.Node, model: onnx.ModelProto, feeds: dict[str, Array], moved: list[str]) -> None:
    """Hand on which values are lengths, where the node only moves them."""
    given = {tensor.name: found for tensor in node.inputs if (found := lengths_in(tensor)) is not None}
    if not given:
        return
    none = {name: np.zeros(feeds[name].shape, np.int64) for name in moved}
    numbers = {name: (given[name].places if name in given else none[name]) for name in moved}
    seen = {name: values.reshape(feeds[name].shape).astype(feeds[name].dtype) for name, values in numbers.items()}
    known = {number: place for found in given.values() for number, place in found.known.items()}
    outputs = [tensor for tensor in node.outputs if tensor.name]
    for tensor, made in zip(outputs, _run(model, {**feeds, **seen}), strict=False):
        mark_lengths(tensor, Lengths(np.asarray(made).astype(np.int64), known))


def _read_only(values: Array) -> Array:
    view = values.view()
    view.flags.writeable = False
    return view


def _refuse_growth(node: gs.Node, opset: int, total: growth.Total) -> None:
    """Refuse a node that makes very many numbers out of few, as onnx infers from the values that shapes depend on."""
    values, infos = [], []
    for tensor in {tensor.name: tensor for tensor in node.inputs if tensor.name}.values():
        if math.prod(tensor.shape) <= _LARGEST_SHAPE:
            values.append(numpy_helper.from_array(np.asarray(tensor.values), tensor.name))
        else:
            infos.append(_value_info(tensor.name, tensor))
    inferred = shape_inference.infer_shapes(_model(node, opset, infos, values), data_prop=True)
    given = max((math.prod(tensor.shape) for tensor in node.inputs if tensor.name), default=0)
    # What is not inferred depends on many values, such as those of NonZero, and is not many more than they are.
    made: list[float] = [_size(output.type.tensor_type.shape) for output in inferred.graph.output]
    if node.op == "Range":
        made.append(_range_length(node))
    largest = max(made, default=0)
    if largest <= given:
        return
    count = math.ceil(4 * min(largest, 2**63))
    excess = growth.excess_of_bytes(count) or total.excess(count)
    if excess:
        raise SourceError(
            f"Node {node.name or node.outputs[0].name!r} ({node.op}) makes too much out of constants: {excess}. "
            "Try: cut the net before it with outputs=[...]"
        )


def _size(shape: onnx.TensorShapeProto) -> int:
    return math.prod(dim.dim_value for dim in shape.dim if dim.HasField("dim_value"))


def _range_length(node: gs.Node) -> float:
    start, limit, step = (float(tensor.values.item()) for tensor in node.inputs)
    return (limit - start) / step if step else 0.0


def _model(
    node: gs.Node, opset: int, inputs: list[onnx.ValueInfoProto], values: list[onnx.TensorProto]
) -> onnx.ModelProto:
    proto = node_proto(node)
    # Of no type yet: what a node makes is not always known.
    outputs = [onnx.ValueInfoProto(name=tensor.name) for tensor in node.outputs if tensor.name]
    made = helper.make_graph([proto], "fold", inputs, outputs, values)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)])


def _value_info(name: str, values: Any) -> onnx.ValueInfoProto:
    """The type of an array or a constant, whose values stay untouched."""
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(values.dtype)), values.shape)


def _become_constant(tensor: gs.Variable, values: Array) -> None:
    tensor.inputs.clear()
    tensor.to_constant(values)
