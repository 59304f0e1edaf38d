"""Which variables of a symbol are data inputs and which shapes they have, told from parameters that are missing."""

import ast
from collections.abc import Mapping

from gluon2caffe.bridge.export.messages import shortened
from gluon2caffe.bridge.export.parameter_names import MatchedParameters, near_names
from gluon2caffe.bridge.export.traced import InputShapes, checked_shape
from gluon2caffe.bridge.mxnet_files.graph import Shape, SymbolGraph
from gluon2caffe.onnx2caffe.errors import SourceError

_USUAL_SHAPE = (1, 3, 224, 224)
_PARAMETER_ENDINGS = ("weight", "bias", "gamma", "beta", "mean", "var", "alpha", "parameters")


def named_inputs(
    graph: SymbolGraph, matched: MatchedParameters, given: InputShapes | None, name: str, params_file: str
) -> dict[str, Shape]:
    """Return the shape of every data input.

    Args:
        graph: the symbol.
        matched: its parameters; what has no array is an input or missing.
        given: the shape of the one input, or shapes by name; None where the user gave none.
        name: of the net, for messages.
        params_file: for messages.

    Raises:
        SourceError: there is no input, one has no shape, or parameters are missing.
    """
    inputs = matched.open
    if not inputs:
        raise SourceError(f"{name}: the symbol has no data input.")
    shapes = dict(given) if isinstance(given, Mapping) else _only_input(graph, inputs, given)
    unknown = sorted(shapes.keys() - set(inputs))
    if unknown:
        raise SourceError(f"{name} has no data input {', '.join(unknown)}; it has: {', '.join(inputs)}.")
    missing = [key for key in inputs if key not in shapes]
    if missing:
        raise SourceError(_what_is_missing(graph, missing, matched.surplus, name, params_file))
    return {key: checked_shape(key, shapes[key]) for key in inputs}


def _only_input(graph: SymbolGraph, inputs: list[str], given: tuple[int, ...] | None) -> dict[str, Shape]:
    """Give the shape to the input called data, or to the first that is not called like a parameter."""
    name = "data" if "data" in inputs else next((key for key in inputs if not _is_parameter_name(key)), inputs[0])
    return {name: given or _declared(graph, name) or _USUAL_SHAPE}


def _is_parameter_name(name: str) -> bool:
    return name.endswith(_PARAMETER_ENDINGS)


def _declared(graph: SymbolGraph, name: str) -> Shape | None:
    """Return the shape that the symbol's author declared for a variable, if it is complete."""
    node = next(node for node in graph.nodes if node.is_variable and node.name == name)
    try:
        shape = tuple(int(size) for size in ast.literal_eval(node.attrs.get("__shape__", "()")))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None
    return shape if shape and min(shape) > 0 else None


def _what_is_missing(graph: SymbolGraph, missing: list[str], surplus: list[str], name: str, params_file: str) -> str:
    labels = [key for key in missing if key.endswith("label")]
    if labels and len(labels) == len(missing):
        ends = _ends_without(graph, labels)
        hint = f" Try: --outputs {','.join(ends)}." if ends else ""
        return f"{name}: it reads {', '.join(labels)}, which only training has; end the net before that.{hint}"
    parameters = [key for key in missing if _is_parameter_name(key)] or missing
    near = [f"{key} is perhaps {other}" for key, other in near_names(parameters, surplus).items()]
    hint = f" Near names in the file: {shortened(near, 4)}." if near else ""
    other = [key for key in missing if key not in parameters]
    also = f" It may be a data input: --input-shape {missing[0]}:1,3,224,224." if parameters == missing else ""
    if other:
        also = f" Inputs without a shape: {shortened(other)}; give each with --input-shape NAME:1,3,224,224."
    if all(not _is_parameter_name(key) for key in missing):
        return f"{name}: {shortened(missing)} is not in {params_file}; is it a data input?{also}{hint}"
    return (
        f"{name}: parameters are missing: {params_file} lacks {shortened(parameters)}.{hint}"
        f" Try: the parameter file that was saved with this symbol.{also if other else ''}"
    )


def _ends_without(graph: SymbolGraph, labels: list[str]) -> list[str]:
    """Return the last nodes that do not depend on the labels, nor are read by others that do not."""
    dependent = {index for index, node in enumerate(graph.nodes) if node.is_variable and node.name in labels}
    for index, node in enumerate(graph.nodes):
        if any(source in dependent for source, _ in node.inputs):
            dependent.add(index)
    read_on = {source for index, node in enumerate(graph.nodes) if index not in dependent for source, _ in node.inputs}
    ends = {
        source
        for index in dependent
        for source, _ in graph.nodes[index].inputs
        if source not in dependent and source not in read_on and not graph.nodes[source].is_variable
    }
    return [graph.nodes[index].name for index in sorted(ends)]
