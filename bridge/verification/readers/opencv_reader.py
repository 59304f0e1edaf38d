"""OpenCV's dnn module as a reader."""

import sys

from gluon2caffe.bridge.verification.readers.process import DEFAULT_TIMEOUT, WORKER
from gluon2caffe.bridge.verification.readers.reader import Reader, WorkerReader


class OpenCVReader(WorkerReader):
    """cv2.dnn of this interpreter.

    It runs in a child process like Caffe does: malformed nets can end cv2's process, and a net's memory is given back
    for certain. The price is one more ``import cv2`` per net, about 0.2 s.

    Args:
        fusion: merge layers as OpenCV does unless told not to, which is how people run it. False computes layer by
            layer, and without Winograd.
        timeout: seconds one request may take.
        winograd: compute 3×3 convolutions by Winograd's method, as OpenCV does unless told not to; it alone can cost
            2e-4 of the largest value.
    """

    def __init__(self, fusion: bool = True, timeout: float = DEFAULT_TIMEOUT, winograd: bool = True) -> None:
        options = (*(() if fusion else ("no-fusion",)), *(() if fusion and winograd else ("no-winograd",)))
        super().__init__("OpenCV", (sys.executable, str(WORKER), "opencv", *options), None, timeout)

    def layer_by_layer(self) -> "OpenCVReader":
        """Return the same reader without fusion, for looking at intermediate blobs."""
        return OpenCVReader(fusion=False, timeout=self.timeout)

    def without_winograd(self) -> "OpenCVReader":
        """Return the same reader, fusion included, with convolutions computed as sums of products."""
        return OpenCVReader(timeout=self.timeout, winograd=False)


class OpenCVKind:
    """OpenCV, of which a Python has one or none."""

    name = "opencv"
    title = "OpenCV"
    optional = False
    apart = False

    def find(self) -> list[Reader]:
        """Return the one of this Python."""
        return [OpenCVReader()]

    def absence(self) -> str:
        """Return why there is none; the reader says so itself."""
        return "it is not installed"


KIND = OpenCVKind()
