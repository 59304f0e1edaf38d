"""A small ONNX model while it is drawn: strategies read the shapes of its values and add nodes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, TypeVar

import numpy as np
import onnx
from hypothesis import reject
from hypothesis.strategies import SearchStrategy, booleans, integers, sampled_from
from onnx import TensorProto, helper, numpy_helper
from onnx.shape_inference import InferenceError, infer_node_outputs

T = TypeVar("T")
Shape = tuple[int, ...]

LARGEST_VALUE = 6000
HIGHEST_RANK = 6


@dataclass
class Draft:
    """The nodes so far, and the environment: float value -> shape, and so for indices and truth values.

    `draw` is Hypothesis's. What is drawn decides the graph; weights follow from their place in it, so that shrinking
    never has to look at numbers.
    """

    draw: Any
    opset: int
    values: dict[str, Shape] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    indices: dict[str, Shape] = field(default_factory=dict)
    truths: dict[str, Shape] = field(default_factory=dict)
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: dict[str, TensorProto] = field(default_factory=dict)

    # What strategies draw.

    def pick(self, choices: Sequence[T]) -> T:
        """One of `choices`; it shrinks to the first."""
        return self.draw(sampled_from(list(choices)))  # type: ignore[no-any-return]

    def number(self, low: int, high: int) -> int:
        """An integer in low..high; it shrinks to `low`."""
        return self.draw(integers(low, max(low, high)))  # type: ignore[no-any-return]

    def flag(self) -> bool:
        """False or true; it shrinks to false."""
        return self.draw(booleans())  # type: ignore[no-any-return]

    def any_of(self, strategy: SearchStrategy[T]) -> T:
        """A value of another strategy."""
        return self.draw(strategy)  # type: ignore[no-any-return]

    # What they build.

    def input(self, shape: Shape) -> str:
        """Another graph input."""
        name = f"x{len(self.inputs)}"
        self.inputs.append(name)
        self.values[name] = shape
        return name

    def weight(self, shape: Shape, low: float = -1.0, high: float = 1.0) -> str:
        """A float initializer with uniform values."""
        rng = np.random.default_rng(len(self.initializers) + 1)
        return self.constant(rng.uniform(low, high, shape).astype(np.float32))

    def ints(self, values: Sequence[int]) -> str:
        """An int64 initializer of one axis."""
        return self.constant(np.array(values, np.int64))

    def constant(self, values: "np.ndarray[Any, Any]") -> str:
        """An initializer."""
        name = f"c{len(self.initializers)}"
        self.initializers[name] = numpy_helper.from_array(values, name)
        return name

    def add(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        """A node with one float output; see `add_all`."""
        return self.add_all(operator, *inputs, outputs=outputs, **attributes)[0]

    def add_all(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> list[str]:
        """A node, its outputs put into the environment with the shapes that onnx infers.

        The example is dropped where onnx finds the node invalid, or an output is empty or needlessly large.
        """
        names = [f"t{len(self.nodes)}" + (f"_{i}" if outputs > 1 else "") for i in range(outputs)]
        given = {name: value for name, value in attributes.items() if value is not None}
        node = helper.make_node(operator, list(inputs), names, name=f"n{len(self.nodes)}", **given)
        for name, kind in self._inferred(node).items():
            shape = tuple(dim.dim_value for dim in kind.tensor_type.shape.dim)
            if not kind.tensor_type.HasField("shape") or min(shape, default=1) <= 0 or prod(shape) > LARGEST_VALUE:
                reject()
            if len(shape) > HIGHEST_RANK:
                reject()
            self._environments[kind.tensor_type.elem_type][name] = shape
        self.nodes.append(node)
        return names

    def _inferred(self, node: onnx.NodeProto) -> dict[str, onnx.TypeProto]:
        schema = onnx.defs.get_schema(node.op_type, self.opset, "")
        types = {
            name: helper.make_tensor_type_proto(element, environment[name])
            for element, environment in self._environments.items()
            for name in node.input
            if name in environment
        }
        data = {name: self.initializers[name] for name in node.input if name in self.initializers}
        types |= {name: helper.make_tensor_type_proto(value.data_type, value.dims) for name, value in data.items()}
        try:
            return dict(
                infer_node_outputs(schema, node, types, data, opset_imports=[helper.make_opsetid("", self.opset)])
            )
        except (InferenceError, RuntimeError):
            reject()

    @property
    def _environments(self) -> dict[int, dict[str, Shape]]:
        return {TensorProto.FLOAT: self.values, TensorProto.INT64: self.indices, TensorProto.BOOL: self.truths}

    def shape(self, name: str) -> Shape:
        """Shape of a float value or of an initializer."""
        return self.values[name] if name in self.values else tuple(self.initializers[name].dims)

    def computed(self) -> list[str]:
        """The float values, the newest first."""
        return list(reversed(self.values))

    def model(self, extra_outputs: Sequence[str] = ()) -> onnx.ModelProto:
        """The model; its outputs are the values that no node reads, and `extra_outputs`."""
        read = {name for node in self.nodes for name in node.input}
        computed = {name for node in self.nodes for name in node.output}
        floats = [name for name in self.values if name in computed and (name not in read or name in extra_outputs)]
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, self.values[name]) for name in self.inputs],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, self.values[name]) for name in floats]
            + [
                helper.make_tensor_value_info(name, element, shape)
                for element in (TensorProto.INT64, TensorProto.BOOL)
                for name, shape in self._environments[element].items()
                if name not in read
            ],
            list(self.initializers.values()),
        )
        opsets = [helper.make_opsetid("", self.opset)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8 if self.opset < 19 else 10)
