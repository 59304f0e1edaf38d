"""RNN, GRU and LSTM of a fixed number of steps, one step after the other.

What a step takes from the input is computed for all steps at once; the rest follows ONNX's formulas for the operators.
A state is (N, hidden), so that Caffe's batch axis is the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import onnx_graphsurgeon as gs

from gluon2caffe.bridge.normalize.decompose.replacement import Replacement
from gluon2caffe.bridge.normalize.rewrite import Rewriting
from gluon2caffe.bridge.normalize.surgery import Array
from gluon2caffe.onnx2caffe import growth
from gluon2caffe.onnx2caffe.errors import ConversionError
from gluon2caffe.onnx2caffe.node import is_static

_SPLIT_WITH_SIZES_AS_INPUT = 13
# Those that are operators of the same name, without numbers of their own.
_ACTIVATIONS = {name.lower(): name for name in ("Relu", "Sigmoid", "Softplus", "Softsign", "Tanh")}

_DEFAULT_ACTIVATIONS = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}
_SEQUENCE_LENGTHS = 4
_NODES_OF_STEP = {"RNN": 3, "GRU": 11, "LSTM": 11}
"""Of a usual one."""


def unrolled(node: gs.Node, state: Rewriting) -> list[gs.Node] | None:
    """The steps of such a node.

    It stays if its weights or number of steps are computed, if it has functions with numbers of their own, or if it
    clips: runtimes do not agree on what.
    """
    if node.op not in _DEFAULT_ACTIVATIONS or node.domain or not _can_be_decomposed(node):
        return None
    _refuse_growth(node)
    return _Unrolled(Replacement(node, state)).nodes()


def _refuse_growth(node: gs.Node) -> None:
    """Refuse what would be too many nodes, or too many copies of its recurrent weights, of which each step has one."""
    recurrent = node.inputs[2]
    steps = _steps(node) * int(recurrent.shape[0])
    excess = growth.excess_of_nodes(steps * _NODES_OF_STEP[node.op])
    if not excess:
        excess = growth.excess_of_copies(steps * 4 * prod(recurrent.shape[1:]))
    if excess:
        raise ConversionError(
            f"{node.op} {node.name or node.outputs[0].name!r} would be unrolled: {steps:,} steps are {excess}. "
            "Try: export the net with fewer steps, or cut it before with outputs=[...]"
        )


def _can_be_decomposed(node: gs.Node) -> bool:
    static = is_static(node.inputs[0])
    weights = all(isinstance(_input(node, index), (gs.Constant, type(None))) for index in (1, 2, 3, 7))
    known = all(name.lower() in _ACTIVATIONS for name in node.attrs.get("activations", []))
    return static and weights and known and not node.attrs.get("clip") and _runs_all_steps(node)


def _runs_all_steps(node: gs.Node) -> bool:
    lengths = _input(node, _SEQUENCE_LENGTHS)
    if lengths is None:
        return True
    return isinstance(lengths, gs.Constant) and bool((lengths.values == _steps(node)).all())


def _steps(node: gs.Node) -> int:
    return int(node.inputs[0].shape[node.attrs.get("layout", 0)])


def _input(node: gs.Node, index: int) -> gs.Tensor | None:
    """An input; None where it is left out, and an initial state where it is zero."""
    if index >= len(node.inputs) or not node.inputs[index].name:
        return None
    tensor = node.inputs[index]
    is_state = index > _SEQUENCE_LENGTHS
    return None if is_state and isinstance(tensor, gs.Constant) and not tensor.values.any() else tensor


@dataclass
class _Cell:
    """One direction.

    Attributes:
        activations: of the gates, of the candidate, and of an LSTM's result.
        recurrent: weights (gates·hidden, hidden).
        bias: what is added to the recurrent product, (gates·hidden), where that is not added to the input's.
        peepholes: of an LSTM's gates i, o and f, (3, hidden).
    """

    activations: list[str]
    recurrent: Array
    bias: Array
    peepholes: Array | None


class _Unrolled:
    """The nodes that take one recurrent node's place."""

    def __init__(self, new: Replacement) -> None:
        self._new, self._node = new, new.node
        node = new.node
        self._batch_first = bool(node.attrs.get("layout", 0))
        self._steps = _steps(node)
        self._batch = int(node.inputs[0].shape[0 if self._batch_first else 1])
        self._hidden = int(node.inputs[2].shape[2])
        self._step: Callable[[_Cell, gs.Tensor, list[gs.Tensor | None]], list[gs.Tensor]] = {
            "RNN": self._step_of_rnn,
            "GRU": self._step_of_gru,
            "LSTM": self._step_of_lstm,
        }[node.op]
        self._states = 2 if node.op == "LSTM" else 1

    def nodes(self) -> list[gs.Node]:
        """The nodes."""
        new, node = self._new, self._node
        x = node.inputs[0]
        if not self._batch_first:
            x = new.add("Transpose", [x], perm=[1, 0, 2])
        directions = int(node.inputs[1].shape[0])
        runs = [self._run(x, index) for index in range(directions)]
        n, steps, hidden = self._batch, self._steps, self._hidden
        results = []
        if new.state.is_read(node.outputs[0]):
            sides = [new.reshape(self._joined(states, 1), (n, steps, 1, hidden)) for states, _ in runs]
            whole = self._joined(sides, 2)
            results.append(whole if self._batch_first else new.add("Transpose", [whole], perm=[1, 2, 0, 3]))
        else:
            results.append(runs[0][0][0])
        for state in range(self._states):
            shape = (n, 1, hidden) if self._batch_first else (1, n, hidden)
            last = [new.reshape(ends[state], shape) for _, ends in runs]
            results.append(self._joined(last, 1 if self._batch_first else 0))
        given = node.outputs
        read = [index for index, tensor in enumerate(given) if tensor.name and new.state.is_read(tensor)]
        node.outputs = [given[index] for index in read]
        return new.nodes([results[index] for index in read])

    def _joined(self, tensors: Sequence[gs.Tensor], axis: int) -> gs.Tensor:
        return self._new.add("Concat", tensors, axis=axis) if len(tensors) > 1 else tensors[0]

    def _run(self, x: gs.Tensor, index: int) -> tuple[list[gs.Tensor], list[gs.Tensor]]:
        """One direction over x (N, steps, inputs): the result of every step in order, and the states at the end."""
        node, new = self._node, self._new
        weight, recurrent = (node.inputs[i].values[index] for i in (1, 2))
        both = _input(node, 3)
        biases = np.zeros((2, len(weight)), np.float32) if both is None else both.values[index].reshape(2, -1)
        peepholes = _input(node, 7)
        cell = _Cell(
            self._activations(index),
            recurrent,
            biases[1],
            None if peepholes is None else peepholes.values[index].reshape(3, -1),
        )
        apart = self._recurrent_bias_is_apart()
        gates = new.add("MatMul", [x, new.constant(np.ascontiguousarray(weight.T))])
        gates = new.add("Add", [gates, new.constant(biases[0] if apart else biases.sum(0))])
        rows = new.reshape(gates, (self._batch, self._steps * len(weight)))
        inputs = self._split(rows, [len(weight)] * self._steps)
        direction = node.attrs.get("direction", "forward")
        backward = direction == "reverse" or index == 1
        states = [self._initial(5 + state, index) for state in range(self._states)]
        made: list[gs.Tensor] = []
        for taken in reversed(inputs) if backward else inputs:
            states = list(self._step(cell, taken, states))
            assert states[0] is not None  # a step gives every state
            made.append(states[0])
        return made[::-1] if backward else made, [state for state in states if state is not None]

    def _recurrent_bias_is_apart(self) -> bool:
        return self._node.op == "GRU" and bool(self._node.attrs.get("linear_before_reset", 0))

    def _activations(self, index: int) -> list[str]:
        default = _DEFAULT_ACTIVATIONS[self._node.op]
        given = self._node.attrs.get("activations") or default * 2
        chosen = given[index * len(default) : (index + 1) * len(default)] or default
        return [_ACTIVATIONS[name.lower()] for name in chosen]

    def _initial(self, position: int, index: int) -> gs.Tensor | None:
        given = _input(self._node, position)
        if given is None:
            return None
        if isinstance(given, gs.Constant):
            return self._new.constant(given.values[:, index] if self._batch_first else given.values[index])
        axis = 1 if self._batch_first else 0
        piece = self._split(given, [1] * given.shape[axis], axis)[index]
        return self._new.reshape(piece, (self._batch, self._hidden))

    def _split(self, tensor: gs.Tensor, sizes: list[int], axis: int = 1) -> list[gs.Tensor]:
        if len(sizes) == 1:
            return [tensor]
        shapes: list[None] = [None] * len(sizes)
        if self._new.state.opset < _SPLIT_WITH_SIZES_AS_INPUT:
            return list(self._new.add_all("Split", [tensor], shapes, axis=axis, split=sizes))
        return list(self._new.add_all("Split", [tensor, self._new.constant(np.array(sizes))], shapes, axis=axis))

    def _through(self, function: str, gates: gs.Tensor) -> gs.Tensor:
        return self._new.add(function, [gates])

    def _from_state(self, state: gs.Tensor, weight: Array) -> gs.Tensor:
        return self._new.add("MatMul", [state, self._new.constant(np.ascontiguousarray(weight.T))])

    def _plus(self, gates: gs.Tensor, state: gs.Tensor | None, weight: Array) -> gs.Tensor:
        return gates if state is None else self._new.add("Add", [gates, self._from_state(state, weight)])

    def _step_of_rnn(self, cell: _Cell, x: gs.Tensor, states: list[gs.Tensor | None]) -> list[gs.Tensor]:
        """H = f(x + R·H)."""
        return [self._through(cell.activations[0], self._plus(x, states[0], cell.recurrent))]

    def _step_of_gru(self, cell: _Cell, x: gs.Tensor, states: list[gs.Tensor | None]) -> list[gs.Tensor]:
        """z, r = f(x + R·H); h = g(x + R·(r·H)), or g(x + r·(R·H + b)); H = h + z·(H - h)."""
        new, width, (state,) = self._new, self._hidden, states
        of_gates, of_candidate = cell.recurrent[: 2 * width], cell.recurrent[2 * width :]
        gates, candidate = self._split(x, [2 * width, width])
        if self._recurrent_bias_is_apart():
            gates = new.add("Add", [gates, new.constant(cell.bias[: 2 * width])])
        gates = self._through(cell.activations[0], self._plus(gates, state, of_gates))
        update, reset = self._split(gates, [width, width])
        if self._recurrent_bias_is_apart():
            bias = new.constant(cell.bias[2 * width :])
            inner = bias if state is None else new.add("Add", [self._from_state(state, of_candidate), bias])
            candidate = new.add("Add", [candidate, new.add("Mul", [reset, inner])])
        elif state is not None:
            candidate = self._plus(candidate, new.add("Mul", [reset, state]), of_candidate)
        candidate = self._through(cell.activations[1], candidate)
        if state is None:
            return [new.add("Sub", [candidate, new.add("Mul", [update, candidate])])]
        kept = new.add("Mul", [update, new.add("Sub", [state, candidate])])
        return [new.add("Add", [candidate, kept])]

    def _step_of_lstm(self, cell: _Cell, x: gs.Tensor, states: list[gs.Tensor | None]) -> list[gs.Tensor]:
        """i, o, f = f(x + R·H + P·C); C = f·C + i·g(x + R·H); H = o·h(C); o sees the new C, f is 1 - i if coupled."""
        new, width, (state, memory) = self._new, self._hidden, states
        of_gates, of_candidate, of_result = cell.activations
        gates = self._plus(x, state, cell.recurrent)
        coupled = bool(self._node.attrs.get("input_forget", 0))
        if cell.peepholes is None:
            outer, candidate = self._split(gates, [3 * width, width])
            enter, leave, forget = self._split(self._through(of_gates, outer), [width] * 3)
        else:
            enter, leave, forget, candidate = self._split(gates, [width] * 4)
            enter = self._through(of_gates, self._peeking(enter, memory, cell.peepholes[0]))
            forget = self._through(of_gates, self._peeking(forget, memory, cell.peepholes[2]))
        if coupled:
            forget = new.add("Sub", [new.constant(np.ones(1, np.float32)), enter])
        written = new.add("Mul", [enter, self._through(of_candidate, candidate)])
        if memory is not None:
            written = new.add("Add", [new.add("Mul", [forget, memory]), written])
        if cell.peepholes is not None:
            leave = self._through(of_gates, self._peeking(leave, written, cell.peepholes[1]))
        return [new.add("Mul", [leave, new.add(of_result, [written])]), written]

    def _peeking(self, gate: gs.Tensor, memory: gs.Tensor | None, weight: Array) -> gs.Tensor:
        if memory is None:
            return gate
        return self._new.add("Add", [gate, self._new.add("Mul", [memory, self._new.constant(weight)])])
