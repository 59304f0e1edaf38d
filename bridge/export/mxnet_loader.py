"""Importing MXNet and GluonCV on today's numpy, or saying in one sentence why that cannot be done."""

import importlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np

from gluon2caffe.onnx2caffe.errors import SourceError

# The names numpy 1.24 removed and that MXNet 1.9.1 still reads while it is being imported.
_REMOVED_ALIASES: dict[str, type] = {
    "bool": bool,
    "int": int,
    "float": float,
    "complex": complex,
    "object": object,
    "str": str,
}
_REMEDY = "pip install 'gluon2caffe[gluon]' on Python 3.10-3.12"


# Whoever is inside imports MXNet, or changes what MXNet and GluonCV share, such as a class, for the time of a trace.
mxnet_lock = threading.RLock()


@contextmanager
def removed_numpy_aliases() -> Iterator[None]:
    """Give numpy back the aliases it removed, only for the time of an import."""
    # Looked up in the dictionary: asking numpy itself would warn, or answer with something else.
    added = [name for name in _REMOVED_ALIASES if name not in vars(np)]
    for name in added:
        setattr(np, name, _REMOVED_ALIASES[name])
    try:
        yield
    finally:
        for name in added:
            delattr(np, name)


def _import(name: str) -> ModuleType:
    loaded = sys.modules.get(name)
    if loaded is not None:
        return loaded
    try:
        with removed_numpy_aliases():
            return importlib.import_module(name)
    except Exception as error:  # a broken binary package fails in any way: OSError, AttributeError, ...
        raise SourceError(f"{name} cannot be imported ({_first_line(error)}). Remedy: {_REMEDY}.") from error


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def load_mxnet() -> Any:
    """Return the ``mxnet`` module.

    Raises:
        SourceError: MXNet cannot be imported here; the message carries the remedy.

    """
    with mxnet_lock:
        mxnet = _import("mxnet")
        _import("mxnet.onnx")
        return mxnet


def load_gluoncv() -> Any:
    """Return the ``gluoncv`` module.

    Raises:
        SourceError: GluonCV or MXNet cannot be imported here; the message carries the remedy.

    """
    with mxnet_lock:
        load_mxnet()
        return _import("gluoncv")
