"""What a translation sees of one symbol node, and the ONNX nodes and constants it makes of it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx.helper

from gluon2caffe.bridge.export.operators.node_reader import Input, NodeReader
from gluon2caffe.bridge.mxnet_files.graph import Shape, SymbolNode
from gluon2caffe.onnx2caffe.names import Names


class Operator(NodeReader):
    """One MXNet operator being translated.

    A translation reads the node through the methods of `NodeReader`, adds intermediate ONNX nodes with `add_node` and
    finishes every visible output with `result`. Names are given here: results are called as the symbol node,
    everything else ``<symbol node>/<operator or constant>``.
    """

    def __init__(self, node: SymbolNode, inputs: Sequence[Input], readers: Sequence[str] = ()) -> None:
        """Wrap `node`; `readers` are the MXNet operators that read its first output."""
        super().__init__(node, inputs)
        self.output_shapes = node.shapes
        self.readers = tuple(readers)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, npt.NDArray[Any]] = {}
        self.views: dict[str, tuple[str, Shape]] = {}
        self.shapes: dict[str, Shape] = dict(zip(node.tensors, node.shapes, strict=True))
        self.dtypes: dict[str, np.dtype[Any]] = dict.fromkeys(node.tensors, np.dtype(np.float32))
        self.size_reasons: list[str] = []
        self.cut_like: str | None = None
        self._tensors = node.tensors
        self._names = Names(node.tensors)

    @property
    def output_shape(self) -> Shape:
        """Shape of the first output."""
        return self.output_shapes[0]

    def binds_size(self, why: str) -> None:
        """Say that the translation holds for the size of the net's inputs alone, for a reason its nodes do not show."""
        self.size_reasons.append(why)

    def constant(self, label: str, values: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        """Add a constant of its own; returns its tensor name."""
        name = self._names.new(f"{self.name}/{label}")
        self.constants[name] = np.asarray(values, dtype=dtype)
        return name

    def shape_constant(self, label: str, values: Sequence[int]) -> str:
        """Add an int64 vector such as ONNX wants for shapes, axes and sizes."""
        return self.constant(label, values, np.int64)

    def add_node(
        self, op_type: str, inputs: Sequence[str], shape: Shape, dtype: npt.DTypeLike = np.float32, **attrs: Any
    ) -> str:
        """Add an intermediate node whose output has `shape` and `dtype`; returns the tensor name."""
        name = self._names.new(f"{self.name}/{op_type}")
        self.shapes[name] = shape
        self.dtypes[name] = np.dtype(dtype)
        self._add(op_type, inputs, name, attrs)
        return name

    def add_node_of_many(
        self, op_type: str, inputs: Sequence[str], shapes: Sequence[Shape], **attrs: Any
    ) -> tuple[str, ...]:
        """Add an intermediate node with several float32 outputs; returns the tensor names."""
        names = []
        for index, shape in enumerate(shapes):
            names.append(self._names.new(f"{self.name}/{op_type}{index}"))
            self.shapes[names[-1]] = shape
            self.dtypes[names[-1]] = np.dtype(np.float32)
        self.nodes.append(onnx.helper.make_node(op_type, list(inputs), names, name=names[0], **attrs))
        return tuple(names)

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
            name = self._names.new(f"{self.name}/{label}")
            self.views[name] = (source.name, shape)
            return name
        return self.add_node("Reshape", [source.name, self.shape_constant(f"{label}_shape", shape)], shape)

    def inside(self, label: str, inputs: Sequence[Input], shapes: Sequence[Shape]) -> "Operator":
        """Return the same operator on other inputs, with results of `shapes`; `take_over` brings it in."""
        name = self._names.new(f"{self.name}/{label}")
        tensors = [name] if len(shapes) == 1 else [f"{name}{index}" for index in range(len(shapes))]
        attrs = {key: value for key, value in self.attrs.items() if key != "layout"}
        return Operator(SymbolNode(name, self.kind, attrs, [], tensors, list(shapes)), inputs)

    def take_over(self, inner: "Operator") -> list[str]:
        """Make the nodes and constants of another operator this one's; returns the names of its results."""
        self.nodes += inner.nodes
        self.constants.update(inner.constants)
        self.views.update(inner.views)
        self.shapes.update(inner.shapes)
        self.dtypes.update(inner.dtypes)
        return list(inner._tensors)

    def _add(self, op_type: str, inputs: Sequence[str], output: str, attrs: dict[str, Any]) -> None:
        self.nodes.append(onnx.helper.make_node(op_type, list(inputs), [output], name=output, **attrs))
