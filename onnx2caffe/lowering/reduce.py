"""ReduceMean, ReduceSum and the other reductions over constant axes."""

from __future__ import annotations

from collections.abc import Callable

from gluon2caffe.onnx2caffe import layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.lowering.broadcasting import add
from gluon2caffe.onnx2caffe.lowering.reductions import largest, mean, product, smallest, total
from gluon2caffe.onnx2caffe.node import Node, UnsupportedNodeError, axis_of
from gluon2caffe.onnx2caffe.registry import lowering

Axes = list[int]


def _absolutes(net: NetBuilder, x: Blob, axes: Axes) -> Blob:
    return total(net, layers.absolute(net, x, part="magnitudes"), axes)


def _squares(net: NetBuilder, x: Blob, axes: Axes) -> Blob:
    return total(net, layers.power(net, x, power=2.0, part="squares"), axes)


def _norm(net: NetBuilder, x: Blob, axes: Axes) -> Blob:
    return layers.power(net, _squares(net, x, axes), power=0.5, part="root")


def _log_sum(net: NetBuilder, x: Blob, axes: Axes) -> Blob:
    return layers.unary(net, total(net, x, axes), "Log", part="log")


def _log_sum_exp(net: NetBuilder, x: Blob, axes: Axes) -> Blob:
    """The maximum plus log(sum(exp(x - maximum))): nothing overflows."""
    peak = largest(net, x, axes)
    exponentials = layers.unary(net, add(net, x, peak, -1.0), "Exp", part="exp")
    return add(net, _log_sum(net, exponentials, axes), peak)


METHODS: dict[str, Callable[[NetBuilder, Blob, Axes], Blob]] = {
    "ReduceMean": mean,
    "ReduceSum": total,
    "ReduceMax": largest,
    "ReduceMin": smallest,
    "ReduceProd": product,
    "ReduceL1": _absolutes,
    "ReduceL2": _norm,
    "ReduceSumSquare": _squares,
    "ReduceLogSum": _log_sum,
    "ReduceLogSumExp": _log_sum_exp,
}
# What these make of a single value is that value.
_IDENTITIES = frozenset({"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd"})


@lowering("ReduceMean")
@lowering("ReduceSum")
@lowering("ReduceMax")
@lowering("ReduceMin")
@lowering("ReduceProd")
@lowering("ReduceL1")
@lowering("ReduceL2")
@lowering("ReduceSumSquare")
@lowering("ReduceLogSum")
@lowering("ReduceLogSumExp")
def reduce_attribute(node: Node, net: NetBuilder) -> Blob:
    """Axes as an attribute."""
    return _reduce(node, net, node.attr("axes", None))


@lowering("ReduceSum", since=13)
@lowering("ReduceMean", since=18)
@lowering("ReduceMax", since=18)
@lowering("ReduceMin", since=18)
@lowering("ReduceProd", since=18)
@lowering("ReduceL1", since=18)
@lowering("ReduceL2", since=18)
@lowering("ReduceSumSquare", since=18)
@lowering("ReduceLogSum", since=18)
@lowering("ReduceLogSumExp", since=18)
def reduce_input(node: Node, net: NetBuilder) -> Blob:
    """Axes as an input."""
    axes = node.optional_constant(1)
    empty = axes is None or not axes.size
    return _reduce(node, net, None if axes is None or empty else axes.tolist(), none=empty)


def _reduce(node: Node, net: NetBuilder, axes: Axes | None, *, none: bool = False) -> Blob:
    x = node.blob()
    if none and node.attr("noop_with_empty_axes", 0):
        if node.raw.op not in _IDENTITIES:
            raise UnsupportedNodeError("it has noop_with_empty_axes and no axes: versions of ONNX differ on what it is")
        return x
    reduced = sorted(axis_of(axis, x.rank) for axis in (axes or range(x.rank)))
    return layers.reshape(net, METHODS[node.raw.op](net, x, reduced), node.shape(), part="shape")
