"""How many inputs an operator has, which in a damaged or hand-written symbol may be another number."""

from typing import Final

from gluon2caffe.bridge.export.operators.node_reader import NodeReader, ShapeError
from gluon2caffe.bridge.export.operators.registry import SHAPE_RULES
from gluon2caffe.bridge.export.operators.shape_rules import broadcast, elementwise

_BY_COUNT: Final = {
    0: "_arange _eye _full _linspace _ones _zeros _zeros_without_dtype",
    2: "Correlation Embedding _linalg_gemm2 batch_dot broadcast_like dot gather_nd pick reshape_like slice_like take "
    "_contrib_box_decode",
    3: "GroupNorm InstanceNorm LayerNorm where _contrib_MultiBoxDetection",
    5: "BatchNorm BatchNorm_v1 _contrib_BatchNormWithReLU _contrib_SyncBatchNorm",
}
_COUNTS: Final = {name: count for count, names in _BY_COUNT.items() for name in names.split()}
# Whether there is a bias, by default.
_WITHOUT_BIAS: Final = {"Convolution": False, "Convolution_v1": False, "Deconvolution": True, "FullyConnected": False}
_ANY: Final = ("Concat", "_rnn_param_concat", "add_n", "stack", "UpSampling")


def check_input_count(op: NodeReader) -> None:
    """Raise a `ShapeError` where the node has another number of inputs than its operator and attributes say."""
    count = _expected(op)
    if (count is None and not op.inputs) or (count is not None and len(op.inputs) != count):
        raise ShapeError(f"it has {len(op.inputs)} inputs, expected {'one or more' if count is None else count}")


def _expected(op: NodeReader) -> int | None:
    if op.kind in _WITHOUT_BIAS:
        return 2 if op.flag("no_bias", _WITHOUT_BIAS[op.kind]) else 3
    if op.kind == "RNN":
        return 4 if op.text("mode", "") == "lstm" else 3
    if op.kind == "LeakyReLU":
        return 2 if op.text("act_type", "leaky") == "prelu" else 1
    if op.kind in _COUNTS:
        return _COUNTS[op.kind]
    rule = SHAPE_RULES.get(op.kind)
    return 2 if rule is broadcast or (rule is elementwise and op.kind not in _ANY) else None
