"""Operators of one's own, without a change to the package.

A lowering writes an ONNX operator of a domain of yours (or one of ONNX's that has none) as Caffe layers:

    from gluon2caffe.extend import Blob, NetBuilder, Node, layers, lowering

    @lowering("Double", domain="com.example")
    def double(node: Node, net: NetBuilder) -> Blob:
        return layers.power(net, node.blob(), scale=2.0)

A translator writes an operator of an MXNet symbol as ONNX nodes, and gives the shapes of its outputs:

    from gluon2caffe.extend import Operator, same_shape, translates

    @translates("my_double", shape=same_shape)
    def my_double(op: Operator) -> None:
        op.result("Mul", [op.inputs[0].name, op.constant("two", 2.0)])

What cannot be exact raises UnsupportedNodeError(reason, remedy) in a lowering, and NotExactError(reason) in a
translator. Import the file with your functions before converting. Worker processes import it themselves.
"""

from gluon2caffe.bridge.export.operators import Input, NodeReader, NotExactError, Operator, translates
from gluon2caffe.bridge.export.operators.shape_rules import same as same_shape
from gluon2caffe.onnx2caffe import layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.node import Node
from gluon2caffe.onnx2caffe.registry import lowering
from gluon2caffe.onnx2caffe.unsupported import UnsupportedNodeError

__all__ = [
    "Blob",
    "Input",
    "NetBuilder",
    "Node",
    "NodeReader",
    "NotExactError",
    "Operator",
    "UnsupportedNodeError",
    "layers",
    "lowering",
    "same_shape",
    "translates",
]
