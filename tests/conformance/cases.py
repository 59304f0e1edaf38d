"""ONNX's own conformance tests: their models, what they feed and what they expect."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.version_converter
from onnx.backend.test.case.test_case import TestCase
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner

KINDS = ("node", "simple", "pytorch-operator", "pytorch-converted", "real")
OLDEST_OPSET = 7
NEWER_OPSET = 13
WHOLE_NETS = {
    "simple": "(small nets)",
    "pytorch-operator": "(single operators exported by PyTorch)",
    "pytorch-converted": "(modules exported by PyTorch)",
    "real": "(classifiers)",
}
# An operator that is defined by others has a second test, of those others.
_EXPANDED = re.compile("_expanded(_ver[0-9]+)?$")


@dataclass(frozen=True)
class Samples:
    """What a model is fed and what it must give, in the order of its inputs and outputs.

    Integers, booleans, lists and maps among them are as they are.
    """

    inputs: list[Any]
    outputs: list[Any]


@dataclass(frozen=True)
class Conformance:
    """One test of `onnx.backend.test`."""

    kind: str
    test: TestCase

    @property
    def name(self) -> str:
        """Its name, unique in its kind."""
        return self.test.name

    @property
    def id(self) -> str:
        """Its name, unique."""
        return f"{self.kind}/{self.name.removeprefix('test_')}"

    @property
    def path(self) -> Path:
        """The model's file."""
        if self.test.model_dir is not None:
            return Path(self.test.model_dir) / "model.onnx"
        return Path(onnx.__file__).parents[1] / self.test.url

    @cached_property
    def model(self) -> onnx.ModelProto:
        """The model; one of an opset before 7 is brought to a newer one, as its refusal advises."""
        model = self._as_it_comes()
        if any(opset.version < OLDEST_OPSET for opset in model.opset_import if not opset.domain):
            model = onnx.version_converter.convert_version(model, NEWER_OPSET)
            model.ir_version = 8
        return model

    def _as_it_comes(self) -> onnx.ModelProto:
        """From memory, where onnx has kept its node tests since 1.23, or from its file."""
        return (
            onnx.load(self.path)
            if self.test.model is None
            else onnx.ModelProto.FromString(self.test.model.SerializeToString())
        )

    @property
    def operator(self) -> str:
        """The operator that it is about; of a whole net, its kind."""
        if self.kind != "node":
            return WHOLE_NETS[self.kind]
        nodes = self._base_model().graph.node
        return next((node.op_type for node in nodes if node.op_type != "Constant"), "Constant")

    def _base_model(self) -> onnx.ModelProto:
        """The model of the test that this one is the expansion of, if it is one."""
        name = _EXPANDED.sub("", self.name)
        if self.test.model is not None:
            base = _tests_in_memory(self.kind).get(name)
            return self._as_it_comes() if base is None else base.model
        path = self.path.parent.with_name(name) / "model.onnx"
        return onnx.load(path if path.is_file() else self.path)

    def samples(self) -> Iterator[Samples]:
        """The test's data; the nets called light have no inputs of their own: ONNX's runner makes them, as here."""
        model = self.model
        if self.test.data_sets is not None:
            for inputs, outputs in self.test.data_sets:
                yield Samples([_in_memory(value) for value in inputs], [_in_memory(value) for value in outputs])
            return
        if self.test.model_dir is None:
            weights = {tensor.name for tensor in model.graph.initializer}
            inputs = [Runner.generate_dummy_data(info) for info in model.graph.input if info.name not in weights]
            yield Samples(inputs, [onnx.numpy_helper.to_array(onnx.load_tensor(p)) for p in self._stored_outputs()])
            return
        for folder in sorted(Path(self.test.model_dir).glob("test_data_set*")):
            yield Samples(
                _values(folder, "input", model.graph.input),
                _values(folder, "output", model.graph.output),
            )

    def _stored_outputs(self) -> list[Path]:
        return sorted(self.path.parent.glob(f"{self.path.stem}_output_*.pb"))


@cache
def _tests_in_memory(kind: str) -> dict[str, TestCase]:
    return {test.name: test for test in load_model_tests(kind=kind)}


def conformance_tests() -> list[Conformance]:
    """All of them, in a fixed order."""
    found = [Conformance(kind, test) for kind in KINDS for test in load_model_tests(kind=kind)]
    return sorted(found, key=lambda test: (KINDS.index(test.kind), test.name))


def _values(folder: Path, what: str, infos: Any) -> list[Any]:
    count = len(list(folder.glob(f"{what}_*.pb")))
    return [_value((folder / f"{what}_{index}.pb").read_bytes(), infos[index].type) for index in range(count)]


def _in_memory(value: Any) -> Any:
    if isinstance(value, onnx.TensorProto):
        return onnx.numpy_helper.to_array(value)
    return np.asarray(value) if isinstance(value, np.generic) else value


def _value(stored: bytes, declared: onnx.TypeProto) -> Any:
    if declared.HasField("sequence_type"):
        return onnx.numpy_helper.to_list(onnx.SequenceProto.FromString(stored))
    if declared.HasField("optional_type"):
        return onnx.numpy_helper.to_optional(onnx.OptionalProto.FromString(stored))
    return onnx.numpy_helper.to_array(onnx.TensorProto.FromString(stored))


def is_array(value: Any) -> bool:
    """Whether it is a tensor of numbers or booleans."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiub"
