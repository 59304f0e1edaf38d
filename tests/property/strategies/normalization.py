"""Batch, instance, group, layer and response normalisation; softmax."""

from draft import Draft

from strategies.kind import kind
from strategies.window import divisors


@kind("BatchNormalization", ranks=(2, 3, 4, 4, 5))
def batch_normalization(net: Draft, x: str) -> str:
    channels = net.values[x][1]
    statistics = [net.weight((channels,), 0.5, 1.5), *(net.weight((channels,)) for _ in range(2))]
    variance = net.weight((channels,), 0.5, 2.0)
    return net.add("BatchNormalization", x, *statistics, variance, epsilon=net.pick([None, 1e-3]))


@kind("InstanceNormalization", ranks=(3, 4, 5))
def instance_normalization(net: Draft, x: str) -> str:
    channels = net.values[x][1]
    return net.add("InstanceNormalization", x, net.weight((channels,)), net.weight((channels,)), epsilon=0.01)


@kind("GroupNormalization", ranks=(3, 4), since=21)
def group_normalization(net: Draft, x: str) -> str:
    channels = net.values[x][1]
    groups = net.pick(divisors(channels))
    return net.add(
        "GroupNormalization", x, net.weight((channels,)), net.weight((channels,)), num_groups=groups, epsilon=0.01
    )


@kind("LayerNormalization", ranks=(2, 3, 4), since=17)
def layer_normalization(net: Draft, x: str) -> str:
    shape = net.values[x]
    axis = net.number(1, len(shape) - 1)
    factors = [net.weight(shape[axis:])]
    if net.flag():
        factors.append(net.weight(shape[axis:]))
    written = axis - len(shape) if net.flag() else axis
    return net.add("LayerNormalization", x, *factors, axis=written, epsilon=0.01)


@kind("RMSNormalization", ranks=(2, 3, 4), since=23)
def root_mean_square_normalization(net: Draft, x: str) -> str:
    shape = net.values[x]
    axis = net.number(1, len(shape) - 1)
    return net.add("RMSNormalization", x, net.weight(shape[axis:]), axis=axis, epsilon=0.01)


@kind("MeanVarianceNormalization", ranks=(4,), since=9)
def mean_variance_normalization(net: Draft, x: str) -> str:
    return net.add("MeanVarianceNormalization", x, axes=net.pick([None, [2, 3], [1, 2, 3]]))


@kind("LRN", ranks=(4,))
def response_normalization(net: Draft, x: str) -> str:
    return net.add(
        "LRN",
        x,
        size=net.pick([3, 1, 5]),
        alpha=net.pick([None, 0.5]),
        beta=net.pick([None, 0.5]),
        bias=net.pick([None, 2.0]),
    )


@kind("LpNormalization", ranks=(2, 3, 4))
def lp_normalization(net: Draft, x: str) -> str:
    return net.add("LpNormalization", x, axis=net.pick([1, -1, *range(len(net.values[x]))]), p=net.pick([2, 1]))


@kind("softmax")
def softmax(net: Draft, x: str) -> str:
    rank = len(net.values[x])
    low = -rank if net.opset >= 11 else 0
    operator = net.pick(["Softmax", "LogSoftmax", "Hardmax"])
    return net.add(operator, x, axis=net.pick([None, *range(low, rank)]) if rank > 1 else 0)
