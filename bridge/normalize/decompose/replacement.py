"""Several nodes in the place of one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_graphsurgeon as gs

from gluon2caffe.bridge.normalize.rewrite import Rewriting
from gluon2caffe.bridge.normalize.surgery import Array, redirect_readers
from gluon2caffe.bridge.origins import record, sources_of
from gluon2caffe.onnx2caffe.sizes.marks import hand_on


class Replacement:
    """Nodes that will take a node's place, and do its work by the record.

    Their tensors are called like the node's first output, with the operator and a number behind it.
    """

    def __init__(self, node: gs.Node, state: Rewriting) -> None:
        self.node, self.state = node, state
        self._nodes: list[gs.Node] = []
        self._constants = 0

    def constant(self, values: Array) -> gs.Constant:
        """A constant to be read by the nodes."""
        self._constants += 1
        name = self.state.names.new(f"{self.node.outputs[0].name}/constant{self._constants}")
        return gs.Constant(name, np.asarray(values))

    def add(
        self, operator: str, inputs: Sequence[gs.Tensor], shape: Sequence[int] | None = None, **attributes: object
    ) -> gs.Variable:
        """A node with one output of float32; a `shape` that is not given is left to inference."""
        return self.add_all(operator, inputs, [shape], **attributes)[0]

    def add_all(
        self, operator: str, inputs: Sequence[gs.Tensor], shapes: Sequence[Sequence[int] | None], **attributes: object
    ) -> list[gs.Variable]:
        """A node with an output of each shape."""
        name = f"{self.node.outputs[0].name}/{operator.lower()}{len(self._nodes)}"
        wanted = [name] if len(shapes) == 1 else [f"{name}_{index}" for index in range(len(shapes))]
        names = [self.state.names.new(each) for each in wanted]
        made = [
            gs.Variable(each, dtype=np.dtype(np.float32), shape=None if shape is None else list(shape))
            for each, shape in zip(names, shapes, strict=True)
        ]
        self._nodes.append(gs.Node(operator, name=name, attrs=attributes, inputs=list(inputs), outputs=made))
        return made

    def reshape(self, tensor: gs.Tensor, shape: Sequence[int]) -> gs.Tensor:
        """The tensor in another shape."""
        if isinstance(tensor, gs.Constant):
            return self.constant(tensor.values.reshape(shape))
        return self.add("Reshape", [tensor, self.constant(np.array(shape, np.int64))], shape)

    def nodes(self, results: Sequence[gs.Tensor]) -> list[gs.Node]:
        """The nodes that take the node's place; `results` stand for its outputs from now on."""
        node = self.node
        names = sources_of(node)
        outputs = list(node.outputs)
        node.inputs.clear()
        node.outputs.clear()
        for output, result in zip(outputs, results, strict=True):
            self._rename(result, output)
        for made in self._nodes:
            record(made, names)
            hand_on(node, made)
        return self._nodes

    def _rename(self, result: gs.Tensor, output: gs.Tensor) -> None:
        """Let the node that makes `result` make `output`, or a copy where none of these nodes makes it."""
        maker = next((made for made in self._nodes if any(result is tensor for tensor in made.outputs)), None)
        if maker is None:
            self._nodes.append(gs.Node("Identity", name=output.name, inputs=[result], outputs=[output]))
            return
        redirect_readers(result, output)
        maker.outputs[next(i for i, tensor in enumerate(maker.outputs) if tensor is result)] = output
