"""Rules of ONNX that its checker and its shape inference do not look after, and on which lowerings rely."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import onnx_graphsurgeon as gs

from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.onnx2caffe.node import is_static_shape

_WINDOW = ("kernel_shape", "strides", "pads", "dilations", "output_padding", "output_shape", "group")
_LARGEST = 2**31 - 1


def check_nodes(graph: gs.Graph) -> None:
    """Check every node, once all shapes are known that can be known.

    Raises:
        SourceError: a node breaks a rule.
    """
    for node in graph.nodes:
        if node.domain:
            continue
        _check_window(node)
        check = _CHECKS.get(node.op)
        if check is not None:
            check(node)


def _check_window(node: gs.Node) -> None:
    for name in _WINDOW:
        value = node.attrs.get(name)
        for number in value if isinstance(value, list) else [value]:
            if isinstance(number, int) and abs(number) > _LARGEST:
                raise SourceError(f"{_title(node)} has the attribute {name} = {number:,}, which no net can need.")


def _check_convolution(node: gs.Node) -> None:
    """The channels of the input, the weights, the bias and the groups fit together; onnx's inference passes misfits."""
    x, weight = node.inputs[0].shape, node.inputs[1].shape
    if not is_static_shape(x) or not is_static_shape(weight):
        return
    if len(weight) < 3 or len(weight) != len(x):
        raise SourceError(f"{_title(node)}: its weights have the shape {list(weight)}, its input {list(x)}.")
    kernel = node.attrs.get("kernel_shape")
    if kernel is not None and list(kernel) != list(weight[2:]):
        raise SourceError(f"{_title(node)}: its weights have the shape {list(weight)}, its kernel_shape is {kernel}.")
    groups = node.attrs.get("group", 1)
    if groups < 1:
        raise SourceError(f"{_title(node)} has the attribute group = {groups}, expected at least 1.")
    if node.op == "Conv":
        taken, made, divided = weight[1] * groups, weight[0], weight[0]
    else:
        taken, made, divided = weight[0], weight[1] * groups, weight[0]
    _require_channels(node, x, taken)
    if divided % groups:
        raise SourceError(
            f"{_title(node)}: its weights of shape {list(weight)} cannot be divided into {groups} groups."
        )
    if len(node.inputs) > 2 and node.inputs[2].name:
        bias = node.inputs[2].shape
        if is_static_shape(bias) and list(bias) != [made]:
            raise SourceError(f"{_title(node)}: its bias has the shape {list(bias)}, expected [{made}].")


# Operator -> how many of its inputs, behind the first, hold a number for each channel.
_PER_CHANNEL = {"BatchNormalization": 4, "InstanceNormalization": 2}


def _check_per_channel(node: gs.Node) -> None:
    if not node.attrs.get("spatial", 1):
        return
    x = node.inputs[0].shape
    for tensor in node.inputs[1 : 1 + _PER_CHANNEL[node.op]]:
        if (
            is_static_shape(x)
            and is_static_shape(tensor.shape)
            and math.prod(tensor.shape) != (x[1] if len(x) > 1 else 1)
        ):
            _require_channels(node, x, math.prod(tensor.shape))


def _require_channels(node: gs.Node, shape: Any, taken: int) -> None:
    """Refuse an input whose axis 1 has another length; a hint where the last axis would fit."""
    if len(shape) > 1 and shape[1] == taken:
        return
    found = f"axis 1 of its input {list(shape)} has {shape[1]}" if len(shape) > 1 else f"its input is {list(shape)}"
    hint = ""
    if len(shape) > 2 and shape[-1] == taken:
        hint = " The last axis would fit. Try: export the model in NCHW layout, or transpose its input to NCHW."
    raise SourceError(f"{_title(node)}: its weights are for {taken} channels, but {found}.{hint}")


def _check_split(node: gs.Node) -> None:
    sizes = node.attrs.get("split")
    if sizes is None and len(node.inputs) > 1 and isinstance(node.inputs[1], gs.Constant):
        sizes = node.inputs[1].values.reshape(-1).tolist()
    shape = node.inputs[0].shape
    if sizes is None or not is_static_shape(shape):
        return
    axis = node.attrs.get("axis", 0)
    if not -len(shape) <= axis < len(shape):
        raise SourceError(f"{_title(node)} splits axis {axis} of a tensor of {len(shape)} axes.")
    if len(sizes) != len(node.outputs) or min(sizes) < 0 or sum(sizes) != shape[axis]:
        raise SourceError(
            f"{_title(node)} splits a length of {shape[axis]} into {list(sizes)}, for {len(node.outputs)} outputs."
        )


def _check_prelu(node: gs.Node) -> None:
    _require_broadcast(node, "slope", node.inputs[1].shape, node.inputs[0].shape)


def _check_gemm(node: gs.Node) -> None:
    if len(node.inputs) > 2 and node.inputs[2].name:
        _require_broadcast(node, "third operand", node.inputs[2].shape, node.outputs[0].shape)


def _check_reshape(node: gs.Node) -> None:
    x, made = node.inputs[0].shape, node.outputs[0].shape
    if is_static_shape(x) and is_static_shape(made) and math.prod(x) != math.prod(made):
        raise SourceError(
            f"{_title(node)} makes {list(made)} of {list(x)}: {math.prod(made)} numbers of {math.prod(x)}."
        )


def _check_depth_to_space(node: gs.Node) -> None:
    x, block = node.inputs[0].shape, node.attrs.get("blocksize", 1)
    if is_static_shape(x) and x[1] % block**2:
        raise SourceError(f"{_title(node)} makes blocks of {block}×{block} of {x[1]} channels, expected a multiple.")


def _check_row_normalization(node: gs.Node) -> None:
    """Scale and bias broadcast to the axes that are normalised."""
    x, axis = node.inputs[0].shape, node.attrs.get("axis", -1)
    if is_static_shape(x) and -len(x) <= axis < len(x):
        for tensor in node.inputs[1:]:
            if tensor.name:
                _require_broadcast(node, "scale or bias", tensor.shape, x[axis:])


def _check_group_normalization(node: gs.Node) -> None:
    """Scale and bias hold a number for each group, since opset 21 one for each channel."""
    x, groups = node.inputs[0].shape, node.attrs.get("num_groups", 1)
    for tensor in node.inputs[1:]:
        if is_static_shape(x) and is_static_shape(tensor.shape) and list(tensor.shape) not in ([groups], [x[1]]):
            raise SourceError(
                f"{_title(node)}: its scale or bias has the shape {list(tensor.shape)}, expected [{groups}] or "
                f"[{x[1]}]."
            )


def _check_reverse_sequence(node: gs.Node) -> None:
    x, lengths, axis = node.inputs[0].shape, node.inputs[1], node.attrs.get("time_axis", 0)
    if is_static_shape(x) and isinstance(lengths, gs.Constant) and 0 <= axis < len(x):
        wrong = [int(length) for length in lengths.values.reshape(-1) if not 0 <= length <= x[axis]]
        if wrong:
            raise SourceError(f"{_title(node)} reverses {wrong[0]} of {x[axis]} steps.")


def _require_broadcast(node: gs.Node, what: str, shape: Any, wanted: Any) -> None:
    if not is_static_shape(shape) or not is_static_shape(wanted):
        return
    fits = len(shape) <= len(wanted) and all(
        a in (1, b) for a, b in zip(reversed(list(shape)), reversed(list(wanted)), strict=False)
    )
    if not fits:
        raise SourceError(f"{_title(node)}: its {what} of shape {list(shape)} does not broadcast to {list(wanted)}.")


_CHECKS: dict[str, Callable[[gs.Node], None]] = {
    "BatchNormalization": _check_per_channel,
    "Conv": _check_convolution,
    "ConvTranspose": _check_convolution,
    "DepthToSpace": _check_depth_to_space,
    "Gemm": _check_gemm,
    "GroupNormalization": _check_group_normalization,
    "InstanceNormalization": _check_per_channel,
    "LayerNormalization": _check_row_normalization,
    "PRelu": _check_prelu,
    "RMSNormalization": _check_row_normalization,
    "Reshape": _check_reshape,
    "ReverseSequence": _check_reverse_sequence,
    "Split": _check_split,
}


def _title(node: gs.Node) -> str:
    return f"Node {node.name or node.outputs[0].name!r} ({node.op})"
