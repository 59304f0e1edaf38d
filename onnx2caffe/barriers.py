"""A layer in between where a reader would merge two layers wrongly: which faults there are, the target's quirks say."""

from __future__ import annotations

from math import prod

from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.caffe_pb2 import LayerParameter
from gluon2caffe.onnx2caffe.shape_layers import flattened, reshape
from gluon2caffe.onnx2caffe.targets import Fault
from gluon2caffe.onnx2caffe.window_layers import pooling


def producer(net: NetBuilder, x: Blob) -> LayerParameter | None:
    """The layer that makes `x`; None for an input of the net."""
    return next((layer.message for layer in reversed(net.layers) if x.name in layer.message.top), None)


def is_behind_curve(net: NetBuilder, x: Blob) -> bool:
    """Whether a Power layer with another exponent than 1 makes `x`."""
    made = producer(net, x)
    return made is not None and made.type == "Power" and made.power_param.power != 1.0


def before_batch_norm(net: NetBuilder, x: Blob, *, channels: int) -> Blob:
    """`x` as a BatchNorm layer may read it."""
    if x.rank != 4 and net.profile.has_quirk(Fault.BATCH_NORM_AFTER_ELTWISE):
        x = _kept_apart(net, x, {"Eltwise"})
    if channels == 1:
        x = _apart_from_curve(net, x)
    return _apart_from_groups(net, x)


def before_scale(net: NetBuilder, x: Blob, *, values: int, per_channel: bool) -> Blob:
    """`x` as a Scale layer with so many weights may read it."""
    if not per_channel and net.profile.has_quirk(Fault.SCALE_BY_OTHER_AXES_MERGED):
        x = _kept_apart(net, x, {"BatchNorm", "Convolution", "Deconvolution", "Power", "Scale"})
    elif values == 1:
        x = _apart_from_curve(net, x)
    return _apart_from_groups(net, x)


def before_power(net: NetBuilder, x: Blob) -> Blob:
    """`x` as a Power layer may read it."""
    return _kept_apart(net, x, {"Power"})


def _apart_from_curve(net: NetBuilder, x: Blob) -> Blob:
    wrong = net.profile.has_quirk(Fault.SINGLE_SCALE_AFTER_POWER) and is_behind_curve(net, x)
    return _kept_apart(net, x, {"Power"}) if wrong else x


def _apart_from_groups(net: NetBuilder, x: Blob) -> Blob:
    made = producer(net, x)
    grouped = made is not None and made.type == "Deconvolution" and made.convolution_param.group > 1
    wrong = grouped and net.profile.has_quirk(Fault.SCALE_INTO_GROUPED_DECONVOLUTION)
    return _kept_apart(net, x, {"Deconvolution"}) if wrong else x


def _kept_apart(net: NetBuilder, x: Blob, producers: set[str]) -> Blob:
    """Insert a 1×1 max pooling after `x` if one of `producers` makes it: no reader merges across that."""
    made = producer(net, x)
    if made is None or made.type not in producers:
        return x
    if x.rank == 4:
        return pooling(net, x, "MAX", (1, 1), (1, 1), (0, 0), part="apart")
    column = reshape(
        net, x, (1, 1, prod(x.shape), 1) if x.rank < 2 else (x.shape[0], flattened(x, 1), 1, 1), part="column"
    )
    return reshape(net, pooling(net, column, "MAX", (1, 1), (1, 1), (0, 0), part="apart"), x.shape, part="shape")
