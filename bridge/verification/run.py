"""Runs a pair of Caffe files on several readers, each of which may fail without stopping the others."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gluon2caffe.bridge.verification.readers.reader import Reader
from gluon2caffe.bridge.verification.run_errors import ReaderError
from gluon2caffe.bridge.verification.samples import FloatArray
from gluon2caffe.onnx2caffe.prototxt import read_net

# In the words of OpenCV, which does not say beforehand what it has.
_UNKNOWN_LAYER = re.compile(r"Can't create layer \"[^\"]*\" of type \"(\w+)\"")


@dataclass
class ReaderResults:
    """What came of running a pair of files.

    Attributes:
        results: reader -> the blobs it computed, or the error it ended with.
        skipped: reader -> why it was not run.
    """

    results: dict[str, dict[str, FloatArray] | ReaderError] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


def run_readers(
    readers: Iterable[Reader],
    prototxt: Path,
    caffemodel: Path,
    inputs: Mapping[str, FloatArray],
) -> ReaderResults:
    """Run the files on each reader in turn, and fetch the net's outputs as the reader's users do.

    A reader that says which layer types it has, and lacks one that the net needs, is skipped: the SSD layers, say, on
    BVLC Caffe.

    Args:
        readers: where to run them.
        prototxt: the net.
        caffemodel: its weights.
        inputs: input blob -> float32 array, of one sample or of several along axis 0.

    Raises:
        SourceError: the prototxt cannot be read at all.
    """
    needed = {layer.type for layer in read_net(prototxt).layer}
    ran = ReaderResults()
    for reader in readers:
        types = reader.layer_types()
        lacking = sorted(needed - types) if types else []
        if lacking:
            ran.skipped[reader.name] = f"it has no layer of type {', '.join(lacking)}"
            continue
        try:
            ran.results[reader.name] = reader.run(prototxt, caffemodel, inputs)
        except ReaderError as error:
            unknown = _UNKNOWN_LAYER.search(str(error))
            if unknown is None:
                ran.results[reader.name] = error
            else:
                ran.skipped[reader.name] = f"it has no layer of type {unknown[1]}"
    return ran
