from pathlib import Path

import pytest
from google.protobuf import text_format

from gluon2caffe.bridge.verification.readers import OpenCVReader
from gluon2caffe.bridge.verification.run_errors import ReaderError
from gluon2caffe.bridge.verification.unfolded import without_in_place
from gluon2caffe.onnx2caffe.caffe_pb2 import NetParameter
from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.onnx2caffe.model import CaffeModel
from gluon2caffe.onnx2caffe.prototxt import Outline, Writer, outline, read_net


def parse(text: str) -> NetParameter:
    return text_format.Parse(text, NetParameter())


def test_outline_of_a_net_with_in_place_layers(net: CaffeModel) -> None:
    found = outline(parse(net.prototxt()))
    assert found.inputs == {"data": (1, 2, 1, 2)}
    assert found.outputs == ("joined",)
    assert found.writers == {
        "c": Writer("relu", 0),
        "a": Writer("cut", 0),
        "b": Writer("cut", 1),
        "shifted": Writer("shift", 0),
        "joined": Writer("join", 0),
    }


def test_outputs_stand_in_the_order_of_the_prototxt_not_of_the_alphabet() -> None:
    net = parse(
        """
        layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 } } }
        layer { name: "z" type: "AbsVal" bottom: "x" top: "z" }
        layer { name: "a" type: "AbsVal" bottom: "x" top: "a" }
        """
    )
    assert outline(net).outputs == ("z", "a")


def test_an_unread_top_is_an_output_until_it_is_silenced() -> None:
    text = """
        layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 } } }
        layer { name: "cut" type: "Slice" bottom: "x" top: "a" top: "b" }
        """
    assert outline(parse(text)).outputs == ("a", "b")
    silenced = text + 'layer { name: "hush" type: "Silence" bottom: "b" }'
    assert outline(parse(silenced)).outputs == ("a",)


def test_inputs_in_the_older_form() -> None:
    net = parse('input: "x" input_dim: 1 input_dim: 3 input_dim: 4 input_dim: 5 input: "y" input_dim: 2 input_dim: 6 ')
    assert outline(net).inputs == {"x": (1, 3, 4, 5), "y": (2, 6)}


def test_one_shape_for_several_tops_of_an_input_layer() -> None:
    net = parse('layer { name: "x" type: "Input" top: "x" top: "y" input_param { shape { dim: 1 dim: 7 } } }')
    assert outline(net).inputs == {"x": (1, 7), "y": (1, 7)}


def test_a_net_without_inputs_has_an_outline_and_cannot_be_run(tmp_path: Path) -> None:
    text = 'layer { name: "a" type: "AbsVal" bottom: "x" top: "a" }'
    assert outline(parse(text)) == Outline({}, ("a",), {"a": Writer("a", 0)})
    file = tmp_path / "net.prototxt"
    file.write_text(text)
    with pytest.raises(ReaderError, match="declares no inputs"):
        OpenCVReader().load(file, tmp_path / "net.caffemodel")


def test_an_input_without_a_shape() -> None:
    assert outline(parse('layer { name: "x" type: "Input" top: "x" }')).inputs == {"x": ()}


def test_fields_of_other_forks_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "fork.prototxt"
    file.write_text('layer { name: "x" type: "Annotated" top: "x" annotated_param { depth: 3 } }')
    assert read_net(file).layer[0].type == "Annotated"
    with pytest.raises(SourceError, match="annotated_param"):
        read_net(file, ignore_unknown_fields=False)


def test_a_file_that_is_no_prototxt_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "broken.prototxt"
    file.write_text("layer { name: ")
    with pytest.raises(SourceError, match=r"broken\.prototxt is not a \.prototxt this program can read: 1:15"):
        read_net(file)
    with pytest.raises(SourceError, match=r"cannot read .*absent\.prototxt: No such file"):
        read_net(tmp_path / "absent.prototxt")


def test_the_variant_without_in_place_layers_renames_what_is_overwritten() -> None:
    net = parse(
        """
        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 } } }
        layer { name: "abs" type: "AbsVal" bottom: "data" top: "data" }
        layer { name: "relu" type: "ReLU" bottom: "data" top: "data" }
        layer { name: "sum" type: "Eltwise" bottom: "data" bottom: "data" top: "data@abs" }
        """
    )
    unfolded = without_in_place(net)
    assert [(list(layer.bottom), list(layer.top)) for layer in unfolded.net.layer] == [
        ([], ["data"]),
        (["data"], ["data@abs2"]),  # data@abs is taken by a blob of the net
        (["data@abs2"], ["data@relu"]),
        (["data@relu", "data@relu"], ["data@abs"]),
    ]
    assert unfolded.versions == {
        ("data", "data"): "data",
        ("abs", "data"): "data@abs2",
        ("relu", "data"): "data@relu",
        ("sum", "data@abs"): "data@abs",
    }
    assert [layer.name for layer in unfolded.net.layer] == ["data", "abs", "relu", "sum"]
    assert parse(unfolded.text) == unfolded.net


def test_the_variant_copies_later_tops_that_are_read(net: CaffeModel) -> None:
    original = parse(net.prototxt())
    unfolded = without_in_place(original)
    added = [layer for layer in unfolded.net.layer if layer.name not in {each.name for each in original.layer}]
    assert [(layer.name, layer.type, list(layer.bottom), list(layer.top)) for layer in added] == [
        ("b@copy", "Power", ["b"], ["b@copy"])
    ]
    assert unfolded.versions["cut", "a"] == "a"
    assert unfolded.versions["cut", "b"] == "b@copy"
    assert unfolded.versions["conv", "c"] == "c"
    assert unfolded.versions["relu", "c"] == "c@relu"
