"""Files for any size, and files that fail at any other: on every reader, against the source at that size."""

from pathlib import Path

import numpy as np
import pytest
from agreement import layer_types, model, random_inputs, run, workers
from other_sizes import at_shapes

import gluon2caffe
from gluon2caffe.bridge.verification.reference_onnx import run_onnx
from gluon2caffe.onnx2caffe.errors import UnsupportedModelError

SIZES = [(1, 9, 13), (2, 12, 12), (3, 7, 16), (1, 14, 11), (5, 8, 8)]
POOL = "kernel_shape=[2,2], strides=[2,2]"
NETS = {
    "maximum rounded down": f"y = MaxPool<{POOL}>(x)",
    "maximum rounded down, with padding": "y = MaxPool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>(x)",
    "maximum rounded down, kernel of 3": "y = MaxPool<kernel_shape=[3,3], strides=[2,2]>(x)",
    "maximum of unlike axes": "y = MaxPool<kernel_shape=[3,2], strides=[3,2], pads=[1,0,1,0]>(x)",
    "mean rounded down": f"y = AveragePool<{POOL}>(x)",
    "mean with padding counted": (
        "y = AveragePool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1], count_include_pad=1>(x)"
    ),
    "mean with padding left out": "y = AveragePool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>(x)",
    "mean with padding left out, step 1": "y = AveragePool<kernel_shape=[3,3], strides=[1,1], pads=[1,1,1,1]>(x)",
    "mean rounded up": f"y = AveragePool<{POOL}, ceil_mode=1>(x)",
    "poolings in a row": f"a = MaxPool<{POOL}>(x)\n y = AveragePool<{POOL}>(a)",
}


def _text(body: str) -> str:
    return f"(float[1,3,10,10] x) => (float[] y) {{ {body} }}"


@pytest.mark.parametrize("body", NETS.values(), ids=list(NETS))
def test_any_size_agrees_at_every_size(body: str) -> None:
    source = model(_text(body))
    converted = gluon2caffe.to_caffe(model(_text(body)), sizes="any")
    assert converted.sizes is not None and converted.sizes.is_any_size and converted.sizes.any_batch
    for batch, height, width in SIZES:
        shapes = {"x": (batch, 3, height, width)}
        assert converted.sizes.includes(shapes)
        resized = at_shapes(source, shapes)
        assert resized is not None
        fed = random_inputs(shapes)
        (expected,) = run_onnx(resized, fed).values()
        for reader, found in run(converted, fed, reshape=True).items():
            (got,) = found.values()
            assert got.shape == expected.shape, (reader, shapes)
            assert np.abs(got - expected).max() <= 1e-5 * np.abs(expected).max(), (reader, shapes)


def test_a_pooling_is_cut_to_a_blob_of_the_size_rounded_down() -> None:
    converted = gluon2caffe.to_caffe(model(_text(NETS["maximum rounded down, with padding"])), sizes="any")
    assert layer_types(converted) == ["Convolution", "Pooling", "Crop"]
    # One value of one channel: as cheap as the windows allow.
    assert converted.layers[0].blobs[0].shape == (1, 3, 1, 1)


def test_what_follows_anyway_costs_nothing() -> None:
    text = "(float[1,3,10,10] x) => (float[] y) <float[2,3,3,3] w> { a = Conv<pads=[1,1,1,1]>(x, w)\n y = Relu(a) }"
    assert gluon2caffe.to_caffe(model(text), sizes="any").prototxt() == gluon2caffe.to_caffe(model(text)).prototxt()


def test_what_binds_the_size_is_refused_with_its_nodes() -> None:
    text = """(float[1,3,8,8] x) => (float[] y) <float[8,8] w, float[4] s = {1.0, 1.0, 1.5, 1.5}> {
        a = Mul(x, w)\n y = Resize<mode="linear">(a, , s) }"""
    with pytest.raises(UnsupportedModelError) as caught:
        gluon2caffe.to_caffe(model(text), sizes="any")
    assert [(refusal.node, refusal.operator) for refusal in caught.value.refusals][:1] == [("a", "Mul")]
    assert "a matrix along an axis" in str(caught.value)
    assert str(caught.value).startswith("The net itself binds its input size (8×8 only")


def test_sizes_that_the_net_itself_does_not_take_bind_nothing() -> None:
    text = """(float[1,3,8,8] x) => (float[] y) <float[3,3,2,2] w> {
        a = MaxPool<kernel_shape=[2,2], strides=[2,2]>(x)\n b = ConvTranspose<strides=[2,2]>(a, w)\n y = Add(x, b) }"""
    converted = gluon2caffe.to_caffe(model(text), sizes="any")
    assert layer_types(converted) == ["Convolution", "Pooling", "Crop", "Deconvolution", "Eltwise"]
    assert converted.sizes is not None and converted.sizes.follows_input
    assert converted.sizes.words == "height and width ≡ 0 (mod 2) (y: its bottoms do not fit), any batch"


def test_a_fixed_size_fails_at_any_other(tmp_path: Path) -> None:
    converted = gluon2caffe.to_caffe(model(_text(NETS["maximum rounded down"])), sizes="fixed")
    assert converted.sizes is not None
    assert converted.sizes.words == (
        "10×10 only (x/fixed/axis2: a Reshape to fixed lengths; x/fixed/axis3: a Reshape to fixed lengths), any batch"
    )
    (found,) = run(converted, random_inputs({"x": (2, 3, 10, 10)}), reshape=True)["OpenCV"].values()
    assert found.shape == (2, 3, 5, 5)
    saved = converted.save(tmp_path / "net")
    for worker in workers():
        for shape in ((1, 3, 11, 10), (1, 3, 5, 20), (1, 3, 20, 5)):
            with pytest.raises(AssertionError, match=worker.name):
                worker.run(*saved, random_inputs({"x": shape}), ["y"], reshape=True)


def test_verify_runs_at_other_sizes() -> None:
    pytest.importorskip("onnxruntime")
    source = model(_text(NETS["poolings in a row"]))
    free = gluon2caffe.verify(
        gluon2caffe.to_caffe(model(_text(NETS["poolings in a row"]))), source, sizes=[(12, 8), (9, 12)]
    )
    assert not free.passed
    bad = {row.output for row in free.rows if not row.passed}
    assert bad == {"y @ 12×8", "y @ 9×12"}
    assert any(note.startswith("At 9×12 the files are not said to be exact: ") for note in free.notes)
    any_size = gluon2caffe.verify(gluon2caffe.to_caffe(source, sizes="any"), source)
    assert any_size.passed
    outputs = {row.output for row in any_size.rows}
    assert outputs == {"y", "y @ 4×4", "y @ 11×11", "y @ 2×3×10×17", "y @ 16×11", "y @ 19×42"}


def test_sizes_are_checked() -> None:
    source = model(_text(NETS["maximum rounded down"]))
    with pytest.raises(gluon2caffe.ConversionError, match=r"sizes holds \(3,\), expected \(height, width\)"):
        gluon2caffe.verify(gluon2caffe.to_caffe(source), source, at_sizes=[(3,)])
