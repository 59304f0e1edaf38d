"""Programs that run Caffe files, each in a child process: OpenCV's dnn module and real Caffes."""

from collections.abc import Iterator
from dataclasses import dataclass

from gluon2caffe.bridge.verification.errors import ReaderError
from gluon2caffe.bridge.verification.readers.caffe_reader import CaffeReader, caffe_readers
from gluon2caffe.bridge.verification.readers.opencv_reader import OpenCVReader
from gluon2caffe.bridge.verification.readers.reader import SSD_LAYERS, Reader, Session

__all__ = [
    "SSD_LAYERS",
    "CaffeReader",
    "InstalledReaders",
    "OpenCVReader",
    "Reader",
    "ReaderError",
    "Session",
    "caffe_readers",
    "installed_readers",
]

NO_CAFFE = (
    "no Caffe found: run `python -m gluon2caffe.bridge.verification.caffe_setup`, or name a Python that has one by the "
    "environment variable CAFFE_PYTHON"
)


@dataclass(frozen=True)
class InstalledReaders:
    """The readers that can be used here; iterating gives those.

    Attributes:
        readers: those that start.
        missing: name -> why it cannot be used, for saying aloud what was skipped.
    """

    readers: tuple[Reader, ...]
    missing: dict[str, str]

    def __iter__(self) -> Iterator[Reader]:
        return iter(self.readers)


def installed_readers() -> InstalledReaders:
    """Start every reader once and say which ones work (about two seconds)."""
    caffes = caffe_readers()
    candidates: list[Reader] = [OpenCVReader(), *caffes]
    missing = {reader.name: reader.reason for reader in candidates if not reader.available}
    if not caffes:
        missing["Caffe"] = NO_CAFFE
    return InstalledReaders(tuple(reader for reader in candidates if reader.available), missing)
