"""Every case of the lowering tests, as files for a target with what they must compute."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.defs

TESTS = Path(__file__).parents[1]
LOWERING_TESTS = TESTS / "unit" / "lowering"
for folder in (TESTS, LOWERING_TESTS):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from agreement import random_inputs  # noqa: E402

import gluon2caffe  # noqa: E402
from gluon2caffe.bridge.preprocessing import apply_preprocessing  # noqa: E402
from gluon2caffe.bridge.verification.reference_onnx import run_onnx  # noqa: E402
from gluon2caffe.onnx2caffe.errors import ConversionError  # noqa: E402
from gluon2caffe.onnx2caffe.model import CaffeModel  # noqa: E402


@dataclass(frozen=True)
class LoweringCase:
    """A case of the lowering tests: its name, such as ``pooling: max, ceil``, and the model with its options."""

    name: str
    operators: frozenset[str]
    source: onnx.ModelProto
    span: tuple[float, float]
    options: Mapping[str, Any]

    def convert(self, target: str) -> CaffeModel | None:
        """The files for a target; None where they are refused."""
        given = onnx.ModelProto()
        given.CopyFrom(self.source)
        try:
            return gluon2caffe.to_caffe(given, **{**self.options, "target": target})
        except ConversionError:
            return None

    def fed(self, converted: CaffeModel) -> dict[str, np.ndarray]:
        """What to feed the inputs with."""
        return random_inputs(converted.inputs, 0, self.span)

    def expected(self, converted: CaffeModel, fed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Blob -> what it must hold, by onnxruntime."""
        raw = {name: apply_preprocessing(value, converted.preprocessing) for name, value in fed.items()}
        for info in self.source.graph.input:
            shape = [dim.dim_value for dim in info.type.tensor_type.shape.dim]
            raw.setdefault(info.name, np.zeros(shape, np.float32))
        inputs = {info.name: raw[info.name] for info in self.source.graph.input}
        found = run_onnx(self.source, inputs, list(converted.outputs))
        return {converted.outputs[output]: value for output, value in found.items()}


def lowering_cases() -> Iterator[LoweringCase]:
    """All whose opset the installed onnx knows, and which random inputs suit."""
    for path in sorted(LOWERING_TESTS.glob("test_lower_*.py")):
        family = path.stem.removeprefix("test_lower_")
        for name, case in importlib.import_module(path.stem).CASES.items():
            if case.opset > onnx.defs.onnx_opset_version():
                continue
            source = case.model()
            operators = frozenset(node.op_type for node in source.graph.node if not node.domain)
            if "MaxRoiPool" not in operators:  # its regions are no random numbers
                yield LoweringCase(f"{family}: {name}", operators, source, case.span, case.options)
