"""Normalisations, with the epsilons and defaults of MXNet."""

from collections.abc import Callable, Sequence

import numpy as np

from gluon2caffe.bridge.export.operators.node_reader import NodeReader, NotExactError
from gluon2caffe.bridge.export.operators.operator import Operator
from gluon2caffe.bridge.export.operators.registry import translates
from gluon2caffe.bridge.export.operators.shape_rules import expect_shape, same
from gluon2caffe.bridge.mxnet_files.graph import Shape


def _batch_norm_shape(op: NodeReader) -> list[Shape]:
    channels = (op.shape[op.axis(op.integer("axis", 1))],)
    for index in range(1, 5):
        expect_shape(op, index, channels)
    return [op.shape, channels, channels] if op.flag("output_mean_var", False) else [op.shape]


@translates("BatchNorm", "BatchNorm_v1", "_contrib_SyncBatchNorm", shape=_batch_norm_shape)
def batch_norm(op: Operator) -> None:
    """BatchNormalization in inference form.

    ``fix_gamma`` is on unless the net says otherwise and makes gamma 1 whatever the parameter holds. An axis other
    than 1 is moved there and back.
    """
    data, gamma, *rest = op.inputs
    scale = op.constant("gamma", np.ones(gamma.shape)) if op.flag("fix_gamma", True) else gamma.name
    statistics = [scale, *(tensor.name for tensor in rest)]
    epsilon = op.number("eps", 1e-3)
    axis = op.axis(op.integer("axis", 1))
    if axis == 1:
        op.result("BatchNormalization", [data.name, *statistics], epsilon=epsilon)
        return
    perm = list(range(op.rank))
    perm.insert(1, perm.pop(axis))
    moved_shape = tuple(op.shape[index] for index in perm)
    moved = op.add_node("Transpose", [data.name], moved_shape, perm=perm)
    normal = op.add_node("BatchNormalization", [moved, *statistics], moved_shape, epsilon=epsilon)
    op.result("Transpose", [normal], perm=[perm.index(index) for index in range(op.rank)])


@translates("_contrib_BatchNormWithReLU", shape=_batch_norm_shape)
def batch_norm_with_relu(op: Operator) -> None:
    """BatchNormalization over axis 1, then ReLU."""
    if op.axis(op.integer("axis", 1)) != 1:
        raise NotExactError("BatchNormWithReLU over another axis than 1")
    data, gamma, *rest = op.inputs
    scale = op.constant("gamma", np.ones(gamma.shape)) if op.flag("fix_gamma", True) else gamma.name
    statistics = [scale, *(tensor.name for tensor in rest)]
    normal = op.add_node("BatchNormalization", [data.name, *statistics], op.shape, epsilon=op.number("eps", 1e-3))
    op.result("Relu", [normal])


@translates("InstanceNorm", shape=same)
def instance_norm(op: Operator) -> None:
    """InstanceNormalization."""
    op.result("InstanceNormalization", [tensor.name for tensor in op.inputs], epsilon=op.number("eps", 1e-3))


def _with_statistics(op: NodeReader, statistics: Shape) -> list[Shape]:
    return [op.shape, statistics, statistics] if op.flag("output_mean_var", False) else [op.shape]


def _group_norm_shape(op: NodeReader) -> list[Shape]:
    return _with_statistics(op, (op.shape[0], op.integer("num_groups", 1)))


@translates("GroupNorm", shape=_group_norm_shape)
def group_norm(op: Operator) -> None:
    """InstanceNormalization over (N, groups, everything else); MXNet's gamma and beta are one per group."""
    data, gamma, beta = op.inputs
    groups = op.integer("num_groups", 1)
    grouped: Shape = (op.shape[0], groups, int(np.prod(op.shape[1:])) // groups)
    rows = op.add_node("Reshape", [data.name, op.shape_constant("groups", grouped)], grouped)
    normal = op.add_node(
        "InstanceNormalization", [rows, gamma.name, beta.name], grouped, epsilon=op.number("eps", 1e-5)
    )
    op.result("Reshape", [normal, op.shape_constant("shape", op.shape)])


def _layer_norm_shape(op: NodeReader) -> list[Shape]:
    axis = op.axis(op.integer("axis", -1))
    expect_shape(op, 1, (op.shape[axis],))
    expect_shape(op, 2, (op.shape[axis],))
    return _with_statistics(op, _with_ones(op.shape, (axis,)))


@translates("LayerNorm", shape=_layer_norm_shape)
def layer_norm(op: Operator) -> None:
    """(x - mean) / sqrt(variance + eps) * gamma + beta along one axis."""
    data, gamma, beta = op.inputs
    axis = op.axis(op.integer("axis", -1))
    single = _with_ones(op.shape, (axis,))
    affine = tuple(size if index == axis else 1 for index, size in enumerate(op.shape))
    mean = op.add_node("ReduceMean", [data.name], single, axes=[axis], keepdims=1)
    centred = op.add_node("Sub", [data.name, mean], op.shape)
    square = op.add_node("Mul", [centred, centred], op.shape)
    variance = op.add_node("ReduceMean", [square], single, axes=[axis], keepdims=1)
    shifted = op.add_node("Add", [variance, op.constant("epsilon", op.number("eps", 1e-5))], single)
    deviation = op.add_node("Sqrt", [shifted], single)
    normal = op.add_node("Div", [centred, deviation], op.shape)
    scaled = op.add_node("Mul", [normal, op.reshaped(gamma, affine, "gamma")], op.shape)
    op.result("Add", [scaled, op.reshaped(beta, affine, "beta")])


# Over which axes the squares are summed, by mode, for an input of the given rank.
_L2_AXES: dict[str, Callable[[int], tuple[int, ...]]] = {
    "instance": lambda rank: tuple(range(1, rank)),
    "channel": lambda rank: (1,),
    "spatial": lambda rank: tuple(range(2, rank)),
}


@translates("L2Normalization", shape=same)
def l2_normalization(op: Operator) -> None:
    """Division by sqrt(sum of squares + eps): the eps is inside the root."""
    axes = _L2_AXES[op.text("mode", "instance")](op.rank)
    single = _with_ones(op.shape, axes)
    squares = op.add_node("ReduceSumSquare", [op.inputs[0].name], single, axes=axes, keepdims=1)
    shifted = op.add_node("Add", [squares, op.constant("epsilon", op.number("eps", 1e-10))], single)
    op.result("Div", [op.inputs[0].name, op.add_node("Sqrt", [shifted], single)])


@translates("LRN", shape=same)
def local_response_norm(op: Operator) -> None:
    """LRN across channels; ``knorm`` (2 unless given) is what ONNX calls bias."""
    op.result(
        "LRN",
        [op.inputs[0].name],
        alpha=op.number("alpha", 1e-4),
        beta=op.number("beta", 0.75),
        bias=op.number("knorm", 2.0),
        size=op.integer("nsize"),
    )


def _with_ones(shape: Shape, axes: Sequence[int]) -> Shape:
    return tuple(1 if index in axes else size for index, size in enumerate(shape))
