"""What a converted net takes, and that the printed calls give it that."""

import subprocess
from pathlib import Path

import cv2
import numpy
import numpy as np
import pytest

from gluon2caffe.bridge.feeding import GLUONCV_MEAN, GLUONCV_STD, Feeding, feeding
from gluon2caffe.bridge.options import Preprocessing
from gluon2caffe.bridge.verification.readers import NO_CAFFE, caffe_readers

SHAPE = {"data": (1, 3, 4, 6)}
IMAGE = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)  # as cv2.imread gives it: BGR
RAW = Preprocessing(to_bgr=False, mean=GLUONCV_MEAN, std=GLUONCV_STD)
CASES = {
    "folded": feeding(SHAPE, RAW),
    "folded, BGR": feeding(SHAPE, Preprocessing(to_bgr=True, mean=GLUONCV_MEAN, std=None)),
    "folded, of 0 to 1": feeding(SHAPE, Preprocessing(to_bgr=False, mean=(0.485, 0.456, 0.406), std=(0.2, 0.2, 0.2))),
    "zoo": feeding(SHAPE, None, is_gluoncv=True),
    "zoo, BGR": feeding(SHAPE, Preprocessing(to_bgr=True, mean=None, std=None), is_gluoncv=True),
    "unknown": feeding(SHAPE, None),
}


def wanted(fed: Feeding) -> np.ndarray:
    """(1, 3, 4, 6): the image as the net takes it."""
    image = IMAGE if fed.order == "BGR" else IMAGE[:, :, ::-1]
    return (((image - np.array(fed.mean)) / np.array(fed.std)).transpose(2, 0, 1)[np.newaxis]).astype(np.float32)


@pytest.mark.parametrize("fed", CASES.values(), ids=list(CASES))
def test_opencvs_call_gives_what_the_net_takes(fed: Feeding) -> None:
    blob = eval(fed.calls("net")["opencv"], {"cv2": cv2, "numpy": numpy, "image": IMAGE})
    np.testing.assert_allclose(blob, wanted(fed), rtol=1e-5, atol=1e-4)


def test_a_net_of_the_zoo_takes_what_gluoncv_trains_on() -> None:
    rgb = IMAGE[:, :, ::-1].transpose(2, 0, 1)[np.newaxis] / 255.0
    mean, std = (np.reshape(each, (1, 3, 1, 1)) for each in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    np.testing.assert_allclose(wanted(CASES["zoo"]), (rgb - mean) / std, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(wanted(CASES["zoo, BGR"])[:, ::-1], (rgb - mean) / std, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("fed", CASES.values(), ids=list(CASES))
def test_pycaffes_transformer_gives_what_the_net_takes(fed: Feeding, tmp_path: Path) -> None:
    reader = next(iter(caffe_readers()), None)
    if reader is None:
        pytest.skip(NO_CAFFE)
    np.save(tmp_path / "image.npy", IMAGE[:, :, ::-1] / np.float32(255))  # as caffe.io.load_image gives it
    script = f"""
import numpy, caffe
class Blob: data = numpy.zeros((1, 3, 4, 6))
class net: blobs = {{"data": Blob}}
image = numpy.load("image.npy")
{fed.calls("net")["caffe"]}
numpy.save("x.npy", x)
"""
    command = [reader.python, "-c", script]
    subprocess.run(command, cwd=tmp_path, env=reader._environment, check=True, capture_output=True)
    np.testing.assert_allclose(np.load(tmp_path / "x.npy")[np.newaxis], wanted(fed), rtol=1e-4, atol=1e-3)


def test_the_commonest_mistake_is_told() -> None:
    takes = CASES["folded, of 0 to 1"].takes
    assert takes.startswith("RGB, values of 0 to 1: that is what the mean and std say that were folded in.")
    assert takes.endswith("For images of 0 to 255 multiply both by 255 and convert again.")
    assert CASES["folded"].takes == "RGB, values of 0 to 255; mean and std are in the net."
    assert CASES["zoo"].takes.endswith("--mean 123.675,116.28,103.53 --std 58.395,57.12,57.375")


def test_the_words_of_the_toolchains() -> None:
    calls = CASES["zoo"].calls("net")
    assert calls["sophgo"] == (
        "model_transform --model_name net --model_def net.prototxt --model_data net.caffemodel"
        " --input_shapes [[1,3,4,6]] --mean 123.675,116.28,103.53 --scale 0.017124754,0.017507003,0.017429194"
        " --pixel_format rgb --mlir net.mlir"
    )
    assert calls["rockchip"] == (
        "rknn.config(mean_values=[[123.675, 116.28, 103.53]], std_values=[[58.395, 57.12, 57.375]],"
        " quant_img_RGB2BGR=False, target_platform='rk3588')"
    )
    assert calls["openvino"] == (
        "mo --input_model net.caffemodel --input_proto net.prototxt --compress_to_fp16=False"
        " --mean_values [123.675,116.28,103.53] --scale_values [58.395,57.12,57.375] --reverse_input_channels"
    )
    assert calls["ncnn"].splitlines()[1:] == [
        "const float mean[] = {123.675, 116.28, 103.53};",
        "const float norm[] = {0.017124754, 0.017507003, 0.017429194};",
        "in.substract_mean_normalize(mean, norm);",
    ]
    assert calls["mnn"] == (
        "MNN.CVImageProcess({'sourceFormat': MNN.CV_ImageFormat_BGR, 'destFormat': MNN.CV_ImageFormat_RGB,"
        " 'mean': (123.675, 116.28, 103.53, 0), 'normal': (0.017124754, 0.017507003, 0.017429194, 1)})"
    )
    assert CASES["folded"].calls("net")["openvino"].endswith("--compress_to_fp16=False --reverse_input_channels")


def test_the_call_is_that_of_the_target() -> None:
    fed = CASES["folded, BGR"]
    assert fed.call("ssd", "net") == fed.call("opencv", "net") == "cv2.dnn.blobFromImage(image, 1.0, (6, 4))"
    assert fed.call("bvlc", "net").startswith("transformer = caffe.io.Transformer(")
    assert fed.call("mnn", "net").startswith("MNN.CVImageProcess(")


def test_gray_images() -> None:
    fed = feeding({"x": (1, 1, 28, 28)}, Preprocessing(to_bgr=False, mean=(127.5,), std=(127.5,)))
    assert fed is not None and fed.calls("net")["opencv"] == "cv2.dnn.blobFromImage(image, 1.0, (28, 28))"
    assert "--mean 0 --scale 1 --pixel_format gray" in fed.calls("net")["sophgo"]


@pytest.mark.parametrize("inputs", [{"x": (1, 3)}, {"x": (1, 4, 8, 8)}, {"x": (1, 3, 8, 8), "y": (1, 3, 8, 8)}, {}])
def test_what_is_no_image_is_left_alone(inputs: dict[str, tuple[int, ...]]) -> None:
    assert feeding(inputs, None) is None
