"""Conversions that once gave other numbers without a word: each is exact now, or refused.

The marks are strict: one that a fix makes pass has to go.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from agreement import Case, check, layer_types, model, random_inputs
from onnx import TensorProto, helper, numpy_helper

import gluon2caffe
from gluon2caffe.bridge.verification.reference_onnx import run_onnx
from gluon2caffe.onnx2caffe.errors import ConversionError

ALL = frozenset({"every case"})


def _cases(cases: Mapping[str, Any], argument: str, still_wrong: Collection[str] = (), why: str = "") -> Any:
    """The decorator that runs a test for every case; those that are still wrong are expected to fail."""
    marks = [pytest.mark.xfail(strict=True, reason=why)]
    return pytest.mark.parametrize(
        argument,
        [
            pytest.param(case, id=name, marks=marks if still_wrong is ALL or name in still_wrong else [])
            for name, case in cases.items()
        ],
    )


# A constant of one number but more axes than what it meets raises the rank of the result.
RAISED_RANK = {
    "gemm, softmax over the middle axis": Case(
        "(float[2,4] x) => (float[] y) <float[5,4] w, float[5] b, float[1,1,1] var> {"
        " g = Gemm<transB=1>(x, w, b)\n m = Mul(g, var)\n y = Softmax<axis=1>(m) }"
    ),
    "gemm, sum": Case(
        "(float[2,4] x) => (float[] y) <float[5,4] w, float[5] b, float[1,1,1] var> {"
        " g = Gemm<transB=1>(x, w, b)\n m = Add(g, var)\n y = Softmax<axis=1>(m) }"
    ),
    "convolution": Case(
        "(float[1,3,5,5] x) => (float[] y) <float[4,3,3,3] w, float[1,1,1,1,1] var> {"
        " c = Conv(x, w)\n m = Mul(c, var)\n y = Softmax<axis=1>(m) }"
    ),
    "convolution over one axis": Case(
        "(float[1,3,6] x) => (float[] y) <float[4,3,3] w, float[1,1,1,1] var> {"
        " c = Conv(x, w)\n m = Mul(c, var)\n y = Softmax<axis=1>(m) }"
    ),
    "convolution, reduction behind": Case(
        "(float[1,3,6] x) => (float[] y) <float[4,3,3] w, float[1,1,1,1] var, int64[1] axes = {2}> {"
        " c = Conv(x, w)\n m = Mul(c, var)\n y = ReduceSum<keepdims=0>(m, axes) }"
    ),
    "transposed convolution": Case(
        "(float[1,3,4,4] x) => (float[] y) <float[3,2,2,2] w, float[1,1,1,1,1] var> {"
        " c = ConvTranspose(x, w)\n m = Div(c, var)\n y = Softmax<axis=2>(m) }"
    ),
    # What a pass takes out although it does nothing but this.
    "one times a tensor": Case(
        "(float[2,4] x) => (float[] y) <float[1,1,1] one = {1.0}> { m = Mul(x, one)\n y = Softmax<axis=1>(m) }"
    ),
    "a tensor plus zero": Case(
        "(float[2,4] x) => (float[] y) <float[1,1,1] zero = {0.0}> { m = Add(x, zero)\n y = Softmax<axis=1>(m) }"
    ),
    "batch normalization in front": Case(
        "(float[2,4] x) => (float[] y) <float[4] g, float[4] b, float[4] m, float[4] var, float[1,1,1] varc> {"
        " n = BatchNormalization(x, g, b, m, var)\n k = Mul(n, varc)\n y = Softmax<axis=1>(k) }"
    ),
}


@_cases(RAISED_RANK, "case")
def test_a_constant_of_more_axes_raises_the_rank(case: Case) -> None:
    case.check()


def _of(operator: str, x: tuple[int, ...], *weights: tuple[int, ...], **attributes: object) -> onnx.ModelProto:
    """One node with weights; its output's shape is left open, since these inputs do not fit."""
    rng = np.random.default_rng(0)
    constants = [
        numpy_helper.from_array(rng.uniform(0.5, 1, shape).astype(np.float32), f"w{index}")
        for index, shape in enumerate(weights)
    ]
    node = helper.make_node(operator, ["x", *(each.name for each in constants)], ["y"], name="node", **attributes)
    graph = helper.make_graph(
        [node],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [f"n{axis}" for axis in range(len(x))])],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


MISFITS = {
    "Conv": _of("Conv", (1, 6, 32, 32), (8, 3, 3, 3)),
    "Conv of groups": _of("Conv", (1, 6, 8, 8), (8, 2, 3, 3), group=2),
    "Conv, groups that do not divide": _of("Conv", (1, 6, 8, 8), (8, 3, 3, 3), group=3),
    "Conv, outputs that groups do not divide": _of("Conv", (1, 6, 8, 8), (9, 3, 3, 3), group=2),
    "Conv, bias": _of("Conv", (1, 3, 8, 8), (8, 3, 3, 3), (5,)),
    "Conv over one axis": _of("Conv", (1, 6, 32), (8, 3, 3)),
    "ConvTranspose": _of("ConvTranspose", (1, 6, 8, 8), (3, 8, 3, 3)),
    "ConvTranspose, bias": _of("ConvTranspose", (1, 3, 8, 8), (3, 8, 3, 3), (5,)),
    "BatchNormalization": _of("BatchNormalization", (1, 6, 8, 8), (3,), (3,), (3,), (3,)),
    "InstanceNormalization": _of("InstanceNormalization", (1, 6, 8, 8), (3,), (3,)),
    "PRelu": _of("PRelu", (1, 6, 8, 8), (3, 1, 1)),
}


@_cases(MISFITS, "source")
def test_channels_that_do_not_fit_are_refused(source: onnx.ModelProto) -> None:
    with pytest.raises(ConversionError, match="node"):
        gluon2caffe.to_caffe(source)


NHWC = {
    "Conv": _of("Conv", (1, 24, 24, 3), (8, 3, 3, 3)),
    "ConvTranspose": _of("ConvTranspose", (1, 24, 24, 3), (3, 8, 3, 3)),
    "BatchNormalization": _of("BatchNormalization", (1, 24, 24, 3), (3,), (3,), (3,), (3,)),
}


@_cases(NHWC, "source")
def test_where_the_last_axis_would_fit_the_message_suggests_nchw(source: onnx.ModelProto) -> None:
    with pytest.raises(ConversionError, match=r"axis 1.*NCHW"):
        gluon2caffe.to_caffe(source)


HALVES = "(float[1,6,4,4] x) => (float[] y) { r = Relu(x)\n y, z = Split<axis=1>(r) }"
SECOND = "(float[1,6,4,4] x) => (float[] z) { r = Relu(x)\n y, z = Split<axis=1>(r) }"
BOTH = "(float[1,6,4,4] x) => (float[] z, float[] y) { r = Relu(x)\n y, z = Split<axis=1>(r) }"
SLICED = (
    "(float[1,6,4,4] x) => (float[] y) <int64[1] s = {1}, int64[1] e = {3}, int64[1] a = {1}> {"
    " r = Relu(x)\n y = Slice(r, s, e, a) }"
)
MIDDLE = "(float[1,6,4,4] x) => (float[] y) { r = Relu(x)\n a, b = Split<axis=1>(r)\n c = Sigmoid(b)\n y = Neg(c) }"
FLOOR = "(float[1,2,6,6] x) => (float[] y) { y = MaxPool<kernel_shape=[3,3], strides=[2,2]>(x) }"
SHUFFLE = (
    "(float[1,8,3,3] x) => (float[] y) { a, b = Split<axis=1>(x)\n c, d = Split<axis=1>(b)\n y = Concat<axis=1>(a, c) }"
)
AS_USERS_READ = {
    "first half": HALVES,
    "second half": SECOND,
    "both halves": BOTH,
    "slice": SLICED,
    "half in the middle": MIDDLE,
    "floor pooling at the end": FLOOR,
    "pieces joined": SHUFFLE,
}


@contextmanager
def _opened(text: str, folder: Path) -> Iterator[tuple[cv2.dnn.Net, gluon2caffe.CaffeModel, dict[str, np.ndarray]]]:
    """The converted net as a user opens it in OpenCV, fed; and what its outputs have to be."""
    source = model(text)
    converted = gluon2caffe.to_caffe(source)
    prototxt, caffemodel = converted.save(folder / "net")
    fed = random_inputs(converted.inputs)
    net = cv2.dnn.readNetFromCaffe(str(prototxt), str(caffemodel))
    net.setInput(fed["x"])
    yield net, converted, run_onnx(source, fed)


@_cases(AS_USERS_READ, "text")
def test_opencv_gives_the_outputs_by_every_name_that_users_know(text: str, tmp_path: Path) -> None:
    with _opened(text, tmp_path) as (net, converted, expected):
        loose = net.getUnconnectedOutLayersNames()
        assert sorted(loose) == sorted(converted.outputs.values()), "the unconnected layers are the outputs"
        for output, values in expected.items():
            np.testing.assert_allclose(net.forward(converted.outputs[output]), values, atol=1e-5)
        if len(expected) == 1:
            np.testing.assert_allclose(net.forward(), next(iter(expected.values())), atol=1e-5)
        found = dict(zip(loose, net.forward(loose), strict=True))
        for output, values in expected.items():
            np.testing.assert_allclose(found[converted.outputs[output]], values, atol=1e-5)


@_cases(AS_USERS_READ, "text")
def test_an_output_is_a_layer_of_its_own_and_no_silence_is_last(text: str) -> None:
    converted = gluon2caffe.to_caffe(model(text))
    outputs = set(converted.outputs.values())
    writers = {top: layer.message for layer in converted.layers for top in layer.message.top}
    for blob in outputs:
        assert (writers[blob].name, list(writers[blob].top)) == (blob, [blob])
    assert layer_types(converted)[-1] != "Silence"
    assert converted.layers[-1].message.top[0] in outputs


# Neg's blob is read by the sum behind it, through Flatten and Reshape, which share its memory: a Relu that overwrote
# what Flatten makes would change it.
IN_PLACE_BESIDE_ALIASES = {
    "flatten": (
        "(float[2,3,4,5] x) => (float[] z) <int64[4] s = {2,3,4,5}> {"
        " a = Neg(x)\n b = Flatten(a)\n c = Relu(b)\n d = Reshape(c, s)\n z = Add(a, d) }"
    ),
    "reshape": (
        "(float[2,3,4,5] x) => (float[] z) <int64[3] t = {2,12,5}, int64[4] s = {2,3,4,5}> {"
        " a = Neg(x)\n b = Reshape(a, t)\n c = Sigmoid(b)\n d = Reshape(c, s)\n z = Add(a, d) }"
    ),
}


@_cases(IN_PLACE_BESIDE_ALIASES, "text")
def test_no_layer_overwrites_a_blob_that_shares_memory_with_another(text: str) -> None:
    converted = check(model(text))
    overwriting = [
        layer.message.name for layer in converted.layers if layer.message.bottom[:1] == layer.message.top[:1]
    ]
    assert overwriting == []
