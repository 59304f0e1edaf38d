"""What verifying needs, looked for before a long conversion begins."""

from __future__ import annotations

import importlib
from os import PathLike
from typing import Any

import onnx

from gluon2caffe.onnx2caffe.errors import ConversionError

INSTALL = "pip install 'gluon2caffe[verify]'"


class MissingExtraError(ConversionError):
    """A package that is not installed, and the extra of gluon2caffe that brings it."""


def needed_module(name: str, purpose: str) -> Any:
    """Import and return a module of the extra ``verify``.

    Raises:
        MissingExtraError: it is not installed, or does not import.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = {"PIL": "Pillow", "cv2": "OpenCV"}.get(name.partition(".")[0], name)
        raise MissingExtraError(f"{package} is needed for {purpose}: {error}. Try: {INSTALL}") from error


def check_prerequisites(source: Any, samples: Any = 1) -> None:
    """Check that what verifying this source needs is installed; readers are looked for by `installed_readers`.

    Args:
        source: as for `to_caffe`. An ONNX model runs in onnxruntime; others run in MXNet, without which they could not
            be converted either.
        samples: as for `verify`.

    Raises:
        MissingExtraError: something is missing.
    """
    if isinstance(source, (str, PathLike, onnx.ModelProto)):
        needed_module("onnxruntime", "verifying an ONNX model")
    paths = [samples] if isinstance(samples, (str, PathLike)) else samples
    if isinstance(paths, (list, tuple)) and any(
        isinstance(path, (str, PathLike)) and not str(path).lower().endswith((".npy", ".npz")) for path in paths
    ):
        needed_module("PIL.Image", "images as samples")
