"""Groups of ONNX nodes that one Caffe layer computes, put together before lowering.

A group becomes one node of the domain `caffe`, which only the lowering sees: the intermediate keeps the ONNX nodes.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from gluon2caffe.onnx2caffe.targets import Profile

DOMAIN = "caffe"

_ORIGIN = "origin"


def fuse(graph: gs.Graph, profile: Profile) -> None:
    """Put together what `profile` has a layer for."""
    if profile.has("Normalize"):
        for node in [node for node in graph.nodes if node.op == "Div"]:
            _fuse_l2_normalization(node, graph)
    for node in [node for node in graph.nodes if node.op == "Mul"]:
        _fuse_gate(node, graph, profile)
    graph.cleanup(remove_unused_graph_inputs=False)


def origin_of(node: gs.Node) -> tuple[str, ...]:
    """Names of the ONNX nodes in the group that became `node`; none where it is no such group."""
    return tuple(node.attrs.get(_ORIGIN, ())) if node.domain == DOMAIN else ()


def _fuse_l2_normalization(divide: gs.Node, graph: gs.Graph) -> None:
    """Compute x / sqrt(sum of x² over the channels + eps), and a factor per channel after it: Caffe's Normalize."""
    if len(divide.inputs) != 2 or isinstance(divide.inputs[0], gs.Constant):
        return
    x, norm = divide.inputs
    root = _producer(norm, "Sqrt")
    added = _producer(root.inputs[0], "Add") if root is not None else None
    if added is None or not isinstance(added.inputs[1], gs.Constant) or added.inputs[1].values.size != 1:
        return
    squares = _producer(added.inputs[0], "ReduceSumSquare")
    if squares is None or squares.inputs[0] is not x or not _over_channels(squares, x):
        return
    result, scale = divide.outputs[0], None
    after = result.outputs[0] if len(result.outputs) == 1 else None
    if after is not None and after.op == "Mul" and not any(result is output for output in graph.outputs):
        other = after.inputs[1] if after.inputs[0] is result else after.inputs[0]
        scale = _per_channel(other, x.shape)
    last = divide if scale is None or after is None else after
    weights = np.ones(x.shape[1], np.float32) if scale is None else scale
    made = last.outputs[0]
    group = [squares, added, root, divide] + ([] if last is divide else [last])
    origin = [node.name for node in group]
    last.outputs.clear()
    fused = gs.Node(
        op="Normalize",
        domain=DOMAIN,
        name=made.name,
        attrs={"eps": float(added.inputs[1].values.item()), _ORIGIN: origin},
        inputs=[x, gs.Constant(f"{made.name}/scale", weights)],
        outputs=[made],
    )
    graph.nodes.insert(graph.nodes.index(last), fused)


def _fuse_gate(multiply: gs.Node, graph: gs.Graph, profile: Profile) -> None:
    """x·sigmoid(x) is Swish, x·tanh(softplus(x)) is Mish."""
    for x, gate in (multiply.inputs, reversed(multiply.inputs)):
        sigmoid, tanh = _producer(gate, "Sigmoid"), _producer(gate, "Tanh")
        softplus = _producer(tanh.inputs[0], "Softplus") if tanh is not None else None
        if profile.has("Swish") and sigmoid is not None and sigmoid.inputs[0] is x:
            kind, group = "Swish", [sigmoid, multiply]
        elif profile.has("Mish") and tanh is not None and softplus is not None and softplus.inputs[0] is x:
            kind, group = "Mish", [softplus, tanh, multiply]
        else:
            continue
        made = multiply.outputs[0]
        multiply.outputs.clear()
        attributes = {_ORIGIN: [node.name for node in group]}
        fused = gs.Node(op=kind, domain=DOMAIN, name=made.name, attrs=attributes, inputs=[x], outputs=[made])
        graph.nodes.insert(graph.nodes.index(multiply), fused)
        return


def _producer(tensor: gs.Tensor, operator: str) -> gs.Node | None:
    return tensor.inputs[0] if tensor.inputs and tensor.inputs[0].op == operator else None


def _over_channels(node: gs.Node, x: gs.Tensor) -> bool:
    axes = node.attrs.get("axes")
    if axes is None and len(node.inputs) > 1 and isinstance(node.inputs[1], gs.Constant):
        axes = node.inputs[1].values.tolist()
    over_channels = axes is not None and [axis % 4 for axis in axes] == [1]
    return len(x.shape) == 4 and over_channels and bool(node.attrs.get("keepdims", 1))


def _per_channel(tensor: gs.Tensor, shape: list[int]) -> np.ndarray | None:  # type: ignore[type-arg]
    if not isinstance(tensor, gs.Constant):
        return None
    aligned = (1,) * (4 - len(tensor.shape)) + tuple(tensor.shape)
    if aligned not in ((1, shape[1], 1, 1), (shape[0], shape[1], 1, 1)) or aligned[0] != 1:
        return None
    return np.asarray(tensor.values, np.float32).reshape(-1)
