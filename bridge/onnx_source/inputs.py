"""Fixing the sizes of a model's inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx_graphsurgeon as gs

from gluon2caffe.onnx2caffe.errors import SourceError

FixedShape = tuple[int, ...] | dict[str, tuple[int, ...]] | None


def fix_inputs(graph: gs.Graph, given: FixedShape) -> list[str]:
    """Give every input the shape that the user wants for it, else the one it declares; return notes.

    A length that the file fixes may be another one too. Whether the net works there shows when its shapes are inferred.

    Args:
        graph: its inputs are changed.
        given: the shape of the one input, or shapes by name.

    Raises:
        SourceError: a shape is missing, does not fit the declared one, or is for an input that is not there.
    """
    notes = []
    shapes: dict[str, tuple[int, ...]] = {}
    if isinstance(given, dict):
        shapes = given
    elif given is not None:
        if len(graph.inputs) != 1:
            raise SourceError(f"The model has the inputs {_names(graph)}: give a shape for each of them by name.")
        shapes = {graph.inputs[0].name: given}
    unknown = set(shapes) - {tensor.name for tensor in graph.inputs}
    if unknown:
        raise SourceError(f"The model has no input {', '.join(sorted(unknown))}; its inputs are {_names(graph)}.")
    for tensor in graph.inputs:
        declared = list(tensor.shape) if tensor.shape is not None else None
        wanted = shapes.get(tensor.name)
        if wanted is not None:
            _require_match(tensor.name, declared, wanted)
            if declared is not None and _is_resized(declared, wanted):
                _refuse_kept_shapes(graph, tensor.name, declared, wanted)
                notes.append(
                    f"the file fixes input {tensor.name} at {_by(declared)}, and was converted at {_by(wanted)}: what "
                    "its exporter computed from the size, such as the window of a pooling over all of a map, is still "
                    f"made for {_by(declared)}"
                )
            tensor.shape = list(wanted)
        else:
            _require_static(tensor.name, declared)
    return notes


def _names(graph: gs.Graph) -> str:
    return ", ".join(tensor.name for tensor in graph.inputs)


def _require_static(name: str, declared: list[Any] | None) -> None:
    example = f"give its shape, as in input_shape={{{name!r}: {_example(declared)}}}."
    if declared is None:
        raise SourceError(f"Input {name!r} has dynamic dimensions, even their number is open: {example}")
    if all(isinstance(length, int) and length > 0 for length in declared):
        return
    if any(isinstance(length, int) and length <= 0 for length in declared):
        raise SourceError(f"Input {name!r} is declared as {declared}, with a length that is not positive: {example}")
    shown = ", ".join("?" if length is None else str(length) for length in declared)
    raise SourceError(f"Input {name!r} has dynamic dimensions [{shown}]: {example}")


def _example(declared: list[Any] | None) -> tuple[int, ...]:
    """A shape that could be meant: what is declared of it, and where that is open, one picture of usual size."""
    if declared is None:
        return (1, 3, 224, 224)
    channels_last = len(declared) == 4 and declared[3] in (1, 3)
    usual = (1, 224, 224, 3) if channels_last else (1, 3, 224, 224)
    fallback = usual if len(declared) == 4 else (1,) * len(declared)
    return tuple(d if isinstance(d, int) and d > 0 else f for d, f in zip(declared, fallback, strict=True))


def _require_match(name: str, declared: list[Any] | None, wanted: tuple[int, ...]) -> None:
    if declared is not None and len(declared) != len(wanted):
        raise SourceError(
            f"Input {name!r} has shape {declared}; {list(wanted)} does not fit it, expected {len(declared)} lengths."
        )


def _is_resized(declared: list[Any], wanted: tuple[int, ...]) -> bool:
    """Whether another length is wanted where the file fixes one; another batch is none: weights are made for any."""
    return any(
        isinstance(length, int) and length > 0 and length != size
        for length, size in zip(declared[1:], wanted[1:], strict=True)
    )


def _refuse_kept_shapes(graph: gs.Graph, name: str, declared: list[Any], wanted: tuple[int, ...]) -> None:
    """Refuse another size where shapes are known from the file alone: those that operators outside ONNX make."""
    for node in graph.nodes:
        if node.domain and any(tensor.shape for tensor in node.outputs):
            raise SourceError(
                f"Input {name!r} has shape {declared}; {list(wanted)} does not fit it: {node.op} "
                f"{node.name or node.outputs[0].name!r} is no operator of ONNX, and its shapes are only known at the "
                "size of the file."
            )


def _by(shape: Sequence[Any]) -> str:
    return "×".join(str(length) for length in shape)
