"""One small function per MXNet operator that mxnet.onnx translates wrongly, in pieces, or not at all.

Adding an operator: write a function of an `Operator` in the file of its topic and decorate it with the name that
stands in the symbol's JSON. Importing this package fills `TRANSLATORS`.
"""

from gluon2caffe.bridge.export.operators import (
    activation,
    arithmetic,
    constants,
    linear,
    normalization,
    pooling,
    reduction,
    resize,
    shape,
    slicing,
)
from gluon2caffe.bridge.export.operators.operator import Input, NotExactError, Operator
from gluon2caffe.bridge.export.operators.registry import TRANSLATORS, translates

__all__ = [
    "TRANSLATORS",
    "Input",
    "NotExactError",
    "Operator",
    "activation",
    "arithmetic",
    "constants",
    "linear",
    "normalization",
    "pooling",
    "reduction",
    "resize",
    "shape",
    "slicing",
    "translates",
]
