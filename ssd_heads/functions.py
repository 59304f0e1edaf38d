"""PriorBox and DetectionOutput (with and without priors) as ONNX model-local functions of standard operators.

They compute what Caffe's layers of these names compute, so that the intermediate runs in onnxruntime; their nodes keep
the layers' attributes, so that the lowering, and a person in Netron, can read them. `max_size` is 0 where there is
none, `aspect_ratio` starts with the implied 1, and sizes are whole numbers.
"""

from __future__ import annotations

import onnx
import onnx.helper
import onnx.parser
import onnx_graphsurgeon as gs

DOMAIN = "caffe.ssd"
OPSET = 13

# From PriorBoxLayer::Forward_cpu of weiliu89's Caffe, for one min_size, flip: false and clip: false.
PRIOR_BOX = """
<domain: "caffe.ssd", opset_import: ["" : 13]>
PriorBox <min_size, max_size, aspect_ratio, flip, clip, variance, step_h, step_w, offset> (feature, image) => (priors)
{
    zero = Constant <value_ints: ints = [0]> ()
    one = Constant <value_ints: ints = [1]> ()
    end = Constant <value_ints: ints = [1000000]> ()
    zero_scalar = Constant <value_int: int = 0> ()
    one_scalar = Constant <value_int: int = 1> ()
    two = Constant <value_float: float = 2.0> ()
    rows_axis = Constant <value_int: int = 2> ()
    columns_axis = Constant <value_int: int = 3> ()
    feature_shape = Shape (feature)
    image_shape = Shape (image)
    rows = Gather (feature_shape, rows_axis)
    columns = Gather (feature_shape, columns_axis)
    image_h_int = Gather (image_shape, rows_axis)
    image_w_int = Gather (image_shape, columns_axis)
    image_h = Cast <to: int = 1> (image_h_int)
    image_w = Cast <to: int = 1> (image_w_int)
    least = Constant <value_float: float = @min_size> ()
    most = Constant <value_float: float = @max_size> ()
    ratios = Constant <value_floats: floats = @aspect_ratio> ()
    roots = Sqrt (ratios)
    first_root = Slice (roots, zero, one, zero)
    other_roots = Slice (roots, one, end, zero)
    smallest = Mul (least, first_root)
    product = Mul (least, most)
    middle_scalar = Sqrt (product)
    middle_all = Reshape (middle_scalar, one)
    nothing = Constant <value_float: float = 0.0> ()
    has_middle_scalar = Greater (most, nothing)
    has_middle = Reshape (has_middle_scalar, one)
    middle = Compress <axis: int = 0> (middle_all, has_middle)
    wide = Mul (least, other_roots)
    high = Div (least, other_roots)
    widths = Concat <axis: int = 0> (smallest, middle, wide)
    heights = Concat <axis: int = 0> (smallest, middle, high)
    half_w = Div (widths, two)
    half_h = Div (heights, two)
    shift = Constant <value_float: float = @offset> ()
    stride_h = Constant <value_float: float = @step_h> ()
    stride_w = Constant <value_float: float = @step_w> ()
    row_range = Range (zero_scalar, rows, one_scalar)
    column_range = Range (zero_scalar, columns, one_scalar)
    row_float = Cast <to: int = 1> (row_range)
    column_float = Cast <to: int = 1> (column_range)
    row_shifted = Add (row_float, shift)
    column_shifted = Add (column_float, shift)
    center_y_flat = Mul (row_shifted, stride_h)
    center_x_flat = Mul (column_shifted, stride_w)
    y_axes = Constant <value_ints: ints = [1, 2]> ()
    x_axes = Constant <value_ints: ints = [0, 2]> ()
    center_y = Unsqueeze (center_y_flat, y_axes)
    center_x = Unsqueeze (center_x_flat, x_axes)
    left = Sub (center_x, half_w)
    top = Sub (center_y, half_h)
    right = Add (center_x, half_w)
    bottom = Add (center_y, half_h)
    left_part = Div (left, image_w)
    top_part = Div (top, image_h)
    right_part = Div (right, image_w)
    bottom_part = Div (bottom, image_h)
    box_count = Shape (widths)
    rows_1 = Reshape (rows, one)
    columns_1 = Reshape (columns, one)
    grid = Concat <axis: int = 0> (rows_1, columns_1, box_count)
    left_all = Expand (left_part, grid)
    top_all = Expand (top_part, grid)
    right_all = Expand (right_part, grid)
    bottom_all = Expand (bottom_part, grid)
    last = Constant <value_ints: ints = [3]> ()
    left_4 = Unsqueeze (left_all, last)
    top_4 = Unsqueeze (top_all, last)
    right_4 = Unsqueeze (right_all, last)
    bottom_4 = Unsqueeze (bottom_all, last)
    corners_4 = Concat <axis: int = 3> (left_4, top_4, right_4, bottom_4)
    row_form = Constant <value_ints: ints = [1, 1, -1]> ()
    corners = Reshape (corners_4, row_form)
    spread = Constant <value_floats: floats = @variance> ()
    corner_shape = Shape (corners_4)
    spread_4 = Expand (spread, corner_shape)
    variances = Reshape (spread_4, row_form)
    priors = Concat <axis: int = 1> (corners, variances)
}
"""

# From DetectionOutputLayer::Forward_cpu, for share_location: true and background_label_id: 0.
_DETECTION_SIGNATURE = """
<domain: "caffe.ssd", opset_import: ["" : 13]>
{name} <num_classes, share_location, background_label_id, code_type, nms_threshold, top_k, keep_top_k,
                 confidence_threshold> ({inputs}) => (detections)
{{
"""
_CONSTANTS = """
    zero = Constant <value_ints: ints = [0]> ()
    one = Constant <value_ints: ints = [1]> ()
    seven = Constant <value_ints: ints = [7]> ()
    end = Constant <value_ints: ints = [9000000000]> ()
    minus = Constant <value_ints: ints = [-1]> ()
    minus_float = Constant <value_float: float = -1.0> ()
    no_float = Constant <value_float: float = 0.0> ()
    half = Constant <value_float: float = 0.5> ()
    one_float = Constant <value_float: float = 1.0> ()
    box_form = Constant <value_ints: ints = [0, -1, 4]> ()
    prior_form = Constant <value_ints: ints = [2, -1, 4]> ()
    first = Constant <value_int: int = 0> ()
    second = Constant <value_int: int = 1> ()
    third = Constant <value_int: int = 2> ()
"""
# code_type: CENTER_SIZE, boxes relative to priors.
_FROM_PRIORS = """
    predictions = Reshape (loc, box_form)
    prior_rows = Reshape (priors, prior_form)
    corners = Gather <axis: int = 0> (prior_rows, first)
    variances = Gather <axis: int = 0> (prior_rows, second)
    left, top, right, bottom = Split <axis: int = 1> (corners)
    prior_w = Sub (right, left)
    prior_h = Sub (bottom, top)
    sum_x = Add (left, right)
    sum_y = Add (top, bottom)
    prior_x = Mul (sum_x, half)
    prior_y = Mul (sum_y, half)
    scaled = Mul (predictions, variances)
    tx, ty, tw, th = Split <axis: int = 2> (scaled)
    moved_x = Mul (tx, prior_w)
    moved_y = Mul (ty, prior_h)
    x = Add (moved_x, prior_x)
    y = Add (moved_y, prior_y)
    grown_w = Exp (tw)
    grown_h = Exp (th)
    w = Mul (grown_w, prior_w)
    h = Mul (grown_h, prior_h)
    half_w = Mul (w, half)
    half_h = Mul (h, half)
    x1 = Sub (x, half_w)
    y1 = Sub (y, half_h)
    x2 = Add (x, half_w)
    y2 = Add (y, half_h)
    boxes = Concat <axis: int = 2> (x1, y1, x2, y2)
"""
# code_type: CORNER with priors of 0 and variances of 1: the boxes as they are.
_AS_THEY_ARE = """
    boxes = Reshape (loc, box_form)
"""
_SUPPRESSION = """
    class_count_scalar = Constant <value_int: int = @num_classes> ()
    class_count = Reshape (class_count_scalar, one)
    score_form = Concat <axis: int = 0> (zero, minus, class_count)
    score_rows = Reshape (conf, score_form)
    scores_all = Transpose <perm: ints = [0, 2, 1]> (score_rows)
    scores = Slice (scores_all, one, end, one)
    score_shape = Shape (scores)
    images, foreground, box_count = Split <axis: int = 0> (score_shape)
    top_k_scalar = Constant <value_int: int = @top_k> ()
    top_k_wanted = Reshape (top_k_scalar, one)
    entering = Min (top_k_wanted, box_count)
    best, best_at = TopK <axis: int = 2> (scores, entering)
    unseen = Expand (minus_float, score_shape)
    candidates = ScatterElements <axis: int = 2> (unseen, best_at, best)
    overlap = Constant <value_float: float = @nms_threshold> ()
    confidence = Constant <value_float: float = @confidence_threshold> ()
    chosen = NonMaxSuppression (boxes, candidates, entering, overlap, confidence)
    chosen_scores = GatherND (scores, chosen)
    image_at, class_at, box_at = Split <axis: int = 1> (chosen)
    class_start = Mul (class_at, box_count)
    flat_at = Add (class_start, box_at)
    place = Concat <axis: int = 1> (image_at, flat_at)
    flat_count = Mul (foreground, box_count)
    flat_shape = Concat <axis: int = 0> (images, flat_count)
    flat_unseen = Expand (minus_float, flat_shape)
    flat_scores = ScatterND (flat_unseen, place, chosen_scores)
    keep_scalar = Constant <value_int: int = @keep_top_k> ()
    keep_wanted = Reshape (keep_scalar, one)
    keeping = Min (keep_wanted, flat_count)
    kept_scores, kept_at = TopK <axis: int = 1> (flat_scores, keeping)
    kept_shape = Shape (kept_at)
    marks = Expand (one_float, kept_shape)
    unmarked = Expand (no_float, flat_shape)
    marked = ScatterElements <axis: int = 1> (unmarked, kept_at, marks)
    mark_of = GatherND (marked, place)
    keep = Greater (mark_of, no_float)
    final = Compress <axis: int = 0> (chosen, keep)
    final_scores_flat = Compress <axis: int = 0> (chosen_scores, keep)
    final_image, final_class, final_box = Split <axis: int = 1> (final)
    box_place = Concat <axis: int = 1> (final_image, final_box)
    final_boxes = GatherND (boxes, box_place)
    image_column = Cast <to: int = 1> (final_image)
    class_float = Cast <to: int = 1> (final_class)
    label_column = Add (class_float, one_float)
    final_scores = Unsqueeze (final_scores_flat, one)
    found = Concat <axis: int = 1> (image_column, label_column, final_scores, final_boxes)
    found_shape = Shape (found)
    found_count = Slice (found_shape, zero, one, zero)
    none_found = Equal (found_count, zero)
    none_each = Expand (none_found, images)
    image_scalar = Squeeze (images)
    image_range = Range (first, image_scalar, second)
    image_float = Cast <to: int = 1> (image_range)
    image_rows = Unsqueeze (image_float, one)
    six = Constant <value_ints: ints = [6]> ()
    empty_shape = Concat <axis: int = 0> (images, six)
    empty_part = Expand (minus_float, empty_shape)
    empty_rows = Concat <axis: int = 1> (image_rows, empty_part)
    empty = Compress <axis: int = 0> (empty_rows, none_each)
    rows = Concat <axis: int = 0> (found, empty)
    row_form = Constant <value_ints: ints = [1, 1, -1, 7]> ()
    detections = Reshape (rows, row_form)
}
"""

DETECTION_OUTPUT = (
    _DETECTION_SIGNATURE.format(name="DetectionOutput", inputs="loc, conf, priors")
    + _CONSTANTS
    + _FROM_PRIORS
    + _SUPPRESSION
)
CORNER_DETECTION_OUTPUT = (
    _DETECTION_SIGNATURE.format(name="CornerDetectionOutput", inputs="loc, conf")
    + _CONSTANTS
    + _AS_THEY_ARE
    + _SUPPRESSION
)
FUNCTIONS = {
    "PriorBox": PRIOR_BOX,
    "DetectionOutput": DETECTION_OUTPUT,
    "CornerDetectionOutput": CORNER_DETECTION_OUTPUT,
}
ALL = 2**31 - 1
"""For `top_k` and `keep_top_k`: however many boxes there are."""
DETECTION_OUTPUTS = ("DetectionOutput", "CornerDetectionOutput")


def declare_function(name: str, text: str) -> None:
    """Let `add_functions` know a function of a kind's own, as text; its domain is `DOMAIN`."""
    FUNCTIONS[name] = text


def add_functions(graph: gs.Graph) -> None:
    """Give a graph the functions that its nodes call, and the import of their domain."""
    called = {node.op for node in graph.nodes if node.domain == DOMAIN}
    protos = [onnx.parser.parse_function(text) for name, text in FUNCTIONS.items() if name in called]
    graph.functions.extend(
        gs.importers.onnx_importer.OnnxImporter.import_function(proto, graph.opset, proto.opset_import)
        for proto in protos
    )
    graph.import_domains = [onnx.helper.make_opsetid("", graph.opset), onnx.helper.make_opsetid(DOMAIN, 1)]


def detection_scores(model: onnx.ModelProto) -> tuple[str, int]:
    """The name of the scores (N, boxes·classes) that a model's DetectionOutput node reads, and the number of classes.

    Raises:
        ValueError: the model has no such node.
    """
    for node in model.graph.node:
        if node.domain == DOMAIN and node.op_type in DETECTION_OUTPUTS:
            classes = next(attribute.i for attribute in node.attribute if attribute.name == "num_classes")
            return node.input[1], classes
    raise ValueError("the model has no DetectionOutput node")
