"""Nothing that is changed for the time of a call may stay changed."""

import sys
from typing import Any

import numpy as np
import onnx
import onnx.checker
import onnx.defs
import pytest
from small_nets import SHAPE, tiny

from gluon2caffe.bridge.export import export_graph, load_mxnet, mx2onnx, mxnet_loader, trace_block
from gluon2caffe.bridge.export.operators import Operator
from gluon2caffe.onnx2caffe.errors import SourceError


def _state(mx: Any) -> dict[str, Any]:
    from mxnet.onnx.mx2onnx._export_onnx import MXNetGraph

    return {
        "mapping": vars(onnx).get("mapping"),
        "opset": onnx.defs.onnx_opset_version,
        "checker": dict(onnx.checker.DEFAULT_CONTEXT.opset_imports),
        "registry": MXNetGraph.registry_,
        "converters": {version: dict(table) for version, table in MXNetGraph.registry_.items()},
        "numpy": sorted(vars(np)),
    }


def test_an_export_leaves_no_trace(mx: Any) -> None:
    before = _state(mx)
    export_graph(trace_block(tiny(mx), SHAPE))
    after = _state(mx)
    assert after == before
    assert after["registry"] is before["registry"]


def test_onnx_is_what_it_is_while_a_net_is_exported(mx: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before, seen = _state(mx), []
    whole = Operator.result

    def result(self: Operator, *arguments: Any, **attributes: Any) -> None:
        seen.append(_state(mx))
        whole(self, *arguments, **attributes)

    monkeypatch.setattr(Operator, "result", result)
    export_graph(trace_block(tiny(mx), SHAPE))
    assert len(seen) == 4 and all(state == before for state in seen)


def test_mxnet_checks_by_the_opset_that_it_writes(mx: Any) -> None:
    """ReduceMax has its axes in an attribute up to opset 17, which the newest does not know."""
    node = onnx.helper.make_node("ReduceMax", ["data"], ["y"], axes=[1])
    infos = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 2]) for name in ("data", "y")]
    graph = onnx.helper.make_graph([node], "g", infos[:1], infos[1:])
    mx2onnx._check_graph(graph)
    if onnx.defs.onnx_opset_version() > 17:
        with pytest.raises(onnx.checker.ValidationError):
            onnx.checker.check_graph(graph)


def test_numpy_gets_no_aliases_for_good(mx: Any) -> None:
    with mxnet_loader.removed_numpy_aliases():
        assert vars(np)["int"] is int
    assert "int" not in vars(np)


def test_a_missing_mxnet_is_one_sentence_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mxnet", None)
    with pytest.raises(SourceError) as refusal:
        load_mxnet()
    assert str(refusal.value) == (
        "mxnet cannot be imported (import of mxnet halted; None in sys.modules). "
        "Remedy: pip install 'gluon2caffe[gluon]' on Python 3.10-3.12."
    )
