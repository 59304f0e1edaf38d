"""to_bgr, mean, std and softmax: the converted net fed raw input against the source fed (rgb(x) - mean) / std."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from agreement import agrees, layer_types, model, random_inputs

import gluon2caffe
from gluon2caffe import ConversionError
from gluon2caffe.bridge.verification.reference_onnx import run_onnx

BN = ", ".join(f"float[3] var{i}" for i in range(4))
NETS = {
    "unpadded convolution": "y = Conv<strides=[2,2]>(x, w, b)",
    "padded convolution": "y = Conv<pads=[1,1,1,1], strides=[2,2]>(x, w, b)",
    "without bias": "y = Conv(x, w)",
    "pad before the convolution": "a = Pad(x, p)\n y = Conv(a, w)",
    "auto_pad": 'y = Conv<auto_pad="SAME_UPPER">(x, w)',
    "depthwise": "y = Conv<group=3>(x, wd)",
    "batch norm first": "y = BatchNormalization(x, var0, var1, var2, var3)",
    "batch norm, convolution": "a = BatchNormalization(x, var0, var1, var2, var3)\n y = Conv<pads=[1,1,1,1]>(a, w)",
    "convolution and pooling": "a = Conv(x, w3)\n c = MaxPool<kernel_shape=[8,8]>(x)\n y = Mul(a, c)",
    "two convolutions": "a = Conv(x, w)\n c = Conv(x, w2)\n y = Sub(a, c)",
    "two with shared weights": "a = Conv(x, w)\n c = Conv<strides=[2,2]>(x, w)\n d = ReduceMean(c)\n y = Mul(a, d)",
    "shared with a later convolution": "a = Conv(x, w3)\n y = Conv(a, w3)",
    "padded and unpadded": "a = Conv<pads=[1,1,1,1]>(x, w)\n c = ReduceMean(a)\n d = Conv(x, w2)\n y = Mul(d, c)",
    "convolution, read twice": "a = Conv(x, w3)\n c = ReduceMean<axes=[2,3]>(x)\n y = Mul(a, c)",
}
WEIGHTS = (
    f"float[5,3,3,3] w, float[5,3,3,3] w2, float[3,3,3,3] w3, float[3,1,3,3] wd, float[5] b, {BN},"
    "int64[8] p={0,0,1,0,0,0,2,1}"
)
MEAN, STD = (123.7, 116.3, 103.5), (58.4, 57.1, 57.4)
OPTIONS: list[dict[str, Any]] = [
    {"to_bgr": True},
    {"mean": MEAN},
    {"std": STD},
    {"mean": MEAN, "std": STD},
    {"to_bgr": True, "mean": MEAN, "std": STD},
    {"to_bgr": True, "std": 255.0},
    {"mean": 127.5, "std": 127.5},
]


def _net(body: str, inputs: str = "float[1,3,8,8] x") -> Any:
    return model(f"({inputs}) => (float[] y) <{WEIGHTS}> {{ {body} }}")


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: " ".join(options))
@pytest.mark.parametrize("name", NETS)
def test_numbers(name: str, options: dict[str, Any]) -> None:
    source = _net(NETS[name])
    x = random_inputs({"x": (1, 3, 8, 8)}, span=(0.0, 255.0))["x"]
    rgb = x[:, ::-1] if options.get("to_bgr") else x
    mean, std = (np.reshape(options.get(key, default), (1, -1, 1, 1)) for key, default in (("mean", 0), ("std", 1)))
    fed = ((rgb.astype(np.float64) - mean) / std).astype(np.float32)
    converted = gluon2caffe.to_caffe(source, **options)
    agrees(converted, {"x": x}, run_onnx(source, {"x": fed}), 1e-4)


@pytest.mark.parametrize(
    ("name", "options", "layers"),
    [
        ("unpadded convolution", {"to_bgr": True, "mean": MEAN, "std": STD}, ["Convolution"]),
        ("padded convolution", {"to_bgr": True, "std": STD}, ["Convolution"]),
        *(
            pytest.param("padded convolution", options, ["Scale", "Convolution"])
            for options in ({"mean": MEAN, "std": STD}, {"to_bgr": True, "mean": MEAN, "std": STD})
        ),
        ("pad before the convolution", {"to_bgr": True}, ["Convolution"]),
        ("depthwise", {"to_bgr": True}, ["Convolution", "Convolution"]),
        ("two convolutions", {"to_bgr": True, "mean": MEAN}, ["Convolution", "Convolution", "Eltwise"]),
    ],
)
def test_where_it_goes(name: str, options: dict[str, Any], layers: list[str]) -> None:
    assert layer_types(gluon2caffe.to_caffe(_net(NETS[name]), **options)) == layers


def test_gray() -> None:
    source = model("(float[2,1,6,6] x) => (float[] y) <float[4,1,3,3] w> { y = Conv<pads=[1,1,1,1]>(x, w) }")
    x = random_inputs({"x": (2, 1, 6, 6)}, span=(0.0, 255.0))["x"]
    converted = gluon2caffe.to_caffe(source, mean=[33.0], std=[78.5])
    agrees(converted, {"x": x}, run_onnx(source, {"x": (x - 33) / np.float32(78.5)}), 1e-4)


def test_it_is_recorded() -> None:
    found = gluon2caffe.to_caffe(_net(NETS["without bias"]), to_bgr=True, mean=MEAN, std=2).preprocessing
    assert found is not None
    assert (found.to_bgr, found.mean, found.std) == (True, MEAN, (2.0,))
    assert gluon2caffe.to_caffe(_net(NETS["without bias"])).preprocessing is None


def test_the_callers_model_stays_as_it_is() -> None:
    source = _net(NETS["unpadded convolution"])
    before = source.SerializeToString()
    gluon2caffe.to_caffe(source, to_bgr=True, mean=MEAN, std=STD)
    assert source.SerializeToString() == before


@pytest.mark.parametrize(
    ("inputs", "options", "message"),
    [
        ("float[1,3,8,8] x", {"mean": (1.0, 2.0)}, "mean has 2 values; the input has 3 channels"),
        ("float[1,3,8,8] x", {"std": (1.0, 0.0, 1.0)}, "the net would divide by 0"),
        ("float[1,3,8,8] x", {"mean": float("nan")}, "mean=nan is not valid: expected finite numbers"),
        ("float[1,1,8,8] x", {"to_bgr": True}, "to_bgr needs an input of three channels; this one has 1"),
        ("float[1,3] x", {"mean": 1.0}, r"need an input \(N, C, H, W\); this one is \(1, 3\)"),
        ("float[1,3,8,8] x, float[1,3,8,8] z", {"mean": 1.0}, "need a net with one input; this one has 2"),
    ],
)
def test_refusals(inputs: str, options: dict[str, Any], message: str) -> None:
    body = "y = Add(x, z)" if " z" in inputs else "y = Relu(x)"
    with pytest.raises(ConversionError, match=message):
        gluon2caffe.to_caffe(model(f"({inputs}) => (float[] y) {{ {body} }}"), **options)


@pytest.mark.parametrize(("shape", "merge_bn"), list(product(["2,5", "2,5,3,3"], [True, False])))
def test_softmax(shape: str, merge_bn: bool) -> None:
    source = model(f"(float[{shape}] x) => (float[] y) {{ y = Tanh(x) }}")
    x = random_inputs({"x": tuple(map(int, shape.split(",")))})["x"]
    exponents = np.exp(np.tanh(x.astype(np.float64)))
    converted = gluon2caffe.to_caffe(source, softmax=True, merge_bn=merge_bn)
    assert list(converted.outputs) == ["softmax"]
    agrees(converted, {"x": x}, {"softmax": exponents / exponents.sum(axis=1, keepdims=True)})


def test_softmax_is_not_put_twice() -> None:
    source = model("(float[2,5] x) => (float[] y) { y = Softmax<axis=1>(x) }")
    assert layer_types(gluon2caffe.to_caffe(source, softmax=True)) == ["Softmax"]


def test_softmax_of_two_outputs_is_refused() -> None:
    source = model("(float[2,5] x) => (float[] y, float[] z) { y = Relu(x)\n z = Neg(x) }")
    with pytest.raises(ConversionError, match="softmax needs a net with one output; this one has y, z"):
        gluon2caffe.to_caffe(source, softmax=True)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: " ".join(options))
@pytest.mark.parametrize("name", ["padded convolution", "depthwise", "unpadded convolution"])
def test_it_is_done_twice_where_it_is_asked_for_twice(name: str, options: dict[str, Any]) -> None:
    """The intermediate has tensors called like those that are put in front of it."""
    source = _net(NETS[name])
    once = gluon2caffe.to_onnx(source, **options)
    x = random_inputs({"x": (1, 3, 8, 8)}, span=(0.0, 255.0))["x"]
    rgb = x[:, ::-1] if options.get("to_bgr") else x
    mean, std = (np.reshape(options.get(key, default), (1, -1, 1, 1)) for key, default in (("mean", 0), ("std", 1)))
    fed = ((rgb.astype(np.float64) - mean) / std).astype(np.float32)
    agrees(gluon2caffe.to_caffe(once, **options), {"x": x}, run_onnx(once, {"x": fed}), 1e-4)


@pytest.mark.parametrize("name", ["preprocessing", "preprocessing_scale", "rgb_from_bgr", "preprocessing/values"])
def test_the_source_may_have_tensors_of_the_names_put_in(name: str) -> None:
    source = _net("y = Tanh(x)".replace("y", "t") + "\n y = Neg(t)")
    for node in source.graph.node:
        node.input[:] = [name if tensor == "t" else tensor for tensor in node.input]
        node.output[:] = [name if tensor == "t" else tensor for tensor in node.output]
    x = random_inputs({"x": (1, 3, 8, 8)}, span=(0.0, 2.0))["x"]
    converted = gluon2caffe.to_caffe(source, mean=0.5, std=2.0, to_bgr=True)
    agrees(converted, {"x": x}, {"y": -np.tanh((x[:, ::-1].astype(np.float64) - 0.5) / 2)}, 1e-4)


def test_a_tensor_may_be_called_softmax() -> None:
    source = model("(float[2,5] x) => (float[] y) { softmax = Tanh(x)\n y = Neg(softmax) }")
    assert list(gluon2caffe.to_caffe(source, softmax=True).outputs) == ["softmax2"]
