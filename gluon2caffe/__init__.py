"""Turns MXNet-Gluon vision nets and ONNX files into Caffe models that compute the same numbers.

The names are imported when they are first used, so that the command line starts without onnx.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gluon2caffe.bridge.convert import to_caffe, to_onnx
    from gluon2caffe.bridge.export import load_mxnet
    from gluon2caffe.bridge.gluon_converter import convert_model, convert_ssd_model, save_model
    from gluon2caffe.bridge.inspection.inspect import inspect_source
    from gluon2caffe.bridge.origins import walk_back
    from gluon2caffe.bridge.verification.against_source import verify
    from gluon2caffe.onnx2caffe.errors import ConversionError, OutputError, SourceError, UnsupportedModelError
    from gluon2caffe.onnx2caffe.model import CaffeModel
    from gluon2caffe.ssd_heads.detections import detections

__all__ = [
    "CaffeModel",
    "ConversionError",
    "OutputError",
    "SourceError",
    "UnsupportedModelError",
    "convert_model",
    "convert_ssd_model",
    "detections",
    "inspect_source",
    "load_mxnet",
    "save_model",
    "to_caffe",
    "to_onnx",
    "verify",
    "walk_back",
]

_HOMES = {
    "CaffeModel": "gluon2caffe.onnx2caffe.model",
    "ConversionError": "gluon2caffe.onnx2caffe.errors",
    "OutputError": "gluon2caffe.onnx2caffe.errors",
    "SourceError": "gluon2caffe.onnx2caffe.errors",
    "UnsupportedModelError": "gluon2caffe.onnx2caffe.errors",
    "convert_model": "gluon2caffe.bridge.gluon_converter",
    "convert_ssd_model": "gluon2caffe.bridge.gluon_converter",
    "detections": "gluon2caffe.ssd_heads.detections",
    "inspect_source": "gluon2caffe.bridge.inspection.inspect",
    "load_mxnet": "gluon2caffe.bridge.export",
    "save_model": "gluon2caffe.bridge.gluon_converter",
    "to_caffe": "gluon2caffe.bridge.convert",
    "to_onnx": "gluon2caffe.bridge.convert",
    "verify": "gluon2caffe.bridge.verification.against_source",
    "walk_back": "gluon2caffe.bridge.origins",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
