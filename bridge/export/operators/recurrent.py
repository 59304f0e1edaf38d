"""The fused RNN operator: its parameter vector cut into the weights that ONNX's RNN, LSTM and GRU have."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gluon2caffe.bridge.export.operators.node_reader import NodeReader, NotExactError, ShapeError
from gluon2caffe.bridge.export.operators.operator import Operator
from gluon2caffe.bridge.export.operators.registry import translates
from gluon2caffe.bridge.export.operators.shape_rules import expect_rank, expect_shape
from gluon2caffe.bridge.mxnet_files.graph import Shape


@dataclass(frozen=True)
class _Kind:
    """ONNX's operator, in which order it has MXNet's gates, and its attributes."""

    operator: str
    gates: tuple[int, ...]
    attributes: dict[str, Any]


# MXNet's gates are input, forget, cell, output (LSTM) and reset, update, new (GRU).
_KINDS = {
    "rnn_tanh": _Kind("RNN", (0,), {"activations": ["Tanh"]}),
    "rnn_relu": _Kind("RNN", (0,), {"activations": ["Relu"]}),
    "lstm": _Kind("LSTM", (0, 3, 1, 2), {}),
    "gru": _Kind("GRU", (1, 0, 2), {"linear_before_reset": 1}),
}


@dataclass(frozen=True)
class _Sizes:
    steps: int
    batch: int
    width: int
    hidden: int
    layers: int
    directions: int

    @classmethod
    def of(cls, op: NodeReader) -> "_Sizes":
        expect_rank(op, 3)
        directions = 2 if op.flag("bidirectional", False) else 1
        steps, batch, width = op.shape
        return cls(steps, batch, width, op.integer("state_size"), op.integer("num_layers"), directions)

    def width_of(self, layer: int) -> int:
        return self.width if layer == 0 else self.hidden * self.directions


def _rnn_shape(op: NodeReader) -> list[Shape]:
    sizes = _Sizes.of(op)
    if op.text("mode", "") not in _KINDS or op.has("projection_size"):
        raise NotExactError(f"RNN of mode {op.text('mode', '')} with projection_size {op.text('projection_size', '')}")
    gates = len(_KINDS[op.text("mode", "")].gates)
    count = sum(
        sizes.directions * gates * sizes.hidden * (sizes.width_of(layer) + sizes.hidden + 2)
        for layer in range(sizes.layers)
    )
    state = (sizes.layers * sizes.directions, sizes.batch, sizes.hidden)
    expect_shape(op, 1, (count,))
    expect_shape(op, 2, state)
    if min(state) < 1:
        raise ShapeError(f"its state has shape {state}")
    outputs: list[Shape] = [(sizes.steps, sizes.batch, sizes.hidden * sizes.directions)]
    if op.flag("state_outputs", False):
        outputs += [state] * (2 if op.text("mode", "") == "lstm" else 1)
    return outputs


@translates("RNN", shape=_rnn_shape)
def rnn(op: Operator) -> None:
    """One ONNX operator for each layer; data (steps, N, features), as both have it."""
    if op.flag("use_sequence_length", False) or op.has("lstm_state_clip_min") or op.has("lstm_state_clip_max"):
        raise NotExactError("RNN with sequence lengths that are data, or with clipped states")
    sizes = _Sizes.of(op)
    kind = _KINDS[op.text("mode", "")]
    parameters = _Parameters(op, sizes, kind)
    data = op.inputs[0].name
    ends: list[tuple[str, ...]] = []
    for layer in range(sizes.layers):
        outputs = _layer(op, sizes, kind, layer, data, parameters)
        data = _joined_directions(op, sizes, outputs[0], last=layer == sizes.layers - 1)
        ends.append(outputs[1:])
    for index, states in enumerate(zip(*ends, strict=True)):
        if index + 1 < len(op.output_shapes):
            _finish_states(op, states, index + 1)


class _Parameters:
    """The flat vector: weights of all layers, then biases of all layers; of each direction input, then recurrent."""

    def __init__(self, op: Operator, sizes: _Sizes, kind: _Kind) -> None:
        self._op, self._sizes, self._kind = op, sizes, kind
        self.rows = len(kind.gates) * sizes.hidden
        self._places: dict[tuple[str, int, int], int] = {}
        place = 0
        for layer in range(sizes.layers):
            for direction in range(sizes.directions):
                for part, width in (("W", sizes.width_of(layer)), ("R", sizes.hidden)):
                    self._places[part, layer, direction] = place
                    place += self.rows * width
        for layer in range(sizes.layers):
            for direction in range(sizes.directions):
                for part in ("Wb", "Rb"):
                    self._places[part, layer, direction] = place
                    place += self.rows

    def matrix(self, part: str, layer: int, width: int) -> str:
        """(directions, gates · hidden, width), the gates in ONNX's order."""
        pieces = [
            piece
            for direction in range(self._sizes.directions)
            for piece in self._gates(self._places[part, layer, direction], width)
        ]
        return self._stacked(part, pieces, (self._sizes.directions, self.rows, width))

    def bias(self, layer: int) -> str:
        """(directions, 2 · gates · hidden)."""
        pieces = [
            piece
            for direction in range(self._sizes.directions)
            for part in ("Wb", "Rb")
            for piece in self._gates(self._places[part, layer, direction], 1)
        ]
        return self._stacked("B", pieces, (self._sizes.directions, 2 * self.rows))

    def _gates(self, start: int, width: int) -> list[str]:
        size = self._sizes.hidden * width
        return [_slice(self._op, self._op.inputs[1].name, start + gate * size, size) for gate in self._kind.gates]

    def _stacked(self, label: str, pieces: Sequence[str], shape: Shape) -> str:
        total = 1
        for size in shape:
            total *= size
        flat = self._op.add_node("Concat", pieces, (total,), axis=0)
        return self._op.add_node("Reshape", [flat, self._op.shape_constant(f"{label}_shape", shape)], shape)


def _slice(op: Operator, source: str, start: int, size: int) -> str:
    bounds = [op.shape_constant("starts", (start,)), op.shape_constant("ends", (start + size,))]
    return op.add_node("Slice", [source, *bounds, op.shape_constant("axes", (0,))], (size,))


def _layer(op: Operator, sizes: _Sizes, kind: _Kind, layer: int, data: str, parameters: _Parameters) -> tuple[str, ...]:
    """Add one layer; returns its sequence, its last state and, of an LSTM, its last cell state."""
    directions, hidden = sizes.directions, sizes.hidden
    weights = [
        parameters.matrix("W", layer, sizes.width_of(layer)),
        parameters.matrix("R", layer, hidden),
        parameters.bias(layer),
    ]
    states = [_first_state(op, sizes, index, layer) for index in range(2, 4 if kind.operator == "LSTM" else 3)]
    attributes = dict(kind.attributes)
    if "activations" in attributes:
        attributes["activations"] = attributes["activations"] * directions
    state = (directions, sizes.batch, hidden)
    return op.add_node_of_many(
        kind.operator,
        [data, *weights, "", *states],
        [(sizes.steps, directions, sizes.batch, hidden), *[state] * len(states)],
        hidden_size=hidden,
        direction="bidirectional" if directions == 2 else "forward",
        **attributes,
    )


def _first_state(op: Operator, sizes: _Sizes, index: int, layer: int) -> str:
    source = op.input(index)
    if sizes.layers == 1:
        return source.name
    start = layer * sizes.directions
    bounds = [op.shape_constant("starts", (start,)), op.shape_constant("ends", (start + sizes.directions,))]
    shape = (sizes.directions, sizes.batch, sizes.hidden)
    return op.add_node("Slice", [source.name, *bounds, op.shape_constant("axes", (0,))], shape)


def _joined_directions(op: Operator, sizes: _Sizes, sequence: str, *, last: bool) -> str:
    """(steps, directions, N, hidden) to (steps, N, directions · hidden)."""
    shape = (sizes.steps, sizes.batch, sizes.hidden * sizes.directions)
    turned = op.add_node(
        "Transpose",
        [sequence],
        (sizes.steps, sizes.batch, sizes.directions, sizes.hidden),
        perm=(0, 2, 1, 3),
    )
    target = op.shape_constant("sequence", shape)
    if last:
        op.result("Reshape", [turned, target])
        return op.name
    return op.add_node("Reshape", [turned, target], shape)


def _finish_states(op: Operator, states: Sequence[str], index: int) -> None:
    if len(states) == 1:
        op.result("Identity", states, index=index)
    else:
        op.result("Concat", states, index=index, axis=0)
