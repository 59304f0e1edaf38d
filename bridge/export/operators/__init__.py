"""One small function per MXNet operator, with the rule that gives the shapes of its outputs.

Adding an operator: write a function of an `Operator` in the file of its topic and decorate it with the name that
stands in the symbol's JSON and a shape rule. Importing this package fills `TRANSLATORS` and `SHAPE_RULES`.
"""

from gluon2caffe.bridge.export.operators import (
    activation,
    arithmetic,
    constants,
    correlation,
    detection,
    elementary,
    indexing,
    linear,
    normalization,
    pooling,
    recurrent,
    reduction,
    resize,
    shape,
    slicing,
)
from gluon2caffe.bridge.export.operators.node_reader import (
    Input,
    NodeReader,
    NotExactError,
    OpenShapeError,
    ShapeError,
)
from gluon2caffe.bridge.export.operators.operator import Operator
from gluon2caffe.bridge.export.operators.registry import SHAPE_RULES, TRANSLATORS, translates

__all__ = [
    "SHAPE_RULES",
    "TRANSLATORS",
    "Input",
    "NodeReader",
    "NotExactError",
    "OpenShapeError",
    "Operator",
    "ShapeError",
    "activation",
    "arithmetic",
    "constants",
    "correlation",
    "detection",
    "elementary",
    "indexing",
    "linear",
    "normalization",
    "pooling",
    "recurrent",
    "reduction",
    "resize",
    "shape",
    "slicing",
    "translates",
]
