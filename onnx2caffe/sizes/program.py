"""The shapes of a net as a program that runs at any input size, and what must hold on the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gluon2caffe.onnx2caffe.caffe_pb2 import LayerParameter
from gluon2caffe.onnx2caffe.shapes import UnknownShapeError, has_shape_rule, keeps_shape, top_shapes
from gluon2caffe.onnx2caffe.sizes.record import Reliance, SizeRecord
from gluon2caffe.onnx2caffe.sizes.visible import bound_axes, misfit

if TYPE_CHECKING:
    from gluon2caffe.onnx2caffe.model import Layer

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]


@dataclass
class _Step:
    """One layer: its message, the places of its blobs, and the lengths it relies on, as (bottom, axis, length)."""

    message: LayerParameter
    bottoms: list[int]
    tops: list[int]
    bound: list[tuple[int, int, int]] = field(default_factory=list)
    made: dict[tuple[Shape, ...], tuple[Sequence[Shape | None], str]] = field(default_factory=dict)

    def run(self, bottoms: tuple[Shape, ...]) -> tuple[Sequence[Shape | None], str]:
        """The shapes of its tops, None where they are not known, and what does not hold of its bottoms, if anything."""
        if bottoms not in self.made:
            self.made[bottoms] = self._run(bottoms)
        return self.made[bottoms]

    def _run(self, bottoms: tuple[Shape, ...]) -> tuple[Sequence[Shape | None], str]:
        message = self.message
        try:
            tops: Sequence[Shape | None] = top_shapes(message, bottoms)
        except UnknownShapeError:
            fits = not has_shape_rule(message.type)
            why = "" if fits else f"{message.name}: {_LENGTHS.get(message.type, UNFIT)}"
            return [None] * len(message.top), why
        if misfit(message, bottoms) or any(top is not None and min(top, default=1) < 1 for top in tops):
            return [None] * len(message.top), f"{message.name}: {UNFIT}"
        if any(bottoms[bottom][axis] != length for bottom, axis, length in self.bound):
            return tops, f"{message.name}: {_LENGTHS.get(message.type, 'fixed lengths')}"
        return tops, ""


UNFIT = "its bottoms do not fit"
_LENGTHS = {
    "InnerProduct": "weights for fixed lengths",
    "Reshape": "a Reshape to fixed lengths",
    "Scale": "factors for fixed lengths",
    "Slice": "cut at fixed places",
}


# Layers whose weights do not fit other lengths: OpenCV 4.11, BVLC Caffe and Caffe-SSD all refuse them.
_FAIL = frozenset(("Bias", "InnerProduct", "Scale"))


class ShapeProgram:
    """What a net makes of the shapes of its inputs, and what it relies on while it is fed others.

    Args:
        inputs: input blob -> its shape at the conversion.
        layers: all layers in order, which later stages may change: their messages are copied, their weights are not.
        outputs: the blobs that the net gives; layers that lead to none of them are left out.
        record: what lowerings rely on.

    """

    def __init__(
        self, inputs: Mapping[str, Shape], layers: Iterable[Layer], outputs: Iterable[str], record: SizeRecord
    ) -> None:
        self.inputs = dict(inputs)
        self.fixed = list(dict.fromkeys(record.fixed))
        self._places = {name: place for place, name in enumerate(self.inputs)}
        self._count = len(self._places)
        self._steps: list[_Step] = []
        shapes: list[Shape | None] = list(self.inputs.values())
        for layer in _needed(list(layers), set(outputs)):
            self._append(layer, shapes)
        self._reliances: list[tuple[int, int | None, Reliance]] = []
        self.rely_on(record.reliances)

    def rely_on(self, reliances: Iterable[Reliance]) -> None:
        """Rely on more lengths, of blobs that the net had before it was tidied."""
        self._reliances += [
            (self._places[each.blob], None if each.minus is None else self._places.get(each.minus[0]), each)
            for each in dict.fromkeys(reliances)
            if each.blob in self._places
        ]

    def _append(self, layer: Layer, shapes: list[Shape | None]) -> None:
        """Add a layer; one that keeps the shape of its bottom and relies on nothing only names it anew."""
        message = LayerParameter()
        message.CopyFrom(layer.message)
        bottoms = [self._places[name] for name in message.bottom]
        given = tuple(shape for place in bottoms if (shape := shapes[place]) is not None)
        bound: list[tuple[int, int, int]] = []
        if bottoms and len(given) == len(bottoms):
            blobs = [tuple(blob.shape) for blob in layer.blobs]
            bound = [(i, axis, given[i][axis]) for i, axis in bound_axes(message, blobs, given)]
        if len(bottoms) == len(message.top) == 1 and not bound and keeps_shape(message.type):
            self._places[message.top[0]] = bottoms[0]
            return
        tops = list(range(self._count, self._count + len(message.top)))
        self._count += len(tops)
        self._places.update(zip(message.top, tops, strict=True))
        step = _Step(message, bottoms, tops, bound)
        shapes += step.run(given)[0] if len(given) == len(bottoms) else [None] * len(tops)
        self._steps.append(step)

    def broken(self, inputs: Shapes) -> list[str]:
        """What does not hold when the net is fed inputs of these shapes: empty where it is exact.

        What follows a layer whose bottoms do not fit is not looked at.
        """
        if dict(inputs) == self.inputs:
            return []
        known, found = self._walk(inputs)
        problems = [*self.fixed, *(problem for problem, _ in found)]
        for place, other, reliance in self._reliances:
            if not _holds(reliance, known[place], None if other is None else known[other]):
                problems.append(reliance.why)
        return list(dict.fromkeys(problems))

    def tops(self, inputs: Shapes) -> tuple[dict[str, Shape], bool]:
        """Blob -> its shape when the net is fed inputs of these shapes, and whether a layer fails on them."""
        known, found = self._walk(inputs)
        shapes = {name: shape for name, place in self._places.items() if (shape := known[place]) is not None}
        return shapes, any(fails for _, fails in found)

    def _walk(self, inputs: Shapes) -> tuple[list[Shape | None], list[tuple[str, bool]]]:
        """The shape at each place, and what does not hold of the layers' bottoms, and whether the layer fails on it."""
        known: list[Shape | None] = [None] * self._count
        known[: len(self.inputs)] = [inputs[name] for name in self.inputs]
        problems = []
        for step in self._steps:
            given = tuple([known[place] for place in step.bottoms])
            if None in given:
                continue
            tops, problem = step.run(given)  # type: ignore[arg-type]
            if problem:
                problems.append((problem, step.message.type in _FAIL or None in tops))
            for place, top in zip(step.tops, tops, strict=True):
                known[place] = top
        return known, problems


def _holds(reliance: Reliance, shape: Shape | None, other: Shape | None) -> bool:
    """Whether a reliance holds; of a shape that is not known, what is broken has been found before."""
    if shape is None or reliance.axis >= len(shape):
        return True
    length = shape[reliance.axis]
    if reliance.minus is not None:
        if other is None:
            return True
        length -= reliance.times * other[reliance.minus[1]]
    return reliance.holds(length)


def _needed(layers: Sequence[Layer], wanted: set[str]) -> list[Layer]:
    """The layers from which an output can be reached."""
    kept = []
    for layer in reversed(layers):
        if wanted.intersection(layer.message.top):
            wanted.update(layer.message.bottom)
            kept.append(layer)
    return kept[::-1]
