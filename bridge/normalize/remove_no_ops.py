"""Remove nodes that do nothing at inference: Identity, Dropout, reshapes to the same shape, pools of one value."""

from __future__ import annotations

from collections.abc import Callable

import onnx_graphsurgeon as gs

from gluon2caffe.bridge.normalize.surgery import bypass, ends_of
from gluon2caffe.onnx2caffe.sizes.marks import bind, like_of

# An end from here on means all that is left.
_TO_THE_END = (1 << 31) - 1


def remove_no_ops(graph: gs.Graph) -> bool:
    """Bypass every no-op."""
    ends, changed = ends_of(graph), False
    for node in graph.nodes:
        if like_of(node) is None and _is_no_op(node):
            if _is_no_op_here_only(node):
                bind(node, f"a {node.op} that changes nothing at this size")
            changed |= bypass(node, ends)
    return changed


def _is_no_op_here_only(node: gs.Node) -> bool:
    """Whether a no-op Slice or Reshape would do something to an input of another size.

    A Slice to the end does not, nor one of channels; nor a Reshape to lengths that are all named, which no other size
    fits, or that names none behind the channels.
    """
    if node.op == "Slice":
        starts, ends, axes = _slice_bounds(node)
        return any(
            axis != 1 and (start != 0 or end < _TO_THE_END) for start, end, axis in zip(starts, ends, axes, strict=True)
        )
    if node.op == "Reshape" and len(node.inputs) > 1 and isinstance(node.inputs[1], gs.Constant):
        target = node.inputs[1].values.reshape(-1).tolist()
        return -1 in target and any(length > 0 for length in target[2:])
    return False


def _slice_bounds(node: gs.Node) -> tuple[list[int], list[int], list[int]]:
    """Starts, ends and axes (from the front) of a Slice, from attributes or constant inputs."""
    if "starts" in node.attrs:
        starts, ends = list(node.attrs["starts"]), list(node.attrs["ends"])
        axes = node.attrs.get("axes")
    else:
        starts, ends = (node.inputs[index].values.reshape(-1).tolist() for index in (1, 2))
        given = node.inputs[3] if len(node.inputs) > 3 and node.inputs[3].name else None
        axes = None if given is None else given.values.reshape(-1).tolist()
    rank = len(node.inputs[0].shape)
    return starts, ends, [axis % rank for axis in (range(len(starts)) if axes is None else axes)]


def _is_no_op(node: gs.Node) -> bool:
    if not node.inputs or node.domain or isinstance(node.inputs[0], gs.Constant):
        return False
    test = _TESTS.get(node.op)
    return test is not None and test(node)


def _drops_nothing(node: gs.Node) -> bool:
    """A Dropout in inference mode, whose mask nothing reads."""
    mode = node.inputs[2] if len(node.inputs) > 2 else None
    drops = mode is not None and not (isinstance(mode, gs.Constant) and not mode.values.any())
    return not drops and (len(node.outputs) == 1 or not node.outputs[1].outputs)


def _keeps_shape(node: gs.Node) -> bool:
    before, after = node.inputs[0].shape, node.outputs[0].shape
    return before is not None and after is not None and list(before) == list(after)


def _moves_nothing(node: gs.Node) -> bool:
    """A Slice or Pad that keeps the shape, and the places too.

    A Slice may reverse an axis, a Pad cut on one side what it adds on the other.
    """
    if not _keeps_shape(node):
        return False
    if node.op == "Pad":
        pads = node.attrs.get("pads")
        if pads is None and len(node.inputs) > 1 and isinstance(node.inputs[1], gs.Constant):
            pads = node.inputs[1].values
        return pads is not None and not any(int(pad) for pad in pads)
    if len(node.inputs) < 5:
        return True
    steps = node.inputs[4]
    return isinstance(steps, gs.Constant) and all(int(step) == 1 for step in steps.values)


def _keeps_order(node: gs.Node) -> bool:
    order = node.attrs.get("perm")
    return order is not None and list(order) == sorted(order)


def _joins_one(node: gs.Node) -> bool:
    return len(node.inputs) == 1


def _pools_single_values(node: gs.Node) -> bool:
    ones = [1] * len(node.attrs["kernel_shape"])
    unpadded = not any(node.attrs.get("pads", [])) and node.attrs.get("auto_pad", "NOTSET") != "SAME_LOWER"
    stepless = list(node.attrs.get("strides", ones)) == ones
    return list(node.attrs["kernel_shape"]) == ones and stepless and unpadded and len(node.outputs) == 1


_TESTS: dict[str, Callable[[gs.Node], bool]] = {
    "Identity": lambda _node: True,
    "Dropout": _drops_nothing,
    **dict.fromkeys(("Reshape", "Flatten", "Expand", "Tile", "Squeeze", "Unsqueeze"), _keeps_shape),
    **dict.fromkeys(("Slice", "Pad"), _moves_nothing),
    "Transpose": _keeps_order,
    **dict.fromkeys(("Concat", "Sum", "Max", "Min", "Mean"), _joins_one),
    **dict.fromkeys(("MaxPool", "AveragePool"), _pools_single_values),
}
