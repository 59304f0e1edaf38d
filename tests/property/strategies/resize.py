"""Resize and Upsample: scales or sizes, every mode that onnxruntime has."""

import numpy as np
from draft import Draft

from strategies.kind import kind

COORDINATES = ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"]
ROUNDINGS = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]
SCALES = [2.0, 1.0, 3.0, 1.5, 0.5, 0.6, 2.3]


def scales_of(net: Draft, x: str) -> list[float]:
    """Factors for height and width that leave at least one row and column; 1 for the other axes."""
    sizes = net.values[x]
    return [1.0, 1.0, *(net.pick([s for s in SCALES if s * size >= 1]) for size in sizes[2:])]


@kind("Upsample", ranks=(4,), until=9)
def upsample(net: Draft, x: str) -> str:
    factors = [max(1.0, factor) for factor in scales_of(net, x)]
    mode = net.pick(["nearest", "linear"])
    if net.opset < 9:
        return net.add("Upsample", x, scales=factors, mode=mode)
    return net.add("Upsample", x, net.constant(np.array(factors, np.float32)), mode=mode)


@kind("Resize of opset 10", ranks=(4,), since=10, until=10)
def resize_10(net: Draft, x: str) -> str:
    factors = net.constant(np.array(scales_of(net, x), np.float32))
    return net.add("Resize", x, factors, mode=net.pick(["nearest", "linear"]))


@kind("Resize", ranks=(4,), since=11)
def resize(net: Draft, x: str) -> str:
    coordinates = [*COORDINATES, *(["half_pixel_symmetric"] if net.opset >= 19 else [])]
    attributes = {
        "mode": net.pick(["nearest", "linear", "cubic"]),
        "coordinate_transformation_mode": net.pick(coordinates),
        "nearest_mode": net.pick(ROUNDINGS),
    }
    # Inputs that are left out could only be empty tensors, not missing, before opset 13.
    absent = "" if net.opset >= 13 else net.constant(np.zeros(0, np.float32))
    if net.flag():
        sizes = [*net.values[x][:2], *(net.number(1, 2 * size + 1) for size in net.values[x][2:])]
        return net.add("Resize", x, absent, absent, net.ints(sizes), **attributes)
    factors = net.constant(np.array(scales_of(net, x), np.float32))
    return net.add("Resize", x, absent, factors, **attributes)
