"""RNN, GRU and LSTM, unrolled."""

from typing import Any

import numpy as np
import onnx
import pytest
from agreement import agrees, check, layer_types
from onnx import helper, numpy_helper

import gluon2caffe
from gluon2caffe import UnsupportedModelError
from gluon2caffe.bridge.origins import walk_back
from gluon2caffe.bridge.verification.reference_onnx import run_onnx

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
HIDDEN, INPUTS = 4, 5


def net(
    operator: str,
    *,
    steps: int = 3,
    batch: int = 2,
    directions: int = 1,
    bias: bool = True,
    initial: str = "",
    peepholes: bool = False,
    outputs: str = "y",
    opset: int = 14,
    lengths: Any = None,
    **attributes: Any,
) -> onnx.ModelProto:
    """One recurrent node; `initial` states are "constant" or "computed"."""
    rng = np.random.default_rng(0)
    gates = GATES[operator]
    layout = attributes.get("layout", 0)
    weights: dict[str, np.ndarray] = {
        "w": rng.uniform(-1, 1, (directions, gates * HIDDEN, INPUTS)),
        "r": rng.uniform(-1, 1, (directions, gates * HIDDEN, HIDDEN)),
    }
    names = ["x", "w", "r", "", "", "", "", ""]
    if bias:
        names[3], weights["b"] = "b", rng.uniform(-1, 1, (directions, 2 * gates * HIDDEN))
    if lengths is not None:
        names[4] = "lengths"
    state = (batch, directions, HIDDEN) if layout else (directions, batch, HIDDEN)
    states = ["h", "c"] if operator == "LSTM" else ["h"]
    inputs = [helper.make_tensor_value_info("x", 1, (batch, steps, INPUTS) if layout else (steps, batch, INPUTS))]
    for place, name in enumerate(states):
        if initial:
            names[5 + place] = name
        if initial == "constant":
            weights[name] = rng.uniform(-1, 1, state)
        elif initial == "computed":
            inputs.append(helper.make_tensor_value_info(name, 1, state))
    if peepholes:
        names[7], weights["p"] = "p", rng.uniform(-1, 1, (directions, 3 * HIDDEN))
    made = [name if name[0] in outputs else "" for name in ("y", *(f"{name}_end" for name in states))]
    while not names[-1]:
        names.pop()
    node = helper.make_node(operator, names, made, hidden_size=HIDDEN, name="cell", **attributes)
    constants = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()]
    if lengths is not None:
        constants.append(numpy_helper.from_array(np.array(lengths, np.int32), "lengths"))
    ends = [helper.make_tensor_value_info(name, 1, None) for name in made if name]
    graph = helper.make_graph([node], "net", inputs, ends, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


CASES: dict[str, onnx.ModelProto] = {
    **{operator: net(operator) for operator in GATES},
    **{f"{operator}, opset 7": net(operator, opset=7) for operator in GATES},
    **{f"{operator}, one sample": net(operator, batch=1, bias=False) for operator in GATES},
    **{f"{operator}, states at the end": net(operator, outputs="yhc") for operator in GATES},
    **{f"{operator}, states alone": net(operator, outputs="hc") for operator in GATES},
    **{f"{operator}, initial states": net(operator, initial="constant") for operator in GATES},
    "GRU, the linear part first": net("GRU", linear_before_reset=1, initial="constant"),
    "GRU, the linear part first, from nothing": net("GRU", linear_before_reset=1),
    "LSTM, computed states": net("LSTM", initial="computed"),
    "LSTM, peepholes": net("LSTM", peepholes=True, initial="constant", outputs="yhc"),
    "RNN, ReLU": net("RNN", activations=["Relu"]),
    "RNN of full length": net("RNN", lengths=[3, 3]),
}
CASES |= {
    f"{operator}, {direction}, from {initial or 'nothing'}": net(
        operator,
        directions=1 if direction == "reverse" else 2,
        direction=direction,
        initial=initial,
        outputs="yhc",
    )
    for operator in GATES
    for direction in ("reverse", "bidirectional")
    for initial in ("", "constant", "computed")
}


@pytest.mark.parametrize("source", CASES.values(), ids=list(CASES))
def test_agrees(source: onnx.ModelProto) -> None:
    check(source)


@pytest.mark.parametrize("operator", GATES)
def test_layout_with_the_batch_first(operator: str) -> None:
    """The same numbers as with the steps first, in another order."""
    directions = 2
    first = net(operator, directions=directions, direction="bidirectional", outputs="yhc")
    second = net(operator, directions=directions, direction="bidirectional", outputs="yhc", layout=1)
    x = np.random.default_rng(1).normal(size=(3, 2, INPUTS)).astype(np.float32)
    expected = run_onnx(first, {"x": x})
    turned = {
        name: value.transpose(2, 0, 1, 3) if name == "y" else value.swapaxes(0, 1) for name, value in expected.items()
    }
    agrees(gluon2caffe.to_caffe(second), {"x": np.ascontiguousarray(x.swapaxes(0, 1))}, turned)


def test_every_layer_leads_back_to_the_node() -> None:
    assert set(walk_back(gluon2caffe.to_caffe(net("LSTM"))).values()) == {("cell",)}


def test_the_input_is_multiplied_once() -> None:
    """One product for the input, and one for each step but the first."""
    assert layer_types(gluon2caffe.to_caffe(net("RNN", steps=5))).count("InnerProduct") == 5


@pytest.mark.parametrize(
    "source",
    [
        net("LSTM", clip=1.0),
        net("RNN", activations=["Elu"]),
        net("GRU", lengths=[3, 2]),
    ],
    ids=["clip", "another function", "shorter samples"],
)
def test_refusals(source: onnx.ModelProto) -> None:
    with pytest.raises(UnsupportedModelError, match=r"'y' .*no exact translation"):
        gluon2caffe.to_caffe(source)
