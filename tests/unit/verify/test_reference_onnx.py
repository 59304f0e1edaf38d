from pathlib import Path

import numpy as np
import onnx
import pytest

from bridge.verification.errors import ReferenceModelError
from bridge.verification.reference_onnx import intermediate_tensors, run_onnx

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


def test_what_cannot_be_run_is_refused(model: onnx.ModelProto, tmp_path: Path) -> None:
    with pytest.raises(ReferenceModelError, match=r"input x has the shape \(1, 2\), the net takes \(1, 3\)"):
        run_onnx(model, {"x": X[:, :2]})
    with pytest.raises(ReferenceModelError, match="nowhere"):
        run_onnx(model, {"x": X}, ["nowhere"])
    with pytest.raises(ReferenceModelError, match=r"absent\.onnx"):
        run_onnx(tmp_path / "absent.onnx", {"x": X})
