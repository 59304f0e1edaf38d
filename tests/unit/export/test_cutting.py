from typing import Any

import numpy as np
import pytest
from agreement_with_mxnet import run_exported
from small_nets import SHAPE, hybrid, tiny

from gluon2caffe.bridge.export import cut_net, export_graph, trace_block
from gluon2caffe.onnx2caffe.errors import SourceError


def test_a_net_ends_where_it_is_cut(mx: Any) -> None:
    traced = trace_block(tiny(mx), SHAPE)
    shorter = cut_net(traced, ["tiny_relu0_fwd", "tiny_conv0_fwd_output"])
    assert shorter.outputs == ("tiny_relu0_fwd", "tiny_conv0_fwd")
    assert not [name for name in shorter.params if "dense" in name]
    assert traced.outputs == ("tiny_dense0_fwd",)
    data = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    relu, conv = run_exported(export_graph(shorter), {"data": data})
    assert conv.shape == relu.shape == (1, 4, 6, 6)
    assert (conv < 0).any()
    assert relu.min() == 0


def test_what_cannot_be_exported_may_be_cut_off(mx: Any) -> None:
    net = hybrid(mx, lambda s, x: s.sort(s.split(s.relu(x), num_outputs=3, axis=1, name="parts")[2]))
    traced = trace_block(net, SHAPE)
    with pytest.raises(SourceError, match=r"without an exact ONNX form:\n  block_sort0 \(sort"):
        export_graph(traced)
    data = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    (part,) = run_exported(export_graph(cut_net(traced, ["block_parts2"])), {"data": data})
    assert np.array_equal(part, np.maximum(data[:, 2:], 0))


def test_an_unknown_tensor_is_answered_with_near_names(mx: Any) -> None:
    with pytest.raises(SourceError) as refusal:
        cut_net(trace_block(tiny(mx), SHAPE), ["tiny_relu_fwd"])
    message = str(refusal.value)
    assert message.startswith("tiny has no tensor 'tiny_relu_fwd' to end at. Near names: tiny_relu0_fwd, ")
