"""to_caffe and to_onnx on ONNX sources: cutting, input shapes, and what is refused before any work."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from agreement import agrees, check, layer_types, model, random_inputs

import gluon2caffe
from gluon2caffe import ConversionError, SourceError
from gluon2caffe.bridge.verification.reference_onnx import run_onnx

TEXT = """(float[1,3,8,8] data) => (float[] scores) <float[4,3,3,3] w, float[10,4] m, float[4] var0, float[4] var1,
    float[4] var2, float[4] var3> {
    stage1_conv = Conv(data, w)
    stage1_norm = BatchNormalization(stage1_conv, var0, var1, var2, var3)
    stage1_relu = Relu(stage1_norm)
    pool = GlobalAveragePool(stage1_relu)
    flat = Flatten(pool)
    scores = Gemm<transB=1>(flat, m)
}"""
BRANCH = "(float[1,4] x, float[1,4] z) => (float[] y) { a = Relu(x)\n b = Neg(z)\n y = Add(a, b) }"


@pytest.mark.parametrize(
    ("outputs", "layers"),
    [
        (["stage1_relu"], ["Convolution", "ReLU"]),
        (["stage1_conv"], ["Convolution"]),
        (["pool", "stage1_relu"], ["Convolution", "ReLU", "Pooling"]),
        (["scores", "stage1_norm"], ["Convolution", "ReLU", "Pooling", "InnerProduct"]),
    ],
)
def test_cut(outputs: list[str], layers: list[str]) -> None:
    converted = check(model(TEXT), outputs=outputs, tolerance=1e-4)
    assert list(converted.outputs) == outputs
    assert [kind for kind in layer_types(converted) if kind != "Power"] == layers


def test_cut_between_a_convolution_and_its_batch_norm_keeps_both() -> None:
    converted = check(model(TEXT), outputs=["stage1_conv", "stage1_norm"], tolerance=1e-4)
    assert layer_types(converted)[:2] == ["Convolution", "Scale"]


def test_cut_drops_inputs_that_are_no_longer_read() -> None:
    assert list(check(model(BRANCH), outputs=["b"]).inputs) == ["z"]


def test_cut_takes_mxnets_ending() -> None:
    assert list(gluon2caffe.to_caffe(model(TEXT), outputs=["pool_output"]).outputs) == ["pool"]


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (
            ["stage1_rleu"],
            "There is no tensor 'stage1_rleu' to cut at. Near names: stage1_relu, stage1_norm, stage1_conv.",
        ),
        (["quux"], "There is no tensor 'quux' to cut at. Near names: scores."),
        ([], "outputs=[] is not valid: expected names of tensors, such as ['fc1']."),
    ],
)
def test_cut_at_what_is_not_there(outputs: list[str], message: str) -> None:
    with pytest.raises(ConversionError) as error:
        gluon2caffe.to_caffe(model(TEXT), outputs=outputs)
    assert str(error.value) == message


@pytest.mark.parametrize("shape", [(3, 3, 8, 8), {"data": (2, 3, 8, 8)}])
def test_another_batch_size(shape: Any) -> None:
    converted = gluon2caffe.to_caffe(model(TEXT), shape)
    assert converted.inputs["data"] == (shape["data"] if isinstance(shape, dict) else shape)


def test_open_sizes_are_taken_from_input_shape() -> None:
    source = model(TEXT)
    for axis, name in ((0, "n"), (2, "h"), (3, "w")):
        source.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
    with pytest.raises(SourceError, match=r"Input 'data' has dynamic dimensions .* give its shape"):
        gluon2caffe.to_caffe(source)
    x = random_inputs({"data": (2, 3, 10, 12)})
    converted = gluon2caffe.to_caffe(source, (2, 3, 10, 12))
    assert converted.inputs == {"data": (2, 3, 10, 12)}
    del source.graph.output[0].type.tensor_type.shape.dim[:]
    source.graph.output[0].type.tensor_type.shape.dim.add(dim_param="n")
    source.graph.output[0].type.tensor_type.shape.dim.add(dim_value=10)
    agrees(converted, x, run_onnx(source, x), 1e-4)


@pytest.mark.parametrize(
    ("declared", "example"),
    [
        (["n", 3, 32, 32], (1, 3, 32, 32)),
        (["n", 3, "h", "w"], (1, 3, 224, 224)),
        (["n", "h", "w", 3], (1, 224, 224, 3)),
        (["n", 7], (1, 7)),
    ],
)
def test_a_shape_that_could_be_meant(declared: list[int | str], example: tuple[int, ...]) -> None:
    shape = ",".join(map(str, declared))
    source = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["": 13]> net (float[{shape}] x) => (float[{shape}] y) {{ y = Relu(x) }}'
    )
    with pytest.raises(SourceError) as error:
        gluon2caffe.to_caffe(source)
    assert str(error.value).endswith(f"give its shape, as in input_shape={{'x': {example}}}.")


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 4, 8, 8), "its weights are for 3 channels, but axis 1 of its input .1, 4, 8, 8. has 4"),
        ((1, 3, 8), r"Input 'data' has shape \[1, 3, 8, 8\]; \[1, 3, 8\] does not fit it, expected 4 lengths"),
        ((1, 3, 0, 8), "is not valid: expected positive integers"),
        ((1, 3, 8.5, 8), "is not valid: expected positive integers"),
        ({"image": (1, 3, 8, 8)}, "The model has no input image; its inputs are data"),
    ],
)
def test_wrong_shapes(shape: Any, message: str) -> None:
    with pytest.raises(ConversionError, match=message):
        gluon2caffe.to_caffe(model(TEXT), shape)


def test_a_shape_for_two_inputs_is_asked_for_by_name() -> None:
    with pytest.raises(SourceError, match="The model has the inputs x, z: give a shape for each of them by name"):
        gluon2caffe.to_caffe(model(BRANCH), (1, 4))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite(value: float) -> None:
    weight = np.ones((4, 3, 3, 3), np.float32)
    weight[2, 1, 0, 0] = value
    source = model(TEXT, w=weight)
    with pytest.raises(SourceError, match="The weights of 'w' contain NaN or infinity"):
        gluon2caffe.to_caffe(source)
    converted = gluon2caffe.to_caffe(source, allow_non_finite=True)
    assert not np.isfinite(converted.layers[0].blobs[0][2, 1, 0, 0])


@pytest.mark.parametrize(
    ("node", "value", "taken"),
    [
        ("y = Add(x, k)", -np.inf, True),
        ("y = Add(x, k)", np.inf, False),
        ("y = Add(x, k)", np.nan, False),
        ("y = Mul(x, k)", -np.inf, False),
        ("a = Add(x, k)\n y = Mul(a, k)", -np.inf, False),
        ("y = Clip(x, l, m)", np.inf, True),
    ],
)
def test_infinities_that_mask_or_bound(node: str, value: float, taken: bool) -> None:
    source = model(
        f"(float[1,3] x) => (float[] y) <float[3] k, float l={{-1.0}}, float m> {{ {node} }}",
        k=[0, value, 0],
        m=abs(value),
    )
    if taken:
        gluon2caffe.to_caffe(source)
    else:
        with pytest.raises(SourceError, match="The weights of 'k' contain NaN or infinity"):
            gluon2caffe.to_caffe(source)


def test_weights_in_half_and_double_precision() -> None:
    for dtype in (np.float16, np.float64):
        source = model("(float[1,3,4,4] x) => (float[] y) <float[2,3,1,1] w> { y = Conv(x, w) }")
        values = onnx.numpy_helper.to_array(source.graph.initializer[0]).astype(dtype)
        source.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(values, "w"))
        (blob,) = gluon2caffe.to_caffe(source).layers[0].blobs
        assert blob.dtype == np.float32
        assert np.array_equal(blob, values.astype(np.float32))


@pytest.mark.parametrize("length", [0, 1, 40, 400])
def test_a_file_cut_off(tmp_path: Path, length: int) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(model(TEXT).SerializeToString()[:length])
    with pytest.raises(SourceError, match=r"net.onnx"):
        gluon2caffe.to_caffe(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"There is no file .*absent.onnx"):
        gluon2caffe.to_caffe(str(tmp_path / "absent.onnx"))


@pytest.mark.parametrize("source", [None, 3, ["a", "b", "c"], object()])
def test_a_source_of_another_kind(source: Any) -> None:
    with pytest.raises(SourceError, match=r"A source must be a Gluon HybridBlock, a pair .*, not"):
        gluon2caffe.to_caffe(source)


def test_the_intermediate_is_a_valid_model_with_the_same_numbers(tmp_path: Path) -> None:
    source = model(TEXT)
    intermediate = gluon2caffe.to_onnx(source, to_bgr=True, mean=(1.0, 2.0, 3.0))
    onnx.checker.check_model(intermediate, full_check=True)
    assert [node.op_type for node in intermediate.graph.node] == [
        "Conv",
        "Relu",
        "GlobalAveragePool",
        "Flatten",
        "Gemm",
    ]
    assert [node.name for node in intermediate.graph.node][:2] == ["stage1_norm", "stage1_relu"]
    properties = {item.key: item.value for item in intermediate.metadata_props}
    assert json.loads(properties["preprocessing"]) == {"to_bgr": True, "mean": [1.0, 2.0, 3.0], "std": None}
    assert properties["input_layout"] == "NCHW"
    x = random_inputs({"data": (1, 3, 8, 8)})["data"]
    fed = x[:, ::-1] - np.reshape([1.0, 2.0, 3.0], (1, 3, 1, 1)).astype(np.float32)
    expected = run_onnx(source, {"data": fed})["scores"]
    np.testing.assert_allclose(run_onnx(intermediate, {"data": x})["scores"], expected, rtol=1e-4, atol=1e-5)
    onnx.save(intermediate, tmp_path / "net.onnx")
    assert layer_types(check(onnx.load(tmp_path / "net.onnx"), tolerance=1e-4)) == layer_types(
        gluon2caffe.to_caffe(source, to_bgr=True, mean=(1.0, 2.0, 3.0))
    )
