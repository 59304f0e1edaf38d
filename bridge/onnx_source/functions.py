"""Model-local functions: written out in the graph, but for the SSD heads, which are lowered as they are."""

from __future__ import annotations

import onnx
import onnx.inliner

import ssd_heads.functions
from onnx2caffe.errors import SourceError

Key = tuple[str, str]


def inline_functions(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with every call of a function replaced by its nodes; the model itself where there is none.

    Raises:
        SourceError: a function calls itself, is defined twice, or asks for another opset than the model.
    """
    own = [function for function in model.functions if function.domain == ssd_heads.functions.DOMAIN]
    foreign = [(function.domain, function.name) for function in model.functions if function not in own]
    _refuse_twice([(function.domain, function.name) for function in model.functions])
    _refuse_recursion(model)
    if not foreign:
        return model
    if own:
        inlined = onnx.inliner.inline_selected_functions(model, foreign)
    else:
        inlined = onnx.inliner.inline_local_functions(model, convert_version=True)
    left = {(node.domain, node.op_type) for node in inlined.graph.node} & set(foreign)
    if left:
        domain, name = min(left)
        raise SourceError(f"The function {domain}.{name} cannot be written out: it is made for another opset.")
    return inlined


def _refuse_twice(keys: list[Key]) -> None:
    seen: set[Key] = set()
    for domain, name in keys:
        if (domain, name) in seen:
            raise SourceError(f"The function {domain}.{name} is defined twice.")
        seen.add((domain, name))


def _refuse_recursion(model: onnx.ModelProto) -> None:
    calls = {
        (function.domain, function.name): {(node.domain, node.op_type) for node in _all_nodes(function.node)}
        for function in model.functions
    }
    calls = {key: called & calls.keys() for key, called in calls.items()}
    while leaves := [key for key, called in calls.items() if not called]:
        calls = {key: called - set(leaves) for key, called in calls.items() if called}
    if calls:
        domain, name = min(calls)
        raise SourceError(f"The function {domain}.{name} calls itself.")


def _all_nodes(nodes: object) -> list[onnx.NodeProto]:
    """The nodes and those of their subgraphs."""
    found: list[onnx.NodeProto] = []
    waiting = list(nodes)  # type: ignore[call-overload]
    while waiting:
        node = waiting.pop()
        found.append(node)
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                waiting.extend(graph.node)
    return found
