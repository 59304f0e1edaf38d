"""Nodes whose inputs do not fit them, which onnx's checker and its inference pass: each is refused by name."""

from __future__ import annotations

import pytest
from agreement import model

import gluon2caffe
from gluon2caffe import InternalError, SourceError
from gluon2caffe.onnx2caffe.caffe_pb2 import LayerParameter
from gluon2caffe.onnx2caffe.invariants import require_recorded_shapes
from gluon2caffe.onnx2caffe.model import CaffeModel, Layer

MISFITS = {
    "reshape to fewer numbers": (
        "(float[2,3,4,4] x) => (float[] y) <int64[4] r = {1,3,16,1}> { y = Reshape(x, r) }",
        "Node 'y' (Reshape) makes [1, 3, 16, 1] of [2, 3, 4, 4]: 48 numbers of 96.",
    ),
    "depth to space": (
        "(float[1,6,4,4] x) => (float[] y) { y = DepthToSpace<blocksize=2>(x) }",
        "Node 'y' (DepthToSpace) makes blocks of 2×2 of 6 channels, expected a multiple.",
    ),
    "kernel shape": (
        "(float[1,1,4,4] x) => (float[] y) <float[1,1,3,3] w> { y = Conv<kernel_shape=[2,2]>(x, w) }",
        "Node 'y' (Conv): its weights have the shape [1, 1, 3, 3], its kernel_shape is [2, 2].",
    ),
    "kernel shape, transposed": (
        "(float[1,1,4,4] x) => (float[] y) <float[1,1,3,3] w> { y = ConvTranspose<kernel_shape=[3,2]>(x, w) }",
        "Node 'y' (ConvTranspose): its weights have the shape [1, 1, 3, 3], its kernel_shape is [3, 2].",
    ),
    "layer norm": (
        "(float[1,3,8] x) => (float[] y) <float[7] s> { y = LayerNormalization(x, s) }",
        "Node 'y' (LayerNormalization): its scale or bias of shape [7] does not broadcast to [8].",
    ),
    "layer norm, bias": (
        "(float[1,3,8] x) => (float[] y) <float[8] s, float[3] b> { y = LayerNormalization(x, s, b) }",
        "Node 'y' (LayerNormalization): its scale or bias of shape [3] does not broadcast to [8].",
    ),
    "group norm": (
        "(float[1,6,4,4] x) => (float[] y) <float[3] s> { y = GroupNormalization<num_groups=2>(x, s, s) }",
        "Node 'y' (GroupNormalization): its scale or bias has the shape [3], expected [2] or [6].",
    ),
    "reversed beyond the end": (
        "(float[2,3] x) => (float[] y) <int64[2] n = {7,1}> { y = ReverseSequence<batch_axis=0, time_axis=1>(x, n) }",
        "Node 'y' (ReverseSequence) reverses 7 of 3 steps.",
    ),
    "slopes": (
        "(float[1,3,4,4] x) => (float[] y) <float[4,1,1] s> { y = PRelu(x, s) }",
        "Node 'y' (PRelu): its slope of shape [4, 1, 1] does not broadcast to [1, 3, 4, 4].",
    ),
    "third operand": (
        "(float[2,5] x) => (float[] y) <float[5,4] w, float[3] c> { y = Gemm(x, w, c) }",
        "Node 'y' (Gemm): its third operand of shape [3] does not broadcast to [2, 4].",
    ),
}


@pytest.mark.parametrize(("text", "message"), MISFITS.values(), ids=MISFITS)
def test_it_is_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(SourceError) as error:
        gluon2caffe.to_caffe(model(text, opset=21))
    assert str(error.value) == message


def test_what_fits_is_taken() -> None:
    for text in (
        "(float[1,8,4,4] x) => (float[] y) { y = DepthToSpace<blocksize=2>(x) }",
        "(float[1,3,8] x) => (float[] y) <float[1] s, float[3,8] b> { y = LayerNormalization<axis=1>(x, s, b) }",
        "(float[2,3] x) => (float[] y) <int64[2] n = {3,1}> { y = ReverseSequence<batch_axis=0, time_axis=1>(x, n) }",
    ):
        assert gluon2caffe.to_caffe(model(text, opset=21)).layers


def test_a_layer_that_cannot_stand_on_its_bottom_is_an_internal_error() -> None:
    reshape = LayerParameter(name="y", type="Reshape", bottom=["x"], top=["y"])
    reshape.reshape_param.shape.dim.extend([1, 7])
    made = CaffeModel(name="net", inputs={"x": (1, 6)}, layers=[Layer(reshape, [])], outputs={"y": "y"}, tensors={})
    with pytest.raises(InternalError, match=r"the fields of Reshape 'y' do not fit .1, 6.: another number of values"):
        require_recorded_shapes(made, {"y": (1, 7)})
