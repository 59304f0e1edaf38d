"""Bringing ``mxnet.onnx`` to run on current onnx, for the time of one call and without a trace afterwards."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnx.checker
import onnx.defs
import onnx.helper

from gluon2caffe.bridge.export.mxnet_loader import load_mxnet
from gluon2caffe.bridge.export.operators.detection import DOMAIN

OPSET = 13  # the newest operator set whose forms mxnet.onnx writes
IR_VERSION = 8  # the ONNX file version that belongs to opset 13 .. 15

Converter = Callable[..., Any]
_PATCHING = threading.RLock()
_ABSENT = object()


def _onnx_mapping() -> SimpleNamespace:
    """Stand in for ``onnx.mapping``, which onnx 1.19 removed: the two tables mxnet.onnx looks into."""
    to_numpy = {
        tensor_type: np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor_type))
        for tensor_type in (
            onnx.TensorProto.FLOAT,
            onnx.TensorProto.DOUBLE,
            onnx.TensorProto.FLOAT16,
            onnx.TensorProto.INT8,
            onnx.TensorProto.INT32,
            onnx.TensorProto.INT64,
            onnx.TensorProto.UINT8,
            onnx.TensorProto.BOOL,
        )
    }
    return SimpleNamespace(
        TENSOR_TYPE_TO_NP_TYPE=to_numpy,
        NP_TYPE_TO_TENSOR_TYPE={dtype: tensor_type for tensor_type, dtype in to_numpy.items()},
    )


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = vars(owner).get(name, _ABSENT)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if before is _ABSENT:
            delattr(owner, name)
        else:
            setattr(owner, name, before)


@contextmanager
def _checking_opset(version: int) -> Iterator[None]:
    # The context is a C++ object: its property hands out copies, so it is set and put back as a whole.
    context = onnx.checker.DEFAULT_CONTEXT
    before = dict(context.opset_imports)
    context.opset_imports = {"": version, DOMAIN: 1}
    try:
        yield
    finally:
        context.opset_imports = before


@contextmanager
def patched_mx2onnx() -> Iterator[Any]:
    """Yield MXNet's ``MXNetGraph`` class, able to work with the installed onnx.

    Inside, ``onnx.mapping`` exists, onnx answers that its newest opset is 13 and its checker checks for that
    opset; converters put into ``registry_[13]`` of the class count only inside. Everything is put back exactly on
    the way out, also after an exception. Only one thread at a time can be inside.

    Raises:
        SourceError: MXNet cannot be imported.

    """
    load_mxnet()
    from mxnet.onnx.mx2onnx._export_onnx import MXNetGraph

    registry = dict(MXNetGraph.registry_)
    registry[OPSET] = dict(registry.get(OPSET, {}))
    with _PATCHING, ExitStack() as patches:
        patches.enter_context(_replaced(onnx, "mapping", _onnx_mapping()))
        patches.enter_context(_replaced(onnx.defs, "onnx_opset_version", lambda: OPSET))
        patches.enter_context(_checking_opset(OPSET))
        patches.enter_context(_replaced(MXNetGraph, "registry_", registry))
        yield MXNetGraph
