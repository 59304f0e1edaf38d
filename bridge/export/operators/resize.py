"""Upsampling and bilinear resizing."""

from typing import Any

import numpy as np

from gluon2caffe.bridge.export.operators.node_reader import Input, NodeReader, NotExactError, ShapeError
from gluon2caffe.bridge.export.operators.operator import Operator
from gluon2caffe.bridge.export.operators.registry import translates
from gluon2caffe.bridge.export.operators.shape_rules import expect_rank, expect_shape
from gluon2caffe.bridge.mxnet_files.graph import Shape

_ROUNDED = {"to_even_down": (0, -1), "to_even_up": (0, 1), "to_odd_down": (1, -1), "to_odd_up": (1, 1)}


def _bilinear_resize_shape(op: NodeReader) -> list[Shape]:
    """Give the size by ``mode``; MXNet takes scales in mode size only where scale_height is given."""
    expect_rank(op, 4)
    mode = op.text("mode", "size")
    sizes = op.shape[2:]
    wanted: tuple[int, ...]
    if mode == "size" and not op.has("scale_height"):
        wanted = op.integer("height", 1), op.integer("width", 1)
    elif mode == "size":
        wanted = tuple(int(size * scale) for size, scale in zip(sizes, _scales(op), strict=True))
    elif mode == "odd_scale":
        wanted = tuple(
            int(size * scale) if size % 2 == 0 else int((size - 1) * scale) + 1
            for size, scale in zip(sizes, _scales(op), strict=True)
        )
    elif mode == "like":
        wanted = op.input(1).shape[2:]
    elif mode in _ROUNDED:
        remainder, step = _ROUNDED[mode]
        wanted = tuple(size if size % 2 == remainder else size + step for size in sizes)
    else:
        raise NotExactError(f"mode {mode}")
    if len(wanted) != 2 or min(wanted) < 1:
        raise ShapeError(f"its output would have sizes {wanted}")
    return [(*op.shape[:2], *wanted)]


def _scales(op: NodeReader) -> tuple[float, float]:
    """Read the scales, which MXNet keeps in single precision."""
    return float(np.float32(op.number("scale_height"))), float(np.float32(op.number("scale_width")))


@translates("_contrib_BilinearResize2D", shape=_bilinear_resize_shape)
def bilinear_resize(op: Operator) -> None:
    """Linear Resize to the size MXNet infers, in whichever of its modes; ``align_corners`` is on unless given."""
    op.binds_size("a bilinear resize")
    mode = "align_corners" if op.flag("align_corners", True) else "half_pixel"
    _finish_resize(op, op.inputs[0].name, mode="linear", coordinate_transformation_mode=mode)


def _upsampling_shape(op: NodeReader) -> list[Shape]:
    expect_rank(op, 4)
    scale = op.integer("scale")
    if scale < 1:
        raise ShapeError(f"its scale is {scale}")
    channels = op.shape[1]
    if op.text("sample_type", "nearest") == "bilinear":
        kernel = 2 * scale - scale % 2
        expect_shape(op, 1, (channels, 1, kernel, kernel))
    elif op.text("multi_input_mode", "concat") == "concat":
        channels = sum(tensor.shape[1] for tensor in op.inputs)
    return [(op.shape[0], channels, op.shape[2] * scale, op.shape[3] * scale)]


@translates("UpSampling", shape=_upsampling_shape)
def upsampling(op: Operator) -> None:
    """Repeat every pixel, or the transposed convolution with the operator's own kernel that MXNet calls bilinear."""
    kind = op.text("sample_type", "nearest")
    if kind == "bilinear":
        _bilinear_upsampling(op)
    elif len(op.inputs) == 1:
        scale = float(op.integer("scale"))
        scales = op.constant("scales", (1.0, 1.0, scale, scale))
        op.result("Resize", [op.inputs[0].name, "", scales], **_NEAREST)
    else:
        _upsample_several(op)


_NEAREST: dict[str, Any] = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


def _bilinear_upsampling(op: Operator) -> None:
    scale = op.integer("scale")
    kernel, pad = 2 * scale - scale % 2, -(-(scale - 1) // 2)
    op.result(
        "ConvTranspose",
        [op.inputs[0].name, op.inputs[1].name],
        kernel_shape=(kernel, kernel),
        strides=(scale, scale),
        pads=(pad, pad, pad, pad),
        group=op.integer("num_filter", op.shape[1]),
    )


def _upsample_several(op: Operator) -> None:
    """Bring all inputs to one size, then join them."""
    op.binds_size("inputs brought to one size")
    size = op.output_shape[2:]
    parts = [_nearest_step(op, tensor, (*tensor.shape[:2], *size)) for tensor in op.inputs]
    if op.text("multi_input_mode", "concat") == "sum":
        op.result("Sum", parts)
    else:
        op.result("Concat", parts, axis=1)


def _nearest_step(op: Operator, tensor: Input, shape: Shape) -> str:
    if any(big % small for big, small in zip(shape[2:], tensor.shape[2:], strict=True)):
        raise NotExactError(f"{tensor.shape[2:]} cannot be repeated to {shape[2:]}")
    if shape == tensor.shape:
        return tensor.name
    return op.add_node("Resize", [tensor.name, "", "", op.shape_constant("sizes", shape)], shape, **_NEAREST)


def _finish_resize(op: Operator, source: str, **how: Any) -> None:
    if op.output_shape == op.shape:
        op.result("Identity", [source])
        return
    op.result("Resize", [source, "", "", op.shape_constant("sizes", op.output_shape)], **how)
