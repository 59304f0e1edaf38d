"""The backend interface itself: what it returns, and that a refusal is one."""

import numpy as np
import onnx
import onnx.backend.base
import pytest

from gluon2caffe.onnx2caffe.errors import UnsupportedModelError
from tests.agreement import model
from tests.conformance import backend
from tests.conformance.exclusions import reason_of

X = np.array([[-1.5, 0.0, 2.25]], np.float32)


def test_it_is_a_backend() -> None:
    assert issubclass(backend.CaffeBackend, onnx.backend.base.Backend)
    assert backend.supports_device("CPU")
    assert not backend.supports_device("CUDA:0")


def test_run_model_gives_the_outputs_in_order_and_by_name() -> None:
    made = model("(float[1,3] x) => (float[] low, float[] high) { low = Neg(x) high = Relu(x) }")
    found = backend.run_model(made, [X])
    assert found.low.tolist() == [[1.5, 0.0, -2.25]]
    assert found[1].tolist() == [[0.0, 0.0, 2.25]]


def test_a_prepared_model_runs_again_with_other_inputs() -> None:
    prepared = backend.prepare(model("(float[1,3] x) => (float[] y) { y = Abs(x) }"))
    assert prepared.run([X])[0].tolist() == [[1.5, 0.0, 2.25]]
    assert prepared.run([X - 1])[0].tolist() == [[2.5, 1.0, 1.25]]


def test_run_node_with_an_input_as_weights() -> None:
    node = onnx.helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)
    found = backend.run_node(node, [X, np.array([[1, 2, 4], [0, 0, -1]], np.float32)], constants=["w"])
    assert found.y.tolist() == [[7.5, -2.25]]


def test_a_refusal_is_a_conversion_error() -> None:
    node = onnx.helper.make_node("Tan", ["x"], ["y"])
    with pytest.raises(UnsupportedModelError, match=r"Tan 'y' .*no exact translation") as refused:
        backend.run_node(node, [X])
    reason = "trigonometry: no stock layer computes or rounds"
    assert reason_of("node/sin", str(refused.value)) == reason
    assert reason_of("node/sin", "some other text") is None


def test_another_device_is_an_error() -> None:
    with pytest.raises(ValueError, match="device is 'CUDA'; the readers run on the CPU"):
        backend.prepare(model("(float[1,3] x) => (float[] y) { y = Abs(x) }"), "CUDA")
