"""caffe.proto and the code made from it."""

from pathlib import Path

import google.protobuf
import pytest
from google.protobuf import text_format

import gluon2caffe.onnx2caffe.caffe_pb2 as caffe_pb2

PACKAGE = Path(caffe_pb2.__file__).parent


def test_lives_beside_any_pycaffe() -> None:
    assert caffe_pb2.DESCRIPTOR.name == "onnx2caffe/caffe.proto"
    assert {message.full_name.split(".")[0] for message in caffe_pb2.DESCRIPTOR.message_types_by_name.values()} == {
        "gluon2caffe"
    }


@pytest.mark.parametrize(
    ("message", "defaults"),
    [
        ("PoolingParameter", {"pool": 0, "stride": 1, "pad": 0, "ceil_mode": True, "round_mode": 0}),
        ("EltwiseParameter", {"operation": 1}),
        ("NormalizeParameter", {"across_spatial": True, "channel_shared": True, "eps": pytest.approx(1e-10)}),
        ("MVNParameter", {"normalize_variance": True, "across_channels": False, "eps": pytest.approx(1e-9)}),
        ("PriorBoxParameter", {"flip": True, "clip": False, "offset": 0.5}),
        ("DetectionOutputParameter", {"code_type": 1, "keep_top_k": -1, "share_location": True}),
        ("FlattenParameter", {"axis": 1, "end_axis": -1}),
        ("ExpParameter", {"base": -1.0, "scale": 1.0, "shift": 0.0}),
    ],
)
def test_defaults_are_caffes(message: str, defaults: dict[str, object]) -> None:
    made = getattr(caffe_pb2, message)()
    assert {name: getattr(made, name) for name in defaults} == defaults


def test_generated_code_is_up_to_date(tmp_path: Path) -> None:
    protoc = pytest.importorskip("grpc_tools.protoc", reason="grpcio-tools is not installed")
    arguments = [f"-I{PACKAGE.parent}", f"--python_out={tmp_path}", f"--pyi_out={tmp_path}", "onnx2caffe/caffe.proto"]
    assert protoc.main(["protoc", *arguments]) == 0
    made = (tmp_path / "onnx2caffe" / "caffe_pb2.py").read_text()
    if "Protobuf Python Version: 4.25.1" not in made:
        pytest.skip("another release of grpcio-tools than the one the code is made with")
    # The header in caffe.proto says which lines are put in front: one in the code, two in the stub.
    assert (PACKAGE / "caffe_pb2.py").read_text().split("\n", 1)[1] == made
    stub = (tmp_path / "onnx2caffe" / "caffe_pb2.pyi").read_text()
    assert (PACKAGE / "caffe_pb2.pyi").read_text().split("\n", 2)[2] == stub


def test_runs_on_this_protobuf() -> None:
    net = caffe_pb2.NetParameter(name="n")
    net.layer.add(name="p", type="Pooling").pooling_param.pool = caffe_pb2.PoolingParameter.AVE
    net.layer[0].prior_box_param.variance.extend([0.1, 0.2])
    text = text_format.MessageToString(net)
    assert "pool: AVE" in text and "variance: 0.1\n" in text, google.protobuf.__version__
    assert text_format.Parse(text, caffe_pb2.NetParameter()) == net
    # layer = 100, so its tag is 100 << 3 | 2 = 802 = a2 06 as a varint.
    assert net.SerializeToString().startswith(b"\x0a\x01n\xa2\x06")
