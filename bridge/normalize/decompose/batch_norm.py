"""BatchNormalization by the statistics of its own input, or by computed ones, as the arithmetic that it is.

In training mode (before opset 14 a node says so by its further outputs) it takes the mean and variance of its input.
Weights are standardised so, and layers normalised; of a fixed batch size it is arithmetic like any other.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from gluon2caffe.bridge.normalize.decompose.replacement import Replacement
from gluon2caffe.bridge.normalize.rewrite import Rewriting
from gluon2caffe.onnx2caffe.node import is_static

_TRAINING_AS_ATTRIBUTE = 14
_AXES_AS_INPUT = 18


def is_in_training(node: gs.Node, opset: int) -> bool:
    """Whether a BatchNormalization takes the statistics of its input."""
    if opset >= _TRAINING_AS_ATTRIBUTE:
        return bool(node.attrs.get("training_mode", 0))
    return any(tensor.name for tensor in node.outputs[1:])


def batch_norm_in_training(node: gs.Node, state: Rewriting) -> list[gs.Node] | None:
    """One in training mode whose running statistics nothing reads."""
    if not _is_batch_norm(node, state) or not is_in_training(node, state.opset):
        return None
    return _arithmetic(Replacement(node, state), training=True)


def batch_norm_by_computed_statistics(node: gs.Node, state: Rewriting) -> list[gs.Node] | None:
    """One whose mean or variance is computed."""
    if not _is_batch_norm(node, state) or all(isinstance(node.inputs[i], gs.Constant) for i in (3, 4)):
        return None
    return _arithmetic(Replacement(node, state), training=False)


def _is_batch_norm(node: gs.Node, state: Rewriting) -> bool:
    if node.op != "BatchNormalization" or node.domain or not node.attrs.get("spatial", 1):
        return False
    return is_static(node.inputs[0]) and not any(state.is_read(tensor) for tensor in node.outputs[1:])


def _arithmetic(new: Replacement, *, training: bool) -> list[gs.Node]:
    """scale·(x - mean)/sqrt(var + epsilon) + bias, the variance being the mean of squares, as ONNX defines it."""
    node = new.node
    x, scale, bias, mean, variance = node.inputs[:5]
    shape = (int(x.shape[1]), *[1] * (len(x.shape) - 2))
    if training:
        axes = [0, *range(2, len(x.shape))]
        mean = _mean(new, x, axes)
        centred = new.add("Sub", [x, mean])
        variance = _mean(new, new.add("Mul", [centred, centred]), axes)
    else:
        centred = new.add("Sub", [x, new.reshape(mean, shape)])
        variance = new.reshape(variance, shape)
    epsilon = new.constant(np.array(node.attrs.get("epsilon", 1e-5), scale.dtype or np.float32))
    deviation = new.add("Sqrt", [new.add("Add", [variance, epsilon])])
    normal = new.add("Div", [centred, deviation])
    scaled = new.add("Mul", [normal, new.reshape(scale, shape)])
    result = new.add("Add", [scaled, new.reshape(bias, shape)])
    node.outputs = node.outputs[:1]
    return new.nodes([result])


def _mean(new: Replacement, x: gs.Tensor, axes: list[int]) -> gs.Tensor:
    if new.state.opset >= _AXES_AS_INPUT:
        return new.add("ReduceMean", [x, new.constant(np.array(axes))], keepdims=1)
    return new.add("ReduceMean", [x], axes=axes, keepdims=1)
