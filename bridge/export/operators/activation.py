"""Activations."""

from math import sqrt

from gluon2caffe.bridge.export.operators.node_reader import NodeReader, NotExactError
from gluon2caffe.bridge.export.operators.operator import Operator
from gluon2caffe.bridge.export.operators.registry import translates
from gluon2caffe.bridge.export.operators.shape_rules import same
from gluon2caffe.bridge.mxnet_files.graph import Shape

_ACTIVATIONS = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "softrelu": "Softplus", "softsign": "Softsign"}


@translates("Activation", shape=same)
def activation(op: Operator) -> None:
    """One of seven activations, by ``act_type``."""
    kind = op.text("act_type", "")
    data = op.inputs[0].name
    if kind in _ACTIVATIONS:
        op.result(_ACTIVATIONS[kind], [data])
    elif kind == "mish":  # x · tanh(log(1 + exp(x)))
        bent = op.add_node("Tanh", [op.add_node("Softplus", [data], op.shape)], op.shape)
        op.result("Mul", [data, bent])
    elif kind == "log_sigmoid":  # -log(1 + exp(-x))
        op.result("Neg", [op.add_node("Softplus", [op.add_node("Neg", [data], op.shape)], op.shape)])
    else:
        raise NotExactError(f"act_type {kind}")


def _leaky_relu_shape(op: NodeReader) -> list[Shape]:
    """The random kind has its mask as a second output."""
    return [op.shape] * (2 if op.text("act_type", "leaky") == "rrelu" else 1)


@translates("LeakyReLU", shape=_leaky_relu_shape)
def leaky_relu(op: Operator) -> None:
    """One of six activations, by ``act_type``."""
    kind = op.text("act_type", "leaky")
    if kind not in _LEAKY:
        raise NotExactError(f"act_type {kind}")
    _LEAKY[kind](op)


def _leaky(op: Operator) -> None:
    op.result("LeakyRelu", [op.inputs[0].name], alpha=op.number("slope", 0.25))


def _elu(op: Operator) -> None:
    op.result("Elu", [op.inputs[0].name], alpha=op.number("slope", 0.25))


def _selu(op: Operator) -> None:
    op.result("Selu", [op.inputs[0].name])


def _prelu(op: Operator) -> None:
    """Slope (C,) stands for the channel axis, which ONNX would take for the last one."""
    data, slope = op.inputs
    shape = slope.shape + (1,) * (op.rank - 2) if len(slope.shape) == 1 else slope.shape
    op.result("PRelu", [data.name, op.reshaped(slope, shape, "slope")])


def _rrelu(op: Operator) -> None:
    """Outside training the random slope is the middle of its range."""
    slope = (op.number("lower_bound", 0.125) + op.number("upper_bound", 0.334)) / 2
    op.result("LeakyRelu", [op.inputs[0].name], alpha=slope)


def _gelu(op: Operator) -> None:
    """x/2 · (1 + erf(x/√2))."""
    data = op.inputs[0].name
    scaled = op.add_node("Mul", [data, op.constant("root", 1 / sqrt(2))], op.shape)
    raised = op.add_node("Add", [op.add_node("Erf", [scaled], op.shape), op.constant("one", 1)], op.shape)
    half = op.add_node("Mul", [data, op.constant("half", 0.5)], op.shape)
    op.result("Mul", [half, raised])


_LEAKY = {"leaky": _leaky, "elu": _elu, "selu": _selu, "prelu": _prelu, "rrelu": _rrelu, "gelu": _gelu}


@translates("hard_sigmoid", shape=same)
def hard_sigmoid(op: Operator) -> None:
    """max(0, min(1, alpha·x + beta))."""
    op.result("HardSigmoid", [op.inputs[0].name], alpha=op.number("alpha", 0.2), beta=op.number("beta", 0.5))


@translates("clip", shape=same)
def clip(op: Operator) -> None:
    """Clip between two constants."""
    low, high = op.constant("min", op.number("a_min")), op.constant("max", op.number("a_max"))
    op.result("Clip", [op.inputs[0].name, low, high])


@translates("softmax", "log_softmax", "softmin", shape=same)
def softmax(op: Operator) -> None:
    """Softmax, its logarithm, or that of -x, along one axis, after division by the temperature."""
    if op.flag("use_length", False):
        raise NotExactError("softmax over a length that is an input")
    source = op.inputs[0].name
    divisor = op.number("temperature", 1.0) * (-1 if op.kind == "softmin" else 1)
    if divisor != 1.0:
        source = op.add_node("Div", [source, op.constant("temperature", divisor)], op.shape)
    op.result("LogSoftmax" if op.kind == "log_softmax" else "Softmax", [source], axis=op.axis(op.integer("axis", -1)))


def _with_channels(op: NodeReader) -> list[Shape]:
    op.axis(1)
    return [op.shape]


@translates("SoftmaxActivation", shape=_with_channels)
def softmax_activation(op: Operator) -> None:
    """Softmax over channels.

    Over "instances" of more than two axes MXNet's documentation and its CPU code disagree: that is refused.
    """
    if op.text("mode", "instance") == "instance" and op.rank != 2:
        raise NotExactError(
            "softmax over whole instances, which MXNet computes differently from build to build. "
            f"Try: --outputs {op.inputs[0].name} --softmax, which is over axis 1"
        )
    op.result("Softmax", [op.inputs[0].name], axis=1)
