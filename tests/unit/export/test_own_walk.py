"""Operators in symbol files that MXNet's CPU build does not run, or that need special parameters, against numpy."""

import numpy as np
import onnx
import onnx_graphsurgeon as gs
import onnxruntime
import pytest

from gluon2caffe.bridge.export import TracedNet, export_graph
from gluon2caffe.bridge.export.shapes import add_shapes
from gluon2caffe.bridge.export.traced import output_names
from gluon2caffe.bridge.mxnet_files.graph import SymbolGraph, SymbolNode
from gluon2caffe.onnx2caffe.errors import SourceError

RNG = np.random.default_rng(0)


def computed(
    op: str, attrs: dict[str, str], data: np.ndarray, params: dict[str, np.ndarray], *, reads: bool = True
) -> np.ndarray:
    """What the exported graph of one operator computes."""
    names = ["data", *params]
    nodes = [SymbolNode(name, "null", {}, []) for name in names]
    nodes.append(SymbolNode("y", op, attrs, [(index, 0) for index in range(len(names))] if reads else []))
    graph = SymbolGraph(nodes, [(len(names), 0)])
    add_shapes(graph, {"data": data.shape, **{name: array.shape for name, array in params.items()}})
    net = TracedNet(graph, dict(params), {"data": data.shape}, output_names(graph), "net", from_files=True)
    model = gs.export_onnx(export_graph(net))
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"data": data})
    assert tuple(found.shape) == graph.nodes[-1].shapes[0]
    return np.asarray(found)


def drawn(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def assert_equal(found: np.ndarray, expected: np.ndarray) -> None:
    assert np.abs(found - expected).max() <= 3e-6 * np.abs(expected).max()


@pytest.mark.parametrize("groups", [1, 2])
def test_a_convolution_with_the_channels_last(groups: int) -> None:
    data, weight, bias = drawn(2, 7, 9, 4), drawn(6, 3, 2, 4 // groups), drawn(6)
    attrs = {"kernel": "(3, 2)", "stride": "(2, 1)", "pad": "(1, 0)", "num_filter": "6", "num_group": str(groups)}
    first = computed(
        "Convolution",
        attrs,
        np.ascontiguousarray(np.moveaxis(data, 3, 1)),
        {"w": np.ascontiguousarray(np.moveaxis(weight, 3, 1)), "b": bias},
    )
    last = computed("Convolution", {**attrs, "layout": "NHWC"}, data, {"w": weight, "b": bias})
    assert_equal(last, np.moveaxis(first, 1, 3))


def test_a_convolution_over_one_axis_with_the_channels_last() -> None:
    data, weight = drawn(2, 7, 4), drawn(6, 3, 4)
    attrs = {"kernel": "(3,)", "num_filter": "6", "no_bias": "True"}
    first = computed("Convolution", attrs, np.ascontiguousarray(data.swapaxes(1, 2)), {"w": weight.swapaxes(1, 2)})
    last = computed("Convolution", {**attrs, "layout": "NWC"}, data, {"w": weight})
    assert_equal(last, first.swapaxes(1, 2))


def test_another_layout_is_refused() -> None:
    with pytest.raises(SourceError, match=r"y \(Convolution on \(1, 4, 5, 6\)\): layout CHWN"):
        computed(
            "Convolution",
            {"kernel": "(1, 1)", "num_filter": "2", "layout": "CHWN"},
            drawn(1, 4, 5, 6),
            {"w": drawn(2, 4, 1, 1), "b": drawn(2)},
        )


def test_values_at_constant_places() -> None:
    data = drawn(3, 4, 5)
    indices = np.array([[0, 2], [9, -1]], np.float32)  # out of range means the last or the first
    assert_equal(computed("take", {"axis": "1"}, data, {"i": indices}), data[:, [[0, 2], [3, 0]]])
    places = np.array([[2, 0, 1], [3, 3, 0]], np.float32)
    assert_equal(computed("gather_nd", {}, data, {"i": places}), data[[2, 0, 1], [3, 3, 0]])
    picked = np.array([[0, 1, 4, 9]] * 3, np.float32)
    assert_equal(
        computed("pick", {"axis": "2"}, data, {"i": picked}),
        np.take_along_axis(data, np.minimum(picked, 4).astype(int)[:, :, None], 2)[:, :, 0],
    )


def test_rows_of_an_embedding() -> None:
    table = drawn(4, 3)
    found = computed(
        "Embedding", {"input_dim": "4", "output_dim": "3"}, np.array([[0, 3, 7]], np.float32), {"w": table}
    )
    assert_equal(found, table[[[0, 3, 3]]])


def test_activations_of_mxnet_2() -> None:
    data = drawn(2, 3)
    log_sigmoid = -np.log1p(np.exp(-data))
    assert_equal(computed("Activation", {"act_type": "log_sigmoid"}, data, {}), log_sigmoid)
    assert_equal(computed("Activation", {"act_type": "mish"}, data, {}), data * np.tanh(np.log1p(np.exp(data))))


def test_batch_norm_with_relu() -> None:
    data, gamma, beta, mean = drawn(2, 3, 4, 4), drawn(3), drawn(3), drawn(3)
    var = np.abs(drawn(3)) + 0.5
    found = computed(
        "_contrib_BatchNormWithReLU",
        {"fix_gamma": "False", "eps": "0.01"},
        data,
        {"g": gamma, "b": beta, "m": mean, "v": var},
    )
    column = (slice(None), None, None)
    normal = (data - mean[column]) / np.sqrt(var[column] + 0.01) * gamma[column] + beta[column]
    assert_equal(found, np.maximum(normal, 0))


def test_the_largest_channel() -> None:
    data = drawn(2, 5, 3)
    assert np.array_equal(computed("argmax_channel", {}, data, {}), data.argmax(1))


@pytest.mark.parametrize(
    ("op", "attrs", "reason"),
    [
        ("Convolution", {"kernel": "(3, x)", "num_filter": "4"}, r"attribute kernel is '\(3, x\)', expected integers"),
        (
            "Convolution",
            {"kernel": "(1, 1)", "num_filter": "many"},
            "num_filter is 'many', expected a number",
        ),
        ("Convolution", {"kernel": "(1, 1)", "num_filter": "inf"}, "attribute num_filter is inf, expected an integer"),
        ("Convolution", {"kernel": "(1, 1)"}, "attribute num_filter is missing"),
        ("transpose", {"axes": "(0, 1, 2, 7)"}, "axis 7 of 4 axes"),
        ("FullyConnected", {"num_hidden": "3"}, "it has 1 inputs, expected 3"),
        ("Deconvolution", {"kernel": "(1, 1)", "num_filter": "3"}, "it has 1 inputs, expected 2"),
        ("broadcast_add", {}, "it has 1 inputs, expected 2"),
    ],
)
def test_damaged_attributes_are_named(op: str, attrs: dict[str, str], reason: str) -> None:
    params = {"w": drawn(4, 4, 1, 1), "b": drawn(4)} if op == "Convolution" else {}
    with pytest.raises(SourceError, match=reason):
        computed(op, attrs, drawn(1, 4, 5, 6), params)


@pytest.mark.parametrize(
    ("op", "attrs", "reason"),
    [
        ("tile", {"reps": "(1000000, 1000000)"}, r"y \(tile\): its output would have shapes"),
        ("SliceChannel", {"num_outputs": "1000000000"}, "does not split into 1000000000 parts"),
        ("_arange", {"start": "0", "stop": "1e12"}, "a range from 0.0 to 1000000000000.0 by 1.0"),
        ("_full", {"shape": "(100000, 10000)", "value": "1"}, r"a constant of shape \(100000, 10000\)"),
        ("Reshape", {"shape": "(0, 0, 0, 0, 0)"}, r"its shape \(0, 0, 0, 0, 0\) does not fit the input"),
        ("Pad", {"pad_width": "(0, 0)", "mode": "constant"}, "does not fit the shape"),
    ],
)
def test_sizes_that_cannot_be_are_refused_before_anything_is_made(op: str, attrs: dict[str, str], reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        computed(op, attrs, drawn(1, 4, 5, 6), {}, reads=not op.startswith("_"))
