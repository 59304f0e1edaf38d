"""A user's file: operators of their own, with nothing but the public names."""

import onnx

from gluon2caffe.extend import (
    Blob,
    NetBuilder,
    Node,
    NotExactError,
    Operator,
    UnsupportedNodeError,
    layers,
    lowering,
    same_shape,
    translates,
)


@lowering("ScaledSquare", domain="com.example")
def scaled_square(node: Node, net: NetBuilder) -> Blob:
    """(alpha·x)²."""
    alpha = node.attr("alpha", 1.0)
    if alpha == 0:
        raise UnsupportedNodeError("alpha is 0", "leave the node out")
    return layers.power(net, node.blob(), scale=alpha, power=2.0)


@translates("my_scaled_square", shape=same_shape)
def my_scaled_square(op: Operator) -> None:
    """(alpha·x)² as ONNX nodes."""
    if op.has("beta"):
        raise NotExactError("beta is not known")
    scaled = op.add_node("Mul", [op.inputs[0].name, op.constant("alpha", op.number("alpha", 1.0))], op.shape)
    op.result("Mul", [scaled, scaled])


def model(alpha: float) -> onnx.ModelProto:
    """Two nodes, the first of which only this file knows."""
    text = f"""
        <ir_version: 8, opset_import: ["": 13, "com.example": 1]>
        net (float[1,2,3,4] x) => (float[1,2,3,4] y) <float[1,2,3,4] s> {{
          s = com.example.ScaledSquare<alpha = {alpha}>(x)
          y = Relu(s)
        }}"""
    return onnx.parser.parse_model(text)
