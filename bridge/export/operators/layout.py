"""Layouts with the channels last, in which nets for tensor cores are trained: moved to the front and back again."""

from collections.abc import Callable, Sequence
from functools import wraps

from gluon2caffe.bridge.export.operators.node_reader import Input, NodeReader, NotExactError
from gluon2caffe.bridge.export.operators.operator import Operator
from gluon2caffe.bridge.export.operators.shape_rules import ShapeRule
from gluon2caffe.bridge.mxnet_files.graph import Shape, SymbolNode

_CHANNELS_FIRST = ("NCHW", "NCW", "NCDHW")
_CHANNELS_LAST = ("NHWC", "NWC", "NDHWC")


def _is_last(op: NodeReader) -> bool:
    layout = op.text("layout", "NCHW")
    if layout in _CHANNELS_FIRST:
        return False
    if layout not in _CHANNELS_LAST:
        raise NotExactError(f"layout {layout}")
    return True


def _to_front(shape: Shape) -> Shape:
    return (shape[0], shape[-1], *shape[1:-1])


def _to_back(shape: Shape) -> Shape:
    return (shape[0], *shape[2:], shape[1])


def _front_inputs(inputs: Sequence[Input], weights: bool) -> list[Input]:
    """Shapes with the channels in front; of a convolution's weight too, whose filters come first in any case."""
    moved = 2 if weights else 1
    return [
        Input(each.name, _to_front(each.shape), each.is_parameter) if index < moved else each
        for index, each in enumerate(inputs)
    ]


def with_layout(rule: ShapeRule, *, weights: bool = False) -> ShapeRule:
    """Make a rule for channels in front hold for channels at the end too."""

    def shapes(op: NodeReader) -> list[Shape]:
        if not _is_last(op):
            return list(rule(op))
        node = SymbolNode(op.name, op.kind, op.attrs, [])
        return [_to_back(shape) for shape in rule(NodeReader(node, _front_inputs(op.inputs, weights)))]

    return shapes


def in_channels_first(translator: Callable[[Operator], None]) -> Callable[[Operator], None]:
    """Make a translator for channels in front translate channels at the end too, between two transposes."""

    @wraps(translator)
    def translate(op: Operator) -> None:
        if not _is_last(op):
            translator(op)
            return
        inner = op.inside("first", _moved_inputs(op), [_to_front(op.output_shape)])
        translator(inner)
        (result,) = op.take_over(inner)
        op.result("Transpose", [result], perm=(0, *range(2, op.rank), 1))

    return translate


def _moved_inputs(op: Operator) -> list[Input]:
    weights = op.kind != "Pooling"
    inputs = list(op.inputs)
    for index, front in enumerate(_front_inputs(op.inputs, weights)):
        if front.shape is not op.inputs[index].shape:
            rank = len(front.shape)
            name = op.add_node("Transpose", [front.name], front.shape, perm=(0, rank - 1, *range(1, rank - 1)))
            inputs[index] = Input(name, front.shape, False)
    return inputs
