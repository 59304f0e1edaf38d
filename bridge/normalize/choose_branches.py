"""If nodes whose condition is a constant: the nodes of the branch that is taken stand in their place.

Names of the branch's tensors get the name of the If node before them, since both branches, and other If nodes, may use
the same names.
"""

from __future__ import annotations

import onnx_graphsurgeon as gs

from gluon2caffe.bridge.normalize.rewrite import Rewriting
from gluon2caffe.bridge.normalize.surgery import redirect_readers
from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.onnx2caffe.sizes.marks import bind, from_size


def chosen_branch(node: gs.Node, state: Rewriting) -> list[gs.Node] | None:
    """The nodes of the branch that an If takes, where its condition is a constant."""
    if node.op != "If" or node.domain or not isinstance(node.inputs[0], gs.Constant):
        return None
    taken = node.attrs.get("then_branch" if node.inputs[0].values.reshape(-1)[0] else "else_branch")
    if not isinstance(taken, gs.Graph) or len(taken.outputs) != len(node.outputs):
        raise SourceError(f"The If node {node.name!r} has no branch that fits its outputs.")
    if from_size(node.inputs[0]) is not None:
        for each in taken.nodes:
            bind(each, "a branch that is chosen by a shape")
    title = node.outputs[0].name
    inner = {id(tensor): tensor for each in taken.nodes for tensor in (*each.inputs, *each.outputs)}
    for tensor in inner.values():
        if tensor.name and not state.is_outer(tensor):
            tensor.name = state.names.new(f"{title}/{tensor.name}")
    results = list(node.outputs)
    node.outputs.clear()
    node.inputs.clear()
    put = list(taken.nodes)
    for result, made in zip(results, taken.outputs, strict=True):
        maker = made.inputs[0] if made.inputs else None
        shared = state.is_outer(made) or sum(made is other for other in taken.outputs) > 1
        if maker is not None and not shared:
            redirect_readers(made, result)
            maker.outputs[next(i for i, tensor in enumerate(maker.outputs) if tensor is made)] = result
        else:
            put.append(gs.Node("Identity", name=result.name, inputs=[made], outputs=[result]))
    return put
