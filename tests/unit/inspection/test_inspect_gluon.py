"""Gluon nets: nodes lead back to blocks, and an SSD's heads are described."""

from typing import Any

import gluon2caffe
from tests.unit.ssd_heads.small_ssd import telling_ssd


def test_nodes_lead_back_to_blocks(mx: Any) -> None:
    nn = mx.gluon.nn
    net = nn.HybridSequential(prefix="net_")
    with net.name_scope():
        stage = nn.HybridSequential(prefix="stage_")
        with stage.name_scope():
            stage.add(nn.Conv2D(4, 3, in_channels=3), nn.BatchNorm(), nn.Activation("relu"))
        net.add(stage, nn.Flatten(), nn.Dense(2))
    net.initialize()
    seen = gluon2caffe.inspect_source(net, (1, 3, 6, 6))
    rows = {node.name: (node.source, [str(block) for block in node.blocks]) for node in seen.nodes}
    assert rows["net_stage_batchnorm0_fwd"] == (
        ("net_stage_conv0_fwd", "net_stage_batchnorm0_fwd"),
        ["0.0 (Conv2D)", "0.1 (BatchNorm)"],
    )
    assert rows["net_stage_relu0_fwd"] == (("net_stage_relu0_fwd",), ["0.2 (Activation)"])
    assert rows["net_dense0_fwd"] == (("net_dense0_fwd",), ["2 (Dense)"])
    converted = gluon2caffe.to_caffe(net, (1, 3, 6, 6))
    # The Flatten that Dense begins with is the work of Dense too.
    assert gluon2caffe.walk_back(converted)["net_dense0_fwd"][-1] == "net_dense0_fwd"
    assert seen.heads == ""


def test_the_heads_of_an_ssd(mx: Any) -> None:
    net, _ = telling_ssd(2)
    seen = gluon2caffe.inspect_source(net)
    assert seen.convertible
    assert seen.inputs == {"data": (1, 3, 96, 96)}
    assert [layer.type for layer in seen.layers].count("PriorBox") == 3
    assert seen.layers[-1].type == "DetectionOutput"
    lines = seen.heads.splitlines()
    assert lines[0].startswith("ssd: input 96×96, ")
    assert [line.split(":")[0] for line in lines[-3:]] == ["map 0", "map 1", "map 2"]
    (detection,) = [node for node in seen.nodes if node.operator == "caffe.ssd:DetectionOutput"]
    assert (detection.macs, [layer.name for layer in detection.layers]) == (0, ["detection_out"])
    refused = gluon2caffe.inspect_source(net, target="bvlc")
    assert {"PriorBox", "DetectionOutput"} == {refusal.operator for refusal in refused.refusals}
