"""Upsampling and bilinear resizing."""

from typing import Any

from gluon2caffe.bridge.export.operators.operator import Input, NotExactError, Operator
from gluon2caffe.bridge.export.operators.registry import translates
from gluon2caffe.bridge.export.symbol_graph import Shape


@translates("_contrib_BilinearResize2D")
def bilinear_resize(op: Operator) -> None:
    """Linear Resize to the size MXNet infers, in whichever of its modes; ``align_corners`` is on unless given."""
    mode = "align_corners" if op.flag("align_corners", True) else "half_pixel"
    _finish_resize(op, op.inputs[0].name, mode="linear", coordinate_transformation_mode=mode)


@translates("UpSampling")
def upsampling(op: Operator) -> None:
    """Repeat every pixel, or the transposed convolution with the operator's own kernel that MXNet calls bilinear."""
    kind = op.text("sample_type", "nearest")
    if kind == "bilinear":
        _bilinear_upsampling(op)
    elif len(op.inputs) == 1:
        _finish_resize(op, op.inputs[0].name, **_NEAREST)
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
    return op.step("Resize", [tensor.name, "", "", op.shape_constant("sizes", shape)], shape, **_NEAREST)


def _finish_resize(op: Operator, source: str, **how: Any) -> None:
    if op.output_shape == op.shape:
        op.result("Identity", [source])
        return
    op.result("Resize", [source, "", "", op.shape_constant("sizes", op.output_shape)], **how)
