"""Symbol files of every age, against what MXNet 1.9.1 makes of them where it is installed."""

import json
from pathlib import Path
from typing import Any

import pytest

from gluon2caffe.bridge.mxnet_files import read_symbol
from gluon2caffe.bridge.mxnet_files.registered import ALIASES, OPERATORS, canonical_name
from gluon2caffe.onnx2caffe.errors import SourceError

CHECKPOINTS = Path(__file__).parents[4] / "shared" / "checkpoints"

# As MXNet 0.8 wrote it: attributes in `param` and `attr`, inputs of two numbers, no nodes for auxiliary states,
# hidden keys without underscores, old names of operators, the nodes in another order than MXNet visits them.
OLD: dict[str, Any] = {
    "nodes": [
        {"op": "null", "param": {}, "name": "conv_bias", "inputs": [], "backward_source_id": -1},
        {"op": "null", "param": {}, "name": "conv_weight", "inputs": [], "backward_source_id": -1},
        {"op": "null", "param": {}, "name": "data", "inputs": [], "backward_source_id": -1},
        {
            "op": "Convolution",
            "param": {"kernel": "(3, 3)", "num_filter": "4"},
            "name": "conv",
            "inputs": [[2, 0], [1, 0], [0, 0]],
            "backward_source_id": -1,
            "attr": {"weight_lr_mult": "1.2", "lr_mult": "0.1"},
        },
        {"op": "null", "param": {}, "name": "bn_gamma", "inputs": [], "backward_source_id": -1},
        {"op": "null", "param": {}, "name": "bn_beta", "inputs": [], "backward_source_id": -1},
        {
            "op": "BatchNorm",
            "param": {"eps": "0.001", "fix_gamma": "True", "momentum": "0.9"},
            "name": "bn",
            "inputs": [[3, 0], [4, 0], [5, 0]],
            "backward_source_id": -1,
        },
        {"op": "_MulScalar", "param": {"scalar": "2.0"}, "name": "twice", "inputs": [[6, 0]], "backward_source_id": -1},
        {"op": "_Plus", "param": {}, "name": "sum", "inputs": [[6, 0], [7, 0]], "backward_source_id": -1},
        {"op": "argmax", "param": {"axis": "-1"}, "name": "best", "inputs": [[8, 0]], "backward_source_id": -1},
    ],
    "arg_nodes": [0, 1, 2, 4, 5],
    "heads": [[9, 0]],
}


def written(folder: Path, graph: Any) -> Path:
    path = folder / "net-symbol.json"
    path.write_text(json.dumps(graph))
    return path


def test_a_symbol_of_mxnet_0_8(tmp_path: Path) -> None:
    graph = read_symbol(written(tmp_path, OLD))
    assert [(node.op, node.name) for node in graph.nodes] == [
        ("null", "data"),
        ("null", "conv_weight"),
        ("null", "conv_bias"),
        ("Convolution", "conv"),
        ("null", "bn_gamma"),
        ("null", "bn_beta"),
        ("null", "bn_moving_mean"),
        ("null", "bn_moving_var"),
        ("BatchNorm", "bn"),
        ("_mul_scalar", "twice"),
        ("elemwise_add", "sum"),
        ("argmax", "best"),
    ]
    by_name = {node.name: node for node in graph.nodes}
    assert by_name["conv"].attrs == {"kernel": "(3, 3)", "num_filter": "4", "__lr_mult__": "0.1"}
    assert by_name["conv_weight"].attrs == {"__lr_mult__": "1.2"}
    assert by_name["bn"].inputs == [(3, 0), (4, 0), (5, 0), (6, 0), (7, 0)]
    assert by_name["best"].attrs == {}


def as_mxnet(mx: Any, path: Path) -> list[Any]:
    nodes = json.loads(mx.sym.load(str(path)).tojson())["nodes"]
    return [(node["op"], node["name"], _visible(node.get("attrs", {})), _entries(node)) for node in nodes]


def as_read(path: Path) -> list[Any]:
    nodes = read_symbol(path).to_json()["nodes"]
    return [(node["op"], node["name"], _visible(node["attrs"]), _entries(node)) for node in nodes]


def _entries(node: Any) -> list[Any]:
    """Without the third number, which counts how often an auxiliary state was written in training."""
    return [entry[:2] for entry in node["inputs"]]


def _visible(attrs: dict[str, str]) -> dict[str, str]:
    """What bears on a number: MXNet adds initialisers of variables that nobody asks for."""
    return {key: value for key, value in attrs.items() if key != "__init__"}


def test_mxnet_makes_the_same_of_an_old_symbol(mx: Any, tmp_path: Path) -> None:
    path = written(tmp_path, OLD)
    assert as_read(path) == as_mxnet(mx, path)


@pytest.mark.parametrize("path", sorted(CHECKPOINTS.glob("*-symbol.json")), ids=lambda path: path.name)
def test_mxnet_makes_the_same_of_symbols_in_the_wild(mx: Any, path: Path) -> None:
    if path.name.startswith("ssd300_train_ellinier"):
        with pytest.raises(mx.MXNetError, match="Operator MultiBoxPrior is not registered"):
            mx.sym.load(str(path))
        assert {"_contrib_MultiBoxPrior", "_contrib_MultiBoxTarget"} <= {node.op for node in read_symbol(path).nodes}
        return
    assert as_read(path) == as_mxnet(mx, path)


def test_there_are_symbols_in_the_wild() -> None:
    if not CHECKPOINTS.is_dir():
        pytest.skip(f"no checkpoints of other people in {CHECKPOINTS}")
    assert len(list(CHECKPOINTS.glob("*-symbol.json"))) >= 10


def test_the_list_of_operators_is_mxnets(mx: Any) -> None:
    import ctypes

    from mxnet.base import _LIB, c_str, py_str

    count, names = ctypes.c_uint(), ctypes.POINTER(ctypes.c_char_p)()
    _LIB.NNListAllOpNames(ctypes.byref(count), ctypes.byref(names))
    registered = {}
    for name in [py_str(names[index]) for index in range(count.value)]:  # a list: the next call reuses the memory
        handle, fields = ctypes.c_void_p(), [ctypes.c_char_p(), ctypes.c_char_p(), ctypes.c_uint()]
        lists = [ctypes.POINTER(ctypes.c_char_p)() for _ in range(3)]
        _LIB.NNGetOpHandle(c_str(name), ctypes.byref(handle))
        _LIB.NNGetOpInfo(handle, *map(ctypes.byref, [*fields, *lists, ctypes.c_char_p()]))
        registered[name] = py_str(fields[0].value)
    own = {
        name
        for name in registered
        if "backward" not in name and not name.startswith(("_grad", "_NDArray", "_Native", "_NoGrad"))
    }
    assert own == OPERATORS | ALIASES.keys()
    assert {name: canonical_name(name) for name in own} == {name: registered[name] for name in own}


def changed(change: Any) -> Any:
    graph = json.loads(json.dumps(OLD))
    change(graph)
    return graph


DAMAGED = {
    "no heads": (lambda graph: graph.pop("heads"), "no nodes, arg_nodes and heads in it"),
    "no outputs": (lambda graph: graph["heads"].clear(), "it has no outputs"),
    "an output that is not there": (lambda graph: graph["heads"][0].__setitem__(0, 99), "an output refers to a node"),
    "an argument that is not there": (lambda graph: graph["arg_nodes"].append(-1), "an argument refers to a node"),
    "a later node": (
        lambda graph: graph["nodes"][3]["inputs"][0].__setitem__(0, 5),
        "node conv refers to a node that does not come before it",
    ),
    "a reference that is no number": (
        lambda graph: graph["nodes"][3]["inputs"].__setitem__(0, [True, 0]),
        "node conv refers to [True, 0], expected [node, output]",
    ),
    "no name": (lambda graph: graph["nodes"][3].pop("name"), "node 3 lacks its name, op or inputs"),
    "a node that is none": (lambda graph: graph["nodes"].__setitem__(3, 7), "node 3 is not an object"),
    "attributes that are no text": (
        lambda graph: graph["nodes"][3].__setitem__("param", {"kernel": [3, 3]}),
        "the attributes of node conv are not strings",
    ),
    "a variable with inputs": (
        lambda graph: graph["nodes"][2].__setitem__("inputs", [[0, 0]]),
        "variable data has inputs",
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_symbol_is_told_by_what_is_wrong(tmp_path: Path, case: str) -> None:
    change, reason = DAMAGED[case]
    path = written(tmp_path, changed(change))
    with pytest.raises(SourceError) as refusal:
        read_symbol(path)
    assert f"{path} is not a complete MXNet symbol file ({reason}" in str(refusal.value)


def test_loops_are_refused(tmp_path: Path) -> None:
    graph = changed(lambda graph: graph["nodes"][7].update(op="_foreach", subgraphs=[{}]))
    with pytest.raises(SourceError, match=r"loops and conditions cannot be converted, Caffe has none \(found twice\)"):
        read_symbol(written(tmp_path, graph))
