"""Does a Caffe model compute what its ONNX source computes? Asked of every reader that is installed.

`model` writes a small ONNX model as text; `check` converts it, runs it in onnxruntime and on the readers, and compares.
"""

import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnx.parser
import pytest

import gluon2caffe
from gluon2caffe.bridge.conversion import Conversion
from gluon2caffe.bridge.preprocessing import apply_preprocessing
from gluon2caffe.bridge.verification.readers import KINDS, SSD_LAYERS, OpenCVReader, Session, installed_readers
from gluon2caffe.bridge.verification.readers.environment import READERS_VARIABLE, readers_folder
from gluon2caffe.bridge.verification.readers.process import WorkerProcess
from gluon2caffe.bridge.verification.readers.reader import WorkerReader
from gluon2caffe.bridge.verification.reference_onnx import run_onnx
from gluon2caffe.bridge.verification.run_errors import ReaderError
from gluon2caffe.onnx2caffe.prototxt import read_net
from gluon2caffe.onnx2caffe.shapes import net_shapes
from gluon2caffe.onnx2caffe.targets import PROFILES

READERS_OF_THE_USER = readers_folder()
SINGLE_OPERATOR = 1e-5
WHOLE_NET = 1e-4


def model(text: str, *, opset: int = 13, seed: int = 0, **constants: Any) -> onnx.ModelProto:
    """An ONNX model from onnx's text form, without its header: ``(float[1,3] x) => (float[] y) <...> { y = Relu(x) }``.

    A tensor declared in ``<...>`` that no node makes becomes a weight: `constants` give its values; otherwise it is
    random, positive where its name begins with ``var``.
    """
    made = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": {opset}]> net {text.replace("<>", "")}')
    rng = np.random.default_rng(seed)
    computed = {name for node in made.graph.node for name in node.output}
    for info in list(made.graph.value_info):
        if info.name in computed:
            continue
        shape = [dim.dim_value for dim in info.type.tensor_type.shape.dim]
        low, high = (0.5, 2.0) if info.name.startswith("var") else (-1.0, 1.0)
        values = np.asarray(constants.pop(info.name, rng.uniform(low, high, shape)))
        dtype = onnx.helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)
        made.graph.initializer.append(onnx.numpy_helper.from_array(values.astype(dtype).reshape(shape), info.name))
        made.graph.value_info.remove(info)
    assert not constants, f"the text declares no {', '.join(constants)}"
    # The text leaves the shapes of outputs open (float[] y); a valid model has them.
    inferred = onnx.shape_inference.infer_shapes(made, check_type=True, strict_mode=True, data_prop=True)
    for output, info in zip(made.graph.output, inferred.graph.output, strict=True):
        output.CopyFrom(info)
    return made


@dataclass(frozen=True)
class Case:
    """A model as text and how to check it; tests keep theirs in a table called CASES."""

    text: str
    opset: int = 13
    constants: Mapping[str, Any] = field(default_factory=dict)
    span: tuple[float, float] = (-3.0, 3.0)
    tolerance: float = SINGLE_OPERATOR
    options: Mapping[str, Any] = field(default_factory=dict)

    def model(self) -> onnx.ModelProto:
        """The ONNX model."""
        return model(self.text, opset=self.opset, **self.constants)

    def check(self) -> Conversion:
        """See `check` below."""
        return check(self.model(), span=self.span, tolerance=self.tolerance, **self.options)


def table(cases: Mapping[str, Case]) -> Any:
    """The decorator that runs a test for every case of a table."""
    return pytest.mark.parametrize("case", cases.values(), ids=list(cases))


def random_inputs(
    shapes: Mapping[str, tuple[int, ...]], seed: int = 0, span: tuple[float, float] = (-3.0, 3.0)
) -> dict[str, np.ndarray]:
    """Uniform float32 values between the bounds of `span`, for every input."""
    rng = np.random.default_rng(seed)
    return {name: rng.uniform(*span, shape).astype(np.float32) for name, shape in shapes.items()}


def check(
    source: onnx.ModelProto,
    *,
    tolerance: float = SINGLE_OPERATOR,
    inputs: Mapping[str, Any] | None = None,
    span: tuple[float, float] = (-3.0, 3.0),
    seed: int = 0,
    **options: Any,
) -> Conversion:
    """Convert `source` with `options` (of `gluon2caffe.to_caffe`), run both, and compare every output on every reader.

    The reference is onnxruntime on the source as it is, fed what `options` say of mean, std and channel order.

    Raises:
        AssertionError: a value is further off than `tolerance` times the largest of its output, or a shape differs.

    """
    given = onnx.ModelProto()
    given.CopyFrom(source)
    converted = gluon2caffe.to_caffe(given, **options)
    fed = random_inputs(converted.inputs, seed, span) if inputs is None else _as_float32(inputs)
    raw = {name: apply_preprocessing(value, converted.preprocessing) for name, value in fed.items()}
    declared = [info.name for info in source.graph.input]
    # The cut may have left inputs unused; onnxruntime wants all that are declared.
    missing = {info.name: _zeros(info) for info in source.graph.input if info.name not in raw}
    reference = run_onnx(source, {name: {**raw, **missing}[name] for name in declared}, list(converted.outputs))
    agrees(converted, fed, reference, tolerance, target=options.get("target", "ssd"))
    return converted


def agrees(
    converted: Conversion,
    fed: Mapping[str, np.ndarray],
    reference: Mapping[str, np.ndarray],
    tolerance: float = SINGLE_OPERATOR,
    *,
    target: str = "ssd",
    readers: Sequence[str] = (),
) -> None:
    """Assert that every reader that reads files for `target` computes `reference` (output -> values) from `fed`.

    `readers` are the names of those to run, all where none is given. The shapes that our own rules see in the layers
    must be those of `reference`, too.
    """
    known = blob_shapes(converted)
    for output, expected in reference.items():
        assert known[converted.outputs[output]] == (expected.shape or (1,)), f"{output}\n{converted.prototxt()}"
    for reader, found in run(converted, fed, target=target, readers=readers).items():
        for output, expected in reference.items():
            got = found[converted.outputs[output]]
            where = f"{reader}, output {output!r}"
            assert np.isfinite(expected).all(), f"{where}: the reference is not finite; choose other inputs"
            wanted = expected.shape or (1,)
            # OpenCV has no blobs of one axis: it gives them a second one of length 1. Of the other readers some have
            # blobs of four axes only, or none for the batch.
            same = got.shape == wanted or (reader == "OpenCV" and len(wanted) == 1 and got.shape == (*wanted, 1))
            isolated = any(worker.name == reader for worker in isolated_workers()) if readers else False
            same = same or (isolated and _long_axes(got.shape) == _long_axes(wanted))
            assert same, f"{where}: shape {got.shape} instead of {wanted}"
            error = float(np.abs(got.reshape(expected.shape).astype(np.float64) - expected).max())
            largest = float(np.abs(expected).max())
            assert error <= tolerance * largest, f"{where}: {error / largest:.1e} off\n{converted.prototxt()}"


def _long_axes(shape: tuple[int, ...]) -> list[int]:
    return [length for length in shape if length != 1]


def blob_shapes(converted: Conversion) -> dict[str, tuple[int, ...] | None]:
    """Blob -> the shape that follows from the layers' fields, None where it does not."""
    messages = [layer.message for layer in converted.layers]
    known: dict[str, tuple[int, ...] | None] = dict(converted.inputs)
    for message, shapes in zip(messages, net_shapes(converted.inputs, messages), strict=True):
        known.update(zip(message.top, shapes.tops, strict=True))
    return known


def run(
    converted: Conversion,
    fed: Mapping[str, np.ndarray],
    *,
    target: str = "ssd",
    readers: Sequence[str] = (),
    reshape: bool = False,
) -> dict[str, dict[str, np.ndarray]]:
    """Reader -> output blob -> values, on every reader that has the layers and for which `target` is meant.

    `reshape` feeds the inputs as they are, whatever shapes the files have.
    """
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        prototxt, caffemodel = converted.save(Path(folder) / "net")
        needed = {layer.type for layer in read_net(prototxt).layer}
        for worker in (*workers(), *(isolated_workers() if readers else ())):
            if not (worker.name in readers if readers else worker.reads_files_for(target)):
                continue
            lacking = needed - worker.layer_types()
            if lacking:
                assert not lacking & worker.promised(), f"{worker.name} should have {lacking}"
                warnings.warn(f"{worker.name} has no {', '.join(sorted(lacking))}: not run", stacklevel=2)
                continue
            if not worker.takes(converted):
                warnings.warn(f"{worker.name} {worker.version} fails on blobs of one axis: not run", stacklevel=2)
                continue
            results[worker.name] = worker.run(
                prototxt, caffemodel, fed, list(converted.outputs.values()), reshape=reshape
            )
            if worker.is_opencv:
                results[worker.name] = through_opencvs_front_door(prototxt, caffemodel, fed, results[worker.name])
    if not results and not all(worker.takes(converted) for worker in workers()):
        pytest.skip("no reader here takes blobs of one axis")
    if not any(worker.reads_files_for(target) for worker in workers()):
        pytest.skip(f"no reader here reads files for the target {target!r}")
    assert results, f"no reader has the layers {', '.join(sorted(needed))}"
    return results


def through_opencvs_front_door(
    prototxt: Path, caffemodel: Path, fed: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The outputs as users of OpenCV ask for them: by name, as the unconnected layers, and plainly where there is one.

    Run after the same net went well in a process of its own, which OpenCV may end.
    """
    net = cv2.dnn.readNetFromCaffe(str(prototxt), str(caffemodel))
    for name, values in fed.items():
        net.setInput(values, name)
    loose = list(net.getUnconnectedOutLayersNames())
    assert sorted(loose) == sorted(expected), f"unconnected layers {loose}\n{prototxt.read_text()}"
    together = dict(zip(loose, net.forward(loose), strict=True))
    found = {name: net.forward(name) for name in expected}
    for name, values in found.items():
        assert np.array_equal(together[name], values), f"{name} alone is another than among all"
    if len(found) == 1:
        assert np.array_equal(net.forward(), *found.values()), f"plain forward() is no output\n{prototxt.read_text()}"
    return found


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])


class LastingWorker:
    """One process of a reader, which is given net after net: starting Caffe anew for each takes most of a second."""

    def __init__(self, reader: WorkerReader) -> None:
        self.name, self.version = reader.name, reader.version
        self._reader = reader
        self._process: WorkerProcess | None = None

    @property
    def is_opencv(self) -> bool:
        """Whether it is the OpenCV of this process."""
        return isinstance(self._reader, OpenCVReader)

    def layer_types(self) -> frozenset[str]:
        """The layer types it has."""
        return self._reader.layer_types() or PROFILES["opencv"].layers

    def takes(self, converted: Conversion) -> bool:
        """Whether it runs nets with these blobs: OpenCV since 4.12 fails on some that have one axis alone."""
        if not isinstance(self._reader, OpenCVReader) or _numbers(self.version) < (4, 12):
            return True
        return all(shape is None or len(shape) > 1 for shape in blob_shapes(converted).values())

    def reads_files_for(self, target: str) -> bool:
        """Whether it reads files for `target`: OpenCV only those that avoid its faults, the Caffes none for OpenCV."""
        avoided = {quirk.fault for quirk in PROFILES[target].quirks}
        if isinstance(self._reader, OpenCVReader):
            return avoided >= {quirk.fault for quirk in PROFILES["opencv"].quirks}
        return not PROFILES[target].multiplies_bottoms

    def promised(self) -> frozenset[str]:
        """The layer types that the target profile of this kind of reader lists."""
        if isinstance(self._reader, OpenCVReader):
            return PROFILES["opencv"].layers
        return PROFILES["ssd" if self.layer_types() >= SSD_LAYERS else "bvlc"].layers

    def run(
        self,
        prototxt: Path,
        caffemodel: Path,
        fed: Mapping[str, np.ndarray],
        fetch: list[str],
        *,
        reshape: bool = False,
    ) -> dict[str, np.ndarray]:
        """Load the files and run them, reshaped to the inputs where that is asked for."""
        if self._process is None:
            self._process = self._reader.start()
        try:
            session = Session.opened(self.name, self._process, prototxt, caffemodel)
            outputs = session.net.outputs
            assert set(outputs) == set(fetch), f"the net ends in {outputs}, the outputs are {fetch}"
            return session.run(fed, reshape=reshape)
        except ReaderError as error:
            self.close()
            raise AssertionError(f"{self.name}: {error}\n{prototxt.read_text()}") from None

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.close()
        self._process = None


@lru_cache(maxsize=1)
def workers() -> tuple[LastingWorker, ...]:
    """One per installed reader."""
    return tuple(LastingWorker(reader) for reader in installed_readers(("opencv", "caffe")))


@lru_cache(maxsize=1)
def isolated_workers() -> tuple[LastingWorker, ...]:
    """One per converter with its runtime that is set up here; they run only where they are named."""
    # Tests do not see the folder of the user's readers, but for this.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(READERS_VARIABLE, str(READERS_OF_THE_USER))
        found = [reader for kind in KINDS.values() if kind.optional for reader in kind.find()]
        return tuple(LastingWorker(reader) for reader in found)


def close_workers() -> None:
    """End all reader processes."""
    for found in (workers, isolated_workers):
        if found.cache_info().currsize:
            for worker in found():
                worker.close()


def layer_types(converted: Conversion) -> list[str]:
    """The types of its layers, in order."""
    return [layer.message.type for layer in converted.layers]


def _as_float32(inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {name: np.ascontiguousarray(value, np.float32) for name, value in inputs.items()}


def _zeros(info: onnx.ValueInfoProto) -> np.ndarray:
    return np.zeros([dim.dim_value for dim in info.type.tensor_type.shape.dim], np.float32)
