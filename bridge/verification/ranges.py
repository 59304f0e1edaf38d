"""The ranges of a net's blobs over samples, for those who quantise it, and the samples in the forms that tools read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gluon2caffe.bridge.verification.readers.opencv_reader import OpenCVReader
from gluon2caffe.bridge.verification.readers.reader import Reader
from gluon2caffe.bridge.verification.samples import split_samples
from gluon2caffe.bridge.verification.unfolded import Unfolded, without_in_place
from gluon2caffe.onnx2caffe.model import CaffeModel, SavedModel
from gluon2caffe.onnx2caffe.prototxt import read_net

FloatArray = npt.NDArray[np.float32]
BINS = 128
_QUANTISED = frozenset({"Convolution", "InnerProduct"})


@dataclass(frozen=True)
class Range:
    """What one layer writes over all samples.

    Attributes:
        layer: the layer; the name of the input for an input.
        blob: the blob that it writes. A blob that a later layer overwrites has a range for each of them.
        minimum: its least value.
        maximum: its largest value.
        histogram: how many values lie in each of `BINS` equal parts from `minimum` to `maximum`.
    """

    layer: str
    blob: str
    minimum: float
    maximum: float
    histogram: tuple[int, ...]

    @property
    def largest(self) -> float:
        """The largest absolute value."""
        return max(abs(self.minimum), abs(self.maximum))


def ranges(files: SavedModel, inputs: Mapping[str, FloatArray], reader: Reader | None = None) -> list[Range]:
    """Run samples and return the ranges of the inputs and of all that layers write, in net order.

    Args:
        files: the net.
        inputs: input -> float32 array, one sample or several along axis 0.
        reader: where to run it: one that shows intermediate blobs; OpenCV if left out.

    Raises:
        ReaderError: the reader cannot run the net.
    """
    unfolded = without_in_place(read_net(files.prototxt))
    inspected = (reader or OpenCVReader()).layer_by_layer()
    if inspected is None:
        raise ValueError("the reader shows the outputs of a net alone")
    places = [(layer, blob, name) for (layer, blob), name in unfolded.versions.items() if blob not in inputs]
    fetch = [name for _, _, name in places]
    ends: dict[str, tuple[float, float]] = {}
    # Twice, so that no sample is kept: the ends first, then what lies between them.
    for found in _runs(unfolded, files, inputs, inspected, fetch):
        for name, values in found.items():
            low, high = ends.get(name, (np.inf, -np.inf))
            ends[name] = (min(low, float(values.min()) + 0.0), max(high, float(values.max()) + 0.0))  # no -0
    counts = {name: np.zeros(BINS, np.int64) for name in ends}
    for found in _runs(unfolded, files, inputs, inspected, fetch):
        for name, values in found.items():
            counts[name] += np.histogram(values, BINS, ends[name])[0]
    return [
        Range(layer, blob, *ends[name], tuple(counts[name].tolist()))
        for layer, blob, name in [*((name, name, name) for name in inputs), *places]
    ]


def _runs(
    unfolded: Unfolded, files: SavedModel, inputs: Mapping[str, FloatArray], reader: Reader, fetch: Sequence[str]
) -> Iterator[dict[str, FloatArray]]:
    with tempfile.TemporaryDirectory(prefix="gluon2caffe-") as folder:
        prototxt = Path(folder) / "net.prototxt"
        prototxt.write_text(unfolded.text, encoding="utf-8")
        with reader.load(prototxt, files.caffemodel) as session:
            for sample in split_samples(inputs, session.net.inputs):
                yield {**sample, **session.run(sample, fetch)}


def ncnn_table(model: CaffeModel, found: Sequence[Range]) -> str:
    """Return ncnn's table for int8: the scales of weights, one per output, then of inputs, by largest absolute value.

    ncnn's own ncnn2table chooses the scales of inputs by the divergence of histograms; these are exact about the ends.
    """
    by_blob: dict[str, float] = {}
    weights, bottoms = [], []
    known = {(each.layer, each.blob): each.largest for each in found}
    by_blob.update((each.blob, each.largest) for each in found if each.layer == each.blob)
    for layer in model.layers:
        message = layer.message
        if message.type in _QUANTISED:
            largest = np.abs(layer.blobs[0].reshape(layer.blobs[0].shape[0], -1)).max(axis=1)
            scales = " ".join(f"{_scale(float(each)):.6f}" for each in largest)
            weights.append(f"{message.name}_param_0 {scales}")
            bottoms.append(f"{message.name} {_scale(by_blob[message.bottom[0]]):.6f}")
        by_blob.update((top, known[message.name, top]) for top in message.top if (message.name, top) in known)
    return "\n".join([*weights, *bottoms, ""])


def _scale(largest: float) -> float:
    return 127 / largest if largest else 1.0


def write_calibration(folder: Path, inputs: Mapping[str, FloatArray], shapes: Mapping[str, tuple[int, ...]]) -> Path:
    """Write samples as the toolchains read them, and return the list of them.

    For each sample ``0000.npz`` with an array for each input (tpu-mlir), and for each input ``0000_INPUT.npy``
    (rknn-toolkit2) and ``0000_INPUT.raw``, its float32 values in the order N, C, H, W. ``dataset.txt`` has a line with
    the ``.npy`` files of each sample.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for index, sample in enumerate(split_samples(inputs, shapes)):
        np.savez(folder / f"{index:04}.npz", **sample)
        names = []
        for name, array in sample.items():
            stem = f"{index:04}_{name.replace('/', '_')}"
            np.save(folder / f"{stem}.npy", array)
            array.astype("<f4").tofile(folder / f"{stem}.raw")
            names.append(f"{stem}.npy")
        lines.append(" ".join(names))
    listing = folder / "dataset.txt"
    listing.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return listing
