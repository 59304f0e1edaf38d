"""The calls of the older GluonConverter give the same nets as to_caffe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gluon2caffe
from gluon2caffe.onnx2caffe.caffe_pb2 import NetParameter


@pytest.fixture(scope="module")
def net(mx: Any) -> Any:
    from gluon2caffe.bridge.random_weights import initialise

    nn = mx.gluon.nn
    block = nn.HybridSequential(prefix="small_")
    with block.name_scope():
        block.add(nn.Conv2D(4, 3, in_channels=3), nn.BatchNorm(in_channels=4), nn.Flatten(), nn.Dense(5, in_units=144))
    initialise(block, (1, 3, 8, 8), 1)
    return block


def test_the_two_nets_are_those_of_to_caffe(net: Any, tmp_path: Path) -> None:
    text, weights = gluon2caffe.convert_model(net, (1, 3, 8, 8), True, True, False)
    model = gluon2caffe.to_caffe(net, (1, 3, 8, 8), softmax=True, to_bgr=True, merge_bn=False)
    assert [layer.type for layer in text.layer] == [
        "Input",
        "Convolution",
        "BatchNorm",
        "Scale",
        "InnerProduct",
        "Softmax",
    ]
    assert weights == model.to_proto()
    assert not any(layer.blobs for layer in text.layer)
    old, new = gluon2caffe.save_model(text, weights, tmp_path / "old"), model.save(tmp_path / "new")
    # The two messages do not know at which sizes they are exact, which the other file says in its first line.
    first, rest = new.prototxt.read_text().split("\n", 1)
    assert first.startswith("# Exact at: ") and old.prototxt.read_text() == rest
    assert old.caffemodel.read_bytes() == new.caffemodel.read_bytes()


def test_merge_bn_is_the_default(net: Any) -> None:
    text, weights = gluon2caffe.convert_model(net, (1, 3, 8, 8))
    assert [layer.type for layer in text.layer] == ["Input", "Convolution", "InnerProduct"]
    assert np.asarray(weights.layer[1].blobs[0].data, np.float32).shape == (108,)


def test_nets_of_different_conversions_are_refused(net: Any, tmp_path: Path) -> None:
    text, _ = gluon2caffe.convert_model(net, (1, 3, 8, 8), True)
    _, weights = gluon2caffe.convert_model(net, (1, 3, 8, 8))
    with pytest.raises(gluon2caffe.ConversionError, match="different layers"):
        gluon2caffe.save_model(text, weights, tmp_path / "mixed")
    with pytest.raises(gluon2caffe.ConversionError, match="different layers"):
        gluon2caffe.save_model(text, NetParameter(), tmp_path / "mixed")
    assert not list(tmp_path.iterdir())
