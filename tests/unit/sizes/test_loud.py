"""Default files at sizes at which they would be wrong: what stands in them fails, where it can."""

from pathlib import Path

import pytest
from agreement import layer_types, model, random_inputs, run, workers

import gluon2caffe

POOLED = """(float[1,3,83,83] x) => (float[] y) {
    a = MaxPool<kernel_shape=[3,3], strides=[2,2]>(x)
    b = AveragePool<kernel_shape=[41,41], strides=[41,41]>(a)
    y = Flatten(b) }"""
OPEN = """(float[1,4,12,12] x) => (float[] y) <int64[3] s = {0, 4, -1}> {
    a = MaxPool<kernel_shape=[2,2], strides=[2,2]>(x)
    y = Reshape(a, s) }"""
GLOBAL = """(float[1,3,12,12] x) => (float[] y) {
    a = MaxPool<kernel_shape=[2,2], strides=[2,2]>(x)
    b = GlobalAveragePool(a)
    y = Flatten(b) }"""
DENSE = """(float[1,3,12,12] x) => (float[] y) <float[108,5] w> {
    a = MaxPool<kernel_shape=[2,2], strides=[2,2]>(x)
    b = Flatten(a)
    c = Relu(b)
    y = MatMul(c, w) }"""


def test_a_flatten_names_its_lengths_where_another_count_would_be_wrong(tmp_path: Path) -> None:
    converted = gluon2caffe.to_caffe(model(POOLED))
    assert converted.sizes is not None
    assert converted.sizes.words.startswith("83×83 only (a: rounding")
    assert layer_types(converted) == ["Pooling", "Pooling", "Reshape"]
    assert list(converted.layers[-1].message.reshape_param.shape.dim) == [0, 3]
    (found,) = run(converted, random_inputs({"x": (2, 3, 83, 83)}), reshape=True)["OpenCV"].values()
    assert found.shape == (2, 3)
    saved = converted.save(tmp_path / "net")
    for worker in workers():
        with pytest.raises(AssertionError, match=worker.name):
            worker.run(*saved, random_inputs({"x": (1, 3, 101, 101)}), ["y"], reshape=True)


@pytest.mark.parametrize(
    ("text", "types"),
    [
        # At every even size the blob has another length.
        (OPEN, ["Pooling", "Reshape"]),
        # A wrong size leaves its length as it is.
        (GLOBAL, ["Pooling", "Pooling", "Flatten"]),
        # The weights fit no other length.
        (DENSE, ["Pooling", "Flatten", "ReLU", "InnerProduct"]),
    ],
    ids=["the length follows", "the length stays", "weights fail by themselves"],
)
def test_other_forms_stay_as_they_are(text: str, types: list[str]) -> None:
    converted = gluon2caffe.to_caffe(model(text))
    assert layer_types(converted) == types
