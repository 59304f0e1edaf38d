"""If nodes whose condition is a constant: the nodes of the branch that is taken stand in their place.

Names of the branch's tensors get the name of the If node before them, since both branches, and other If nodes, may use
the same names.
"""

from __future__ import annotations

import onnx_graphsurgeon as gs

from gluon2caffe.bridge.normalize.surgery import redirect_readers
from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.onnx2caffe.sizes.marks import bind, from_size


def choose_branches(graph: gs.Graph) -> bool:
    """Put the branch that is taken in place of every such If."""
    changed = False
    for node in list(graph.nodes):
        if node.op == "If" and not node.domain and isinstance(node.inputs[0], gs.Constant):
            _put_in(node, graph)
            changed = True
    return changed


def _put_in(choice: gs.Node, graph: gs.Graph) -> None:
    taken = choice.attrs.get("then_branch" if choice.inputs[0].values.reshape(-1)[0] else "else_branch")
    if not isinstance(taken, gs.Graph) or len(taken.outputs) != len(choice.outputs):
        raise SourceError(f"The If node {choice.name!r} has no branch that fits its outputs.")
    title = choice.outputs[0].name
    if from_size(choice.inputs[0]) is not None:
        for node in taken.nodes:
            bind(node, "a branch that is chosen by a shape")
    outer = set(map(id, graph.tensors().values()))
    inner = {id(tensor): tensor for node in taken.nodes for tensor in (*node.inputs, *node.outputs)}
    for tensor in inner.values():
        if id(tensor) not in outer and tensor.name:
            tensor.name = f"{title}/{tensor.name}"
    results = list(choice.outputs)
    choice.outputs.clear()
    choice.inputs.clear()
    place = next(index for index, node in enumerate(graph.nodes) if node is choice)
    graph.nodes[place : place + 1] = list(taken.nodes)
    for result, made in zip(results, taken.outputs, strict=True):
        maker = made.inputs[0] if made.inputs else None
        shared = id(made) in outer or sum(made is other for other in taken.outputs) > 1
        if maker is not None and not shared:
            redirect_readers(made, result)
            maker.outputs[next(i for i, tensor in enumerate(maker.outputs) if tensor is made)] = result
        else:
            copy = gs.Node("Identity", name=result.name, inputs=[made], outputs=[result])
            graph.nodes.insert(place + len(taken.nodes), copy)
