"""The standard backend interface of ONNX over this converter: a model is converted, and readers of Caffe files run it.

`onnx.backend.test` and any other program that knows `onnx.backend.base.Backend` can use it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx.backend.base import Backend, BackendRep, namedtupledict

import gluon2caffe
from gluon2caffe.bridge.verification.readers import SSD_LAYERS
from gluon2caffe.bridge.verification.run_errors import ReaderError
from gluon2caffe.onnx2caffe.prototxt import read_net
from tests.agreement import LastingWorker, workers

Outputs = tuple[np.ndarray, ...]


class CaffeRep(BackendRep):
    """A converted model, saved and ready to run.

    Args:
        model: the source.
        constants: values that some of its inputs are converted with, by name.
        options: arguments of `gluon2caffe.to_caffe`.

    Raises:
        ConversionError: the converter refuses the model.

    """

    def __init__(self, model: onnx.ModelProto, constants: Mapping[str, np.ndarray], options: Mapping[str, Any]) -> None:
        source = with_constants(model, constants)
        self._names = input_names(model)
        self._declared = {info.name: info.type.tensor_type for info in model.graph.output}
        self.converted = gluon2caffe.to_caffe(source, **options)
        self._folder = tempfile.TemporaryDirectory()
        self._prototxt, self._caffemodel = self.converted.save(Path(self._folder.name) / "net")
        self.layer_types = frozenset(layer.type for layer in read_net(self._prototxt).layer)

    def readers(self) -> tuple[LastingWorker, ...]:
        """Those that have all its layers, and take its blobs; one of each kind."""
        return one_of_each_kind(
            worker for worker in workers() if worker.layer_types() >= self.layer_types and worker.takes(self.converted)
        )

    def run(self, inputs: Any, *, reader: LastingWorker | None = None, **_: Any) -> Outputs:
        """Run the net.

        Args:
            inputs: the arrays of the model's inputs in order, or by name. Those that were constants at the conversion
                are not looked at again.
            reader: where; None means the last of `readers()`, a real Caffe where there is one.

        Returns:
            The outputs in order, of the types and ranks that the model declares; a named tuple. The readers compute in
            float32.

        Raises:
            ReaderError: there is no reader with these layers, or it fails.

        """
        if reader is None:
            able = self.readers()
            if not able:
                raise ReaderError(f"no reader here has the layers {', '.join(sorted(self.layer_types))}")
            reader = able[-1]
        given = inputs if isinstance(inputs, Mapping) else dict(zip(self._names, _as_list(inputs), strict=False))
        fed = {
            name: np.ascontiguousarray(given[name], np.float32).reshape(shape)
            for name, shape in self.converted.inputs.items()
        }
        try:
            found = reader.run(self._prototxt, self._caffemodel, fed, list(self.converted.outputs.values()))
        except AssertionError as error:
            raise ReaderError(str(error)) from error
        names = list(self._declared)
        # Constants are saved beside the model; no reader gives them.
        held = {**self.converted.arrays, **{name: found[blob] for name, blob in self.converted.outputs.items()}}
        values = [self._as_declared(name, held[name]) for name in names]
        return namedtupledict("Outputs", names)(*values)

    def _as_declared(self, name: str, found: np.ndarray) -> np.ndarray:
        declared = self._declared[name]
        value = found.astype(onnx.helper.tensor_dtype_to_np_dtype(declared.elem_type))
        # Caffe has no scalars, and OpenCV no blobs of fewer than two axes: there are axes of length 1 in the end.
        rank = len(declared.shape.dim) if declared.HasField("shape") else value.ndim
        return value.reshape(value.shape[:rank]) if set(value.shape[rank:]) == {1} else value


class CaffeBackend(Backend):
    """ONNX models on readers of Caffe files."""

    @classmethod
    def prepare(
        cls,
        model: onnx.ModelProto,
        device: str = "CPU",
        *,
        constants: Mapping[str, np.ndarray] | None = None,
        **options: Any,
    ) -> CaffeRep:
        """Convert a model; `constants` gives values, by name, to inputs that are to be weights."""
        if not cls.supports_device(device):
            raise ValueError(f"device is {device!r}; the readers run on the CPU")
        return CaffeRep(model, constants or {}, options)

    @classmethod
    def run_node(
        cls,
        node: onnx.NodeProto,
        inputs: Any,
        device: str = "CPU",
        outputs_info: Sequence[tuple[np.dtype, tuple[int, ...]]] | None = None,
        *,
        opset_version: int | None = None,
        constants: Sequence[str] = (),
        **options: Any,
    ) -> Outputs:
        """Run one node.

        Args:
            node: the node.
            inputs: the arrays of its inputs that are not left out, in order.
            device: only the CPU.
            outputs_info: (type, shape) of each output; None leaves the shapes to onnx's inference.
            opset_version: of the default domain; None means the newest.
            constants: names of inputs that are to be weights.
            options: arguments of `gluon2caffe.to_caffe`.

        Raises:
            ConversionError: the converter refuses it.
            ReaderError: no reader can run it.

        """
        opset = opset_version or onnx.defs.onnx_opset_version()
        given = dict(zip(dict.fromkeys(filter(None, node.input)), _as_list(inputs), strict=True))
        infos = outputs_info or [(np.dtype(np.float32), None)] * len(node.output)
        graph = onnx.helper.make_graph(
            [node],
            "node",
            [_info(name, value.dtype, value.shape) for name, value in given.items()],
            [_info(name, *info) for name, info in zip(node.output, infos, strict=True) if name],
        )
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)])
        if outputs_info is None:
            model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
        return cls.run_model(model, given, device, constants={name: given[name] for name in constants}, **options)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Only the CPU."""
        return device.split(":")[0].upper() == "CPU"


def one_of_each_kind(readers: Iterable[LastingWorker]) -> tuple[LastingWorker, ...]:
    """OpenCV, the first Caffe with the SSD layers, and the first without."""
    kinds: dict[tuple[bool, bool], LastingWorker] = {}
    for reader in readers:
        kinds.setdefault((reader.name == "OpenCV", reader.layer_types() >= SSD_LAYERS), reader)
    return tuple(kinds.values())


def input_names(model: onnx.ModelProto) -> list[str]:
    """The inputs that have no value in the model, in order."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [info.name for info in model.graph.input if info.name not in weights]


def with_constants(model: onnx.ModelProto, constants: Mapping[str, np.ndarray]) -> onnx.ModelProto:
    """A copy of the model in which some inputs are weights."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for info in list(copy.graph.input):
        if info.name in constants:
            # Before version 4 of the format every weight is an input too.
            if model.ir_version >= 4:
                copy.graph.input.remove(info)
            copy.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(constants[info.name]), info.name))
    return copy


def _as_list(inputs: Any) -> list[np.ndarray]:
    return list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]


def _info(name: str, dtype: np.dtype, shape: tuple[int, ...] | None) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)


prepare = CaffeBackend.prepare
run_model = CaffeBackend.run_model
run_node = CaffeBackend.run_node
supports_device = CaffeBackend.supports_device
is_compatible = CaffeBackend.is_compatible
