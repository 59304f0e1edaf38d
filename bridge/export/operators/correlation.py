"""Correlation of two feature maps over small displacements, as FlowNet has it, tap by tap."""

from math import ceil

import numpy as np

from gluon2caffe.bridge.export.operators.node_reader import NodeReader, NotExactError, ShapeError
from gluon2caffe.bridge.export.operators.operator import Operator
from gluon2caffe.bridge.export.operators.registry import translates
from gluon2caffe.bridge.export.operators.shape_rules import expect_rank, expect_shape
from gluon2caffe.bridge.mxnet_files.graph import Shape

_MOST_TAPS = 128


def _grid(op: NodeReader) -> list[int]:
    """Displacements along one axis."""
    step = op.integer("stride2", 1)
    reach = op.integer("max_displacement", 1) // max(step, 1)
    return [place * step for place in range(-reach, reach + 1)]


def _correlation_shape(op: NodeReader) -> list[Shape]:
    expect_rank(op, 4)
    expect_shape(op, 1, op.shape)
    kernel, stride = op.integer("kernel_size", 1), op.integer("stride1", 1)
    border = op.integer("max_displacement", 1) + (kernel - 1) // 2
    if stride < 1 or kernel < 1:
        raise ShapeError(f"kernel_size {kernel}, stride1 {stride}")
    sizes = tuple(ceil((size + 2 * op.integer("pad_size", 0) - 2 * border) / stride) for size in op.shape[2:])
    if min(sizes) < 1:
        raise ShapeError(f"displacements of {border} do not fit in {op.shape}")
    return [(op.shape[0], len(_grid(op)) ** 2, *sizes)]


@translates("Correlation", shape=_correlation_shape)
def correlation(op: Operator) -> None:
    """Mean over the channels of products, or of absolute differences, one channel for each displacement."""
    grid = _grid(op)
    if op.integer("kernel_size", 1) != 1:
        raise NotExactError("Correlation with a kernel_size other than 1")
    if len(grid) ** 2 > _MOST_TAPS:
        raise NotExactError(f"Correlation over {len(grid) ** 2} displacements; up to {_MOST_TAPS} are written out")
    reach = op.integer("max_displacement", 1)
    first, second = (_padded(op, index) for index in (0, 1))
    still = _window(op, first, (reach, reach))
    taps = [_tap(op, still, _window(op, second, (reach + dy, reach + dx))) for dy in grid for dx in grid]
    op.result("Concat", taps, axis=1)


def _padded(op: Operator, index: int) -> str:
    pad = op.integer("pad_size", 0)
    name = op.inputs[index].name
    if not pad:
        return name
    shape = (*op.shape[:2], *(size + 2 * pad for size in op.shape[2:]))
    pads = op.shape_constant("pads", (0, 0, pad, pad, 0, 0, pad, pad))
    return op.add_node("Pad", [name, pads], shape, mode="constant")


def _window(op: Operator, source: str, start: tuple[int, int]) -> str:
    """Cut the values that one displacement reads, every stride1-th."""
    stride = op.integer("stride1", 1)
    sizes = op.output_shape[2:]
    ends = tuple(place + (size - 1) * stride + 1 for place, size in zip(start, sizes, strict=True))
    bounds = [op.shape_constant("starts", start), op.shape_constant("ends", ends), op.shape_constant("axes", (2, 3))]
    return op.add_node(
        "Slice", [source, *bounds, op.shape_constant("steps", (stride, stride))], (*op.shape[:2], *sizes)
    )


def _tap(op: Operator, first: str, second: str) -> str:
    shape = (*op.shape[:2], *op.output_shape[2:])
    if op.flag("is_multiply", True):
        joined = op.add_node("Mul", [first, second], shape)
    else:
        joined = op.add_node("Abs", [op.add_node("Sub", [first, second], shape)], shape)
    return op.add_node("ReduceMean", [joined], (shape[0], 1, *shape[2:]), axes=[1], keepdims=1, dtype=np.float32)
