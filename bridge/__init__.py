"""The front door of gluon2caffe: `to_caffe`, `to_onnx`, `verify` and `inspect_source`.

The names are imported when they are first used, so that the command line starts without onnx.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bridge.convert import to_caffe, to_onnx
    from bridge.export import load_mxnet
    from bridge.gluon_converter import convert_model, convert_ssd_model, save_model
    from bridge.inspection.inspect import inspect_source
    from bridge.origins import walk_back
    from bridge.verification.against_source import verify
    from onnx2caffe.errors import ConversionError, OutputError, SourceError, UnsupportedModelError
    from onnx2caffe.model import CaffeModel

__all__ = [
    "CaffeModel",
    "ConversionError",
    "OutputError",
    "SourceError",
    "UnsupportedModelError",
    "convert_model",
    "convert_ssd_model",
    "inspect_source",
    "load_mxnet",
    "save_model",
    "to_caffe",
    "to_onnx",
    "verify",
    "walk_back",
]

_HOMES = {
    "CaffeModel": "onnx2caffe.model",
    "ConversionError": "onnx2caffe.errors",
    "OutputError": "onnx2caffe.errors",
    "SourceError": "onnx2caffe.errors",
    "UnsupportedModelError": "onnx2caffe.errors",
    "convert_model": "bridge.gluon_converter",
    "convert_ssd_model": "bridge.gluon_converter",
    "inspect_source": "bridge.inspection.inspect",
    "load_mxnet": "bridge.export",
    "save_model": "bridge.gluon_converter",
    "to_caffe": "bridge.convert",
    "to_onnx": "bridge.convert",
    "verify": "bridge.verification.against_source",
    "walk_back": "bridge.origins",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
