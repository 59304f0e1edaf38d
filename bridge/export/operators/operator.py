"""What a translation sees of one symbol node, and the ONNX nodes and constants it makes of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx.helper

from gluon2caffe.bridge.export.symbol_graph import Shape, SymbolNode


class NotExactError(Exception):
    """A use of an operator that has no exact ONNX counterpart; the message says why."""


@dataclass(frozen=True)
class Input:
    """A tensor an operator reads: its name, its static shape, and whether it is a parameter of the net."""

    name: str
    shape: Shape
    is_parameter: bool


class Operator:
    """One MXNet operator being translated.

    A translation reads `attrs` through the typed readers, whose defaults are those of the MXNet operator, adds
    intermediate ONNX nodes with `step` and finishes every visible output with `result`. Names are given here:
    results are called as the symbol node, everything else ``<symbol node>/<operator or constant>``.
    """

    def __init__(self, node: SymbolNode, inputs: Sequence[Input], readers: Sequence[str] = ()) -> None:
        """Wrap `node`; `readers` are the MXNet operators that read its first output."""
        self.name = node.name
        self.kind = node.op
        self.inputs = list(inputs)
        self.output_shapes = node.shapes
        self.readers = tuple(readers)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, npt.NDArray[Any]] = {}
        self.views: dict[str, tuple[str, Shape]] = {}
        self.shapes: dict[str, Shape] = dict(zip(node.tensors, node.shapes, strict=True))
        self.dtypes: dict[str, np.dtype[Any]] = dict.fromkeys(node.tensors, np.dtype(np.float32))
        self._attrs = node.attrs
        self._tensors = node.tensors

    # What it reads

    @property
    def shape(self) -> Shape:
        """Shape of the first input."""
        return self.inputs[0].shape

    @property
    def output_shape(self) -> Shape:
        """Shape of the first output."""
        return self.output_shapes[0]

    @property
    def rank(self) -> int:
        """Number of axes of the first input."""
        return len(self.shape)

    def axis(self, value: int, rank: int | None = None) -> int:
        """Count a possibly negative axis from the front."""
        return value % (self.rank if rank is None else rank)

    def has(self, key: str) -> bool:
        """Whether an attribute is there and is not None."""
        return self._attrs.get(key, "None") not in ("None", "")

    def text(self, key: str, default: str) -> str:
        """Read a word."""
        return self._attrs[key] if self.has(key) else default

    def integer(self, key: str, default: int | None = None) -> int:
        """Read an integer; without a default it must be there."""
        return int(float(self._required(key, default)))

    def number(self, key: str, default: float | None = None) -> float:
        """Read a number; without a default it must be there."""
        return float(self._required(key, default))

    def flag(self, key: str, default: bool) -> bool:
        """Read a truth value."""
        return self._attrs[key] in ("True", "1", "true") if self.has(key) else default

    def optional_integers(self, key: str) -> tuple[int | None, ...]:
        """Read a tuple that may hold None, such as ``(0, None, 2)``; a lone number is a tuple of one."""
        words = self.text(key, "").strip("()[] ").replace("L", "").split(",")
        return tuple(None if word.strip() == "None" else int(word) for word in words if word.strip())

    def integers(self, key: str, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """Read a tuple of integers; an absent or empty one is the default."""
        read = tuple(value for value in self.optional_integers(key) if value is not None)
        return read or default

    def _required(self, key: str, default: float | None) -> str | float:
        if self.has(key):
            return self._attrs[key]
        if default is None:
            raise NotExactError(f"attribute {key} is missing")
        return default

    # What it makes

    def constant(self, label: str, values: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        """Add a constant of its own; returns its tensor name."""
        name = self._fresh(label)
        self.constants[name] = np.asarray(values, dtype=dtype)
        return name

    def shape_constant(self, label: str, values: Sequence[int]) -> str:
        """Add an int64 vector such as ONNX wants for shapes, axes and sizes."""
        return self.constant(label, values, np.int64)

    def step(
        self, op_type: str, inputs: Sequence[str], shape: Shape, dtype: npt.DTypeLike = np.float32, **attrs: Any
    ) -> str:
        """Add an intermediate node whose output has `shape` and `dtype`; returns the tensor name."""
        name = self._fresh(op_type)
        self.shapes[name] = shape
        self.dtypes[name] = np.dtype(dtype)
        self._add(op_type, inputs, name, attrs)
        return name

    def result(self, op_type: str, inputs: Sequence[str], index: int = 0, **attrs: Any) -> None:
        """Add the node that computes visible output number `index`."""
        self._add(op_type, inputs, self._tensors[index], attrs)

    def results(self, op_type: str, inputs: Sequence[str], **attrs: Any) -> None:
        """Add the one node that computes all visible outputs."""
        self.nodes.append(
            onnx.helper.make_node(op_type, list(inputs), list(self._tensors), name=self._tensors[0], **attrs)
        )

    def constant_result(self, values: npt.NDArray[Any]) -> None:
        """Let the first output be a constant."""
        self.constants[self.name] = values

    def reshaped(self, source: Input, shape: Shape, label: str) -> str:
        """Return `source` in another shape: a view where it is a parameter, else a Reshape node."""
        if source.shape == shape:
            return source.name
        if source.is_parameter:
            name = self._fresh(label)
            self.views[name] = (source.name, shape)
            return name
        return self.step("Reshape", [source.name, self.shape_constant(f"{label}_shape", shape)], shape)

    def _add(self, op_type: str, inputs: Sequence[str], output: str, attrs: dict[str, Any]) -> None:
        self.nodes.append(onnx.helper.make_node(op_type, list(inputs), [output], name=output, **attrs))

    def _fresh(self, label: str) -> str:
        name = f"{self.name}/{label}"
        taken = 0
        while name in self.shapes or name in self.constants or name in self.views:
            taken += 1
            name = f"{self.name}/{label}_{taken}"
        return name
