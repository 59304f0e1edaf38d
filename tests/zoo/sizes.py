"""At which input sizes the files of each classifier are exact: found out by converting, without running anything.

`python -m tests.zoo.sizes` fills docs/zoo-sizes.json for all, `python -m tests.zoo.sizes NAME ...` for some, and
`python -m tests.zoo.sizes missing` for those that are not there yet.
"""

from __future__ import annotations

import gc
import sys
from typing import Any

from gluon2caffe import load_mxnet, to_caffe
from gluon2caffe.bridge.export import load_gluoncv
from gluon2caffe.bridge.zoo import classifier_names, zoo_input_shape
from gluon2caffe.onnx2caffe.errors import UnsupportedModelError
from tests.zoo.measured import DOCS, Measurements

MEASUREMENTS = Measurements(DOCS / "zoo-sizes.json")


def sizes_of(name: str) -> dict[str, Any]:
    """The row of `name`: where its default files are exact, and where those for any size are."""
    shape = zoo_input_shape(name)
    net = _net(name, shape)
    free = to_caffe(net, shape)
    assert free.sizes is not None
    row = {"name": name, "free": free.sizes.place, "any": "", "bound_by": 0}
    if free.sizes.is_any_size:
        return {**row, "any": row["free"]}
    try:
        follows = to_caffe(net, shape, sizes="any")
    except UnsupportedModelError as refused:
        return {**row, "bound_by": len({refusal.node for refusal in refused.refusals})}
    assert follows.sizes is not None
    return {**row, "any": follows.sizes.place}


def _net(name: str, shape: tuple[int, ...]) -> Any:
    """The net with weights of 1, which decide nothing here: drawing telling ones would take most of the time."""
    mxnet = load_mxnet()
    net = load_gluoncv().model_zoo.get_model(name, pretrained=False)
    net.initialize(mxnet.init.One())
    try:
        net.infer_shape(mxnet.nd.zeros(shape))
    except mxnet.MXNetError:
        # Its code asks for shapes, which symbols do not have.
        net(mxnet.nd.zeros(shape)).wait_to_read()
        return net
    for parameter in net.collect_params().values():
        parameter._finish_deferred_init()
    return net


if __name__ == "__main__":
    wanted = sys.argv[1:] or classifier_names()
    if wanted == ["missing"]:
        known = {row["name"] for row in MEASUREMENTS.load()}
        wanted = [name for name in classifier_names() if name not in known]
    for name in wanted:
        row = sizes_of(name)
        MEASUREMENTS.store(row)
        print(name, row["free"], "|", row["any"] or f"bound by {row['bound_by']} nodes", flush=True)
        gc.collect()
