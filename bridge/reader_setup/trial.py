"""Tries a reader: a forward pass with known numbers."""

import tempfile
from pathlib import Path

import numpy as np

from gluon2caffe.bridge.verification.readers.reader import WorkerReader
from gluon2caffe.bridge.verification.run_errors import ReaderError
from gluon2caffe.onnx2caffe.caffe_pb2 import LayerParameter
from gluon2caffe.onnx2caffe.model import CaffeModel, Layer

IMAGE = np.array([[[[1, 2], [3, 4]]]], np.float32)
EXPECTED = np.array([[10 * 5 + 100 * 9 - 1]], np.float32)
"""A 1x1 convolution 2x + 1 of the image gives 3, 5, 7, 9; of those 0, 10, 0 and 100 times, less 1."""


def trial_model() -> CaffeModel:
    """Return a net that goes through the two layer types that need BLAS."""
    conv = LayerParameter(name="conv", type="Convolution", bottom=["data"], top=["conv"])
    conv.convolution_param.num_output = 1
    conv.convolution_param.kernel_size.append(1)
    product = LayerParameter(name="product", type="InnerProduct", bottom=["conv"], top=["product"])
    product.inner_product_param.num_output = 1
    return CaffeModel(
        "trial",
        {"data": IMAGE.shape},
        [
            Layer(conv, [np.full((1, 1, 1, 1), 2, np.float32), np.ones(1, np.float32)]),
            Layer(product, [np.array([[0, 10, 0, 100]], np.float32), np.array([-1], np.float32)]),
        ],
    )


def what_is_wrong(reader: WorkerReader) -> str:
    """Run the trial net and return what is wrong with this reader; empty when nothing is."""
    if not reader.available:
        return reader.reason
    with tempfile.TemporaryDirectory(prefix="gluon2caffe-") as folder:
        prototxt, caffemodel = trial_model().save(Path(folder) / "trial")
        try:
            result = reader.run(prototxt, caffemodel, {"data": IMAGE})["product"]
        except ReaderError as error:
            return str(error)
    # Exact in half precision, too: all are integers below 2048.
    if result.reshape(-1).tolist() != EXPECTED.reshape(-1).tolist():
        return f"it computes {result.tolist()} instead of {EXPECTED.tolist()}"
    return ""
