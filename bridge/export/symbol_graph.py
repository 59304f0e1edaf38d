"""Between MXNet's symbols and plain graphs, with the shapes that MXNet infers."""

import json
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gluon2caffe.bridge.export.messages import reason_of, shortened
from gluon2caffe.bridge.mxnet_files.graph import Shape, SymbolGraph, SymbolNode
from gluon2caffe.onnx2caffe.errors import SourceError


def parse_mxnet_symbol(symbol: Any) -> SymbolGraph:
    """Read the nodes of an ``mx.sym.Symbol``; no shapes yet."""
    graph = json.loads(symbol.tojson())
    nodes = [
        SymbolNode(
            name=node["name"],
            op=node["op"],
            attrs=dict(node.get("attrs", {})),
            inputs=[(entry[0], entry[1]) for entry in node["inputs"]],
        )
        for node in graph["nodes"]
    ]
    return SymbolGraph(nodes, [(entry[0], entry[1]) for entry in graph["heads"]])


def graph_with_shapes(symbol: Any, inputs: Mapping[str, Shape], params: Mapping[str, Shape]) -> SymbolGraph:
    """Read the nodes of an ``mx.sym.Symbol``, with the shape that MXNet infers for every output.

    Raises:
        SourceError: the shapes do not fit together, or do not determine all others.

    """
    graph = parse_mxnet_symbol(symbol)
    internals = symbol.get_internals()
    listed = internals.list_outputs()
    shapes = infer_shapes(internals, inputs, params).outputs
    if len(listed) == len(graph.nodes):
        owners: Iterable[str] = (node.name for node in graph.nodes)
    else:
        owners = (internals[index].name for index in range(len(listed)))
    by_name = {node.name: node for node in graph.nodes}
    for owner, output, shape in zip(owners, listed, shapes, strict=True):
        node = by_name.get(owner)
        if node is None:
            raise SourceError(f"{owner} makes several tensors that MXNet does not tell apart; it cannot be exported.")
        node.tensors.append(_tensor_name(node, output, len(node.tensors)))
        node.shapes.append(shape)
    return graph


def mxnet_symbol(graph: SymbolGraph, mxnet: Any) -> Any:
    """Build the ``mx.sym.Symbol`` of a graph."""
    return mxnet.sym.load_json(json.dumps(graph.to_json()))


def _tensor_name(node: SymbolNode, listed: str, index: int) -> str:
    """Name one output of a node: the node's own name, followed by the output's number where there are several.

    `listed` is the name MXNet lists for this output (``conv0_output``, ``split0_output1``).
    """
    if node.is_variable or listed == f"{node.name}_output":
        return node.name
    numbered = re.fullmatch(re.escape(node.name) + r"_output(\d+)", listed)
    return f"{node.name}{numbered.group(1) if numbered else index}"


@dataclass
class InferredShapes:
    """Shapes of a symbol's outputs, in their order, and of its arguments and auxiliary states by name."""

    outputs: list[Shape]
    inputs: dict[str, Shape]


def infer_shapes(symbol: Any, inputs: Mapping[str, Shape], params: Mapping[str, Shape]) -> InferredShapes:
    """Infer all shapes of a symbol from those of its data inputs and of the parameters that have one already.

    Raises:
        SourceError: MXNet finds a contradiction (its reason is in the message), or too little is known.

    """
    names = symbol.list_inputs()
    known = {**params, **inputs}
    given = ", ".join(f"{name} {shape}" for name, shape in inputs.items())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "cannot decide shape for ...", said better below
            arguments, outputs, states = symbol.infer_shape_partial(
                **{name: known[name] for name in names if name in known}
            )
    except Exception as error:
        raise SourceError(f"The net does not take {given}: {reason_of(error)}.") from error
    inferred = {
        **dict(zip(symbol.list_arguments(), map(tuple, arguments or []), strict=False)),
        **dict(zip(symbol.list_auxiliary_states(), map(tuple, states or []), strict=False)),
    }
    unknown = [name for name in names if not _is_complete(inferred.get(name, ()))]
    if outputs is None or unknown:
        raise SourceError(f"The input {given} does not determine the shape of {shortened(unknown) or 'any output'}.")
    return InferredShapes([tuple(shape) for shape in outputs], inferred)


def _is_complete(shape: Shape) -> bool:
    return len(shape) > 0 and all(size > 0 for size in shape)
