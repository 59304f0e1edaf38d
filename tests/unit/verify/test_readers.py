import re
from pathlib import Path

import numpy as np
import pytest
from known_net import INPUT, VALUES, layer

from gluon2caffe.bridge.verification.readers import (
    SSD_LAYERS,
    CaffeReader,
    OpenCVReader,
    Reader,
    ReaderError,
    caffe_readers,
    installed_readers,
)
from gluon2caffe.onnx2caffe.model import CaffeModel, SavedModel


def values(blob: np.ndarray) -> list[list[float]]:
    return [row[0] for row in blob[0].tolist()]


def test_a_reader_computes_the_known_numbers(saved: SavedModel, reader: Reader) -> None:
    assert reader.available, reader.reason
    found = reader.run(*saved, {"data": INPUT})
    assert list(found) == ["joined"]
    assert found["joined"].dtype == np.float32
    assert found["joined"].shape == (1, 2, 1, 2)
    assert values(found["joined"]) == VALUES["joined"]


def test_named_blobs_come_back_in_the_order_asked_for(saved: SavedModel, reader: Reader) -> None:
    found = reader.run(*saved, {"data": INPUT}, ["joined", "a", "data", "c"])
    assert list(found) == ["joined", "a", "data", "c"]
    assert values(found["c"]) == VALUES["relu"]  # in place: what was written last
    assert values(found["a"]) == VALUES["a"]
    assert found["data"].tolist() == INPUT.tolist()


def test_a_blob_is_found_whatever_its_layer_is_called(net: CaffeModel, tmp_path: Path, reader: Reader) -> None:
    # OpenCV knows a Convolution by its top, other layers by their own names.
    del net.layers[1]
    found = reader.run(*net.save(tmp_path / "net"), {"data": INPUT}, ["c", "shifted"])
    assert values(found["c"]) == VALUES["conv"]
    assert values(found["shifted"]) == [[8, 7]]


def test_one_session_runs_many_times(saved: SavedModel, reader: Reader) -> None:
    with reader.load(*saved) as session:
        assert session.net.inputs == {"data": (1, 2, 1, 2)}
        assert values(session.run({"data": INPUT})["joined"]) == VALUES["joined"]
        assert values(session.run({"data": 2 * INPUT})["joined"]) == [[8, 14], [10, 10]]
        assert values(session.run({"data": INPUT})["joined"]) == VALUES["joined"]
    with pytest.raises(ReaderError):
        session.run({"data": INPUT})


def test_several_samples_are_run_one_by_one_and_joined(saved: SavedModel, reader: Reader) -> None:
    found = reader.run(*saved, {"data": np.concatenate([INPUT, 2 * INPUT, -INPUT])})
    assert found["joined"][:, 0, 0].tolist() == [[4, 7], [8, 14], [0, 0]]
    assert found["joined"][:, 1, 0].tolist() == [[10, 10], [10, 10], [12, 13]]


def test_other_types_and_strides_of_the_input_are_taken(saved: SavedModel, reader: Reader) -> None:
    strided = np.zeros((1, 2, 2, 2))[:, :, ::2] + INPUT.astype(np.float64)
    assert not strided[:, ::-1].flags.c_contiguous
    assert values(reader.run(*saved, {"data": strided[:, ::-1][:, ::-1]})["joined"]) == VALUES["joined"]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "the net's inputs are data; given were none"),
        ({"image": INPUT}, "the net's inputs are data; given were image"),
        ({"data": INPUT[..., :1]}, r"input data has the shape \(1, 2, 1, 1\), the net takes \(1, 2, 1, 2\)"),
        ({"data": INPUT[0]}, r"input data has the shape \(2, 1, 2\), the net takes"),
        ({"data": INPUT[:0]}, "no samples"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(
    saved: SavedModel, reader: Reader, inputs: dict[str, np.ndarray], message: str
) -> None:
    with reader.load(*saved) as session, pytest.raises(ReaderError, match=message):
        session.run(inputs)


def test_unknown_blobs_are_named(saved: SavedModel, reader: Reader) -> None:
    with pytest.raises(ReaderError, match="has no blob named nope, neither"):
        reader.run(*saved, {"data": INPUT}, ["c", "nope", "neither"])


def test_missing_files_are_named(saved: SavedModel, reader: Reader, tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match=r"absent\.caffemodel does not exist"):
        reader.load(saved.prototxt, tmp_path / "absent.caffemodel")
    with pytest.raises(ReaderError, match=r"cannot read .*absent\.prototxt"):
        reader.load(tmp_path / "absent.prototxt", saved.caffemodel)


def test_a_truncated_caffemodel_is_an_error(saved: SavedModel, reader: Reader) -> None:
    saved.caffemodel.write_bytes(saved.caffemodel.read_bytes()[:-30])
    with pytest.raises(ReaderError, match=rf"^{re.escape(reader.name)}: .*(ReadProtoFromBinaryFile|Failed to parse)"):
        reader.run(*saved, {"data": INPUT})


def test_an_unknown_layer_type_is_an_error(net: CaffeModel, reader: Reader, tmp_path: Path) -> None:
    net.layer("relu").message.type = "NoSuchLayer"
    with pytest.raises(ReaderError, match="NoSuchLayer"):
        reader.run(*net.save(tmp_path / "odd"), {"data": INPUT})


def test_a_failed_check_of_caffe_is_told_with_its_layer(net: CaffeModel, caffe: CaffeReader, tmp_path: Path) -> None:
    join = net.layer("join").message
    join.bottom[1] = "data"
    join.concat_param.axis = 2
    with pytest.raises(ReaderError) as caught:
        caffe.load(*net.save(tmp_path / "bad"))
    words = str(caught.value)
    # Not every Caffe logs which layer it is making; those out of the wheels do.
    layer = "(layer join: )?" if caffe.name not in ("Caffe-SSD", "BVLC Caffe") else "layer join: "
    assert re.match(
        rf"{re.escape(caffe.name)}: ended by SIGABRT while loading: {layer}concat_layer\.cpp:\d+\] Check failed: ",
        words,
    )
    assert "Check failed: top_shape[j] == bottom[i]->shape(j) (1 vs. 2)" in words
    assert "@ 0x" not in words
    assert "\n" not in words


@pytest.mark.parametrize("type", ["Eltwise", "Scale"])
def test_caffe_refuses_operands_of_unequal_shapes(
    net: CaffeModel, caffe: CaffeReader, tmp_path: Path, type: str
) -> None:
    # Forks that dropped this check read beyond the smaller blob, and then prove nothing.
    join = net.layer("join").message
    join.ClearField("concat_param")
    join.type = type
    join.bottom[:] = ["data", "a"]
    if type == "Scale":
        join.scale_param.axis = 0
    with pytest.raises(ReaderError, match=r"(eltwise|scale)_layer\.cpp:.*Check failed: bottom.*shape"):
        caffe.load(*net.save(tmp_path / "unequal"))


def test_weights_of_another_shape_are_told_without_a_wrong_layer(
    net: CaffeModel, caffe: CaffeReader, tmp_path: Path
) -> None:
    saved = net.save(tmp_path / "net")
    saved.prototxt.write_text(saved.prototxt.read_text().replace("num_output: 2", "num_output: 3"))
    with pytest.raises(ReaderError, match=r"while loading: net\.cpp:.*Cannot copy param 0 weights from layer 'conv'"):
        caffe.load(*saved)


def test_a_field_caffe_does_not_know_is_told(saved: SavedModel, caffe: CaffeReader) -> None:
    saved.prototxt.write_text(saved.prototxt.read_text().replace("num_output: 2", "num_output: 2 odd_field: 1"))
    with pytest.raises(ReaderError, match=r'has no field named "odd_field"'):
        caffe.load(*saved)


def test_layer_types_of_caffe(caffe: CaffeReader) -> None:
    types = caffe.layer_types()
    assert {"Convolution", "Input", "Permute", "Scale"} <= types
    assert caffe.has_ssd_layers == (types >= SSD_LAYERS) == ("PriorBox" in types)


def test_opencv_layer_by_layer_is_the_same_reader(saved: SavedModel) -> None:
    plain = OpenCVReader().layer_by_layer()
    assert plain.name == "OpenCV"
    assert values(plain.run(*saved, {"data": INPUT})["joined"]) == VALUES["joined"]


def test_installed_readers_gives_a_reason_for_each_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CAFFE_ROOT", raising=False)
    monkeypatch.setenv("CAFFE_PYTHON", str(tmp_path / "python"))
    found = installed_readers()
    assert [reader.name for reader in found] == ["OpenCV"]
    assert found.missing == {
        "Caffe (CAFFE_PYTHON)": f"{tmp_path / 'python'} cannot be started: No such file or directory"
    }
    monkeypatch.delenv("CAFFE_PYTHON")
    monkeypatch.setenv("GLUON2CAFFE_CAFFE_FOLDER", str(tmp_path))
    assert list(installed_readers().missing) == ["Caffe"]
    assert "gluon2caffe readers setup caffe" in installed_readers().missing["Caffe"]


def test_a_reader_asked_for_by_name_is_missed_where_it_is_not_set_up() -> None:
    assert installed_readers(["opencv", "mnn"]).missing == {"MNN": "not set up: run `gluon2caffe readers setup mnn`"}
    with pytest.raises(ReaderError, match=r"there is no reader tengine\. Choose from opencv, caffe, mnn"):
        installed_readers(["tengine"])


def test_the_outputs_of_several_last_layers_are_fetched_by_their_names(net: CaffeModel, tmp_path: Path) -> None:
    net.layers.append(layer("twice", "Power", "joined", power_param={"scale": 2}))
    net.layers.append(layer("minus", "Power", "joined", power_param={"scale": -1}))
    saved = net.save(tmp_path / "two")
    for reader in (OpenCVReader(), *caffe_readers()):
        found = reader.run(*saved, {"data": INPUT})
        assert list(found) == ["twice", "minus"]
        assert values(found["twice"]) == [[8, 14], [20, 20]]
        assert values(found["minus"]) == [[-4, -7], [-10, -10]]


def test_an_output_that_users_of_opencv_do_not_get_is_an_error(net: CaffeModel, tmp_path: Path) -> None:
    del net.layers[3:]  # what remains ends in a Slice, whose second top forward() gives
    saved = net.save(tmp_path / "loose")
    with pytest.raises(
        ReaderError, match=r"OpenCV: .*getUnconnectedOutLayersNames\(\) gives cut; the outputs are of cut"
    ):
        OpenCVReader().run(*saved, {"data": INPUT})
    assert values(OpenCVReader().run(*saved, {"data": INPUT}, ["a"])["a"]) == VALUES["a"]
