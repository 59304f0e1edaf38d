"""ncnn: the runtime from its wheel; its converter caffe2ncnn is in no package registry, and is looked for on PATH."""

import os
import shutil
from dataclasses import dataclass

from gluon2caffe.bridge.verification.readers.isolated import IsolatedKind
from gluon2caffe.bridge.verification.readers.reader import Reader

CONVERTER_VARIABLE = "CAFFE2NCNN"
NO_CONVERTER = (
    "caffe2ncnn not found: build it from ncnn's tools/caffe, and put it on PATH or name it by the environment variable"
    f" {CONVERTER_VARIABLE}"
)


def converter() -> str | None:
    """Return the path of caffe2ncnn: what ``CAFFE2NCNN`` names, else what is on PATH."""
    return shutil.which(os.environ.get(CONVERTER_VARIABLE) or "caffe2ncnn")


@dataclass(frozen=True)
class NcnnKind(IsolatedKind):
    """ncnn's runtime is of no use without the converter."""

    def find(self) -> list[Reader]:
        """Return the reader where both are here."""
        return super().find() if converter() else []

    def absence(self) -> str:
        """Return which of the two is missing."""
        return super().absence() if converter() else NO_CONVERTER


KIND = NcnnKind("ncnn", "ncnn", options=lambda: (str(converter()),))
