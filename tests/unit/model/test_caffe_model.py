"""CaffeModel: its text form, its message, small conveniences."""

import struct
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from gluon2caffe.onnx2caffe.caffe_pb2 import LayerParameter, NetParameter
from gluon2caffe.onnx2caffe.errors import ConversionError, OutputError
from gluon2caffe.onnx2caffe.model import CaffeModel, Layer, SavedModel

SMALL_NET = """\
name: "small"
layer {
  name: "data"
  type: "Input"
  top: "data"
  input_param {
    shape {
      dim: 1
      dim: 3
      dim: 4
      dim: 5
    }
  }
}
layer {
  name: "conv"
  type: "Convolution"
  bottom: "data"
  top: "conv"
  convolution_param {
    num_output: 2
    kernel_size: 1
  }
}
layer {
  name: "norm"
  type: "BatchNorm"
  bottom: "conv"
  top: "norm"
  batch_norm_param {
    use_global_stats: true
    eps: 0.001
  }
}
layer {
  name: "scale"
  type: "Scale"
  bottom: "norm"
  top: "scale"
  scale_param {
    bias_term: true
  }
}
layer {
  name: "prelu"
  type: "PReLU"
  bottom: "scale"
  top: "prelu"
  prelu_param {
    channel_shared: true
  }
}
"""


def test_prototxt_is_caffes_text(small_net: CaffeModel) -> None:
    assert small_net.prototxt() == SMALL_NET


def test_one_input_layer_per_input() -> None:
    net = text_format.Parse(CaffeModel("two", {"b": (1, 3, 8, 9), "a": (2,)}, []).prototxt(), NetParameter())
    assert [(layer.top[0], list(layer.input_param.shape[0].dim)) for layer in net.layer] == [
        ("b", [1, 3, 8, 9]),
        ("a", [2]),
    ]


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("plain/name-1.0", "plain/name-1.0"),
        ('say "hi"', r"say \"hi\""),
        ("it's", r"it\'s"),
        ("back\\slash", r"back\\slash"),
        ("tab\tnew\n", r"tab\tnew\n"),
        ("café", r"caf\303\251"),
        ("层", r"\345\261\202"),
    ],
)
def test_names_are_escaped(name: str, escaped: str) -> None:
    text = CaffeModel(name, {}, []).prototxt()
    assert text == f'name: "{escaped}"\n'
    assert text_format.Parse(text, NetParameter()).name == name


def _power(shift: float) -> str:
    message = LayerParameter()
    message.power_param.shift = shift
    return CaffeModel("", {}, [Layer(message)]).prototxt().split("shift: ")[1].split("\n")[0]


@pytest.mark.parametrize(("value", "text"), [(0.1, "0.1"), (1e-5, "1e-05"), (1 / 3, "0.33333334"), (6, "6.0")])
def test_floats_are_short(value: float, text: str) -> None:
    assert _power(value) == text


def test_floats_read_back_as_the_same_float32() -> None:
    bits = np.random.default_rng(3).integers(0, 2**32, 3000, dtype=np.uint32)
    values = bits.view(np.float32)
    finite = values[np.isfinite(values)]
    assert len(finite) > 2900
    read = [np.float32(_power(float(value))) for value in finite]
    assert [struct.pack("<f", value) for value in read] == [struct.pack("<f", value) for value in finite]


def test_to_proto_holds_parameters_and_weights(small_net: CaffeModel) -> None:
    net = small_net.to_proto()
    assert [layer.type for layer in net.layer] == ["Input", "Convolution", "BatchNorm", "Scale", "PReLU"]
    weight, bias = net.layer[1].blobs
    assert list(weight.shape.dim) == [2, 3, 1, 1]
    np.testing.assert_array_equal(np.array(weight.data, np.float32), small_net.layers[0].blobs[0].ravel())
    np.testing.assert_array_equal(np.array(bias.data, np.float32), small_net.layers[0].blobs[1])
    assert net.layer[1].convolution_param.num_output == 2
    assert net.layer[2].batch_norm_param.eps == np.float32(1e-3)
    assert len(small_net.layers[0].message.blobs) == 0


def test_look_up_and_count(small_net: CaffeModel) -> None:
    assert small_net.layer("scale") is small_net.layers[2]
    with pytest.raises(KeyError, match="data"):
        small_net.layer("data")  # an input is no layer of the model
    assert small_net.parameter_count == 6 + 2 + 2 + 2 + 1 + 2 + 2 + 1


def test_repr_is_short(small_net: CaffeModel) -> None:
    assert repr(small_net) == "<CaffeModel 'small': data (1, 3, 4, 5) -> prelu; 4 layers, 18 parameters>"
    assert repr(small_net.layers[0]) == "<Convolution 'conv': (2, 3, 1, 1), (2,)>"
    assert repr(Layer(LayerParameter(name="r", type="ReLU"))) == "<ReLU 'r'>"


@pytest.mark.parametrize(
    ("prefix", "prototxt", "caffemodel"),
    [
        ("net", "net.prototxt", "net.caffemodel"),
        ("out/mobilenet1.0", "out/mobilenet1.0.prototxt", "out/mobilenet1.0.caffemodel"),
        ("/tmp/.hidden", "/tmp/.hidden.prototxt", "/tmp/.hidden.caffemodel"),
        ("a/~b", "a/~b.prototxt", "a/~b.caffemodel"),
    ],
)
def test_names_of_the_files(prefix: str, prototxt: str, caffemodel: str) -> None:
    assert SavedModel.at(prefix) == (Path(prototxt), Path(caffemodel))
    assert SavedModel.at(Path(prefix)) == SavedModel.at(prefix)


def test_home_folder_is_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, small_net: CaffeModel) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert small_net.save("~/net1.5").prototxt == tmp_path / "net1.5.prototxt"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net1.5.caffemodel", "net1.5.prototxt"]


@pytest.mark.parametrize("prefix", ["", "folder/", ".", "..", "a/.."])
def test_a_prefix_needs_a_file_name(prefix: str) -> None:
    with pytest.raises(OutputError, match="has no file name"):
        SavedModel.at(prefix)


def test_an_unknown_home_folder() -> None:
    with pytest.raises(OutputError, match="home"):
        SavedModel.at("~nobody-of-this-name/net")


def test_two_layers_of_one_name_are_refused(small_net: CaffeModel, tmp_path: Path) -> None:
    small_net.layers[2].message.name = "conv"
    with pytest.raises(ConversionError, match="two layers are called 'conv'"):
        small_net.save(tmp_path / "net")
    assert not list(tmp_path.iterdir())
