"""Ending a traced net earlier, before operators that cannot be exported."""

import difflib
from collections.abc import Sequence

from gluon2caffe.bridge.export.mxnet_loader import load_mxnet
from gluon2caffe.bridge.export.symbol_graph import SymbolGraph
from gluon2caffe.bridge.export.traced import TracedNet, output_names
from gluon2caffe.onnx2caffe.errors import SourceError


def cut_net(traced: TracedNet, outputs: Sequence[str]) -> TracedNet:
    """Make tensors inside a traced net its outputs; what they do not need is gone.

    Args:
        traced: the net; it stays as it is.
        outputs: names of operators, or of their outputs as MXNet lists them (``conv0_fwd_output``).

    Raises:
        SourceError: there is no such tensor; near names are given.

    """
    params = {name: tuple(array.shape) for name, array in traced.params.items()}
    graph = SymbolGraph.with_shapes(traced.symbol, traced.input_shapes, params)
    internals = traced.symbol.get_internals()
    names = [name for node in graph.nodes for name in node.tensors]
    position = {name: index for index, name in enumerate(names)}
    listed = {name: index for index, name in enumerate(internals.list_outputs())}
    chosen = []
    for name in outputs:
        index = position.get(name, listed.get(name))
        if index is None:
            near = ", ".join(difflib.get_close_matches(name, names, n=3)) or ", ".join(traced.outputs)
            raise SourceError(f"{traced.name} has no tensor {name!r} to end at. Near names: {near}.")
        chosen.append(internals[index])
    if not chosen:
        raise SourceError(f"{traced.name}: no tensor to end at is named.")
    symbol = chosen[0] if len(chosen) == 1 else load_mxnet().sym.Group(chosen)
    used = set(symbol.list_inputs())
    return TracedNet(
        symbol,
        {name: array for name, array in traced.params.items() if name in used},
        {name: shape for name, shape in traced.input_shapes.items() if name in used},
        output_names(SymbolGraph.parse(symbol), symbol),
        traced.name,
    )
