"""Ending a graph at tensors that the user names, or before what cannot be converted."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import onnx_graphsurgeon as gs

from gluon2caffe.bridge.options import AUTO, ConversionOptions
from gluon2caffe.onnx2caffe.errors import ConversionError, Cut
from gluon2caffe.onnx2caffe.surgeon import remove_dead

_Made = TypeVar("_Made")

# What is refused at one stage lies behind what a later stage refuses: a cut may have to be cut again.
_MOST_ROUNDS = 8


def attempt(make: Callable[[ConversionOptions], _Made], options: ConversionOptions) -> tuple[_Made, Cut | None]:
    """Convert a net, or what of it can be converted where `outputs` is "auto".

    Args:
        make: does the conversion.
        options: of the user.

    Returns:
        What was made, and where the net was cut for it without the user's saying where.

    Raises:
        ConversionError: as `make` raises it; the message names a cut with which it succeeds, where there is one.
    """
    automatic = options.outputs == AUTO
    wanted = replace(options, outputs=None) if automatic else options
    try:
        return make(wanted), None
    except ConversionError as error:
        found = _first_that_converts(make, wanted, error.cut)
        if found is None:
            raise
        if automatic:
            return found
        error.cut = found[1]
        error.add(str(found[1]))
        raise


def _first_that_converts(
    make: Callable[[ConversionOptions], _Made], options: ConversionOptions, cut: Cut | None
) -> tuple[_Made, Cut] | None:
    """What is made of the net when it is cut, and cut again where that is refused too."""
    for _ in range(_MOST_ROUNDS):
        if cut is None:
            break
        try:
            # A net without its end is no detector.
            return make(replace(options, outputs=cut.outputs, heads="detection", priors="box")), cut
        except ConversionError as error:
            further = error.cut
        except MemoryError:
            break
        if further is None or further.outputs == cut.outputs:
            break
        cut = Cut(further.outputs, (*further.left, *cut.left))
    return None


def note_of(cut: Cut | None) -> list[str]:
    """What to tell whoever left the choice of the outputs open."""
    if cut is None:
        return []
    return [f"Cut at {', '.join(cut.outputs)}. Left for you to compute: {cut.remaining}."]


def cut_at(graph: gs.Graph, names: Sequence[str]) -> bool:
    """Make the named tensors the outputs of `graph`; MXNet's `_output` ending may be left on.

    Raises:
        ConversionError: there is no such tensor; near names are given.
    """
    if not names:
        raise ConversionError("outputs names no tensor.")
    if ends_at(graph, names):
        return False
    tensors = {tensor.name: tensor for node in graph.nodes for tensor in node.outputs}
    chosen = []
    for name in names:
        tensor = tensors.get(name) or tensors.get(name.removesuffix("_output"))
        if tensor is None:
            near = difflib.get_close_matches(name, tensors, n=3) or [t.name for t in graph.outputs]
            raise ConversionError(f"There is no tensor {name!r} to cut at. Near names: {', '.join(near)}.")
        chosen.append(tensor)
    graph.outputs = chosen
    remove_dead(graph, inputs_too=True)
    return True


def ends_at(graph: gs.Graph, names: Sequence[str]) -> bool:
    """Whether the named tensors are the outputs of `graph` already."""
    wanted = [name.removesuffix("_output") for name in names]
    return [tensor.name.removesuffix("_output") for tensor in graph.outputs] == wanted
