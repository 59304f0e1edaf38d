from pathlib import Path

import numpy as np
import onnx
import pytest

from gluon2caffe.bridge.verification.reference_onnx import intermediate_tensors, run_onnx
from gluon2caffe.bridge.verification.run_errors import ReferenceModelError

X = np.array([[1, -2, 3]], np.float32)


@pytest.fixture
def model() -> onnx.ModelProto:
    return onnx.parser.parse_model(
        """
        <ir_version: 8, opset_import: ["" : 13]>
        net (float[1, 3] x) => (float[1, 3] y)
        <float[1] two = {2.0}>
        {
            doubled = Mul(x, two)
            positive = Relu(doubled)
            y = Neg(positive)
        }
        """
    )


def test_outputs_alone(model: onnx.ModelProto) -> None:
    found = run_onnx(model, {"x": X})
    assert list(found) == ["y"]
    assert found["y"].tolist() == [[-2, 0, -6]]


def test_intermediate_tensors_on_request(model: onnx.ModelProto) -> None:
    before = model.SerializeToString()
    found = run_onnx(model, {"x": X}, ["positive", "y", "x", "doubled"])
    assert {name: values.tolist() for name, values in found.items()} == {
        "positive": [[2, 0, 6]],
        "y": [[-2, 0, -6]],
        "x": X.tolist(),
        "doubled": [[2, -4, 6]],
    }
    assert list(found) == ["positive", "y", "x", "doubled"]
    assert model.SerializeToString() == before
    assert intermediate_tensors(model) == ("doubled", "positive", "y")


def test_from_a_file(model: onnx.ModelProto, tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    onnx.save(model, file)
    assert run_onnx(file, {"x": X})["y"].tolist() == [[-2, 0, -6]]
    assert run_onnx(str(file), {"x": X}, ["doubled"])["doubled"].tolist() == [[2, -4, 6]]


def test_several_samples_are_run_one_by_one(model: onnx.ModelProto) -> None:
    assert run_onnx(model, {"x": np.concatenate([X, -X])})["y"].tolist() == [[-2, 0, -6], [0, -4, 0]]


def test_sizes_the_model_leaves_open_are_taken_from_the_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "N"
    assert run_onnx(model, {"x": np.concatenate([X, -X])})["y"].tolist() == [[-2, 0, -6], [0, -4, 0]]


def test_an_input_that_no_node_reads_may_be_left_out(model: onnx.ModelProto) -> None:
    model.graph.input.append(onnx.helper.make_tensor_value_info("unread", onnx.TensorProto.FLOAT, [2, 2]))
    assert run_onnx(model, {"x": X})["y"].tolist() == [[-2, 0, -6]]


def test_what_cannot_be_run_is_refused(model: onnx.ModelProto, tmp_path: Path) -> None:
    with pytest.raises(ReferenceModelError, match=r"input x has the shape \(1, 1, 3\), the net takes \(1, 3\)"):
        run_onnx(model, {"x": X[None]})
    with pytest.raises(ReferenceModelError, match="nowhere"):
        run_onnx(model, {"x": X}, ["nowhere"])
    with pytest.raises(ReferenceModelError, match=r"absent\.onnx"):
        run_onnx(tmp_path / "absent.onnx", {"x": X})


OTHER = """
    <ir_version: 8, opset_import: ["": 13]>
    net (KIND[1, 3] x) => (KIND[1, 3] y)
    <float[1] one = {1.0}, bool yes = {1}>
    {
        a = Mul(x, third)
        b = If(yes) <
            then_branch = taken () => (KIND[1, 3] t) { t = Add(a, half) },
            else_branch = other () => (KIND[1, 3] e) { e = Sub(a, half) }
        >
        c = Cast <to = 1> (b)
        d = Add(c, one)
        y = Cast <to = TYPE> (d)
    }
"""


@pytest.mark.parametrize(("kind", "number"), [("float16", 10), ("double", 11)])
def test_other_precisions_are_run_in_float32(kind: str, number: int, tmp_path: Path) -> None:
    source = onnx.parser.parse_model(OTHER.replace("KIND", kind).replace("TYPE", str(number)))
    dtype = onnx.helper.tensor_dtype_to_np_dtype(number)
    third, half = np.array([1 / 3], dtype), onnx.numpy_helper.from_array(np.array([0.5], dtype))
    source.graph.initializer.append(onnx.numpy_helper.from_array(third, "third"))
    source.graph.node.insert(0, onnx.helper.make_node("Constant", [], ["half"], value=half))
    expected = X * third.astype(np.float32) + np.float32(0.5) + np.float32(1)
    before = source.SerializeToString()
    onnx.save(source, tmp_path / "net.onnx")
    for model in (source, tmp_path / "net.onnx"):
        np.testing.assert_allclose(run_onnx(model, {"x": X})["y"], expected, rtol=1e-6)
        np.testing.assert_allclose(run_onnx(model, {"x": X}, ["c"])["c"], expected - 1, rtol=1e-6)
    assert source.SerializeToString() == before


def test_half_weights_between_casts_in_a_file_beside_the_model(tmp_path: Path) -> None:
    source = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["": 13]> net (float[1, 3] x) => (float[1, 4] y) {
            h = Cast <to = 10> (x)
            m = MatMul(h, w)
            y = Cast <to = 1> (m)
        }"""
    )
    w = np.random.default_rng(0).uniform(-1, 1, (3, 4)).astype(np.float16)
    source.graph.initializer.append(onnx.numpy_helper.from_array(w, "w"))
    file = tmp_path / "net.onnx"
    onnx.save(source, file, save_as_external_data=True, location="weights", size_threshold=0)
    x = np.array([[0.1, 0.2, 0.3]], np.float32)
    np.testing.assert_allclose(run_onnx(file, {"x": x})["y"], x @ w.astype(np.float32), rtol=1e-6)
