"""What the checks of the invariants cost of a conversion, and how the time of passes grows with the nodes of a chain.

`python -m tests.benchmarks.measure_passes invariants NET` or `... growth CHAIN` works in a process of its own and
prints one JSON object. Times are those of the processor, so that other programs do not count.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from gluon2caffe import to_caffe
from gluon2caffe.onnx2caffe import lower as lowering
from gluon2caffe.onnx2caffe.invariants import GraphWatch

ROUNDS = 5
FEW, MANY = 300, 3000


def invariants(name: str) -> dict[str, Any]:
    """The checks' share of converting and saving a net of the zoo, the least of several rounds."""
    from gluon2caffe.bridge.zoo import zoo_input_shape, zoo_net

    net, shape = zoo_net(name, random=True), zoo_input_shape(name)
    spent = [0.0]
    GraphWatch.check = _timed(GraphWatch.check, spent)  # type: ignore[method-assign]
    for check in ("require_recorded_shapes", "require_blob_shape", "find_other_float"):
        setattr(lowering, check, _timed(getattr(lowering, check), spent))
    shares = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            spent[0], started = 0.0, time.process_time()
            to_caffe(net, shape).save(Path(folder) / "net")
            shares.append(spent[0] / (time.process_time() - started))
    return {"name": name, "share": round(min(shares), 4)}


def _timed(function: Callable[..., Any], spent: list[float]) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        started = time.process_time()
        try:
            return function(*args, **kwargs)
        finally:
            spent[0] += time.process_time() - started

    return run


def _convolutions(count: int) -> onnx.ModelProto:
    """Conv, BatchNormalization and Relu."""
    rng = np.random.default_rng(0)
    weight = numpy_helper.from_array(rng.uniform(-0.1, 0.1, (4, 4, 1, 1)).astype(np.float32), "w")
    scales = [numpy_helper.from_array(np.full(4, 0.5, np.float32), name) for name in "sbuv"]
    nodes = []
    for i in range(count // 3):
        nodes.append(helper.make_node("Conv", [f"x{i}", "w"], [f"c{i}"]))
        nodes.append(helper.make_node("BatchNormalization", [f"c{i}", *"sbuv"], [f"n{i}"]))
        nodes.append(helper.make_node("Relu", [f"n{i}"], [f"x{i + 1}"]))
    return _model(nodes, [weight, *scales], f"x{count // 3}")


def _reshapes(count: int) -> onnx.ModelProto:
    """Reshapes to a shape that is computed from that of their input."""
    values = [numpy_helper.from_array(np.array([value]), name) for name, value in (("first", 0), ("rest", -1))]
    nodes = []
    for i in range(count // 5):
        nodes.append(helper.make_node("Shape", [f"x{i}"], [f"s{i}"]))
        nodes.append(helper.make_node("Gather", [f"s{i}", "first"], [f"g{i}"], axis=0))
        nodes.append(helper.make_node("Concat", [f"g{i}", "rest"], [f"c{i}"], axis=0))
        nodes.append(helper.make_node("Reshape", [f"x{i}", f"c{i}"], [f"r{i}"]))
        nodes.append(helper.make_node("Relu", [f"r{i}"], [f"x{i + 1}"]))
    return _model(nodes, values, f"x{count // 5}")


def _transposes(count: int) -> onnx.ModelProto:
    """Pairs of Transposes that undo each other, with an operator between them."""
    nodes = []
    for i in range(count // 4):
        nodes.append(helper.make_node("Transpose", [f"x{i}"], [f"t{i}"], perm=[0, 2, 3, 1]))
        nodes.append(helper.make_node("Relu", [f"t{i}"], [f"r{i}"]))
        nodes.append(helper.make_node("Transpose", [f"r{i}"], [f"b{i}"], perm=[0, 3, 1, 2]))
        nodes.append(helper.make_node("Tanh", [f"b{i}"], [f"x{i + 1}"]))
    return _model(nodes, [], f"x{count // 4}")


def _gates(count: int) -> onnx.ModelProto:
    """x·sigmoid(x), which the target opencv, mnn or ncnn may have a layer for."""
    nodes = []
    for i in range(count // 2):
        nodes.append(helper.make_node("Sigmoid", [f"x{i}"], [f"s{i}"]))
        nodes.append(helper.make_node("Mul", [f"x{i}", f"s{i}"], [f"x{i + 1}"]))
    return _model(nodes, [], f"x{count // 2}")


def _model(nodes: list[onnx.NodeProto], weights: list[onnx.TensorProto], last: str) -> onnx.ModelProto:
    given = helper.make_tensor_value_info("x0", TensorProto.FLOAT, [2, 4, 2, 2])
    graph = helper.make_graph(nodes, "chain", [given], [helper.make_tensor_value_info(last, 1, None)], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


CHAINS: dict[str, Callable[[int], onnx.ModelProto]] = {
    "convolutions": _convolutions,
    "reshapes": _reshapes,
    "transposes": _transposes,
    "gates": _gates,
}


def growth(chain: str) -> dict[str, Any]:
    """How many times as long the conversion of ten times as many nodes takes."""
    make = CHAINS[chain]
    few, many = (min(_seconds(make(count)) for _ in range(2)) for count in (FEW, MANY))
    return {"chain": chain, "nodes": [FEW, MANY], "time_ratio": round(many / few, 2)}


def _seconds(model: onnx.ModelProto) -> float:
    started = time.process_time()
    to_caffe(model, target="opencv")
    return time.process_time() - started


if __name__ == "__main__":
    json.dump({"invariants": invariants, "growth": growth}[sys.argv[1]](sys.argv[2]), sys.stdout)
