"""Conv, ConvTranspose and pools: kernels, strides, pads of every form, dilations and groups."""

from math import prod
from typing import Any

import numpy as np
from draft import Draft

from strategies.kind import kind

PICTURES = (3, 4, 4, 4, 5)


def divisors(count: int) -> list[int]:
    return [n for n in range(1, count + 1) if count % n == 0]


def kernel_of(net: Draft, x: str, largest: int = 4) -> list[int]:
    return [net.number(1, min(largest, size)) for size in net.values[x][2:]]


def strides_of(net: Draft, axes: int) -> list[int]:
    return [net.number(1, 3) for _ in range(axes)]


def dilations_of(net: Draft, x: str, kernel: list[int]) -> list[int]:
    """Dilations with which the kernel still fits into the unpadded input."""
    sizes = net.values[x][2:]
    return [net.number(1, min(3, (size - 1) // (k - 1)) if k > 1 else 2) for size, k in zip(sizes, kernel, strict=True)]


def pads_of(net: Draft, limits: list[int]) -> dict[str, Any]:
    """No pads, symmetric or any pads up to the limit of each axis, or auto_pad."""
    form = net.pick(["none", "symmetric", "any", "SAME_UPPER", "SAME_LOWER", "VALID"])
    if form == "none":
        return {}
    if form == "symmetric":
        return {"pads": [net.number(0, limit) for limit in limits] * 2}
    if form == "any":
        return {"pads": [net.number(0, limit) for limit in [*limits, *limits]]}
    return {"auto_pad": form}


@kind("Conv", ranks=PICTURES)
def conv(net: Draft, x: str) -> str:
    channels = net.values[x][1]
    group = net.pick(divisors(channels))
    made = group * net.number(1, 3)
    kernel = kernel_of(net, x)
    dilations = dilations_of(net, x, kernel)
    bound = (channels // group * prod(kernel)) ** -0.5
    weights = [net.weight((made, channels // group, *kernel), -2 * bound, 2 * bound)]
    if net.flag():
        weights.append(net.weight((made,)))
    return net.add(
        "Conv",
        x,
        *weights,
        group=group,
        kernel_shape=kernel if net.flag() else None,
        strides=strides_of(net, len(kernel)),
        dilations=dilations,
        **pads_of(net, [2] * len(kernel)),
    )


@kind("ConvTranspose", ranks=PICTURES)
def conv_transpose(net: Draft, x: str) -> str:
    channels = net.values[x][1]
    group = net.pick(divisors(channels))
    each = net.number(1, 3)
    kernel = [net.number(1, 4) for _ in net.values[x][2:]]
    strides = strides_of(net, len(kernel))
    dilations = [net.number(1, 2) for _ in kernel]
    pads = pads_of(net, [k - 1 for k in kernel])
    # Runtimes do not agree on what output_padding means beside auto_pad.
    padding = "auto_pad" not in pads and net.flag()
    bound = (channels // group * prod(kernel)) ** -0.5
    weights = [net.weight((channels, each, *kernel), -2 * bound, 2 * bound)]
    if net.flag():
        weights.append(net.weight((group * each,)))
    return net.add(
        "ConvTranspose",
        x,
        *weights,
        group=group,
        strides=strides,
        dilations=dilations,
        output_padding=[net.number(0, stride - 1) for stride in strides] if padding else None,
        **pads,
    )


_DILATED_SINCE = {"MaxPool": 10, "LpPool": 18, "AveragePool": 19}


def _pool(net: Draft, x: str, operator: str, **attributes: Any) -> str:
    kernel = kernel_of(net, x)
    pads = pads_of(net, [k - 1 for k in kernel])
    strides = strides_of(net, len(kernel))
    if "auto_pad" in pads:
        # Windows with gaps between them would have negative pads, of which runtimes make different things.
        strides = [min(stride, k) for stride, k in zip(strides, kernel, strict=True)]
    if net.opset >= 10 and operator != "LpPool":
        attributes["ceil_mode"] = int(net.flag())
    if net.opset >= _DILATED_SINCE[operator] and net.flag():
        attributes["dilations"] = dilations_of(net, x, kernel)
    return net.add(operator, x, kernel_shape=kernel, strides=strides, **pads, **attributes)


@kind("MaxPool", ranks=PICTURES)
def max_pool(net: Draft, x: str) -> str:
    return _pool(net, x, "MaxPool")


@kind("AveragePool", ranks=PICTURES)
def average_pool(net: Draft, x: str) -> str:
    return _pool(net, x, "AveragePool", count_include_pad=int(net.flag()))


@kind("LpPool", ranks=PICTURES)
def lp_pool(net: Draft, x: str) -> str:
    return _pool(net, x, "LpPool", p=net.pick([2, 1]))


@kind("GlobalPool", ranks=PICTURES)
def global_pool(net: Draft, x: str) -> str:
    return net.add(net.pick(["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"]), x)


@kind("MaxRoiPool", ranks=(4,))
def roi_pool(net: Draft, x: str) -> str:
    """Boxes (batch index, x1, y1, x2, y2) as a constant."""
    batch, _, height, width = net.values[x]
    boxes = [_box(net, batch, height, width) for _ in range(net.number(1, 2))]
    size = [net.number(1, 3), net.number(1, 3)]
    return net.add("MaxRoiPool", x, net.constant(np.array(boxes, np.float32)), pooled_shape=size)


def _box(net: Draft, batch: int, height: int, width: int) -> list[int]:
    left, top = net.number(0, width - 1), net.number(0, height - 1)
    return [net.number(0, batch - 1), left, top, net.number(left, width - 1), net.number(top, height - 1)]
