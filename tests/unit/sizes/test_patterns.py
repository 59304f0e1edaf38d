"""What exporters write with the numbers of one size, in forms that hold at others."""

from typing import Any

import onnx
import pytest
from agreement import layer_types, model

import gluon2caffe

SHAPES = "int64[1] n_at={0}, int64[1] h_at={2}, int64[1] w_at={3}"
LENGTHS = """s = Shape(x)
    n = Gather<axis=0>(s, n_at)
    h = Gather<axis=0>(s, h_at)
    w = Gather<axis=0>(s, w_at)"""
SHUFFLED_PIXELS = f"""(float[1,12,4,6] x) => (float[] y) <{SHAPES}, int64[3] split={{-1,2,2}}, int64[1] three={{3}},
    int64[1] two={{2}}> {{
    {LENGTHS}
    a = Concat<axis=0>(n, split, h, w)
    b = Reshape(x, a)
    c = Transpose<perm=[0,1,4,2,5,3]>(b)
    h2 = Mul(h, two)
    w2 = Mul(w, two)
    d = Concat<axis=0>(n, three, h2, w2)
    y = Reshape(c, d) }}"""
SHUFFLED_CHANNELS = f"""(float[1,6,4,6] x) => (float[] y) <{SHAPES}, int64[2] split={{2,3}}, int64[1] six={{6}}> {{
    {LENGTHS}
    a = Concat<axis=0>(n, split, h, w)
    b = Reshape(x, a)
    c = Transpose<perm=[0,2,1,3,4]>(b)
    d = Concat<axis=0>(n, six, h, w)
    y = Reshape(c, d) }}"""
PYRAMID = """(float[1,3,32,48] x) => (float[] y) <float[4,3,3,3] w, float[4,4,3,3] v, int64[1] zero={0},
    int64[1] two={2}, int64[1] four={4}> {
    a = Conv<pads=[1,1,1,1], strides=[2,2]>(x, w)
    b = Conv<pads=[1,1,1,1], strides=[2,2]>(a, v)
    s = Shape(a)
    hw = Slice(s, two, four, zero)
    t = Shape(b)
    nc = Slice(t, zero, two, zero)
    size = Concat<axis=0>(nc, hw)
    r = Resize<mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor">(b, , , size)
    y = Add(a, r) }"""
# How -> the statement, the layers, and sizes to run at.
CASES: dict[str, tuple[str, dict[str, tuple[str, list[str]]], list[tuple[int, ...]]]] = {
    "pixel shuffle": (
        SHUFFLED_PIXELS,
        {"free": ("any size, any batch", ["Deconvolution"])},
        [(2, 12, 5, 7), (6, 4), (1, 1)],
    ),
    "channel shuffle": (
        SHUFFLED_CHANNELS,
        {
            "free": ("4×6 only, any batch", ["Reshape", "Permute", "Reshape"]),
            "any": ("any size, any batch", ["Reshape", "Permute", "Reshape"]),
        },
        [(2, 6, 5, 7), (6, 4), (1, 1)],
    ),
    "a pyramid of maps": (
        PYRAMID,
        {
            "free": (
                "height and width ≡ 0 or 3 (mod 4), any batch",
                ["Convolution", "Convolution", "Deconvolution", "Eltwise"],
            ),
            "any": ("any size, any batch", ["Convolution", "Convolution", "Deconvolution", "Crop", "Eltwise"]),
        },
        [(2, 3, 35, 44), (31, 47), (36, 32)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_statement_and_numbers(name: str) -> None:
    text, expected, sizes = CASES[name]
    for how, (place, types) in expected.items():
        converted: Any = gluon2caffe.to_caffe(model(text), sizes=how)
        assert (converted.sizes.place, layer_types(converted)) == (place, types)
        report = gluon2caffe.verify(converted, model(text), sizes=sizes if how == "any" or len(expected) == 1 else [])
        assert report.passed, report


def test_a_pyramid_for_any_size_may_be_made_at_an_odd_one() -> None:
    odd, even = (
        gluon2caffe.to_caffe(model(PYRAMID.replace("32,48", size)), sizes="any") for size in ("33,49", "32,48")
    )
    assert odd.prototxt().replace("33", "32").replace("49", "48") == even.prototxt()


@pytest.mark.parametrize(
    ("target", "shuffles"),
    [
        # Rows and columns of this size alone: more of a larger picture would be taken for channels.
        ("{1,-1,2,2,4,6}", False),
        ("{1,3,2,2,-1,6}", True),
        ("{1,3,2,2,4,6}", True),
    ],
)
def test_written_lengths_are_taken_for_a_shuffle_where_no_other_size_means_another(target: str, shuffles: bool) -> None:
    text = f"""(float[1,12,4,6] x) => (float[] y) <int64[6] split={target}, int64[4] merged={{1,3,8,12}}> {{
        a = Reshape(x, split)
        b = Transpose<perm=[0,1,4,2,5,3]>(a)
        y = Reshape(b, merged) }}"""
    converted = gluon2caffe.to_caffe(model(text))
    assert ("Deconvolution" in layer_types(converted)) == shuffles


def test_an_older_opset_has_no_mode_for_it() -> None:
    def depth(order: str, split: str) -> onnx.ModelProto:
        text = f"""(float[1,12,4,6] x) => (float[] y) <int64[6] split={split}, int64[4] merged={{1,3,8,12}}> {{
            a = Reshape(x, split)
            b = Transpose<perm=[{order}]>(a)
            y = Reshape(b, merged) }}"""
        return model(text, opset=9)

    assert layer_types(gluon2caffe.to_caffe(depth("0,3,4,1,5,2", "{1,2,2,3,4,6}"))) == ["Deconvolution"]
    assert layer_types(gluon2caffe.to_caffe(depth("0,1,4,2,5,3", "{1,3,2,2,4,6}"))) == ["Reshape", "Permute", "Reshape"]
