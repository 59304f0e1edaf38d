"""Pooling, window by window as MXNet lays and divides it."""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from gluon2caffe.bridge.export.operators.layout import in_channels_first, with_layout
from gluon2caffe.bridge.export.operators.node_reader import NodeReader, NotExactError, ShapeError
from gluon2caffe.bridge.export.operators.operator import Operator
from gluon2caffe.bridge.export.operators.registry import translates
from gluon2caffe.bridge.export.operators.shape_rules import expect_rank
from gluon2caffe.bridge.mxnet_files.graph import Shape
from gluon2caffe.onnx2caffe import growth


@dataclass(frozen=True)
class _Windows:
    """Kernel, stride and pad per spatial axis, and by how much the last window passes the padded input."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    pad: tuple[int, ...]
    overhang: tuple[int, ...]
    last_start: tuple[int, ...]  # where the last window starts, counted from the first element of the input

    @classmethod
    def of(cls, op: Operator) -> "_Windows":
        kernel = op.integers("kernel")
        stride = op.integers("stride", (1,) * len(kernel))
        pad = op.integers("pad", (0,) * len(kernel))
        last = [(out - 1) * s - p for out, s, p in zip(op.output_shape[2:], stride, pad, strict=True)]
        reach = [start + k - size - p for start, k, size, p in zip(last, kernel, op.shape[2:], pad, strict=True)]
        return cls(kernel, stride, pad, tuple(max(0, value) for value in reach), tuple(last))

    def correction(self, sizes: tuple[int, ...]) -> npt.NDArray[np.float32]:
        """(1, 1, *output): size of the kernel by the number of values, padding included, that each window holds."""
        factors = np.ones((), np.float64)
        for kernel, stride, pad, last, size in zip(
            self.kernel, self.stride, self.pad, self.last_start, sizes, strict=True
        ):
            starts = np.arange(-pad, last + 1, stride)
            factors = np.multiply.outer(factors, kernel / np.minimum(kernel, size + pad - starts))
        return np.asarray(factors[None, None], np.float32)

    def attributes(self, pads: tuple[int, ...]) -> dict[str, Any]:
        return {
            "kernel_shape": self.kernel,
            "strides": self.stride,
            "pads": pads,
            "ceil_mode": int(any(self.overhang)),
        }


def _pooled_size(size: int, kernel: int, stride: int, pad: int, convention: str) -> int:
    if convention == "same":
        return -(-(size + 2 * pad) // stride)
    span = size + 2 * pad - kernel
    return 1 + (-(-span // stride) if convention == "full" else span // stride)


def _pooling_shape(op: NodeReader) -> list[Shape]:
    expect_rank(op, 3, 4, 5)
    if op.flag("global_pool", False):
        return [op.shape[:2] + (1,) * (op.rank - 2)]
    kernel = op.integers("kernel")
    stride = op.integers("stride", (1,) * len(kernel))
    pad = op.integers("pad", (0,) * len(kernel))
    sizes = op.shape[2:]
    if not len(kernel) == len(stride) == len(pad) == len(sizes) or min((*kernel, *stride)) < 1 or min(pad) < 0:
        raise ShapeError(f"kernel {kernel}, stride {stride}, pad {pad} on an input of shape {op.shape}")
    if any(k > size + 2 * p for k, size, p in zip(kernel, sizes, pad, strict=True)):
        raise ShapeError(f"its kernel {kernel} exceeds the input {op.shape}")
    convention = op.text("pooling_convention", "valid")
    pooled = (_pooled_size(*each, convention) for each in zip(sizes, kernel, stride, pad, strict=True))
    return [(*op.shape[:2], *pooled)]


@translates("Pooling", "Pooling_v1", shape=with_layout(_pooling_shape))
@in_channels_first
def pooling(op: Operator) -> None:
    """MaxPool, AveragePool or their global forms."""
    kind = op.text("pool_type", "max")
    table = _GLOBAL if op.flag("global_pool", False) else _WINDOWED
    if kind not in table:
        raise NotExactError(f"pool_type {kind}")
    table[kind](op)


def _global_max(op: Operator) -> None:
    op.result("GlobalMaxPool", [op.inputs[0].name])


def _global_average(op: Operator) -> None:
    op.result("GlobalAveragePool", [op.inputs[0].name])


def _global_sum(op: Operator) -> None:
    mean = op.add_node("GlobalAveragePool", [op.inputs[0].name], op.output_shape)
    op.binds_size("a sum over all places, as a mean times their number")
    op.result("Mul", [mean, op.constant("count", prod(op.shape[2:]))])


def _max(op: Operator) -> None:
    windows = _Windows.of(op)
    if any(start >= size for start, size in zip(windows.last_start, op.shape[2:], strict=True)):
        raise NotExactError("the last window holds nothing but padding, where MXNet's maximum is -3.4e38")
    attributes = windows.attributes(windows.pad + windows.pad)
    if op.text("pooling_convention", "valid") == "full":
        # Rounded up at every size, also where nothing is left over at this one.
        attributes["ceil_mode"] = 1
    op.result("MaxPool", [op.inputs[0].name], **attributes)


def _average(op: Operator) -> None:
    """MXNet divides by the window cut at the padded input, or at the input itself without count_include_pad."""
    windows = _Windows.of(op)
    pads = windows.pad + windows.pad
    counts_pad = op.flag("count_include_pad", True) and any(windows.pad)
    ends = [size + counts_pad * p for size, p in zip(op.shape[2:], windows.pad, strict=True)]
    if any(start >= end for start, end in zip(windows.last_start, ends, strict=True)):
        raise NotExactError("the last window holds nothing to average")
    if not counts_pad or not any(windows.overhang):
        op.result("AveragePool", [op.inputs[0].name], count_include_pad=int(counts_pad), **windows.attributes(pads))
        return
    # Padding counts, what lies beyond it does not. Runtimes differ on what ceil_mode divides by, so the input is padded
    # until every window is whole, and the mean is corrected by a constant map.
    op.result("Mul", [_mean_of_whole_windows(op, windows), op.constant("divisor", windows.correction(op.shape[2:]))])


def _sum(op: Operator) -> None:
    """Average over full windows of a zero-padded input, times their size."""
    windows = _Windows.of(op)
    op.result("Mul", [_mean_of_whole_windows(op, windows), op.constant("count", prod(windows.kernel))])


def _lp(op: Operator) -> None:
    """p-th root of the sum of p-th powers; for p = 1 MXNet takes the plain sum."""
    power = op.integer("p_value")
    if power == 1:
        _sum(op)
        return
    _refuse_power(power)
    windows = _Windows.of(op)
    mean = _mean_of_whole_windows(op, windows, op.add_node("Mul", [op.inputs[0].name] * 2, op.shape))
    op.result("Sqrt", [op.add_node("Mul", [mean, op.constant("count", prod(windows.kernel))], op.output_shape)])


def _global_lp(op: Operator) -> None:
    power = op.integer("p_value")
    if power == 1:
        _global_sum(op)
        return
    _refuse_power(power)
    squares = op.add_node("Mul", [op.inputs[0].name] * 2, op.shape)
    mean = op.add_node("GlobalAveragePool", [squares], op.output_shape)
    op.result("Sqrt", [op.add_node("Mul", [mean, op.constant("count", prod(op.shape[2:]))], op.output_shape)])


def _refuse_power(power: int) -> None:
    if power != 2:
        raise NotExactError(f"pool_type lp with p_value {power}; 1 and 2 are translated")


def _mean_of_whole_windows(op: Operator, windows: _Windows, source: str | None = None) -> str:
    """AveragePool of the input, or of `source`, with as many zeros around it as the windows reach."""
    ends = tuple(p + over for p, over in zip(windows.pad, windows.overhang, strict=True))
    if op.text("pooling_convention", "valid") != "valid":
        op.binds_size("padding until the last window is whole")
    return op.add_node(
        "AveragePool",
        [_padded(op, source or op.inputs[0].name, windows.pad, ends)],
        op.output_shape,
        kernel_shape=windows.kernel,
        strides=windows.stride,
        pads=(0,) * (2 * len(ends)),
    )


def _padded(op: Operator, source: str, begin: tuple[int, ...], end: tuple[int, ...]) -> str:
    """Put zeros around the spatial axes."""
    shape = op.shape[:2] + tuple(a + size + b for a, size, b in zip(begin, op.shape[2:], end, strict=True))
    pads = op.shape_constant("pads", (0, 0, *begin, 0, 0, *end))
    return op.add_node("Pad", [source, pads], shape, mode="constant")


_WINDOWED = {"max": _max, "avg": _average, "sum": _sum, "lp": _lp}
_GLOBAL = {"max": _global_max, "avg": _global_average, "sum": _global_sum, "lp": _global_lp}


def _adaptive_shape(op: NodeReader) -> list[Shape]:
    expect_rank(op, 4)
    wanted = op.integers("output_size", (1,))
    sizes = wanted * 2 if len(wanted) == 1 else wanted
    if len(sizes) != 2 or min(sizes) < 1:
        raise ShapeError(f"its output_size is {wanted}")
    return [(*op.shape[:2], *sizes)]


@translates("_contrib_AdaptiveAvgPooling2D", shape=_adaptive_shape)
def adaptive_average_pooling(op: Operator) -> None:
    """Average over windows from floor(i·in/out) to ceil((i+1)·in/out).

    One cell is a global average; sizes that divide are an AveragePool; all others are two products with constant
    averaging matrices, one along each axis.
    """
    data = op.inputs[0].name
    sizes, wanted = op.shape[2:], op.output_shape[2:]
    if wanted != (1, 1):
        op.binds_size("adaptive pooling")
    if wanted == (1, 1):
        op.result("GlobalAveragePool", [data])
    elif wanted == sizes:
        op.result("Identity", [data])
    elif all(size % out == 0 for size, out in zip(sizes, wanted, strict=True)):
        window = tuple(size // out for size, out in zip(sizes, wanted, strict=True))
        op.result("AveragePool", [data], kernel_shape=window, strides=window, pads=(0, 0, 0, 0))
    else:
        for size, out in zip(sizes, wanted, strict=True):
            excess = growth.excess_of_bytes(4 * size * out)
            if excess:
                raise NotExactError(f"its matrix of {out:,}×{size:,} numbers would take {excess}")
        along_w = op.constant("average_w", averaging_matrix(sizes[1], wanted[1]).T)
        narrow = op.add_node("MatMul", [data, along_w], (*op.shape[:3], wanted[1]))
        op.result("MatMul", [op.constant("average_h", averaging_matrix(sizes[0], wanted[0])), narrow])


def averaging_matrix(size: int, out: int) -> npt.NDArray[np.float32]:
    """Return the (out, size) matrix that averages `size` cells to `out` as adaptive pooling does."""
    matrix = np.zeros((out, size), np.float32)
    for row in range(out):
        begin, end = row * size // out, -(-(row + 1) * size // out)
        matrix[row, begin:end] = 1.0 / (end - begin)
    return matrix
