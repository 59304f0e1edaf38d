"""Functions written out in the graph: the model's own, and operators that ONNX defines by others and nothing lowers.

The SSD heads are functions too, but are lowered as they are.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping

import numpy as np
import onnx
import onnx.inliner
from onnx import helper, numpy_helper

from gluon2caffe.onnx2caffe import growth
from gluon2caffe.onnx2caffe.decomposed import DEFINED_BY_ONNX
from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.ssd_heads.functions import DOMAIN as HEADS_DOMAIN

Key = tuple[str, str]

_MARK = "gluon2caffe.mark."


def inline_functions(model: onnx.ModelProto) -> tuple[onnx.ModelProto, dict[str, str]]:
    """Write out every call of a function.

    Args:
        model: its nodes may be changed.

    Returns:
        The model, and which call the nodes in it come from that functions have left: each tensor that such a node makes
        -> the name of the calling node, or of what that makes.

    Raises:
        SourceError: a function calls itself, is defined twice, asks for another opset than the model, or would become
            more nodes than a call may (`growth`).
    """
    own = [function for function in model.functions if function.domain == HEADS_DOMAIN]
    foreign = [(function.domain, function.name) for function in model.functions if function not in own]
    _refuse_twice([(function.domain, function.name) for function in model.functions])
    _refuse_recursion(model)
    _refuse_growth(
        model, {(function.domain, function.name): function for function in model.functions if function not in own}
    )
    standard = [("", name) for name in sorted({node.op_type for node in model.graph.node} & DEFINED_BY_ONNX)]
    if not foreign and not standard:
        return model, {}
    callers = list(model.graph.node)
    _mark(model)
    if own:
        model = onnx.inliner.inline_selected_functions(model, foreign)
    elif foreign:
        model = onnx.inliner.inline_local_functions(model, convert_version=True)
    for key in standard:
        model = _taken_apart(model, key)
    calls = _calls(model, callers)
    left = {(node.domain, node.op_type) for node in model.graph.node} & set(foreign)
    if left:
        domain, name = min(left)
        raise SourceError(f"The function {domain}.{name} cannot be written out: it is made for another opset.")
    return model, calls


def _taken_apart(model: onnx.ModelProto, key: Key) -> onnx.ModelProto:
    """The model with an operator written out as ONNX defines it; as it is where the installed onnx cannot do that."""
    if "inline_schema_functions" not in inspect.signature(onnx.inliner.inline_selected_functions).parameters:
        return model
    typed = onnx.ModelProto()
    typed.CopyFrom(model)
    # The inliner asks for the types of all inputs: of initializers too, and of those that are left out.
    for tensor in model.graph.initializer:
        typed.graph.value_info.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    typed.graph.value_info.append(helper.make_tensor_value_info("", onnx.TensorProto.FLOAT, None))
    try:
        inlined = onnx.inliner.inline_selected_functions(typed, [key], inline_schema_functions=True)
    except RuntimeError:  # an assertion of its own, or a type that it could not infer
        return model
    del inlined.graph.value_info[:]
    inlined.graph.value_info.extend(model.graph.value_info)
    return inlined


def _mark(model: onnx.ModelProto) -> None:
    """Put a Constant before every node that says which it was: the inliner keeps the order, and no record."""
    nodes = list(model.graph.node)
    del model.graph.node[:]
    for index, node in enumerate(nodes):
        value = numpy_helper.from_array(np.array(index))
        model.graph.node.append(helper.make_node("Constant", [], [f"{_MARK}{index}"], value=value))
        model.graph.node.append(node)


def _calls(model: onnx.ModelProto, callers: list[onnx.NodeProto]) -> dict[str, str]:
    """Take the marks out again, and tell from them which nodes came from a call."""
    calls: dict[str, str] = {}
    nodes = list(model.graph.node)
    del model.graph.node[:]
    caller = onnx.NodeProto()
    for node in nodes:
        if node.output and node.output[0].startswith(_MARK):
            caller = callers[int(node.output[0][len(_MARK) :])]
            continue
        model.graph.node.append(node)
        if (node.domain, node.op_type) != (caller.domain, caller.op_type):
            name = caller.name or next(filter(None, caller.output), "")
            calls.update((output, name) for output in node.output if output)
    return calls


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


def _refuse_growth(model: onnx.ModelProto, functions: Mapping[Key, onnx.FunctionProto]) -> None:
    """Refuse calls that would become too many nodes, one by one or all together; none of the functions is recursive."""
    sizes: dict[Key, int] = {}

    def size(nodes: Iterable[onnx.NodeProto]) -> int:
        return sum(size_of(node) for node in _all_nodes(nodes))

    def size_of(node: onnx.NodeProto) -> int:
        key = (node.domain, node.op_type)
        if key not in functions:
            return 1
        if key not in sizes:
            sizes[key] = size(functions[key].node)
        return sizes[key]

    total = 0
    for node in _all_nodes(model.graph.node):
        count = size_of(node) if (node.domain, node.op_type) in functions else 0
        total += count
        excess = growth.excess_of_nodes(count) or growth.excess_of_nodes(total)
        if excess:
            raise SourceError(
                f"Node {node.name or next(filter(None, node.output), '')!r} ({node.domain}.{node.op_type}) would be "
                f"written out as {excess}. Try: cut the net before it with outputs=[...]"
            )


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
