"""Trained face and plate detectors, made for any size, at sizes other than that of their conversion."""

from __future__ import annotations

import pytest

from gluon2caffe import to_caffe, verify
from tests.unit.mxnet_files.wild import FOLDER, WildNet, wild_nets

pytestmark = [pytest.mark.usefixtures("mx")]

# Name -> what is said of the default files, of those for any size, and four sizes.
NETS = {
    "mtcnn_det1": (
        "any size from 11×11 up",
        "any size from 11×11 up",
        [(11, 12), (37, 90), (2, 3, 48, 64), (5, 3, 31, 31)],
    ),
    "lffd_plate_small": (
        "any size from 127×127 up",
        "any size from 127×127 up",
        [(127, 127), (192, 224), (2, 3, 161, 130), (5, 3, 128, 128)],
    ),
    "retina_mnet25_juheon": (
        "height and width ≡ 0, 25, 26, 27, 28, 29 or … (mod 32)",
        "any size from 33×33 up",
        [(33, 33), (320, 416), (2, 3, 97, 130), (5, 3, 64, 65)],
    ),
}


def _wild(name: str) -> WildNet:
    for net in wild_nets():
        if net.name == name:
            return net
    pytest.skip(f"no checkpoints of other people in {FOLDER}")


@pytest.mark.parametrize("name", NETS)
def test_files_for_any_size_agree_at_every_size(name: str) -> None:
    free, any_size, sizes = NETS[name]
    net = _wild(name)
    source = (str(net.symbol), str(net.params))
    default = to_caffe(source, net.shape)
    assert default.sizes is not None and default.sizes.place == f"{free}, any batch"
    model = to_caffe(source, net.shape, sizes="any")
    assert model.sizes is not None and model.sizes.place == f"{any_size}, any batch"
    report = verify(model, source, sizes=sizes)
    assert report.passed, report
    at = [row for row in report.rows if " @ " in row.output]
    outputs = len(model.outputs)
    assert len(at) == outputs * len(sizes) * len({row.reader for row in report.rows})
    assert max(row.relative for row in at) <= 1e-4
