"""Pieces of a Slice that nothing reads: Caffe and OpenCV would give each as an output of the net.

Pieces of one blob along one axis come from one Slice, so that complementary ones leave nothing over. What is still
unread is read by a Crop of a piece beside it: a Crop takes the lengths of its second bottom along the last axes, and
there the pieces are alike, so that it copies its first bottom. Where the target has no such Crop, each piece is made by
a convolution with a single 1, and the Slice goes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import count, pairwise
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from gluon2caffe.onnx2caffe import caffe_pb2, growth
from gluon2caffe.onnx2caffe.builder import Blob
from gluon2caffe.onnx2caffe.model import CaffeModel, Layer
from gluon2caffe.onnx2caffe.names import Names
from gluon2caffe.onnx2caffe.shapes import Shape, net_shapes
from gluon2caffe.onnx2caffe.sizes import SizeRecord
from gluon2caffe.onnx2caffe.targets import Fault, Profile

Piece = tuple[int, int, str]
"""(start, end, blob) along the axis of a Slice."""


def read_all_pieces(model: CaffeModel, profile: Profile) -> None:
    """Write the Slice layers anew such that every top is read."""
    names = Names(model.inputs)
    for layer in model.layers:
        for name in (layer.message.name, *layer.message.top):
            names.reserve(name)
    _share(model)
    shapes, relied = _shapes(model), SizeRecord()
    made: list[Layer] = []
    for layer in model.layers:
        message = layer.message
        wanted = _read_pieces(layer, shapes, _read(model)) if message.type == "Slice" else []
        if message.type != "Slice" or len(wanted) == len(message.top):
            made.append(layer)
        else:
            writer = _Writer(layer, shapes[message.bottom[0]], wanted, names, relied)
            crops = profile.has("Crop") and not profile.has_quirk(Fault.CROP_OF_ALL_AXES)
            made += writer.by_crop() if crops else writer.by_convolution()
    model.layers[:] = made
    if model.shape_program is not None:
        model.shape_program.rely_on(relied.reliances)
    _let_pieces_end(model)


def _shapes(model: CaffeModel) -> dict[str, Shape]:
    known: dict[str, Shape] = dict(model.inputs)
    messages = [layer.message for layer in model.layers]
    for message, shapes in zip(messages, net_shapes(model.inputs, messages), strict=True):
        known.update((top, shape) for top, shape in zip(message.top, shapes.tops, strict=True) if shape is not None)
    return known


def _read(model: CaffeModel) -> set[str]:
    return {bottom for layer in model.layers for bottom in layer.message.bottom} | set(model.outputs.values())


def _read_pieces(layer: Layer, shapes: dict[str, Shape], read: set[str]) -> list[Piece]:
    """The tops of a Slice that are read, in their order."""
    fields = layer.message.slice_param
    points = [0, *fields.slice_point, shapes[layer.message.bottom[0]][fields.axis]]
    pieces = zip(pairwise(points), layer.message.top, strict=True)
    return [(start, end, top) for (start, end), top in pieces if top in read]


def _share(model: CaffeModel) -> None:
    """One Slice for all those of one blob along one axis, unless a piece that is read would be cut."""
    groups: defaultdict[tuple[str, int], list[Layer]] = defaultdict(list)
    for layer in model.layers:
        if layer.message.type == "Slice":
            groups[layer.message.bottom[0], layer.message.slice_param.axis].append(layer)
    if all(len(group) == 1 for group in groups.values()):
        return
    shapes, read = _shapes(model), _read(model)
    gone: set[int] = set()
    renamed: dict[str, str] = {}
    for (bottom, axis), group in groups.items():
        pieces = sorted(piece for layer in group for piece in _read_pieces(layer, shapes, read))
        spans = sorted({(start, end) for start, end, _ in pieces})
        if len(group) == 1 or any(first[1] > second[0] for first, second in pairwise(spans)):
            continue
        first, *others = group
        blobs: dict[tuple[int, int], str] = {}
        for start, end, blob in pieces:
            renamed[blob] = blobs.setdefault((start, end), blob)
        unread = (f"{top}/unread" for layer in group for top in layer.message.top)
        _write(first.message, [(*span, blobs[span]) for span in spans], shapes[bottom][axis], unread)
        first.origin = tuple(dict.fromkeys(name for layer in group for name in layer.origin))
        gone.update(id(layer) for layer in others)
    # The first Slice of a group stands where the blob is known, and before all that read a piece.
    model.layers[:] = [layer for layer in model.layers if id(layer) not in gone]
    for layer in model.layers:
        layer.message.bottom[:] = [renamed.get(name, name) for name in layer.message.bottom]
    model.tensors = {tensor: renamed.get(blob, blob) for tensor, blob in model.tensors.items()}


def _write(message: caffe_pb2.LayerParameter, pieces: Sequence[Piece], length: int, unread: Iterator[str]) -> list[str]:
    """Let a Slice make these pieces, and one blob of each gap between them; the names of those."""
    points, tops, gaps, position = [], [], [], 0
    for start, end, blob in [*pieces, (length, length, "")]:
        if start > position:
            gaps.append(next(unread))
            points.append(position)
            tops.append(gaps[-1])
        if blob:
            points.append(start)
            tops.append(blob)
        position = end
    message.top[:] = tops
    message.slice_param.slice_point[:] = points[1:]
    return gaps


class _Writer:
    """What stands for one Slice of which some pieces are not read."""

    def __init__(self, layer: Layer, shape: Shape, pieces: list[Piece], names: Names, relied: SizeRecord) -> None:
        self._slice, self._shape, self._pieces, self._names = layer, shape, pieces, names
        relied.scope = layer.origin[0] if layer.origin else ""
        self._relied = relied
        self._axis = layer.message.slice_param.axis
        self._made: list[Layer] = []

    def by_crop(self) -> list[Layer]:
        """The Slice, and a Crop of a piece for each gap between the pieces."""
        axis, source = self._axis, self._slice.message.bottom[0]
        # A Crop needs an axis behind that of the Slice.
        viewed = axis + 1 == len(self._shape)
        if viewed:
            self._rely_on_written(self._top(0, 1))
            view = [0, -1, self._shape[axis], 1] if axis > 1 else [0, self._shape[axis], 1, 1]
            axis = min(max(axis, 1), 2)
            source = self._add(
                "Reshape", [source], "column", reshape_param=_dims(view if self._axis else [1, *view[1:]])
            )
        kept = [(start, end, self._names.new(f"{blob}/piece")) for start, end, blob in self._pieces]
        unread = (self._names.new(f"{self._pieces[0][2]}/beside") for _ in count())
        message = caffe_pb2.LayerParameter(name=self._slice.message.name, type="Slice", bottom=[source])
        message.slice_param.axis = axis
        gaps = _write(message, kept, self._shape[self._axis], unread)
        message.name = self._names.new(f"{self._pieces[0][2]}/slice")
        self._made.append(Layer(message, [], self._slice.origin))
        for index, ((start, end, blob), (_, _, piece)) in enumerate(zip(self._pieces, kept, strict=True)):
            references = gaps[index:] if index == len(kept) - 1 else gaps[index : index + 1]
            crop = {"axis": axis + 1, "offset": [0]}
            for reference in references:
                piece = self._add("Crop", [piece, reference], "crop", of=blob, crop_param=crop)
            if viewed:
                piece = self._add("Reshape", [piece], "shape", of=blob, reshape_param=_dims(self._top(start, end)))
            self._call(piece, blob)
        return self._made

    def by_convolution(self) -> list[Layer]:
        """For each piece a convolution with a single 1, on planes whose rows are the axis or on the channels."""
        shape, axis, source = self._shape, self._axis, self._slice.message.bottom[0]
        length, behind = shape[axis], prod(shape[axis + 1 :])
        picture = list(shape[2:]) if axis == 1 and len(shape) == 4 else [behind, 1]
        view = [0, length, *picture] if axis == 1 else [0, prod(shape[1:axis]), length, behind]
        viewed = view[1:] != list(shape[1:])
        if viewed:
            self._rely_on_written([0, *shape[1:]] if axis else shape)
            source = self._add("Reshape", [source], "planes", reshape_param=_dims(view))
        for start, end, blob in self._pieces:
            if axis == 1:
                weight = growth.zeros(end - start, length, 1, 1)
                weight[np.arange(end - start), np.arange(start, end)] = 1
                fields: dict[str, Any] = {"kernel_size": [1]}
            else:
                weight = growth.zeros(view[1], 1, length - (end - start) + 1, 1)
                weight[:, 0, start, 0] = 1
                fields = {"kernel_h": weight.shape[2], "kernel_w": 1, "group": view[1]}
            fields |= {"num_output": weight.shape[0], "bias_term": False}
            piece = self._add("Convolution", [source], "taps", of=blob, blobs=[weight], convolution_param=fields)
            if viewed:
                piece = self._add("Reshape", [piece], "shape", of=blob, reshape_param=_dims(self._top(start, end)))
            self._call(piece, blob)
        return self._made

    def _top(self, start: int, end: int) -> list[int]:
        """The dims of a Reshape to a piece; of a piece of the last axis, the one before it is inferred."""
        shape = [*self._shape[: self._axis], end - start, *self._shape[self._axis + 1 :]]
        if self._axis > 1 and self._axis + 1 == len(shape):
            shape[-2] = -1
        return [0, *shape[1:]] if self._axis else shape

    def _rely_on_written(self, dims: Sequence[int]) -> None:
        """Rely on the lengths that a Reshape to or from these dims names."""
        written = [axis for axis, length in enumerate(dims) if length > 0]
        bottom = Blob(self._slice.message.bottom[0], self._shape)
        self._relied.exact(bottom, written, "cut at fixed places")

    def _add(
        self,
        kind: str,
        bottoms: list[str],
        part: str,
        *,
        of: str = "",
        blobs: Sequence[npt.NDArray[np.float32]] = (),
        **params: Any,
    ) -> str:
        name = self._names.new(f"{of or self._pieces[0][2]}/{part}")
        message = caffe_pb2.LayerParameter(name=name, type=kind, bottom=bottoms, top=[name], **params)
        self._made.append(Layer(message, list(blobs), self._slice.origin))
        return name

    def _call(self, piece: str, blob: str) -> None:
        """Give the last layer's top, or a piece of the Slice, the name that its readers know."""
        for layer in self._made:
            if list(layer.message.top) == [piece]:
                layer.message.name = blob
            layer.message.top[:] = [blob if top == piece else top for top in layer.message.top]


def _dims(lengths: Sequence[int]) -> dict[str, Any]:
    return {"shape": {"dim": list(lengths)}}


def _let_pieces_end(model: CaffeModel) -> None:
    """A layer with one top that only a copy for an output reads gives the output itself."""
    readers: defaultdict[str, list[Layer]] = defaultdict(list)
    for layer in model.layers:
        for bottom in layer.message.bottom:
            readers[bottom].append(layer)
    gone: set[int] = set()
    outputs = set(model.outputs.values())
    for layer in model.layers:
        message = layer.message
        reading = {id(reader): reader for reader in readers[message.top[0]]}
        if message.type not in ("Crop", "Reshape", "Convolution") or len(reading) != 1:
            continue
        (copy,) = reading.values()
        if copy.message.top[0] in outputs and message.top[0] not in outputs and _is_copy(copy):
            held = message.top[0]
            message.name = message.top[0] = copy.message.top[0]
            gone.add(id(copy))
            model.tensors = {t: message.name if blob == held else blob for t, blob in model.tensors.items()}
    model.layers[:] = [layer for layer in model.layers if id(layer) not in gone]


def _is_copy(layer: Layer) -> bool:
    message = layer.message
    # The maximum of a blob and itself is what `layers.copy` writes for a reader that drops an idle Power.
    return (message.type == "Power" and not message.power_param.ListFields()) or (
        message.type == "Eltwise"
        and len(set(message.bottom)) == 1 < len(message.bottom)
        and message.eltwise_param.operation == caffe_pb2.EltwiseParameter.MAX
    )
