"""Every operator we translate, against MXNet, with attributes at which mxnet.onnx goes wrong."""

from collections.abc import Callable
from typing import Any

import pytest
from agreement_with_mxnet import assert_agrees, assert_drivers_agree, block_of

from gluon2caffe.bridge.export import export_graph, refuse_mxnet_nodes, trace_block
from gluon2caffe.bridge.export.operators import SHAPE_RULES, TRANSLATORS
from gluon2caffe.onnx2caffe.errors import SourceError

Build = Callable[[Any, Any], Any]
IMAGE = (2, 6, 8, 10)


def _recurrent(s: Any, x: Any, mode: str, both: bool, layers: int) -> Any:
    """All outputs of the fused operator with four hidden units."""
    states = [s.var("state")] + [s.zeros((layers * (1 + both), 0, 4))] * (mode == "lstm")
    names = ("state", "state_cell")
    made = s.RNN(
        x,
        s.var("parameters"),
        **dict(zip(names, states, strict=False)),
        state_size=4,
        num_layers=layers,
        mode=mode,
        bidirectional=both,
        state_outputs=True,
    )
    return s.Group(list(made))


# Name of the case -> shape of the input, and the symbol made of mx.sym and the input variable.
CASES: dict[str, tuple[tuple[int, ...], Build]] = {
    # linear
    "convolution": (IMAGE, lambda s, x: s.Convolution(x, num_filter=4, kernel=(3, 3), stride=(2, 1), pad=(1, 0))),
    "convolution grouped, dilated, no bias": (
        IMAGE,
        lambda s, x: s.Convolution(x, num_filter=4, num_group=2, kernel=(3, 3), dilate=(2, 2), no_bias=True),
    ),
    "convolution over one axis": ((2, 3, 9), lambda s, x: s.Convolution(x, num_filter=4, kernel=(3,), pad=(1,))),
    "deconvolution without explicit no_bias": (
        IMAGE,
        lambda s, x: s.Deconvolution(x, num_filter=3, kernel=(4, 3), stride=(2, 2), pad=(1, 1), adj=(1, 0)),
    ),
    "deconvolution with bias": (
        IMAGE,
        lambda s, x: s.Deconvolution(x, num_filter=4, num_group=2, kernel=(3, 3), no_bias=False),
    ),
    "fully connected, flatten not written": (IMAGE, lambda s, x: s.FullyConnected(x, num_hidden=5)),
    "fully connected on rows": ((4, 7), lambda s, x: s.FullyConnected(x, num_hidden=5, no_bias=True)),
    "fully connected on the last axis": ((2, 3, 7), lambda s, x: s.FullyConnected(x, num_hidden=5, flatten=False)),
    "fully connected on rows, not flattened": ((4, 7), lambda s, x: s.FullyConnected(x, num_hidden=5, flatten=False)),
    "dot": ((4, 6), lambda s, x: s.dot(x, x, transpose_b=True)),
    "batch_dot": ((2, 3, 4), lambda s, x: s.batch_dot(x, x, transpose_a=True)),
    "gemm2": ((2, 3, 4), lambda s, x: s.linalg.gemm2(x, x, transpose_b=True, alpha=0.3)),
    # normalisation
    "batch norm, fix_gamma by default": (IMAGE, lambda s, x: s.BatchNorm(x)),
    "batch norm, gamma used": (IMAGE, lambda s, x: s.BatchNorm(x, fix_gamma=False, eps=0.02)),
    "batch norm, global stats": (IMAGE, lambda s, x: s.BatchNorm(x, fix_gamma=False, use_global_stats=True)),
    "batch norm, last axis": (IMAGE, lambda s, x: s.BatchNorm(x, fix_gamma=False, axis=-1)),
    "batch norm, axis 2": (IMAGE, lambda s, x: s.BatchNorm(x, fix_gamma=False, axis=2)),
    "batch norm on rows": ((4, 7), lambda s, x: s.BatchNorm(x, fix_gamma=False)),
    "instance norm": (IMAGE, lambda s, x: s.InstanceNorm(x, eps=0.1)),
    "group norm": (IMAGE, lambda s, x: s.GroupNorm(x, num_groups=3, eps=0.1)),
    "layer norm, last axis": (IMAGE, lambda s, x: s.LayerNorm(x, eps=0.1)),
    "layer norm, channels": (IMAGE, lambda s, x: s.LayerNorm(x, axis=1, eps=0.1)),
    "l2 normalisation, channel": (IMAGE, lambda s, x: s.L2Normalization(x, mode="channel", eps=5.0)),
    "l2 normalisation, instance": (IMAGE, lambda s, x: s.L2Normalization(x, eps=50.0)),
    "l2 normalisation, spatial": (IMAGE, lambda s, x: s.L2Normalization(x, mode="spatial", eps=50.0)),
    "lrn, knorm by default": (IMAGE, lambda s, x: s.LRN(x, nsize=3, alpha=0.5)),
    "lrn, knorm": (IMAGE, lambda s, x: s.LRN(x, nsize=5, alpha=0.5, beta=0.6, knorm=1.5)),
    # pooling
    "max": (IMAGE, lambda s, x: s.Pooling(x, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type="max")),
    "max full": (IMAGE, lambda s, x: s.Pooling(x, kernel=(3, 3), stride=(2, 2), pooling_convention="full")),
    "max full, last window begins at the last pixel": (
        (1, 2, 4, 4),
        lambda s, x: s.Pooling(x, kernel=(2, 2), stride=(2, 2), pad=(1, 1), pooling_convention="full"),
    ),
    "average": (IMAGE, lambda s, x: s.Pooling(x, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type="avg")),
    "average, padding not counted": (
        IMAGE,
        lambda s, x: s.Pooling(x, kernel=(3, 3), pad=(1, 1), pool_type="avg", count_include_pad=False),
    ),
    "average full": (
        IMAGE,
        lambda s, x: s.Pooling(x, kernel=(3, 3), stride=(2, 2), pool_type="avg", pooling_convention="full"),
    ),
    "average full, padded": (
        (1, 2, 8, 8),
        lambda s, x: s.Pooling(x, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type="avg", pooling_convention="full"),
    ),
    "average full, last window in the end padding": (
        (1, 2, 3, 3),
        lambda s, x: s.Pooling(x, kernel=(2, 2), stride=(2, 2), pad=(1, 1), pool_type="avg", pooling_convention="full"),
    ),
    "average full, padding not counted": (
        (1, 2, 8, 8),
        lambda s, x: s.Pooling(
            x,
            kernel=(3, 3),
            stride=(2, 2),
            pad=(1, 1),
            pool_type="avg",
            pooling_convention="full",
            count_include_pad=False,
        ),
    ),
    "sum": (IMAGE, lambda s, x: s.Pooling(x, kernel=(3, 2), stride=(2, 2), pad=(1, 1), pool_type="sum")),
    "sum full": (
        (1, 2, 8, 8),
        lambda s, x: s.Pooling(x, kernel=(3, 3), stride=(2, 2), pool_type="sum", pooling_convention="full"),
    ),
    "global max": (IMAGE, lambda s, x: s.Pooling(x, global_pool=True, kernel=(1, 1), pool_type="max")),
    "global average": (IMAGE, lambda s, x: s.Pooling(x, global_pool=True, pool_type="avg")),
    "global sum": (IMAGE, lambda s, x: s.Pooling(x, global_pool=True, pool_type="sum")),
    "pooling over one axis": ((2, 3, 9), lambda s, x: s.Pooling(x, kernel=(2,), stride=(2,), pool_type="avg")),
    "adaptive, one cell": (IMAGE, lambda s, x: s.contrib.AdaptiveAvgPooling2D(x, output_size=1)),
    "adaptive, divides": (IMAGE, lambda s, x: s.contrib.AdaptiveAvgPooling2D(x, output_size=(4, 5))),
    "adaptive, does not divide": (IMAGE, lambda s, x: s.contrib.AdaptiveAvgPooling2D(x, output_size=(3, 7))),
    "adaptive, grows": ((1, 2, 3, 3), lambda s, x: s.contrib.AdaptiveAvgPooling2D(x, output_size=5)),
    "adaptive, same size": (IMAGE, lambda s, x: s.contrib.AdaptiveAvgPooling2D(x, output_size=(8, 10))),
    # resizing
    "bilinear, corners aligned by default": (IMAGE, lambda s, x: s.contrib.BilinearResize2D(x, height=13, width=7)),
    "bilinear, half pixel": (
        IMAGE,
        lambda s, x: s.contrib.BilinearResize2D(x, height=13, width=7, align_corners=False),
    ),
    "bilinear, half pixel, shrinking much": (
        IMAGE,
        lambda s, x: s.contrib.BilinearResize2D(x, height=3, width=2, align_corners=False),
    ),
    "bilinear, one row": (IMAGE, lambda s, x: s.contrib.BilinearResize2D(x, height=1, width=4)),
    "bilinear, scale": (
        IMAGE,
        lambda s, x: s.contrib.BilinearResize2D(x, scale_height=2.5, scale_width=1.5, mode="odd_scale"),
    ),
    "bilinear, to odd": (IMAGE, lambda s, x: s.contrib.BilinearResize2D(x, mode="to_odd_up")),
    "bilinear, like": (
        IMAGE,
        lambda s, x: s.contrib.BilinearResize2D(
            x, s.Pooling(x, kernel=(2, 2), stride=(2, 2)), mode="like", align_corners=False
        ),
    ),
    "bilinear, same size": (IMAGE, lambda s, x: s.contrib.BilinearResize2D(x, height=8, width=10)),
    "upsampling nearest": (IMAGE, lambda s, x: s.UpSampling(x, scale=3, sample_type="nearest")),
    "upsampling of several sizes": (
        IMAGE,
        lambda s, x: s.UpSampling(
            x, s.Pooling(x, kernel=(2, 2), stride=(2, 2)), scale=2, sample_type="nearest", num_args=2
        ),
    ),
    "upsampling bilinear": (
        IMAGE,
        lambda s, x: s.UpSampling(x, s.var("kernel_weight"), scale=3, sample_type="bilinear", num_filter=6, num_args=2),
    ),
    # activations
    "leaky": (IMAGE, lambda s, x: s.LeakyReLU(x, slope=0.3)),
    "elu": (IMAGE, lambda s, x: s.LeakyReLU(x, act_type="elu", slope=0.7)),
    "selu": (IMAGE, lambda s, x: s.LeakyReLU(x, act_type="selu")),
    "gelu": (IMAGE, lambda s, x: s.LeakyReLU(x, act_type="gelu")),
    "rrelu": (IMAGE, lambda s, x: s.LeakyReLU(x, act_type="rrelu", lower_bound=0.2, upper_bound=0.5)[0]),
    "prelu, slope per channel": ((2, 5, 4, 5), lambda s, x: s.LeakyReLU(x, s.var("g", shape=(5,)), act_type="prelu")),
    "prelu, one slope": (IMAGE, lambda s, x: s.LeakyReLU(x, s.var("g", shape=(1,)), act_type="prelu")),
    "prelu on rows": ((4, 5), lambda s, x: s.LeakyReLU(x, s.var("g", shape=(5,)), act_type="prelu")),
    "prelu, slope computed": (
        (2, 5, 4, 5),
        lambda s, x: s.LeakyReLU(x, s.sin(s.var("g", shape=(5,))), act_type="prelu"),
    ),
    "hard sigmoid": (IMAGE, lambda s, x: s.hard_sigmoid(x, alpha=0.3, beta=0.4)),
    "clip": (IMAGE, lambda s, x: s.clip(x, -1.5, 0.5)),
    "softmax, last axis by default": (IMAGE, lambda s, x: s.softmax(x)),
    "softmax, channels, temperature": (IMAGE, lambda s, x: s.softmax(x, axis=1, temperature=2.5)),
    "log softmax": (IMAGE, lambda s, x: s.log_softmax(x, axis=1)),
    "softmin": (IMAGE, lambda s, x: s.softmin(x, axis=-2)),
    "softmax activation": ((4, 7), lambda s, x: s.SoftmaxActivation(x)),
    "softmax activation, channel": (IMAGE, lambda s, x: s.SoftmaxActivation(x, mode="channel")),
    # arithmetic; the names mislead mxnet.onnx, which looks for "_rminusscalar" in them
    "scalar on the left": (IMAGE, lambda s, x: 3 - x),
    "scalar on the left, own name": (IMAGE, lambda s, x: s._internal._rminus_scalar(x, scalar=3, name="a")),
    "scalar on the right, misleading name": (
        IMAGE,
        lambda s, x: s._internal._minus_scalar(x, scalar=3, name="_rminusscalar0"),
    ),
    "number divided": (IMAGE, lambda s, x: s._internal._rdiv_scalar(x + 5, scalar=2, name="b")),
    "divided by a number": (IMAGE, lambda s, x: x / 3 + 1),
    "powers": (IMAGE, lambda s, x: s.abs(x) ** 1.5),
    "power of a number": (IMAGE, lambda s, x: 1.5**x),
    "maximum and minimum": (IMAGE, lambda s, x: s.minimum(s.maximum(x, -0.5), 1.0)),
    "comparison with a number": (IMAGE, lambda s, x: (x > 0.5) + 2 * (x <= -0.5)),
    "comparison": (IMAGE, lambda s, x: s.broadcast_greater(x, s.sin(x))),
    "where": (IMAGE, lambda s, x: s.where(x > 0, x, s.sin(x))),
    "maximum of two": (IMAGE, lambda s, x: s.broadcast_maximum(x, s.mean(x, axis=1, keepdims=True))),
    "rsqrt": (IMAGE, lambda s, x: s.rsqrt(x + 5)),
    "erf": (IMAGE, lambda s, x: s.erf(x)),
    "div_sqrt_dim": (IMAGE, lambda s, x: s.contrib.div_sqrt_dim(x)),
    "cast": (IMAGE, lambda s, x: s.cast(x, dtype="float32") * 2),
    "constant tensors": (IMAGE, lambda s, x: (1 + s.ones_like(x)) * s.sin(x) + s.zeros_like(x)),
    "constant tensor that is joined": (IMAGE, lambda s, x: s.concat(s.ones_like(x), x, dim=1)),
    "ones by shape": (IMAGE, lambda s, x: s.broadcast_add(x, s.ones((1, 6, 1, 1)) * 3)),
    "full by shape": (IMAGE, lambda s, x: s.broadcast_add(x, s.full((1, 6, 1, 1), 2.5))),
    "arange": (IMAGE, lambda s, x: s.broadcast_mul(x, s.arange(1, 11, 2, repeat=2))),
    "arange with an end alone": (IMAGE, lambda s, x: s.broadcast_mul(x, s.arange(10))),
    "linspace": (IMAGE, lambda s, x: s.broadcast_mul(x, s.linspace(1, 2, 10))),
    # reductions
    "sum of one axis": (IMAGE, lambda s, x: s.sum(x, axis=1)),
    "sum of all but one axis": (IMAGE, lambda s, x: s.sum(x, axis=1, exclude=True)),
    "sum of everything": (IMAGE, lambda s, x: s.sum(x + 1)),
    "mean, negative axes": (IMAGE, lambda s, x: s.mean(x, axis=(-1, -2), keepdims=True)),
    "mean of all but two axes": (IMAGE, lambda s, x: s.mean(x, axis=(0, 1), exclude=True, keepdims=True)),
    "maximum of an axis": (IMAGE, lambda s, x: s.max(x, axis=2)),
    "minimum of everything": (IMAGE, lambda s, x: s.min(x)),
    "product": (IMAGE, lambda s, x: s.prod(x, axis=1)),
    "norm": (IMAGE, lambda s, x: s.norm(x, axis=1, keepdims=True)),
    "norm of order 1": (IMAGE, lambda s, x: s.norm(x, ord=1, axis=(2, 3))),
    "argmax": (IMAGE, lambda s, x: s.argmax(x, axis=1)),
    "argmin": (IMAGE, lambda s, x: s.argmin(x, axis=-1, keepdims=True)),
    # shape
    "reshape 0 -1": (IMAGE, lambda s, x: s.reshape(x, shape=(0, -1))),
    "reshape -2": (IMAGE, lambda s, x: s.reshape(x, shape=(0, 0, -2))),
    "reshape -3": (IMAGE, lambda s, x: s.reshape(x, shape=(0, -3, -2))),
    "reshape -4": (IMAGE, lambda s, x: s.reshape(x, shape=(0, -4, 3, -1, -2))),
    "reshape in reverse": (IMAGE, lambda s, x: s.reshape(x, shape=(-1, 0, 0), reverse=True)),
    "reshape_like": (IMAGE, lambda s, x: s.reshape_like(x, s.transpose(x))),
    "expand_dims": (IMAGE, lambda s, x: s.expand_dims(x, axis=-2)),
    "squeeze": ((2, 1, 3, 1), lambda s, x: s.squeeze(x)),
    "squeeze of one axis": ((2, 1, 3, 1), lambda s, x: s.squeeze(x, axis=-1)),
    "squeeze of everything": ((1, 1), lambda s, x: s.squeeze(x)),
    "transpose": (IMAGE, lambda s, x: s.transpose(x, axes=(0, 2, 3, 1))),
    "transpose reversed": (IMAGE, lambda s, x: s.transpose(x)),
    "swap axes": (IMAGE, lambda s, x: s.swapaxes(x, 1, 3)),
    "swap axes, negative": (IMAGE, lambda s, x: s.swapaxes(x, -1, 1)),
    "broadcast_like": (IMAGE, lambda s, x: s.broadcast_like(s.mean(x, axis=1, keepdims=True), x)),
    "broadcast_to": (IMAGE, lambda s, x: s.broadcast_to(s.mean(x, axis=1, keepdims=True), shape=(0, 6, 0, 0))),
    "broadcast_axis": (IMAGE, lambda s, x: s.broadcast_axis(s.mean(x, axis=1, keepdims=True), axis=1, size=4)),
    "concat, negative axis": (IMAGE, lambda s, x: s.concat(x, s.sin(x), dim=-1)),
    "stack": (IMAGE, lambda s, x: s.stack(x, s.sin(x), axis=-1)),
    "split": (IMAGE, lambda s, x: s.split(x, num_outputs=3, axis=1)),
    "split, axis dropped": (IMAGE, lambda s, x: s.split(x, num_outputs=6, axis=1, squeeze_axis=True)),
    "split, one part used": (IMAGE, lambda s, x: s.split(x, num_outputs=3, axis=1)[1] * 2),
    "tile": (IMAGE, lambda s, x: s.tile(x, reps=(2, 1, 3))),
    "tile with new axes": ((3, 4), lambda s, x: s.tile(x, reps=(2, 3, 1))),
    "repeat": (IMAGE, lambda s, x: s.repeat(x, repeats=3, axis=-1)),
    "pad constant": (
        IMAGE,
        lambda s, x: s.pad(x, mode="constant", constant_value=1.5, pad_width=(0, 0, 0, 0, 1, 2, 3, 0)),
    ),
    "pad edge": (IMAGE, lambda s, x: s.pad(x, mode="edge", pad_width=(0, 0, 0, 0, 1, 2, 3, 0))),
    "pad reflect": (IMAGE, lambda s, x: s.pad(x, mode="reflect", pad_width=(0, 0, 0, 0, 1, 2, 3, 0))),
    "depth to space": ((2, 8, 3, 4), lambda s, x: s.depth_to_space(x, 2)),
    "space to depth": (IMAGE, lambda s, x: s.space_to_depth(x, 2)),
    # slices
    "slice": (IMAGE, lambda s, x: s.slice(x, begin=(0, 1, -3), end=(None, -1, None))),
    "slice backwards": (IMAGE, lambda s, x: s.slice(x, begin=(None, None, 6), end=(None, None, 1), step=(1, -1, -2))),
    "slice of nothing": (IMAGE, lambda s, x: s.slice(x, begin=(0,), end=(None,)) + 1),
    "slice_axis": (IMAGE, lambda s, x: s.slice_axis(x, axis=-1, begin=-4, end=-1)),
    "slice_axis to the end": (IMAGE, lambda s, x: s.slice_axis(x, axis=1, begin=2, end=None)),
    "slice_like": (IMAGE, lambda s, x: s.slice_like(x, s.zeros((1, 4, 5, 6)))),
    "slice_like along one axis": (IMAGE, lambda s, x: s.slice_like(x, s.zeros((1, 4, 5, 6)), axes=(-1,))),
    "crop": (IMAGE, lambda s, x: s.Crop(x, num_args=1, offset=(2, 3), h_w=(4, 5))),
    "crop in the middle": (IMAGE, lambda s, x: s.Crop(x, num_args=1, h_w=(4, 5), center_crop=True)),
    "reverse": (IMAGE, lambda s, x: s.reverse(x, axis=(1, 3))),
    "split at places": (IMAGE, lambda s, x: s.split_v2(x, (2, 5), axis=1)),
    # plain functions
    "activations": (
        IMAGE,
        lambda s, x: s.add_n(*(s.Activation(x, act_type=kind) for kind in ("relu", "sigmoid", "tanh", "softsign"))),
    ),
    "softrelu": (IMAGE, lambda s, x: s.Activation(x, act_type="softrelu")),
    "dropout and flatten": (IMAGE, lambda s, x: s.flatten(s.Dropout(x, p=0.5))),
    "element-wise": (IMAGE, lambda s, x: (x + s.sin(x)) * s.cos(x) - x / s.exp(x)),
    # elementary functions
    "square": (IMAGE, lambda s, x: s.square(x)),
    "logarithms": (IMAGE, lambda s, x: s.log2(x + 5) + s.log10(x + 5) + s.log1p(x + 5)),
    "exponential less one": (IMAGE, lambda s, x: s.expm1(x)),
    "angles": (IMAGE, lambda s, x: s.degrees(x) + s.radians(x)),
    "hypotenuse": (IMAGE, lambda s, x: s.broadcast_hypot(x, s.sin(x)) + s._internal._hypot_scalar(x, scalar=2)),
    "hypotenuse of equal shapes": (IMAGE, lambda s, x: s._internal._hypot(x, s.sin(x))),
    "quadratic": (IMAGE, lambda s, x: s.contrib.quadratic(x, a=2, b=-3, c=0.5)),
    "smooth l1": (IMAGE, lambda s, x: s.smooth_l1(x, scalar=1.5)),
    "logical not": (IMAGE, lambda s, x: s.logical_not(x > 0)),
    "logic": (
        IMAGE,
        lambda s, x: (
            s.broadcast_logical_and(x > 0, x < 1)
            + 2 * s.broadcast_logical_or(x > 1, x < 0)
            + 4 * s.broadcast_logical_xor(x > 1, x > 0)
        ),
    ),
    "logic of equal shapes": (
        IMAGE,
        lambda s, x: (
            s._internal._logical_and(x > 0, x < 1)
            + 2 * s._internal._logical_or(x > 1, x < 0)
            + 4 * s._internal._logical_xor(x > 1, x > 0)
        ),
    ),
    "logic with a number": (
        IMAGE,
        lambda s, x: (
            s._internal._logical_and_scalar(x > 0, scalar=2)
            + 2 * s._internal._logical_or_scalar(x > 0, scalar=0)
            + 4 * s._internal._logical_xor_scalar(x > 0, scalar=1)
        ),
    ),
    "comparisons of equal shapes": (
        IMAGE,
        lambda s, x: (
            s._internal._greater(x, s.sin(x))
            + 2 * s._internal._lesser_equal(x, s.sin(x))
            + 4 * s._internal._equal(x, s.relu(x))
            + 8 * s._internal._not_equal(x, s.relu(x))
        ),
    ),
    "unequal": (IMAGE, lambda s, x: s.broadcast_not_equal(x, s.relu(x)) + 2 * (s.relu(x) != 0)),
    "identities": (IMAGE, lambda s, x: s.contrib.gradientmultiplier(s.IdentityAttachKLSparseReg(s.sigmoid(x)))),
    "image to tensor": ((4, 5, 3), lambda s, x: s.image.to_tensor(x)),
    "images to tensors": ((2, 4, 5, 3), lambda s, x: s.image.to_tensor(x)),
    "image normalised": ((3, 4, 5), lambda s, x: s.image.normalize(x, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))),
    "images normalised": ((2, 3, 4, 5), lambda s, x: s.image.normalize(x, mean=0.5, std=2.0)),
    "image cropped": ((2, 6, 7, 3), lambda s, x: s.image.crop(x, x=1, y=2, width=4, height=3)),
    "arange_like": (IMAGE, lambda s, x: s.broadcast_mul(x, s.contrib.arange_like(x, axis=-1, start=1, step=0.5))),
    "eye": ((3, 4), lambda s, x: s.dot(s.eye(3, 3, k=1), x)),
    "moments": (IMAGE, lambda s, x: s.broadcast_sub(x, s.moments(x, axes=(2, 3), keepdims=True)[0])),
    "mean and variance": (IMAGE, lambda s, x: s.Group(list(s.moments(x, axes=(0, 1))))),
    "trigonometry": (
        IMAGE,
        lambda s, x: s.arccos(s.sin(x) * 0.9) + s.arcsin(s.sin(x) * 0.9) + s.arctan(x) + s.tan(s.sin(x)),
    ),
    "hyperbolic functions": (
        IMAGE,
        lambda s, x: s.sinh(x) + s.cosh(x) + s.tanh(x) + s.arcsinh(x) + s.arccosh(x + 5) + s.arctanh(s.sin(x) * 0.9),
    ),
    "functions of one tensor": (
        IMAGE,
        lambda s, x: s.sqrt(x + 5) + s.log(x + 5) + s.reciprocal(x + 5) - s.negative(s.softsign(x)) + 3 * s.sign(x),
    ),
    "rounding": (IMAGE, lambda s, x: s.ceil(x) + 10 * s.floor(x)),
    "comparisons that broadcast": (
        IMAGE,
        lambda s, x: (
            s.broadcast_equal(x, s.relu(x))
            + 2 * s.broadcast_greater_equal(x, s.sin(x))
            + 4 * s.broadcast_lesser(x, s.sin(x))
            + 8 * s.broadcast_lesser_equal(x, s.cos(x))
        ),
    ),
    "other comparisons": (
        IMAGE,
        lambda s, x: (
            s._internal._greater_equal(x, s.sin(x))
            + 2 * s._internal._lesser(x, s.cos(x))
            + 4 * (x >= 0.5)
            + 8 * (s.relu(x) == 0)
        ),
    ),
    "arithmetic of equal shapes": (
        IMAGE,
        lambda s, x: (
            s._internal._maximum(x, s.sin(x))
            + s._internal._minimum(x, s.cos(x))
            + s._internal._power(s.abs(x), s.sin(x))
        ),
    ),
    "arithmetic that broadcasts": (
        IMAGE,
        lambda s, x: (
            s.broadcast_div(x, s.sum(s.abs(x), axis=1, keepdims=True))
            + s.broadcast_minimum(x, s.mean(x, axis=1, keepdims=True))
            + s.broadcast_power(s.abs(x), s.sin(x))
        ),
    ),
    "old forms": (
        IMAGE,
        lambda s, x: s.Pooling_v1(
            s.BatchNorm_v1(s.Convolution_v1(x, num_filter=4, kernel=(3, 3)), fix_gamma=False), kernel=(2, 2)
        ),
    ),
    "batch norm over devices": (IMAGE, lambda s, x: s.contrib.SyncBatchNorm(x, key="a", fix_gamma=False)),
    "no-ops of training": (
        IMAGE,
        lambda s, x: s.make_loss(s._internal._identity_with_attr_like_rhs(x, x)) * 2,
    ),
    # indices
    "one hot": ((2, 3), lambda s, x: s.one_hot(s.argmax(x, axis=1), depth=4)),
    "one hot, other values": ((2, 3), lambda s, x: s.one_hot(s.argmax(x, axis=1), depth=4, on_value=3, off_value=-1)),
    "embedding of data": (
        (2, 3),
        lambda s, x: s.Embedding(s.argmax(x, axis=1), s.var("w", shape=(2, 5)), input_dim=2, output_dim=5),
    ),
    "topk of one": (IMAGE, lambda s, x: s.topk(x, axis=1, k=1, ret_typ="value")),
    "topk of one, both": (IMAGE, lambda s, x: s.Group(list(s.topk(x, axis=-1, k=1, ret_typ="both", is_ascend=True)))),
    "topk of one, indices": (IMAGE, lambda s, x: s.topk(x, axis=2)),
    "sequences of one length": (
        (4, 2, 3),
        lambda s, x: s.broadcast_add(s.SequenceReverse(s.SequenceMask(x)), s.expand_dims(s.SequenceLast(x), axis=0)),
    ),
    # layouts, pooling, correlation, recurrence
    "lp pooling": (
        IMAGE,
        lambda s, x: s.Pooling(x, kernel=(3, 2), stride=(2, 2), pad=(1, 0), pool_type="lp", p_value=2),
    ),
    "lp pooling of order 1": (IMAGE, lambda s, x: s.Pooling(x, kernel=(3, 2), pool_type="lp", p_value=1)),
    "lp pooling, full": (
        IMAGE,
        lambda s, x: s.Pooling(x, kernel=(3, 3), stride=(2, 2), pool_type="lp", p_value=2, pooling_convention="full"),
    ),
    "lp pooling, global": (IMAGE, lambda s, x: s.Pooling(x, global_pool=True, pool_type="lp", p_value=2)),
    "pooling, channels last": (
        (2, 8, 10, 6),
        lambda s, x: s.Pooling(x, kernel=(3, 2), stride=(2, 2), pad=(1, 0), layout="NHWC"),
    ),
    "global pooling, channels last": (
        (2, 8, 10, 6),
        lambda s, x: s.Pooling(x, global_pool=True, pool_type="avg", layout="NHWC"),
    ),
    "correlation": (
        (1, 4, 8, 10),
        lambda s, x: s.Correlation(x, s.sin(x), kernel_size=1, max_displacement=4, stride1=1, stride2=2, pad_size=4),
    ),
    "correlation of differences, strided": (
        (1, 4, 8, 10),
        lambda s, x: s.Correlation(x, s.sin(x), max_displacement=2, stride1=2, pad_size=1, is_multiply=False),
    ),
    **{
        f"{mode}{', both ways' if both else ''}, {layers} layers": (
            (5, 2, 3),
            lambda s, x, mode=mode, both=both, layers=layers: _recurrent(s, x, mode, both, layers),
        )
        for mode in ("rnn_tanh", "rnn_relu", "lstm", "gru")
        for both, layers in ((False, 1), (True, 2))
    },
    "gradients stopped": (IMAGE, lambda s, x: s.BlockGrad(s.MakeLoss(s.identity(x)))),
}


@pytest.mark.parametrize("case", CASES)
def test_operator_agrees_with_mxnet(mx: Any, case: str) -> None:
    shape, build = CASES[case]
    symbol = build(mx.sym, mx.sym.var("data"))
    assert_agrees(mx, block_of(mx, symbol, {"data": shape}), {"data": shape})


def test_a_deconvolution_to_a_target_shape_gets_its_padding(mx: Any) -> None:
    # MXNet runs this only without MKL-DNN; there, these are the paddings with which it computes the same.
    symbol = mx.sym.Deconvolution(
        mx.sym.var("data"), num_filter=3, kernel=(4, 4), stride=(2, 2), target_shape=(15, 20), name="up"
    )
    (node,) = export_graph(trace_block(block_of(mx, symbol, {"data": IMAGE}), IMAGE)).nodes
    assert node.attrs["pads"] == [2, 1, 2, 1]
    assert node.attrs["output_padding"] == [1, 0]
    assert node.outputs[0].shape == [2, 3, 15, 20]


def test_every_translation_has_a_shape_rule() -> None:
    assert SHAPE_RULES.keys() == TRANSLATORS.keys()


REFUSED: dict[str, tuple[tuple[int, ...], Build, str]] = {
    "whole windows of padding": (
        (1, 2, 3, 3),
        lambda s, x: s.Pooling(x, kernel=(2, 2), stride=(2, 2), pad=(1, 1), pooling_convention="full"),
        "the last window holds nothing but padding, where MXNet's maximum is -3.4e38",
    ),
    "half precision": (IMAGE, lambda s, x: s.cast(x, dtype="float16"), "a cast to float16"),
    "whole numbers": (IMAGE, lambda s, x: s.cast(x, dtype="int32"), "a cast to int32"),
    "unknown operator": (IMAGE, lambda s, x: s.sort(x), "no translation"),
    "dropout in inference": (IMAGE, lambda s, x: s.Dropout(x, mode="always"), "is random in inference too"),
    "lp pooling": (IMAGE, lambda s, x: s.Pooling(x, kernel=(2, 2), pool_type="lp", p_value=3), "lp with p_value 3"),
    "many displacements": (
        (1, 2, 8, 10),
        lambda s, x: s.Correlation(x, x, max_displacement=6, pad_size=6),
        "Correlation over 169 displacements",
    ),
    "take at computed places": (IMAGE, lambda s, x: s.take(x, s.argmax(x, axis=1)), "places that are computed"),
    "softmax over instances": (
        IMAGE,
        lambda s, x: s.SoftmaxActivation(s.relu(x, name="r")),
        "differently from build to build. Try: --outputs r --softmax, which is over axis 1",
    ),
    "statistics as output": (IMAGE, lambda s, x: s.BatchNorm(x, output_mean_var=True), "its output 1 is read"),
    "reshape to another size": (IMAGE, lambda s, x: s.reshape(x, shape=(2, 3)), "another number of values"),
    "shape as data": (IMAGE, lambda s, x: s.shape_array(x), "a shape used as data"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_exact_is_refused_with_the_reason(mx: Any, case: str) -> None:
    shape, build, reason = REFUSED[case]
    block = block_of(mx, build(mx.sym, mx.sym.var("data")), {"data": shape})
    with pytest.raises(SourceError) as refusal:
        export_graph(trace_block(block, shape))
    assert reason in str(refusal.value)
    assert str(shape) in str(refusal.value)


def test_operators_of_detectors_are_kept_for_the_heads(mx: Any) -> None:
    data = mx.sym.var("data")
    anchors = mx.sym.contrib.MultiBoxPrior(data, sizes=(0.2, 0.27), ratios=(1, 2, 0.5), name="anchors")
    scores = mx.sym.softmax(mx.sym.reshape(data, shape=(0, 6, -1)), axis=1)
    boxes = mx.sym.slice_axis(mx.sym.tile(mx.sym.flatten(data), reps=(1, 3)), axis=1, begin=0, end=1280)
    symbol = mx.sym.contrib.MultiBoxDetection(
        mx.sym.tile(scores, reps=(1, 1, 4)), boxes, anchors, nms_threshold=0.45, name="found"
    )
    best = mx.sym.contrib.box_nms(symbol, valid_thresh=0.01, name="best")
    traced = trace_block(block_of(mx, best, {"data": (1, 6, 8, 10)}), (1, 6, 8, 10))
    assert_drivers_agree(traced)
    graph = export_graph(traced)
    kept = [node for node in graph.nodes if node.domain == "mxnet"]
    assert [(node.op, node.name, node.outputs[0].shape) for node in kept] == [
        ("_contrib_MultiBoxDetection", "found", [1, 320, 6]),
        ("_contrib_box_nms", "best0", [1, 320, 6]),
    ]
    assert kept[0].attrs == {"nms_threshold": "0.45"}
    with pytest.raises(SourceError) as refusal:
        refuse_mxnet_nodes(graph, traced.name)
    assert "\n  found (_contrib_MultiBoxDetection on (1, 6, 320)): no translation, and no head of" in str(refusal.value)
