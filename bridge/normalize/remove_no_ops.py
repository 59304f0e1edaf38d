"""Nodes that do nothing at inference go: Identity, Dropout, reshapes and casts to what is there, pools of one value."""

from __future__ import annotations

import onnx_graphsurgeon as gs

from gluon2caffe.bridge.normalize.surgery import bypass
from gluon2caffe.onnx2caffe.sizes.marks import bind, like_of

# An end from here on means all that is left.
_TO_THE_END = (1 << 31) - 1


def remove_no_ops(graph: gs.Graph) -> bool:
    """Take out every idle node."""
    changed = False
    for node in graph.nodes:
        if like_of(node) is None and _is_idle(node):
            if _is_idle_here_only(node):
                bind(node, f"a {node.op} that changes nothing at this size")
            changed |= bypass(node, graph)
    return changed


def _is_idle_here_only(node: gs.Node) -> bool:
    """Whether an idle Slice or Reshape would do something to an input of another size.

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


def _is_idle(node: gs.Node) -> bool:
    if not node.inputs or isinstance(node.inputs[0], gs.Constant):
        return False
    before, after = node.inputs[0].shape, node.outputs[0].shape
    same_shape = before is not None and after is not None and list(before) == list(after)
    if node.op == "Identity":
        return True
    if node.op == "Dropout":
        mode = node.inputs[2] if len(node.inputs) > 2 else None
        drops = mode is not None and not (isinstance(mode, gs.Constant) and not mode.values.any())
        return not drops and (len(node.outputs) == 1 or not node.outputs[1].outputs)
    if node.op in ("Reshape", "Flatten", "Expand", "Slice", "Pad", "Tile", "Squeeze", "Unsqueeze"):
        # With equal shapes these can only copy (a Slice that reverses an axis keeps the shape but not the order;
        # Pad may cut on one side what it adds on the other).
        return same_shape and (node.op not in ("Slice", "Pad") or _moves_nothing(node))
    if node.op == "Transpose":
        order = node.attrs.get("perm")
        return order is not None and list(order) == sorted(order)
    if node.op in ("Concat", "Sum", "Max", "Min", "Mean"):
        return len(node.inputs) == 1
    if node.op in ("MaxPool", "AveragePool"):
        ones = [1] * len(node.attrs["kernel_shape"])
        unpadded = not any(node.attrs.get("pads", [])) and node.attrs.get("auto_pad", "NOTSET") != "SAME_LOWER"
        stepless = list(node.attrs.get("strides", ones)) == ones
        return list(node.attrs["kernel_shape"]) == ones and stepless and unpadded and len(node.outputs) == 1
    return False


def _moves_nothing(node: gs.Node) -> bool:
    if node.op == "Pad":
        pads = node.attrs.get("pads")
        if pads is None and len(node.inputs) > 1 and isinstance(node.inputs[1], gs.Constant):
            pads = node.inputs[1].values
        return pads is not None and not any(int(pad) for pad in pads)
    if len(node.inputs) < 5:
        return True
    steps = node.inputs[4]
    return isinstance(steps, gs.Constant) and all(int(step) == 1 for step in steps.values)
