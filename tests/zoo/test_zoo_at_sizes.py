"""Nets of the fully convolutional families, made for any size, at sizes other than that of their conversion."""

from __future__ import annotations

from typing import Any

import pytest

from gluon2caffe import to_caffe, verify
from gluon2caffe.bridge.zoo import zoo_net

pytestmark = [pytest.mark.usefixtures("mx")]

# Name -> the size it is converted at, what is said of any size, and three others: odd and even, not square, the least.
NETS = {
    "resnet18_v1": ((64, 64), "any size", [(5, 3, 65, 97), (70, 64), (1, 1)]),
    "squeezenet1.1": ((224, 224), "any size from 209×209 up", [(2, 3, 209, 225), (256, 230), (209, 209)]),
    "densenet121": ((224, 224), "height and width 221 to 444", [(221, 225), (2, 3, 222, 240), (223, 221)]),
    "mobilenet0.25": ((64, 64), "any size from 33×33 up", [(5, 3, 65, 97), (70, 64), (33, 33)]),
    "mobilenetv2_0.25": ((64, 64), "any size from 33×33 up", [(2, 3, 65, 97), (70, 64), (33, 33)]),
    "mobilenetv3_small": ((64, 64), "any size from 9×9 up", [(5, 3, 65, 97), (70, 64), (9, 9)]),
    "simple_pose_resnet18_v1b": ((64, 48), "any size", [(2, 3, 65, 49), (70, 33), (1, 1)]),
}


@pytest.mark.parametrize("name", NETS)
def test_files_for_any_size_agree_at_every_size(name: str) -> None:
    own, place, sizes = NETS[name]
    net: Any = zoo_net(name, random=True)
    model = to_caffe(net, (1, 3, *own), sizes="any")
    assert model.sizes is not None and model.sizes.follows_input
    assert model.sizes.place == f"{place}, any batch"
    report = verify(model, net, sizes=sizes)
    assert report.passed, report
    at = [row for row in report.rows if " @ " in row.output]
    assert len(at) == len(sizes) * len({row.reader for row in report.rows})
    assert max(row.relative for row in at) <= 1e-4
