from pathlib import Path
from typing import Any

import numpy as np
import pytest
from known_net import INPUT, VALUES

from gluon2caffe.bridge.verification.first_difference import first_difference
from gluon2caffe.bridge.verification.readers import Reader
from gluon2caffe.bridge.verification.run import run_readers
from gluon2caffe.onnx2caffe.model import CaffeModel, SavedModel

REFERENCE = {
    tensor: np.array([VALUES[values]], np.float32)[:, :, None, :]
    for tensor, values in {"relu_out": "relu", "split_1": "b", "add_out": "shifted", "y": "joined"}.items()
}


def test_none_when_every_blob_agrees(net: CaffeModel, saved: SavedModel, reader: Reader) -> None:
    assert first_difference(net, saved.caffemodel, reader, {"data": INPUT}, REFERENCE) is None


@pytest.mark.parametrize(
    ("tensor", "layer", "origin", "unchecked"),
    [
        ("relu_out", "relu", ("Relu_0",), ("conv",)),
        ("split_1", "cut", ("Split_0",), ()),
        ("add_out", "shift", ("Add_0",), ()),
        # Concat reads the first top of Slice too, for which there is no tensor.
        ("y", "join", ("Concat_0",), ("cut",)),
    ],
)
def test_names_the_layer_its_origin_and_what_was_not_checked(
    net: CaffeModel,
    saved: SavedModel,
    reader: Reader,
    tensor: str,
    layer: str,
    origin: tuple[str, ...],
    unchecked: tuple[str, ...],
) -> None:
    # Everything from this tensor on is off; the first must be named.
    order = list(REFERENCE)
    wrong = {name: REFERENCE[name] + (order.index(name) >= order.index(tensor)) for name in order}
    found = first_difference(net, saved.caffemodel, reader, {"data": INPUT}, wrong)
    assert found is not None
    assert (found.reader, found.layer, found.tensor, found.origin) == (reader.name, layer, tensor, origin)
    assert found.type == net.layer(layer).message.type
    assert found.unchecked == unchecked
    assert found.source == origin
    assert found.absolute == pytest.approx(1, abs=1e-5)


NODES = {"Conv_0": ["conv_out"], "Relu_0": ["relu_out"], "Split_0": ["split_0", "split_1"]}
CONV_OUT = np.array([VALUES["conv"]], np.float32)[:, :, None, :]


@pytest.mark.parametrize(
    ("conv_out", "layer", "unchecked"),
    [
        (CONV_OUT, "relu", ()),  # the convolution is right, so the fault lies in the ReLU
        (CONV_OUT + 1, "conv", ()),
        (CONV_OUT[:, :1], "relu", ("conv",)),  # of another shape: it says nothing
    ],
)
def test_an_overwritten_blob_tells_which_layer_is_at_fault(
    net: CaffeModel, saved: SavedModel, reader: Reader, conv_out: np.ndarray, layer: str, unchecked: tuple[str, ...]
) -> None:
    wrong = {**REFERENCE, "relu_out": REFERENCE["relu_out"] + 1, "conv_out": conv_out}
    found = first_difference(net, saved.caffemodel, reader, {"data": INPUT}, wrong, node_outputs=NODES)
    assert found is not None
    assert (found.layer, found.unchecked) == (layer, unchecked)
    assert found.tensor == {"conv": "conv_out", "relu": "relu_out"}[layer]


def test_an_overwritten_blob_alone_is_no_difference(net: CaffeModel, saved: SavedModel, reader: Reader) -> None:
    guessed = {**REFERENCE, "conv_out": CONV_OUT + 1}
    assert first_difference(net, saved.caffemodel, reader, {"data": INPUT}, guessed, node_outputs=NODES) is None


def test_tensors_without_a_reference_are_passed_over(net: CaffeModel, saved: SavedModel, reader: Reader) -> None:
    asked: list[str] = []

    def look_up(tensor: str) -> Any:
        asked.append(tensor)
        return REFERENCE["y"] + 1 if tensor == "y" else None

    found = first_difference(net, saved.caffemodel, reader, {"data": INPUT}, look_up)
    assert found is not None
    assert (found.layer, found.unchecked) == ("join", ("conv", "relu", "cut", "shift"))
    assert asked == ["relu_out", "split_1", "add_out", "y"]


def test_readers_without_a_layer_type_are_skipped(net: CaffeModel, tmp_path: Path, reader: Reader) -> None:
    net.layers[-1].message.type = "NoSuchLayer"
    prototxt, caffemodel = net.save(tmp_path / "odd")
    ran = run_readers([reader], prototxt, caffemodel, {"data": INPUT})
    # A Caffe says beforehand what it has, OpenCV when it loads the net.
    assert ran.skipped == {reader.name: "it has no layer of type NoSuchLayer"}
    assert not ran.results


def test_readers_run_one_after_the_other(saved: SavedModel, reader: Reader) -> None:
    ran = run_readers([reader], *saved, {"data": INPUT})
    assert not ran.skipped
    result = ran.results[reader.name]
    assert isinstance(result, dict)
    assert result["joined"].tolist() == [[[VALUES["joined"][0]], [VALUES["joined"][1]]]]
