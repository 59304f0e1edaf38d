"""Looking inside Caffe files, our own and others'."""

from pathlib import Path

import pytest

from gluon2caffe.bridge.inspection.caffe_files import inspect_caffe_files, weights_beside
from gluon2caffe.onnx2caffe.errors import ConversionError, SourceError
from gluon2caffe.onnx2caffe.model import CaffeModel

FOREIGN = """
name: "old"
input: "data"
input_dim: 1
input_dim: 3
input_dim: 8
input_dim: 8
layer {
  name: "conv" type: "Convolution" bottom: "data" top: "conv"
  param { lr_mult: 1 decay_mult: 1 }
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } }
}
layer { name: "split" type: "Permute" bottom: "conv" top: "moved" }
layer { name: "odd" type: "Custom" bottom: "moved" top: "odd" custom_param { depth: 3 } }
layer { name: "clipped" type: "ReLU" bottom: "odd" top: "odd" }
layer { name: "end" type: "InnerProduct" bottom: "odd" top: "end" inner_product_param { num_output: 5 } }
layer { name: "side" type: "InnerProduct" bottom: "moved" top: "side" inner_product_param { num_output: 5 } }
"""


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    path = tmp_path / "foreign.prototxt"
    path.write_text(FOREIGN)
    return path


def test_our_own_pair(small_net: CaffeModel, tmp_path: Path) -> None:
    saved = small_net.save(tmp_path / "net")
    assert weights_beside(saved.prototxt) == saved.caffemodel
    seen = inspect_caffe_files(*saved)
    assert seen.source == "net.prototxt, net.caffemodel"
    assert [(layer.name, layer.type) for layer in seen.layers] == [
        (layer.message.name, layer.message.type) for layer in small_net.layers
    ]
    assert [layer.weights for layer in seen.layers] == [
        tuple(blob.shape for blob in layer.blobs) for layer in small_net.layers
    ]
    assert seen.parameters == small_net.parameter_count
    assert seen.inputs == small_net.inputs
    assert seen.outputs == {"conv": (1, 2, 4, 4)}
    assert [(layer.shapes, layer.macs) for layer in seen.layers] == [(((1, 2, 4, 4),), 96), (((1, 2, 4, 4),), 0)]
    assert (seen.macs, seen.uncounted_layers) == (96, ())
    assert seen.convertible


def test_a_foreign_net_without_weights(foreign: Path) -> None:
    assert weights_beside(foreign) is None
    seen = inspect_caffe_files(foreign, target="bvlc")
    assert seen.inputs == {"data": (1, 3, 8, 8)}
    assert seen.outputs == {"end": None, "side": (1, 5)}
    assert [(layer.name, layer.bottoms, layer.tops, layer.weights) for layer in seen.layers][:3] == [
        ("conv", ("data",), ("conv",), ()),
        ("split", ("conv",), ("moved",), ()),
        ("odd", ("moved",), ("odd",), ()),
    ]
    assert [(layer.shapes, layer.macs) for layer in seen.layers] == [
        (((1, 4, 6, 6),), 4 * 36 * 27),
        (((1, 4, 6, 6),), 0),
        ((None,), None),
        ((None,), 0),
        ((None,), None),
        (((1, 5),), 5 * 4 * 36),
    ]
    assert (seen.parameters, seen.nodes) == (0, ())
    assert (seen.macs, seen.uncounted_layers) == (3888 + 720, ("odd", "end"))
    assert seen.to_dict()["outputs"] == {"end": None, "side": [1, 5]}
    assert seen.verdict == (
        "2 layers cannot be computed exactly by BVLC Caffe 1.0:\n"
        "  - Permute 'split' ['conv'] -> ['moved']: BVLC Caffe 1.0 has no layer of this type\n"
        "  - Custom 'odd' ['moved'] -> ['odd']: BVLC Caffe 1.0 has no layer of this type"
    )
    assert [refusal.node for refusal in inspect_caffe_files(foreign).refusals] == ["odd"]


@pytest.mark.parametrize("text", ["", 'name: "net"', "layer {", 'layers { name: "conv" type: CONVOLUTION }'])
def test_what_is_no_net(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.prototxt"
    path.write_text(text)
    with pytest.raises(SourceError, match=r"bad\.prototxt"):
        inspect_caffe_files(path)


def test_a_net_for_training_has_no_input(tmp_path: Path) -> None:
    path = tmp_path / "train.prototxt"
    path.write_text('layer { name: "data" type: "Data" top: "data" } layer { name: "in" type: "Input" top: "in" }')
    seen = inspect_caffe_files(path)
    assert (seen.inputs, seen.outputs) == ({}, {})
    assert [refusal.node for refusal in seen.refusals] == ["data"]
    assert seen.layers[0].shapes == (None,)


def test_damaged_weights_and_an_unknown_target(foreign: Path, tmp_path: Path) -> None:
    (tmp_path / "foreign.caffemodel").write_bytes(b"\x00\x01\x02")
    with pytest.raises(SourceError, match=r"foreign\.caffemodel is not a complete \.caffemodel"):
        inspect_caffe_files(foreign, weights_beside(foreign))
    with pytest.raises(ConversionError, match="Unknown target 'tf'"):
        inspect_caffe_files(foreign, target="tf")
