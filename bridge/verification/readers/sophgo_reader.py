"""Sophgo's tpu-mlir, the compiler for the camera chips CV18xx and the edge chips BM168x."""

import os
from collections.abc import Mapping
from pathlib import Path

from gluon2caffe.bridge.verification.readers.isolated import IsolatedKind


def _variables(folder: Path) -> Mapping[str, str]:
    """What ``import tpu_mlir`` would set in its own process, too late for libraries to be found by it."""
    package = next(folder.glob("venv/lib/python*/site-packages/tpu_mlir"), folder)
    path = [folder / "venv" / "bin", package / "bin", os.environ.get("PATH", os.defpath)]
    libraries = [package / "lib", package / "lib" / "capi", package / "lib" / "third_party"]
    return {
        "PATH": os.pathsep.join(map(str, path)),
        "LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries)),
        "PYTHONPATH": os.pathsep.join([str(package), str(package / "python")]),
    }


KIND = IsolatedKind("sophgo", "Sophgo", variables=_variables)
