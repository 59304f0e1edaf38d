import numpy as np
import pytest
from agreement import Case, check, layer_types, model, table

from gluon2caffe import to_caffe
from gluon2caffe.onnx2caffe.errors import UnsupportedModelError


def _conv(weight: str, attributes: str = "", size: str = "1,4,9,7", operator: str = "Conv", bias: int = 0) -> Case:
    declared = f"float[{weight}] w" + (f", float[{bias}] b" if bias else "")
    inputs = "x, w, b" if bias else "x, w"
    return Case(f"(float[{size}] x) => (float[] y) <{declared}> {{ y = {operator}<{attributes}>({inputs}) }}")


def _computed(size: str, kernel: str, group: int, around: str = "y = Conv<group={}>(x, k)") -> Case:
    return Case(f"(float[{size}] x, float[{kernel}] k) => (float[] y) {{ {around.format(group)} }}")


CASES = {
    "1x1": _conv("5,4,1,1", bias=5),
    "no bias": _conv("5,4,3,3"),
    "batch 2": _conv("5,4,3,3", "pads=[1,1,1,1]", size="2,4,9,7", bias=5),
    "groups": _conv("6,2,3,3", "group=2, pads=[1,1,1,1]", bias=6),
    "depthwise": _conv("4,1,3,3", "group=4, pads=[1,1,1,1], strides=[2,2]", bias=4),
    "depthwise over one place": _conv("4,1,3,3", "group=4, pads=[1,1,1,1]", size="1,4,1,1"),
    "depthwise over one row": _conv("4,1,3,3", "group=4, pads=[1,1,1,1], strides=[2,2]", size="2,4,1,5"),
    "depthwise over one column": _conv("4,1,5,3", "group=4, pads=[2,1,2,1]", size="1,4,5,1", bias=4),
    "depthwise times 2": _conv("8,1,3,3", "group=4", bias=8),
    "dilation": _conv("5,4,3,3", "dilations=[2,2], pads=[2,2,2,2]", bias=5),
    "unequal dilation": _conv("5,4,3,2", "dilations=[3,2], pads=[3,1,3,1]"),
    "rectangular": _conv("5,4,1,5", "pads=[0,2,0,2], strides=[2,1]", bias=5),
    "bottom right pads": _conv("5,4,3,3", "pads=[0,0,1,1], strides=[2,2]", bias=5),
    "top left pads": _conv("5,4,3,3", "pads=[2,1,0,0], strides=[2,3]"),
    "mixed pads": _conv("5,4,2,4", "pads=[2,0,0,3], strides=[1,2]"),
    "unequal pads, groups": _conv("4,1,3,3", "group=4, pads=[0,1,2,0], strides=[2,2]"),
    "unequal pads, dilation": _conv("5,4,3,3", "dilations=[2,2], pads=[0,4,2,0]"),
    "unequal pads off the dilation": _conv("5,4,3,3", "dilations=[2,2], pads=[0,1,1,0]"),
    "pad beyond the kernel": _conv("5,4,1,1", "pads=[2,2,2,2]", bias=5),
    "same upper": _conv("5,4,3,3", 'auto_pad="SAME_UPPER", strides=[2,2]', size="1,4,8,7"),
    "same lower": _conv("5,4,4,2", 'auto_pad="SAME_LOWER", strides=[2,3]', size="1,4,8,7"),
    "valid": _conv("5,4,3,3", 'auto_pad="VALID", strides=[2,2]'),
    "one spatial axis": _conv("5,4,3", "pads=[1,2], strides=[2]", "2,4,9", bias=5),
    "one spatial axis, dilated, groups": _conv("4,2,3", "dilations=[2], group=2, pads=[2,1]", "2,4,9"),
    "transpose, one spatial axis": _conv(
        "4,5,3", "strides=[2], pads=[1,0], output_padding=[1]", "2,4,7", "ConvTranspose", 5
    ),
    "transpose, valid": _conv(
        "4,5,3,3", 'auto_pad="VALID", strides=[2,2], output_padding=[1,0]', operator="ConvTranspose"
    ),
    "transpose, dilated, groups": _conv(
        "4,2,3,3", "dilations=[2,3], group=2, pads=[1,0,2,1]", operator="ConvTranspose", bias=4
    ),
    "transpose": _conv("4,5,3,3", "strides=[2,2]", operator="ConvTranspose", bias=5),
    "transpose, batch 2": _conv("4,5,4,4", "strides=[2,2], pads=[1,1,1,1]", "2,4,5,3", "ConvTranspose", 5),
    "transpose, output_padding": _conv(
        "4,5,3,3", "strides=[2,2], pads=[1,1,1,1], output_padding=[1,1]", operator="ConvTranspose", bias=5
    ),
    "transpose, output_padding beyond the kernel": _conv(
        "4,5,1,1", "strides=[3,2], output_padding=[2,1]", operator="ConvTranspose", bias=5
    ),
    "transpose, output_padding on one axis": _conv(
        "4,5,3,2", "strides=[2,3], pads=[1,0,1,0], output_padding=[1,0]", operator="ConvTranspose"
    ),
    "transpose, unequal pads": _conv("4,5,3,4", "strides=[2,2], pads=[0,2,1,1]", operator="ConvTranspose"),
    "transpose, groups": _conv("4,2,3,3", "group=2, strides=[2,2], pads=[1,1,1,1]", "1,4,5,4", "ConvTranspose", 4),
    "transpose, depthwise": _conv("4,1,4,4", "group=4, strides=[2,2], pads=[1,1,1,1]", operator="ConvTranspose"),
    "transpose, same upper": _conv("4,5,3,3", 'auto_pad="SAME_UPPER", strides=[2,2]', operator="ConvTranspose"),
    "transpose, same lower": _conv("4,5,3,3", 'auto_pad="SAME_LOWER", strides=[2,2]', operator="ConvTranspose"),
    "transpose, output_shape": _conv("4,5,3,3", "strides=[2,2], output_shape=[18,14]", operator="ConvTranspose"),
    "transpose, rectangular": _conv("4,5,2,5", "strides=[1,3], pads=[0,1,0,1]", operator="ConvTranspose", bias=5),
}


VOLUMES = {
    "all of 3": _conv("5,4,3,3,3", "pads=[1,1,1,1,1,1]", "2,4,5,6,7", bias=5),
    "pictures": _conv("5,4,1,3,3", "pads=[0,1,1,0,1,1], strides=[1,2,2]", "1,4,3,6,7"),
    "depths": _conv("5,4,3,1,1", "pads=[1,0,0,1,0,0]", "1,4,5,4,3", bias=5),
    "steps": _conv("5,4,3,2,2", "strides=[2,2,1]", "1,4,7,6,5"),
    "dilated, in groups": _conv("6,2,2,3,3", "group=2, dilations=[2,1,2], pads=[2,1,2,2,1,2]", "1,4,5,6,7", bias=6),
    "unequal pads": _conv("5,4,2,2,3", "pads=[1,0,2,0,1,1]", "1,4,4,5,6"),
    "same": _conv("5,4,3,3,2", 'auto_pad="SAME_LOWER", strides=[2,2,2]', "1,4,5,6,7"),
}


@table(VOLUMES)
def test_three_spatial_axes(case: Case) -> None:
    case.check()


COMPUTED = {
    "computed kernel": _computed("1,6,9,8", "6,1,3,2", 6),
    "computed kernel of one tap": _computed("1,6,9,8", "6,1,1,1", 6),
    "computed kernel as large as the picture": _computed("1,6,4,3", "6,1,4,3", 6),
    "computed kernel between activations": _computed(
        "1,6,9,8", "6,1,4,4", 6, "a = Relu(x) b = Tanh(k) c = Conv<group={}>(a, b) y = Relu(c)"
    ),
}


@table(COMPUTED)
def test_a_computed_kernel_for_each_channel(case: Case) -> None:
    """The correlation of siamese trackers: no Convolution, since no common reader takes its weights from a blob."""
    assert "Convolution" not in layer_types(case.check())


@table(CASES)
def test_agrees(case: Case) -> None:
    assert set(layer_types(case.check())) <= {"Convolution", "Deconvolution", "Reshape"}


@pytest.mark.parametrize("pads", ["1,1,1,1", "0,1,2,1", "2,0,0,0"])
def test_one_layer_whatever_the_pads(pads: str) -> None:
    assert layer_types(_conv("5,4,3,3", f"pads=[{pads}], strides=[2,2]", bias=5).check()) == ["Convolution"]


def test_dilated_transpose() -> None:
    # OpenCV's Deconvolution takes no notice of its dilation.
    source = _conv("4,5,3,3", "dilations=[2,2], strides=[2,2], pads=[1,1,1,1]", operator="ConvTranspose").model()
    assert layer_types(check(source)) == ["Deconvolution"]


def test_shared_weight_of_two_convolutions() -> None:
    check(
        model(
            """(float[1,4,5,5] x) => (float[] y, float[] z) <float[4,4,3,3] w, float[4] b> {
                a = Conv<pads=[0,0,1,1]>(x, w, b)
                y = Relu(a)
                z = Conv(a, w, b)
            }"""
        )
    )


def test_weights_keep_their_values() -> None:
    weight = np.arange(36, dtype=np.float32).reshape(1, 4, 3, 3)
    converted = check(model(_conv("1,4,3,3").text, w=weight))
    assert np.array_equal(converted.layer("y").blobs[0], weight)


@pytest.mark.parametrize("kernel", ["5,6,3,3", "6,1,3,3"])
def test_a_computed_kernel_of_another_kind_is_refused(kernel: str) -> None:
    group = 6 if kernel.startswith("6") else 1
    text = f"""(float[1,6,9,8] x, float[{kernel}] k) => (float[] y) {{
        a = Relu(x) y = Conv<group={group}, pads=[1,1,1,1]>(a, k) }}"""
    with pytest.raises(UnsupportedModelError, match=r"its input 1 \(k\) is computed at run time.*\nTry: --outputs a "):
        to_caffe(model(text))
