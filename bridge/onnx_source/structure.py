"""Is it a graph at all? What onnx's checker does not say, or not in words that help, is looked at here first."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Iterable

import onnx

from gluon2caffe.onnx2caffe.errors import SourceError

OLDEST_OPSET = 7

MOST_NUMBERS = 2**31 - 1
"""In a Caffe blob: blob.cpp counts them with an int."""

_MOST_INTEGERS = 2**20
_STANDARD = ("", "ai.onnx")


def check_structure(model: onnx.ModelProto, weights: Container[str]) -> None:
    """Check that opsets are known, names are unique and all that is read is made; sort the nodes.

    Args:
        model: its nodes are put into topological order, and the domain "ai.onnx" is called "", where needed.
        weights: names of inputs that stand for weights.

    Raises:
        SourceError: something is not so.
    """
    _check_opsets(model)
    graph = model.graph
    check_unique("input", (tensor.name for tensor in graph.input))
    given = {tensor.name for tensor in graph.input} | {tensor.name for tensor in graph.initializer}
    given |= {sparse.values.name for sparse in graph.sparse_initializer}
    made: dict[str, str] = {}
    for node in graph.node:
        for name in filter(None, node.output):
            if name in made or name in given:
                other = f"node {made[name]}" if name in made else "an input or initializer"
                raise SourceError(f"Tensor {name!r} is made twice: by node {_title(node)} and by {other}.")
            made[name] = _title(node)
    for tensor in graph.input:
        if tensor.name not in weights:
            _check_size(tensor)
    if not graph.output:
        raise SourceError("The model has no output.")
    for output in graph.output:
        if output.name not in made and output.name not in given:
            raise SourceError(f"No node makes the output {output.name!r}.")
    _sort(graph, given)


def _check_size(tensor: onnx.ValueInfoProto) -> None:
    kind = tensor.type.tensor_type
    size = math.prod(dim.dim_value for dim in kind.shape.dim if dim.HasField("dim_value"))
    # onnx follows integers one by one, to find shapes.
    is_float = kind.elem_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
    most = MOST_NUMBERS if is_float else _MOST_INTEGERS
    if size > most:
        raise SourceError(f"Input {tensor.name!r} has {size:,} numbers; {most:,} are the most that can be.")


def _check_opsets(model: onnx.ModelProto) -> None:
    newest = onnx.defs.onnx_opset_version()
    for entry in model.opset_import:
        if entry.domain in _STANDARD:
            entry.domain = ""
    check_unique("opset of the domain", (entry.domain for entry in model.opset_import))
    versions = {entry.domain: entry.version for entry in model.opset_import}
    if "" not in versions:
        raise SourceError("The model does not say which opset of ONNX it is written in.")
    if versions[""] < OLDEST_OPSET:
        raise SourceError(
            f"The model is written in opset {versions['']}; opsets from {OLDEST_OPSET} on are read. "
            "onnx.version_converter brings it to a newer one."
        )
    if versions[""] > newest:
        raise SourceError(
            f"The model is written in opset {versions['']}; the installed onnx {onnx.__version__} knows opsets up to "
            f"{newest}. A newer onnx may know it."
        )
    functions = {(function.domain, function.name) for function in model.functions}
    for node in model.graph.node:
        if node.domain in _STANDARD:
            node.domain = ""
        elif node.domain not in versions and (node.domain, node.op_type) not in functions:
            raise SourceError(
                f"Node {_title(node)} is of the domain {node.domain!r}, which the model neither imports nor defines."
            )


def check_unique(kind: str, names: Iterable[str]) -> None:
    """Refuse a name that is there twice."""
    for name, count in Counter(names).items():
        if count > 1:
            raise SourceError(f"The model has the {kind} {name!r} {count} times.")


def _sort(graph: onnx.GraphProto, given: set[str]) -> None:
    """Put the nodes in an order in which each comes after those it reads from."""
    maker = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
    reads: list[set[int]] = []
    for node in graph.node:
        names = _read(node)
        for name in names:
            if name not in maker and name not in given:
                raise SourceError(f"Node {_title(node)} reads {name!r}, which is not made anywhere in the graph.")
        reads.append({maker[name] for name in names if name in maker})
    if all(index > max(read, default=-1) for index, read in enumerate(reads)):
        return
    readers: list[list[int]] = [[] for _ in reads]
    waiting_for = [len(read) for read in reads]
    for index, read in enumerate(reads):
        for source in read:
            readers[source].append(index)
    order = [index for index, count in enumerate(waiting_for) if not count]
    for index in order:  # it grows
        for reader in readers[index]:
            waiting_for[reader] -= 1
            if not waiting_for[reader]:
                order.append(reader)
    if len(order) < len(reads):
        caught = min(set(range(len(reads))) - set(order))
        raise SourceError(f"The graph has a cycle, which node {_title(graph.node[caught])} is in or behind.")
    nodes = [graph.node[index] for index in order]
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)


def _read(node: onnx.NodeProto) -> set[str]:
    """The tensors of the graph that the node reads, also from within its subgraphs."""
    names = {name for name in node.input if name}
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            own = {tensor.name for tensor in graph.input} | {tensor.name for tensor in graph.initializer}
            own |= {sparse.values.name for sparse in graph.sparse_initializer}
            own |= {name for inner in graph.node for name in inner.output}
            free = {name for inner in graph.node for name in _read(inner)} | {output.name for output in graph.output}
            names |= free - own
    return names - {""}


def _title(node: onnx.NodeProto) -> str:
    return f"{node.name or next(iter(node.output), '')!r} ({node.op_type})"
