"""Turns MXNet-Gluon vision nets and ONNX files into Caffe models that compute the same numbers.

The stub `__init__.pyi` lists everything public. A name is imported when it is first used, so that the command line
starts without onnx.
"""

import ast
import pkgutil
from importlib import import_module, metadata
from typing import Any


def _homes() -> dict[str, str]:
    """Public name -> the module that it lives in."""
    stub = ast.parse(pkgutil.get_data(__name__, "__init__.pyi") or b"")
    imports = [each for each in stub.body if isinstance(each, ast.ImportFrom)]
    return {alias.name: each.module or "" for each in imports for alias in each.names}


_HOMES = _homes()

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value = metadata.version(__name__)
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
