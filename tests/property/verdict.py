"""What becomes of an example: it agrees, it is refused, or it says nothing; anything else is a failure."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from agreement import LastingWorker, random_inputs, workers
from graphs import Example
from other_sizes import check_sizes

import gluon2caffe
from gluon2caffe.bridge.conversion import Conversion
from gluon2caffe.bridge.preprocessing import apply_preprocessing
from gluon2caffe.bridge.verification.reference_onnx import run_onnx
from gluon2caffe.bridge.verification.run_errors import ReferenceModelError
from gluon2caffe.onnx2caffe.errors import ConversionError, InternalError
from gluon2caffe.onnx2caffe.prototxt import read_net

TOLERANCE = 1e-4
Array = np.ndarray[Any, np.dtype[Any]]
Values = dict[str, Array]

AGREES, REFUSED = "agrees", "refused"
UNREAD, INVALID, ILL_CONDITIONED = "unread", "invalid", "ill-conditioned"


class WrongNumbersError(AssertionError):
    """A reader computes something else than the source."""


def verdict(example: Example) -> str:
    """Convert and compare.

    AGREES, REFUSED (with a ConversionError), INVALID (onnx or onnxruntime do not take the model, or it computes no
    finite numbers), UNREAD (no reader here has the layers), or ILL_CONDITIONED (readers differ, and so does the source
    when its input changes by 1e-6 of its size).

    Raises:
        WrongNumbersError: a reader disagrees, or cannot run the files.
        Exception: the converter raised something else than a ConversionError.

    """
    source = example.model
    try:
        onnx.checker.check_model(source, full_check=True)
        fed = random_inputs({info.name: _shape(info) for info in source.graph.input})
        reference = run_onnx(source, fed)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ReferenceModelError):
        return INVALID
    if any(reference[info.name].shape != _shape(info) for info in source.graph.output):
        # onnxruntime and onnx's shape inference disagree on what the operator means.
        return INVALID
    given = onnx.ModelProto()
    given.CopyFrom(source)
    try:
        converted = gluon2caffe.to_caffe(given, **example.options)
    except InternalError:
        raise
    except ConversionError:
        return REFUSED
    check_sizes(source, converted, example.options)
    expected = _expected(example, converted, fed)
    if not all(np.isfinite(values).all() and np.abs(values).max() < 1e6 for values in expected.values()):
        return INVALID
    try:
        ran = _compare(example, converted, fed, expected)
    except WrongNumbersError:
        if _ill_conditioned(example, converted, fed, expected):
            return ILL_CONDITIONED
        raise
    return AGREES if ran else UNREAD


def _shape(info: onnx.ValueInfoProto) -> tuple[int, ...]:
    return tuple(dim.dim_value for dim in info.type.tensor_type.shape.dim)


def _expected(example: Example, converted: Conversion, fed: Mapping[str, Array]) -> Values:
    """Output of the converted model -> what the source, with the preprocessing and softmax asked for, makes it."""
    raw = {name: apply_preprocessing(value, converted.preprocessing) for name, value in fed.items()}
    found = run_onnx(example.model, raw)
    if not example.options.get("softmax") or set(found) == set(converted.outputs):
        return found
    ((_, scores),) = found.items()
    powers = np.exp((scores - scores.max(axis=1, keepdims=True)).astype(np.float64))
    (name,) = converted.outputs
    return {name: powers / powers.sum(axis=1, keepdims=True)}


def _compare(example: Example, converted: Conversion, fed: Mapping[str, Array], expected: Values) -> bool:
    """Whether a reader ran the files."""
    with tempfile.TemporaryDirectory() as folder:
        prototxt, caffemodel = converted.save(Path(folder) / "net")
        target = example.options.get("target", "ssd")
        net = read_net(prototxt)
        needed = {layer.type for layer in net.layer}
        readers = readers_of(target)
        able = [worker for worker in readers if needed <= worker.layer_types()]
        if _computes_vectors(example.model):
            # OpenCV has no blobs of one axis, and its versions differ in what they make of them.
            able = [worker for worker in able if worker.name != "OpenCV"]
        for worker in able:
            try:
                inputs = {name: fed[name] for name in converted.inputs}
                found = worker.run(prototxt, caffemodel, inputs, list(converted.outputs.values()))
            except AssertionError as error:
                raise WrongNumbersError(str(error)) from None
            for output, values in expected.items():
                _same(f"{worker.name}, {output}", found[converted.outputs[output]], values, converted)
    return bool(able)


def _computes_vectors(model: onnx.ModelProto) -> bool:
    """Whether a tensor between the inputs and the outputs has one axis, or none."""
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph.value_info
    return any(info.type.tensor_type.HasField("shape") and len(_shape(info)) < 2 for info in inferred)


def readers_of(target: str) -> list[LastingWorker]:
    """The readers that files for `target` are meant for: for the default target, all; else OpenCV or the Caffes."""
    if target == "ssd":
        return list(workers())
    return [worker for worker in workers() if (worker.name == "OpenCV") == (target == "opencv")]


def _same(where: str, got: Array, wanted: Array, converted: Conversion) -> None:
    shape = wanted.shape or (1,)
    # OpenCV has no blobs of one axis: it gives them a second one of length 1.
    if got.shape != shape and not (len(shape) == 1 and got.shape == (*shape, 1)):
        raise WrongNumbersError(f"{where}: shape {got.shape} instead of {shape}\n{converted.prototxt()}")
    error = float(np.abs(got.reshape(wanted.shape).astype(np.float64) - wanted).max())
    largest = float(np.abs(wanted).max())
    if not error <= TOLERANCE * largest:
        raise WrongNumbersError(f"{where}: off by {error:.2e} of {largest:.2e}\n{converted.prototxt()}")


def _ill_conditioned(example: Example, converted: Conversion, fed: Mapping[str, Array], expected: Values) -> bool:
    """Whether the source itself moves by a third of the tolerance when its inputs move by 1e-6 of their largest."""
    rng = np.random.default_rng(1)
    for _ in range(3):
        moved = {
            name: (value + 1e-6 * np.abs(value).max() * rng.choice([-1.0, 1.0], value.shape)).astype(np.float32)
            for name, value in fed.items()
        }
        for name, values in _expected(example, converted, moved).items():
            change = float(np.abs(values.astype(np.float64) - expected[name]).max())
            if not change <= TOLERANCE / 3 * float(np.abs(expected[name]).max()):
                return True
    return any(float(np.abs(values).max()) < 1e-6 for values in expected.values())
