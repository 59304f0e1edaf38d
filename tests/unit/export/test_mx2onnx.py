"""Nothing that is changed for the time of a call may stay changed."""

import sys
from typing import Any

import numpy as np
import onnx
import onnx.checker
import onnx.defs
import pytest
from small_nets import SHAPE, tiny

from gluon2caffe.bridge.export import export_graph, load_mxnet, mxnet_loader, patched_mx2onnx, trace_block
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


def test_an_exception_leaves_no_trace(mx: Any) -> None:
    before = _state(mx)
    with pytest.raises(RuntimeError), patched_mx2onnx() as graph_class:
        graph_class.registry_[13]["null"] = None
        assert onnx.mapping.NP_TYPE_TO_TENSOR_TYPE[np.dtype("float32")] == onnx.TensorProto.FLOAT
        assert onnx.defs.onnx_opset_version() == 13
        raise RuntimeError
    assert _state(mx) == before


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
