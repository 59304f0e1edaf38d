"""Every window geometry of a grid either agrees with onnxruntime or is refused; which are refused is a rule."""

from itertools import product

import onnx
import pytest
from agreement import Case, check, layer_types, model, table

import gluon2caffe
from gluon2caffe import UnsupportedModelError

PADS = [(0, 0), (1, 1), (2, 2), (0, 1), (1, 0), (0, 2), (2, 1)]


def _pool(attributes: str, operator: str, size: str = "1,2,9,7", opset: int = 13) -> Case:
    return Case(f"(float[{size}] x) => (float[] y) {{ y = {operator}<{attributes}>(x) }}", opset)


CASES = {
    "max, rectangular": _pool("kernel_shape=[1,3], strides=[2,1], pads=[0,1,0,1]", "MaxPool"),
    "max, same upper": _pool('kernel_shape=[3,2], strides=[2,2], auto_pad="SAME_UPPER"', "MaxPool"),
    "max, same lower": _pool('kernel_shape=[3,2], strides=[2,2], auto_pad="SAME_LOWER"', "MaxPool"),
    "max, same lower, kernel 2": _pool('kernel_shape=[2,2], auto_pad="SAME_LOWER"', "MaxPool"),
    "max, valid": _pool('kernel_shape=[2,2], strides=[2,2], auto_pad="VALID"', "MaxPool"),
    "max, batch 2": _pool("kernel_shape=[2,2], strides=[2,2]", "MaxPool", "2,3,9,7"),
    "max, default stride": _pool("kernel_shape=[3,3]", "MaxPool"),
    "max, kernel 1, stride 2": _pool("kernel_shape=[1,1], strides=[2,2]", "MaxPool"),
    "max, 3-D": _pool("kernel_shape=[3], strides=[2], pads=[1,0]", "MaxPool", "2,3,9"),
    "max, 3-D, same": _pool('kernel_shape=[2], strides=[2], auto_pad="SAME_UPPER"', "MaxPool", "2,3,9"),
    "max, one tap, dilated": _pool("kernel_shape=[1,1], dilations=[2,2], strides=[2,2]", "MaxPool"),
    **{
        f"{operator}, dilated, {name}": _pool(attributes, operator, "1,2,11,8", 19)
        for operator in ("MaxPool", "AveragePool")
        for name, attributes in (
            ("both ways", "kernel_shape=[2,2], dilations=[2,3]"),
            ("columns alone", "kernel_shape=[3,2], dilations=[1,2], strides=[2,1]"),
            ("padded", "kernel_shape=[3,2], dilations=[2,2], strides=[2,2], pads=[2,1,1,1]"),
            ("rounded up", "kernel_shape=[2,2], dilations=[2,2], strides=[3,3], ceil_mode=1"),
        )
    },
    "average, dilated, pads counted": _pool(
        "kernel_shape=[3,2], dilations=[2,2], pads=[2,1,2,1], count_include_pad=1", "AveragePool", "2,3,9,7", 19
    ),
    "max, dilated, 3-D": _pool("kernel_shape=[3], dilations=[2], pads=[1,2]", "MaxPool", "2,3,9"),
    **{
        f"{operator}, three axes, {name}": _pool(attributes, operator, "2,3,7,6,5", opset)
        for operator in ("MaxPool", "AveragePool")
        for name, opset, attributes in (
            ("all", 13, "kernel_shape=[2,3,2], strides=[2,1,2]"),
            ("the first alone", 13, "kernel_shape=[5,1,1]"),
            ("the others alone", 13, "kernel_shape=[1,3,3], strides=[1,2,2]"),
            ("padded", 13, "kernel_shape=[3,3,2], pads=[1,1,0,1,1,1], strides=[2,2,2]"),
            ("same", 13, 'kernel_shape=[3,2,3], auto_pad="SAME_UPPER"'),
            ("dilated", 19, "kernel_shape=[2,2,2], dilations=[2,1,3]"),
        )
    },
    "average, three axes, pads counted": _pool(
        "kernel_shape=[3,3,3], pads=[1,1,1,1,1,1], count_include_pad=1", "AveragePool", "1,2,5,6,4"
    ),
    "local response normalization, as PyTorch writes it": Case(
        """(float[1,8,5,6] x) => (float[] y) <int64[1] one={1}, int64[10] p={0,0,2,0,0,0,0,2,0,0}, float a={0.1},
        float k={2.0}, float e={0.75}> { s = Mul(x, x)\n u = Unsqueeze(s, one)\n d = Pad(u, p)
        m = AveragePool<kernel_shape=[5,1,1]>(d)\n q = Squeeze(m, one)\n t = Mul(q, a)\n r = Add(t, k)
        w = Pow(r, e)\n y = Div(x, w) }"""
    ),
    "average, 3-D": _pool("kernel_shape=[3], strides=[2], pads=[1,1]", "AveragePool", "2,3,8"),
    "average, rectangular": _pool("kernel_shape=[4,1], strides=[1,3]", "AveragePool"),
    "average, batch 2": _pool("kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]", "AveragePool", "2,3,8,8"),
    "average, same upper": _pool('kernel_shape=[3,2], strides=[2,2], auto_pad="SAME_UPPER"', "AveragePool"),
    "average, whole picture": _pool("kernel_shape=[9,7]", "AveragePool"),
    "global average": Case("(float[2,3,5,6] x) => (float[] y) { y = GlobalAveragePool(x) }"),
    "global average, 3-D": Case("(float[2,3,5] x) => (float[] y) { y = GlobalAveragePool(x) }"),
    "global average, 5-D": Case("(float[2,3,5,2,3] x) => (float[] y) { y = GlobalAveragePool(x) }"),
    "global max, 3-D": Case("(float[2,3,5] x) => (float[] y) { y = GlobalMaxPool(x) }"),
    "global max, 5-D": Case("(float[2,3,5,2,3] x) => (float[] y) { y = GlobalMaxPool(x) }"),
    "global max": Case("(float[2,3,5,6] x) => (float[] y) { y = GlobalMaxPool(x) }"),
}


@table(CASES)
def test_agrees(case: Case) -> None:
    case.check()


def _starts_outside(size: int, kernel: int, stride: int, pads: tuple[int, int], ceil: int) -> bool:
    """Whether ONNX's ceil rounding asks for a last window beyond the input: runtimes differ on what it holds."""
    room = size + sum(pads) - kernel
    count = (-(-room // stride) if ceil else room // stride) + 1
    return (count - 1) * stride - pads[0] >= size


@pytest.mark.parametrize("size", [5, 6, 7, 8, 9])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
@pytest.mark.parametrize("operator", ["MaxPool", "AveragePool"])
def test_windows(operator: str, kernel: int, size: int) -> None:
    """One net of all strides, pads, roundings and ways to count, along H; W takes them in another order."""
    nodes, beyond = {}, set()
    pads_taken = [pads for pads in PADS if max(pads) < kernel]
    geometries = list(product([1, 2, 3, 4], pads_taken))
    for index, (stride, pads) in enumerate(geometries):
        other_stride, other = geometries[index - 3]
        for ceil, counted in product((0, 1), (0, 1) if operator == "AveragePool" else (0,)):
            name = f"y_{stride}_{pads[0]}{pads[1]}_{ceil}{counted}"
            extra = ", count_include_pad=1" if counted else ""
            nodes[name] = (
                f"{name} = {operator}<kernel_shape=[{kernel},{kernel}], strides=[{stride},{other_stride}], "
                f"pads=[{pads[0]},{other[0]},{pads[1]},{other[1]}], ceil_mode={ceil}{extra}>(x)"
            )
            axes = ((size, stride, pads), (size + 1, other_stride, other))
            if any(_starts_outside(length, kernel, s, p, ceil) for length, s, p in axes):
                beyond.add(name)
    assert _refused(_net(nodes, size)) == beyond
    check(_net({name: text for name, text in nodes.items() if name not in beyond}, size))


def _net(nodes: dict[str, str], size: int) -> onnx.ModelProto:
    outputs = ", ".join(f"float[] {name}" for name in nodes)
    return model(f"(float[1,2,{size},{size + 1}] x) => ({outputs}) {{ {chr(10).join(nodes.values())} }}")


def _refused(source: onnx.ModelProto) -> set[str]:
    try:
        gluon2caffe.to_caffe(source)
    except UnsupportedModelError as error:
        return {refusal.node for refusal in error.refusals}
    return set()


@pytest.mark.parametrize(
    ("size", "attributes", "layers"),
    [
        (8, "kernel_shape=[2,2], strides=[2,2]", ["Pooling"]),
        (9, "kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]", ["Pooling"]),
        (8, "kernel_shape=[3,3], strides=[2,2], ceil_mode=1", ["Pooling"]),
        (8, "kernel_shape=[3,3], strides=[2,2]", ["Pooling", "Convolution"]),
        (9, "kernel_shape=[1,1], strides=[2,2]", ["Pooling"]),
    ],
)
def test_no_more_layers_than_needed(size: int, attributes: str, layers: list[str]) -> None:
    case = _pool(attributes, "MaxPool", f"1,2,{size},{size}")
    assert layer_types(case.check()) == layers


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            'y = MaxPool<kernel_shape=[2,2], dilations=[2,2], auto_pad="SAME_UPPER">(x)',
            "is dilated, and pads by auto_pad",
        ),
        ("y, i = MaxPool<kernel_shape=[2,2]>(x)\n z = Cast<to=1>(i)", "its second output (indices)"),
    ],
)
def test_refusals(text: str, reason: str) -> None:
    with pytest.raises(UnsupportedModelError, match="MaxPool") as error:
        gluon2caffe.to_caffe(model(f"(float[1,2,6,6] x) => (float[] {'z' if 'z =' in text else 'y'}) {{ {text} }}"))
    assert reason in str(error.value)


def test_four_spatial_axes_are_refused() -> None:
    with pytest.raises(UnsupportedModelError, match=r"4 spatial axes \(input shape \(1, 2, 4, 4, 4, 4\)\); Caffe has"):
        gluon2caffe.to_caffe(model("(float[1,2,4,4,4,4] x) => (float[] y) { y = MaxPool<kernel_shape=[2,2,2,2]>(x) }"))
