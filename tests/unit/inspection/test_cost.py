"""Multiply-accumulates against numbers counted by hand."""

import onnx_graphsurgeon as gs
import pytest
from agreement import model
from google.protobuf import text_format

from gluon2caffe.bridge.inspection.cost import layer_macs, macs
from gluon2caffe.onnx2caffe.caffe_pb2 import LayerParameter
from gluon2caffe.onnx2caffe.shapes import net_shapes

W = "float[4,3,3,3] w, float[4,1,3,3] wd, float[4,2,2,5] wt, float[4] b, float[7,4] m, float[4,7] mt, float[5,9] mm"
CASES = {
    # 4 channels of 6x6 numbers, each a sum of 3*3*3 products; the bias adds, and is not counted.
    "conv": ("float[1,3,6,6] x", "y = Conv<pads=[1,1,1,1]>(x, w, b)", 4 * 36 * 27),
    "conv, batch of 2, stride 2": ("float[2,3,7,7] x", "y = Conv<strides=[2,2]>(x, w)", 2 * 4 * 9 * 27),
    "depthwise conv": ("float[1,4,6,6] x", "y = Conv<group=4>(x, wd)", 4 * 16 * 9),
    # Each of the 4*3*3 input numbers goes into 2*2*5 products.
    "transposed conv": ("float[1,4,3,3] x", "y = ConvTranspose(x, wt)", 36 * 20),
    "transposed conv, groups": ("float[1,4,3,3] x", "y = ConvTranspose<group=2, strides=[2,2]>(x, wt)", 36 * 20),
    "gemm": ("float[2,4] x", "y = Gemm<transB=1>(x, m)", 2 * 4 * 7),
    "gemm, both as they are": ("float[2,4] x", "y = Gemm(x, mt)", 2 * 4 * 7),
    "gemm, first transposed": ("float[4,3] x", "y = Gemm<transA=1>(x, mt)", 3 * 4 * 7),
    "matmul of a batch": ("float[3,2,5] x", "y = MatMul(x, mm)", 3 * 2 * 9 * 5),
    "relu": ("float[1,3,6,6] x", "y = Relu(x)", 0),
    "pool": ("float[1,3,6,6] x", "y = AveragePool<kernel_shape=[3,3]>(x)", 0),
}


@pytest.mark.parametrize(("inputs", "body", "count"), CASES.values(), ids=list(CASES))
def test_macs(inputs: str, body: str, count: int) -> None:
    made = model(f"({inputs}) => (float[] y) <{W}> {{ {body} }}")
    (node,) = gs.import_onnx(made).nodes
    assert macs(node) == count


@pytest.mark.parametrize(
    ("kind", "fields", "count"),
    [
        ("Convolution", "convolution_param { num_output: 4 kernel_size: 3 pad: 1 }", 2 * 4 * 36 * 6 * 9),
        ("Convolution", "convolution_param { num_output: 4 kernel_h: 3 kernel_w: 1 group: 2 }", 2 * 4 * 24 * 3 * 3),
        # Each of the 2*6*6*6 input numbers goes into (4 / 2)*2*2 products.
        (
            "Deconvolution",
            "convolution_param { num_output: 4 kernel_size: 2 stride: 2 group: 2 }",
            2 * 6 * 36 * 2 * 4,
        ),
        ("InnerProduct", "inner_product_param { num_output: 5 }", 2 * 5 * 6 * 36),
        ("InnerProduct", "inner_product_param { num_output: 5 axis: 3 }", 2 * 6 * 6 * 5 * 6),
        ("Pooling", "pooling_param { kernel_size: 3 }", 0),
        ("DetectionOutput", "", 0),
        ("Custom", "", None),
        ("Convolution", "convolution_param { num_output: 4 kernel_size: 9 }", None),
    ],
)
def test_macs_of_a_layer(kind: str, fields: str, count: int | None) -> None:
    layer = text_format.Parse(fields, LayerParameter(name="l", type=kind, bottom=["x"], top=["y"]))
    (shapes,) = net_shapes({"x": (2, 6, 6, 6)}, [layer])
    assert layer_macs(layer, shapes) == count


def test_a_node_of_another_domain_that_is_called_alike_is_not_counted() -> None:
    tensor = gs.Variable("x", shape=[1, 3])
    assert macs(gs.Node("Gemm", domain="mine", inputs=[tensor, tensor], outputs=[tensor])) == 0
