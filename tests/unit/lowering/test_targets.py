"""What each target takes is data: no file holds a layer or a field that its target does not know."""

import importlib
from pathlib import Path

import pytest
from agreement import Case, layer_types, model

import gluon2caffe
from gluon2caffe import UnsupportedModelError
from gluon2caffe.onnx2caffe.caffe_pb2 import LayerParameter
from gluon2caffe.onnx2caffe.targets import PROFILES, Fault, Limits, Profile, Quirk
from gluon2caffe.onnx2caffe.targets.check import require_accepted
from gluon2caffe.onnx2caffe.unsupported import UnsupportedNodeError

MODULES = sorted(path.stem for path in Path(__file__).parent.glob("test_lower_*.py"))
X = "float[1,4,6,6] x"


def test_names() -> None:
    assert list(PROFILES) == [
        "ssd",
        "bvlc",
        "opencv",
        "ncnn",
        "mnn",
        "openvino",
        "sophgo",
        "rockchip",
        "tensorrt",
        "nnie",
    ]
    assert all(name == profile.name and profile.sources for name, profile in PROFILES.items())


def test_the_default_output_stays_with_layers_that_bvlc_and_opencv_have_too() -> None:
    ssd = PROFILES["ssd"].layers
    assert ssd - PROFILES["bvlc"].layers == {"DetectionOutput", "Normalize", "Permute", "PriorBox"}
    assert ssd - PROFILES["opencv"].layers == {"BatchReindex", "Embed", "Im2col", "SPP", "Threshold"}


@pytest.mark.parametrize("target", ["bvlc", "opencv"])
@pytest.mark.parametrize("name", MODULES)
def test_what_is_lowered_another_way_agrees(name: str, target: str) -> None:
    """Run every case whose layers are not those of the default target; the others have run already."""
    for case in importlib.import_module(name).CASES.values():
        if "relu6" in case.options or case.options.get("target"):
            continue
        options = {**case.options, "target": target}
        if _text(case, options) != _text(case, case.options):
            Case(case.text, case.opset, case.constants, case.span, case.tolerance, options).check()


def _text(case: Case, options: dict[str, object]) -> str:
    return gluon2caffe.to_caffe(case.model(), **options).prototxt()


# What strict targets get instead of the default layers is Caffe too, so that its values can be checked.
ELSEWHERE = {
    "nearest resize": f"({X}) => (float[] y) <float[0] r, float[4] s={{1,1,1.5,0.5}}> {{ y = Resize(x, r, s) }}",
    "average without the pads": f"({X}) => (float[] y) {{ y = AveragePool<kernel_shape=[3,3], pads=[1,1,1,1]>(x) }}",
    "channel attention": f"({X}, float[1,4,1,1] z) => (float[] y) {{ y = Mul(x, z) }}",
    "difference": f"({X}, {X[:-1]}z) => (float[] y) {{ y = Sub(x, z) }}",
    "sum of three": f"({X}, {X[:-1]}z, {X[:-1]}w) => (float[] y) {{ y = Sum(x, z, w) }}",
    "constants along rows": f"({X}) => (float[] y) <float[6,1] c> {{ a = Mul(x, c)\n y = Add(a, c) }}",
    "clip": f"({X}) => (float[] y) <float a={{-1.0}}, float b={{2.0}}> {{ y = Clip(x, a, b) }}",
    "pieces": f"({X}) => (float[] y) {{ a, b = Split<axis=1>(x)\n c = Relu(b)\n y = Add(a, c) }}",
    "square": f"({X}) => (float[] y) <float p={{2.0}}> {{ y = Pow(x, p) }}",
    "sum over rows": f"({X}) => (float[] y) {{ y = ReduceSum<keepdims=1>(x) }}",
    "softmax after flattening": f"({X}) => (float[] y) {{ a = Flatten(x)\n y = Softmax(a) }}",
    "mean of two": f"({X}, {X[:-1]}z) => (float[] y) {{ y = Mean(x, z) }}",
    "transpose in groups": f"({X}) => (float[] y) <float[4,3,3,3] w> {{ y = ConvTranspose<group=2>(x, w) }}",
    "unequal dilation": f"({X}) => (float[] y) <float[2,4,2,2] w> {{ y = Conv<dilations=[1,2]>(x, w) }}",
    "one slope": f"({X}) => (float[] y) <float[1] s> {{ y = PRelu(x, s) }}",
    "last window in the padding": "(float[1,2,3,3] x) => (float[] y)"
    " { y = MaxPool<kernel_shape=[2,2], strides=[2,2], pads=[1,1,0,0]>(x) }",
    "window of the whole map": "(float[1,2,3,3] x) => (float[] y)"
    " { y = MaxPool<kernel_shape=[3,3], pads=[1,1,1,1]>(x) }",
    "a vector of each sample": "(float[1,4,3] x) => (float[] y) <float[1] c> { y = Mul(x, c) }",
    "relu6": f"({X}) => (float[] y) <float a={{0.0}}, float b={{6.0}}> {{ y = Clip(x, a, b) }}",
    "magnitude": f"({X}) => (float[] y) {{ y = Abs(x) }}",
}


@pytest.mark.parametrize("target", ["ncnn", "mnn", "openvino", "sophgo", "rockchip", "tensorrt", "nnie"])
@pytest.mark.parametrize("name", ELSEWHERE)
def test_strict_targets(name: str, target: str) -> None:
    if name == "average without the pads" and target == "ncnn":
        pytest.skip("ncnn computes what Caffe does not: tests/quirks runs it there")
    converted = Case(ELSEWHERE[name], options={"target": target}).check()
    assert set(layer_types(converted)) <= PROFILES[target].layers


@pytest.mark.parametrize(
    ("target", "text", "layers"),
    [
        ("tensorrt", ELSEWHERE["difference"], ["Power", "Eltwise"]),
        ("ssd", ELSEWHERE["difference"], ["Eltwise"]),
        ("tensorrt", ELSEWHERE["sum of three"], ["Eltwise", "Eltwise"]),
        ("mnn", ELSEWHERE["square"], ["Eltwise"]),
        ("nnie", ELSEWHERE["magnitude"], ["ReLU"]),
        ("opencv", ELSEWHERE["relu6"], ["ReLU6"]),
        ("ssd", ELSEWHERE["relu6"], ["Power", "ReLU", "ReLU", "Eltwise"]),
        ("ncnn", ELSEWHERE["average without the pads"], ["Pooling"]),
        ("mnn", ELSEWHERE["difference"], ["Eltwise"]),
        ("mnn", ELSEWHERE["mean of two"], ["Scale", "Scale", "Eltwise"]),
        ("sophgo", ELSEWHERE["difference"], ["Scale", "Eltwise"]),
        ("sophgo", ELSEWHERE["transpose in groups"], ["Slice", "Deconvolution", "Deconvolution", "Concat"]),
        ("mnn", ELSEWHERE["unequal dilation"], ["Convolution"]),
        ("tensorrt", ELSEWHERE["softmax after flattening"], ["Reshape", "Softmax"]),
        ("ncnn", f"({X}) => (float[] y) {{ s = Sigmoid(x)\n y = Mul(x, s) }}", ["Swish"]),
        ("ssd", f"({X}) => (float[] y) {{ s = Sigmoid(x)\n y = Mul(x, s) }}", ["Sigmoid", "Eltwise"]),
        ("opencv", f"({X}) => (float[] y) {{ s = Softplus(x)\n t = Tanh(s)\n y = Mul(t, x) }}", ["Mish"]),
    ],
)
def test_layers_by_target(target: str, text: str, layers: list[str]) -> None:
    assert layer_types(gluon2caffe.to_caffe(model(text), target=target)) == layers


@pytest.mark.parametrize(
    ("target", "text", "reason"),
    [
        ("mnn", f"({X}) => (float[] y) {{ y = Exp(x) }}", "the target 'mnn' has no Exp layer"),
        (
            "mnn",
            f"({X}) => (float[] y) {{ y = Sqrt(x) }}",
            "the target 'mnn' has no Power layer, and no other gives the",
        ),
        ("ncnn", "(float[2,4,5,3,2] x) => (float[] y) { y = Relu(x) }", "has blobs of at most 4 axes, not of 5"),
        (
            "tensorrt",
            "(float[2,4] x) => (float[] y) { y = Transpose(x) }",
            "cannot work on the batch axis in its Permute",
        ),
        (
            "nnie",
            "(float[1,1,300,4] x) => (float[] y) { y = MaxPool<kernel_shape=[256,1]>(x) }",
            "has kernels of at most 255, not of 256",
        ),
    ],
)
def test_refusals(target: str, text: str, reason: str) -> None:
    with pytest.raises(UnsupportedModelError, match=reason):
        gluon2caffe.to_caffe(model(text), target=target)


def _layer(kind: str, **params: object) -> LayerParameter:
    return LayerParameter(name="one", type=kind, **params)


@pytest.mark.parametrize(
    ("limits", "layer", "bottoms", "top", "reason"),
    [
        (Limits(axes=4), _layer("ReLU"), [(1, 2, 3, 4, 5)], (1, 2, 3, 4, 5), "blobs of at most 4 axes, not of 5"),
        (
            Limits(batch_axis=False),
            _layer("Reshape", reshape_param={"shape": {"dim": [6, 2]}}),
            [(2, 6)],
            (6, 2),
            r"cannot reshape \(2, 6\) to \(6, 2\)",
        ),
        (
            Limits(permute_ranks=frozenset({4})),
            _layer("Permute", permute_param={"order": [0, 2, 1]}),
            [(1, 2, 3)],
            (1, 3, 2),
            "permutes blobs of 4 axes only",
        ),
        (
            Limits(inner_product_axes=False),
            _layer("InnerProduct", inner_product_param={"axis": 2}),
            [(1, 2, 3)],
            (1, 2, 4),
            "not from 2",
        ),
        (
            Limits(scale_axes=False),
            _layer("Scale", scale_param={"axis": 2}),
            [(1, 2, 3)],
            (1, 2, 3),
            "per channel only",
        ),
        (
            Limits(scale_bottoms="channels"),
            _layer("Scale", scale_param={"axis": 2}),
            [(1, 2, 3), (3,)],
            (1, 2, 3),
            r"cannot multiply \(1, 2, 3\) by \(3,\)",
        ),
        (
            Limits(scale_ranks=frozenset({2, 4})),
            _layer("Scale", scale_param={"axis": 1}),
            [(1, 2, 3)],
            (1, 2, 3),
            r"scales blobs of 2 or 4 axes only, not \(1, 2, 3\)",
        ),
        (
            Limits(eltwise_bottoms=2),
            _layer("Eltwise"),
            [(1, 2)] * 3,
            (1, 2),
            "takes 2 blobs in an Eltwise layer, not 3",
        ),
        (
            Limits(equal_dilation=True),
            _layer("Convolution", convolution_param={"kernel_size": [3], "dilation": [1, 2]}),
            [(1, 2, 9, 9)],
            (1, 2, 7, 5),
            r"one dilation for both axes, not \[1, 2\]",
        ),
        (
            Limits(stride=2),
            _layer("Pooling", pooling_param={"kernel_size": 3, "stride": 3}),
            [(1, 2, 9, 9)],
            (1, 2, 3, 3),
            "strides of at most 2, not of 3",
        ),
    ],
)
def test_limits(
    limits: Limits, layer: LayerParameter, bottoms: list[tuple[int, ...]], top: tuple[int, ...], reason: str
) -> None:
    free, bound = (Profile("t", "T", frozenset({layer.type}), ("a test",), limits=each) for each in (Limits(), limits))
    require_accepted(free, layer, bottoms, [top])
    with pytest.raises(UnsupportedNodeError, match=reason):
        require_accepted(bound, layer, bottoms, [top])


def test_fields_a_target_does_not_know_are_refused() -> None:
    layer = _layer("Swish", swish_param={"beta": 2.0})
    with pytest.raises(UnsupportedNodeError, match="the target 'ncnn' has no field 'beta' in its Swish layer"):
        require_accepted(PROFILES["ncnn"], layer, [(1, 2)], [(1, 2)])


@pytest.mark.parametrize(
    ("fault", "coefficients", "reason"),
    [
        (Fault.ELTWISE_COEFFICIENTS, [1, -1], "ignores Eltwise coefficients"),
        (
            Fault.ELTWISE_COEFFICIENTS_OF_MANY,
            [0.5, 0.5],
            r"coefficients but 1 and -1, not \[0.5, 0.5\]",
        ),
    ],
)
def test_layers_that_a_reader_gets_wrong_are_refused(fault: Fault, coefficients: list[float], reason: str) -> None:
    layer = _layer("Eltwise", eltwise_param={"coeff": coefficients})
    quirks = (Quirk(fault, "a reader", "1", "a test"),)
    free, bound = (Profile("t", "T", frozenset({"Eltwise"}), ("a test",), quirks=each) for each in ((), quirks))
    require_accepted(free, layer, [(1, 2)] * 2, [(1, 2)])
    with pytest.raises(UnsupportedNodeError, match=reason):
        require_accepted(bound, layer, [(1, 2)] * 2, [(1, 2)])
