"""Lets layers that stand in a net fail at sizes at which it would be wrong in silence.

A Flatten, or a Reshape that infers a length, takes whatever comes. Where the blob that it makes has one shape at every
size at which the net is exact, and another at a size at which it is not, the lengths are written out: Caffe and OpenCV
refuse a Reshape that does not fit. What fails by itself (weights, factors, sums) is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gluon2caffe.onnx2caffe.caffe_pb2 import LayerParameter
from gluon2caffe.onnx2caffe.model import CaffeModel
from gluon2caffe.onnx2caffe.sizes.program import Shape
from gluon2caffe.onnx2caffe.targets import Profile

# Sizes of an axis that are tried beside that of the conversion: near ones, and what people feed a net.
STEPS = (1, 2, 3, 8, 32, 64, 128, -1, -2, -8, -32)


def fail_at_other_sizes(model: CaffeModel, profile: Profile) -> None:
    """Write out the lengths of Reshapes that would let a wrong size pass; the other layers stay as they are."""
    open_ones = [layer.message for layer in model.layers if _is_open(layer.message)]
    sizes, program = model.sizes, model.shape_program
    if not open_ones or sizes is None or program is None or not profile.has("Reshape") or sizes.is_any_size:
        return
    own, _ = program.tops(program.inputs)
    inside = [program.tops({**program.inputs, **shapes})[0] for shapes in sizes.examples()]
    walked = [program.tops(shapes) for shapes in _beside(program.inputs) if program.broken(shapes)]
    silent = [tops for tops, fails in walked if not fails]
    for message in open_ones:
        (name,) = message.top
        shape = own.get(name)
        if shape and all(tops.get(name) == shape for tops in inside) and any(tops[name] != shape for tops in silent):
            _write_lengths(message, shape)


def _beside(inputs: Mapping[str, Shape]) -> Iterator[dict[str, Shape]]:
    """The shapes of pictures of other sizes, all axes changed, or one."""
    for step in STEPS:
        for axes in ((2, 3, 4), (2,), (3,)):
            shapes = {
                name: tuple(length + step * (axis in axes) for axis, length in enumerate(shape))
                for name, shape in inputs.items()
            }
            if shapes != dict(inputs) and min(min(shape) for shape in shapes.values()) > 0:
                yield shapes


def _is_open(message: LayerParameter) -> bool:
    """Whether it makes a blob of as many values as there are."""
    if message.type == "Flatten":
        return True
    fields = message.reshape_param
    return message.type == "Reshape" and -1 in fields.shape.dim and not fields.axis and fields.num_axes == -1


def _write_lengths(message: LayerParameter, shape: Shape) -> None:
    """Make it a Reshape to this shape; the batch in front is copied, and a length that is copied stays so."""
    dims = list(message.reshape_param.shape.dim) if message.type == "Reshape" else [0] * (len(shape) > 1)
    message.type = "Reshape"
    message.ClearField("flatten_param")
    written = [0 if axis < len(dims) and dims[axis] == 0 else length for axis, length in enumerate(shape)]
    message.reshape_param.shape.dim[:] = [0, *written[1:]]
