"""PeakOutput: the best cells of a heat map as rows of detections, as an ONNX function and as Caffe layers.

Caffe's ArgMax gives the places of the best numbers, BatchReindex what other blobs hold at these places.
"""

from __future__ import annotations

import numpy as np

from gluon2caffe.onnx2caffe import layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.layers import Array
from gluon2caffe.onnx2caffe.node import Node, UnsupportedNodeError
from gluon2caffe.onnx2caffe.registry import lowering
from gluon2caffe.onnx2caffe.targets.remedy import other_target
from gluon2caffe.ssd_heads.functions import DOMAIN, declare_function

OPERATOR = "PeakOutput"

# As CenterNetDecoder in gluoncv/nn/coder.py, of peaks that no neighbour exceeds.
_FUNCTION = """
<domain: "caffe.ssd", opset_import: ["" : 13]>
PeakOutput <top_k, factor_x, factor_y> (peaks, sizes, offsets) => (detections)
{
    zero = Constant <value_ints: ints = [0]> ()
    one = Constant <value_ints: ints = [1]> ()
    last = Constant <value_ints: ints = [2]> ()
    begin = Constant <value_int: int = 0> ()
    pace = Constant <value_int: int = 1> ()
    flat_form = Constant <value_ints: ints = [0, -1]> ()
    map_form = Constant <value_ints: ints = [0, 2, -1]> ()
    row_form = Constant <value_ints: ints = [1, 1, -1, 7]> ()
    count_scalar = Constant <value_int: int = @top_k> ()
    count = Reshape (count_scalar, one)
    half = Constant <value_float: float = 0.5> ()
    first_label = Constant <value_float: float = 1.0> ()
    shape = Shape (peaks)
    images, classes, rows, columns = Split <axis: int = 0> (shape)
    flat = Reshape (peaks, flat_form)
    score, place = TopK <axis: int = 1> (flat, count)
    area = Mul (rows, columns)
    label = Div (place, area)
    before = Mul (label, area)
    cell = Sub (place, before)
    row = Div (cell, columns)
    row_begin = Mul (row, columns)
    column = Sub (cell, row_begin)
    cell_1 = Unsqueeze (cell, one)
    cell_2 = Concat <axis: int = 1> (cell_1, cell_1)
    size_map = Reshape (sizes, map_form)
    offset_map = Reshape (offsets, map_form)
    size = GatherElements <axis: int = 2> (size_map, cell_2)
    offset = GatherElements <axis: int = 2> (offset_map, cell_2)
    w_1, h_1 = Split <axis: int = 1> (size)
    dx_1, dy_1 = Split <axis: int = 1> (offset)
    w = Squeeze (w_1, one)
    h = Squeeze (h_1, one)
    dx = Squeeze (dx_1, one)
    dy = Squeeze (dy_1, one)
    column_float = Cast <to: int = 1> (column)
    row_float = Cast <to: int = 1> (row)
    x = Add (column_float, dx)
    y = Add (row_float, dy)
    half_w = Mul (w, half)
    half_h = Mul (h, half)
    factor_w = Constant <value_float: float = @factor_x> ()
    factor_h = Constant <value_float: float = @factor_y> ()
    left_cells = Sub (x, half_w)
    top_cells = Sub (y, half_h)
    right_cells = Add (x, half_w)
    bottom_cells = Add (y, half_h)
    left = Mul (left_cells, factor_w)
    top = Mul (top_cells, factor_h)
    right = Mul (right_cells, factor_w)
    bottom = Mul (bottom_cells, factor_h)
    label_zero = Cast <to: int = 1> (label)
    label_float = Add (label_zero, first_label)
    image_count = Squeeze (images)
    image_range = Range (begin, image_count, pace)
    image_column = Unsqueeze (image_range, one)
    place_shape = Shape (place)
    image_all = Expand (image_column, place_shape)
    image = Cast <to: int = 1> (image_all)
    c0 = Unsqueeze (image, last)
    c1 = Unsqueeze (label_float, last)
    c2 = Unsqueeze (score, last)
    c3 = Unsqueeze (left, last)
    c4 = Unsqueeze (top, last)
    c5 = Unsqueeze (right, last)
    c6 = Unsqueeze (bottom, last)
    found = Concat <axis: int = 2> (c0, c1, c2, c3, c4, c5, c6)
    detections = Reshape (found, row_form)
}
"""
declare_function(OPERATOR, _FUNCTION)

_LAYERS = ("ArgMax", "BatchReindex", "Parameter")


@lowering(OPERATOR, domain=DOMAIN)
def peak_output(node: Node, net: NetBuilder) -> Blob:
    """ArgMax for the places; class, cell, column and row by BatchReindex from tables, sizes and offsets by the cell."""
    if not net.profile.takes(*_LAYERS):
        missing = next(kind for kind in _LAYERS if not net.profile.takes(kind))
        raise UnsupportedNodeError(
            f"the target {net.profile.name!r} has no {missing} layer, which finds the best peaks. heads='raw' ends the "
            "net before it, and ssd_heads.decode does the rest",
            other_target(lambda profile: profile.takes(*_LAYERS)),
        )
    if not net.profile.has(*_LAYERS):
        net.notes.append(
            f"{node.raw.name}: {' and '.join(_LAYERS)} layers find the peaks; OpenCV and other readers lack them. "
            "heads='raw' is for those."
        )
    peaks, sizes, offsets = (node.blob(index) for index in range(3))
    images, classes, rows, columns = peaks.shape
    area, count = rows * columns, node.attr("top_k", 1)
    flat = layers.reshape(net, peaks, (images, classes * area), part="flat")
    best = net.one("ArgMax", [flat], part="best", argmax_param={"top_k": count, "out_max_val": True})
    at, score = layers.slices(net, best, [1, 1], 1, part="best_parts")
    place = layers.reshape(net, at, (images * count,), part="place")
    every = np.arange(classes * area)
    label = _looked_up(net, every // area + 1, place, "label")
    own_cell = layers.reshape(net, _looked_up(net, every % area, place, "cell"), (images * count,), part="cell_row")
    column = _looked_up(net, np.arange(area) % columns, own_cell, "column")
    row = _looked_up(net, np.arange(area) // columns, own_cell, "row")
    image = np.repeat(np.arange(images), count)
    cell = own_cell
    if images > 1:
        # Cells of all images in a row, since BatchReindex looks along the first axis.
        cell = layers.eltwise(net, [own_cell, _table(net, image * area, "image_start", flat=True)], "SUM", part="at")
    parts = [_table(net, image, "image"), label, layers.reshape(net, score, (images * count, 1), part="score")]
    width, height = _at_cells(net, sizes, cell, "size")
    shift_x, shift_y = _at_cells(net, offsets, cell, "offset")
    factor_x, factor_y = node.attr("factor_x", 1.0), node.attr("factor_y", 1.0)
    for sign, word in ((-0.5, "first"), (0.5, "last")):
        for places, shift, extent, factor, axis in (
            (column, shift_x, width, factor_x, "x"),
            (row, shift_y, height, factor_y, "y"),
        ):
            weights = [factor, factor, sign * factor]
            parts.append(layers.weighted_sum(net, [places, shift, extent], weights, part=f"{word}_{axis}"))
    table = layers.concat(net, parts, 1, part="rows")
    return layers.reshape(net, table, (1, 1, images * count, 7), part="detections")


def _table(net: NetBuilder, values: Array, part: str, *, flat: bool = False) -> Blob:
    """A constant column, (M, 1), or row of numbers, (M,)."""
    column = values.astype(np.float32).reshape((-1,) if flat else (-1, 1))
    fields = {"shape": {"dim": column.shape}}
    return net.one("Parameter", [], part=f"{part}_table", blobs=[column], parameter_param=fields)


def _looked_up(net: NetBuilder, values: Array, places: Blob, part: str) -> Blob:
    """The values at computed places, (K, 1)."""
    return net.one("BatchReindex", [_table(net, values, part), places], part=part)


def _at_cells(net: NetBuilder, maps: Blob, cells: Blob, part: str) -> list[Blob]:
    """Each of two maps (N, 2, H, W) at the cells, (K, 1)."""
    images, _, rows, columns = maps.shape
    found = []
    for number, each in enumerate(layers.slices(net, maps, [1, 1], 1, part=part)):
        column = layers.reshape(net, each, (images * rows * columns, 1), part=f"{part}{number}_column")
        found.append(net.one("BatchReindex", [column, cells], part=f"{part}{number}_found"))
    return found
