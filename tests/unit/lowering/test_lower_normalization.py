import numpy as np
import onnx
import pytest
from agreement import Case, agrees, check, layer_types, model, table

import gluon2caffe
from gluon2caffe import UnsupportedModelError

FOUR = ", ".join(f"float[4] var{i}" for i in range(1, 5))


def _norm(node: str, shape: str = "2,4,5,6", channels: int = 4, **options: object) -> Case:
    weights = ", ".join(f"float[{channels}] var{i}" for i in range(1, 5))
    return Case(f"(float[{shape}] x) => (float[] y) <{weights}> {{ y = {node} }}", options=options)


BN = "BatchNormalization<epsilon=0.1>(x, var1, var2, var3, var4)"
CASES = {
    "batch norm": _norm(BN),
    "batch norm, layers of its own": _norm(BN, merge_bn=False),
    "batch norm, default epsilon": _norm("BatchNormalization(x, var1, var2, var3, var4)", merge_bn=False),
    **{
        f"batch norm of one channel behind a power, {shape}": Case(
            f"(float[{shape}] x) => (float[] y) <float[1] var1, float[1] b, float[1] var4>"
            " { a = Abs(x)\n c = Sqrt(a)\n y = BatchNormalization(c, var1, b, b, var4) }",
            options={"merge_bn": False},
        )
        for shape in ("2,1", "2,1,3", "2,1,3,5")
    },
    "batch norm, 2-D": _norm(BN, "2,4"),
    "batch norm, 2-D, layers of its own": _norm(BN, "2,4", merge_bn=False),
    "batch norm, 3-D": _norm(BN, "2,4,3"),
    "batch norm, 5-D": _norm(BN, "2,4,3,2,2", merge_bn=False),
    **{
        f"batch norm behind a sum, {shape}": Case(
            f"(float[{shape}] x) => (float[] y) <{FOUR}> {{ a = Relu(x)\n b = Add(a, x)\n"
            " y = BatchNormalization(b, var1, var2, var3, var4) }",
            options={"merge_bn": False},
        )
        for shape in ("2,4", "2,4,3", "2,4,3,5")
    },
    **{
        f"transpose in groups and {name}, merge_bn={merge}": Case(
            "(float[1,4,3,4] x) => (float[] y) <float[4,3,2,2] w, float[6,1,1] f, float[6] var1, float[6] b>"
            f" {{ a = ConvTranspose<group=2, strides=[2,2]>(x, w)\n y = {node} }}",
            options={"merge_bn": merge},
        )
        for name, node in (("factors", "Mul(a, f)"), ("batch norm", "BatchNormalization(a, var1, b, b, var1)"))
        for merge in (True, False)
    },
    "upsampling and batch norm": Case(
        """(float[1,3,3,4] x) => (float[] y) <float[4] s={1.0,1.0,2.0,2.0}, float[3] var1, float[3] b> {
        a = Resize<mode="nearest", coordinate_transformation_mode="asymmetric">(x, , s)
        y = BatchNormalization(a, var1, b, b, var1) }"""
    ),
    "lrn": _norm("LRN<size=5, alpha=0.5>(x)"),
    "lrn, k 2": _norm("LRN<size=3, alpha=0.5, beta=0.6, bias=2.0>(x)"),
    "lrn, k 0.5": _norm("LRN<size=3, bias=0.5>(x)"),
    "lrn, batch 1": _norm("LRN<size=7, alpha=0.9>(x)", "1,9,3,2"),
    "l2 over channels": _norm("LpNormalization<axis=1>(x)"),
    "l2, negative axis": _norm("LpNormalization<axis=-3, p=2>(x)"),
    "l2 over rows": _norm("LpNormalization<axis=2>(x)"),
    "l2 over the last axis": _norm("LpNormalization(x)"),
    "l1 over channels": _norm("LpNormalization<axis=1, p=1>(x)"),
    "l2, 2-D": _norm("LpNormalization<axis=1>(x)", "2,4"),
    "mean and variance": _norm("MeanVarianceNormalization<axes=[0,2,3]>(x)"),
    "mean and variance of each sample": _norm("MeanVarianceNormalization<axes=[1,2,3]>(x)"),
    "mean and variance, rows": _norm("MeanVarianceNormalization<axes=[2]>(x)"),
    **{
        f"layer norm, {shape}, axis {axis}": Case(
            f"(float[{shape}] x) => (float[] y) <float[{scale}] var1, float[{bias}] var2>"
            f" {{ y = LayerNormalization<axis={axis}, epsilon=0.01>(x, var1, var2) }}",
            17,
        )
        for shape, axis, scale, bias in (
            *(
                ("2,4,6", -1, "6", "6"),
                ("2,6", 1, "6", "6"),
                ("2,4,5,6", 2, "5,6", "5,6"),
                ("2,4,5,6", 1, "4,5,6", "6"),
            ),
            *(("2,4,5,6", -1, "6", "6"), ("2,3,4,5,6", 3, "5,6", "5,6"), ("1,4,6", 0, "1,4,6", "1,4,6")),
        )
    },
    "layer norm with its statistics": Case(
        "(float[2,4,6] x) => (float[] y, float[] m, float[] i) <float[6] var1, float[6] var2>"
        " { y, m, i = LayerNormalization<axis=1>(x, var1, var2) }",
        17,
    ),
    "layer norm whose mean is read": Case(
        "(float[2,4,6] x) => (float[] z) <float[6] var1> { y, m = LayerNormalization(x, var1)\n z = Add(y, m) }", 17
    ),
    "layer norm whose deviation is read": Case(
        "(float[2,4,6] x) => (float[] z) <float[6] var1> { y, m, i = LayerNormalization(x, var1)\n z = Div(y, i) }", 17
    ),
    "layer norm without a bias": Case(
        "(float[2,4,6] x) => (float[] y) <float[6] var1> { y = LayerNormalization(x, var1) }", 17
    ),
    "layer norm as it was written before": Case(
        """(float[2,4,6] x) => (float[] y) <float two={2.0}, float eps={0.01}, float[6] var1, float[6] var2> {
            m = ReduceMean<axes=[-1]>(x)
            d = Sub(x, m)
            s = Pow(d, two)
            v = ReduceMean<axes=[-1]>(s)
            e = Add(v, eps)
            r = Sqrt(e)
            n = Div(d, r)
            w = Mul(n, var1)
            y = Add(w, var2)
        }"""
    ),
    "rms norm": Case("(float[2,4,6] x) => (float[] y) <float[6] var1> { y = RMSNormalization(x, var1) }", 23),
    "rms norm, axis 1": Case(
        "(float[2,4,6] x) => (float[] y) <float[4,6] var1> { y = RMSNormalization<axis=1, epsilon=0.1>(x, var1) }", 23
    ),
    "group norm 21": Case(
        """(float[2,6,3,4] x) => (float[2,6,3,4] y) <float[6] var1, float[6] var2> {
            y = GroupNormalization<num_groups=3>(x, var1, var2)
        }""",
        21,
    ),
    "group norm, 3-D": Case(
        """(float[2,6,5] x) => (float[2,6,5] y) <float[6] var1, float[6] var2> {
            y = GroupNormalization<num_groups=2>(x, var1, var2)
        }""",
        21,
    ),
    "l1 pool": _norm("LpPool<kernel_shape=[2,3], strides=[2,1], p=1>(x)"),
    "l2 pool": _norm("LpPool<kernel_shape=[3,3], pads=[1,0,1,2]>(x)"),
    "l3 pool, same": _norm('LpPool<kernel_shape=[2,2], strides=[2,2], auto_pad="SAME_UPPER", p=3>(x)', "2,4,5,7"),
    "l2 pool, dilated": Case(
        """(float[2,4,7,6] x) => (float[] y) {
            y = LpPool<kernel_shape=[2,2], dilations=[2,1], strides=[2,2], ceil_mode=1>(x)
        }""",
        18,
    ),
    "l2 pool, 3-D": _norm("LpPool<kernel_shape=[3], strides=[2]>(x)", "2,4,9"),
    "global l2 pool": _norm("GlobalLpPool(x)"),
    "global l1 pool": _norm("GlobalLpPool<p=1>(x)"),
    "global l3 pool, 5-D": _norm("GlobalLpPool<p=3>(x)", "2,3,2,2,3"),
    "instance norm": _norm("InstanceNormalization<epsilon=0.1>(x, var1, var2)"),
    "instance norm, batch 1": _norm("InstanceNormalization(x, var1, var2)", "1,4,5,6"),
    "instance norm, 3-D": _norm("InstanceNormalization(x, var1, var2)", "2,4,7"),
    "instance norm, 5-D": _norm("InstanceNormalization(x, var1, var2)", "2,4,2,3,2"),
    "instance norm, one channel": _norm("InstanceNormalization(x, var1, var2)", "2,1,5,6", 1),
    "instance norm of small values": Case(
        "(float[1,3,4,4] x) => (float[] y) <float[3] var1, float[3] var2> { y = InstanceNormalization(x, var1, var2) }",
        span=(5e-3, 6e-3),
    ),
}


@table(CASES)
def test_agrees(case: Case) -> None:
    case.check()


def test_merged_is_one_layer_and_unmerged_two() -> None:
    assert layer_types(gluon2caffe.to_caffe(CASES["batch norm"].model())) == ["Scale"]
    assert layer_types(gluon2caffe.to_caffe(CASES["batch norm"].model(), merge_bn=False)) == ["BatchNorm", "Scale"]


def test_unmerged_batch_norm_after_a_convolution() -> None:
    text = f"""(float[1,4,5,6] x) => (float[] y) <float[4,4,1,1] w, {FOUR}> {{
        a = Conv(x, w)
        y = BatchNormalization(a, var1, var2, var3, var4)
    }}"""
    converted = Case(text, options={"merge_bn": False}).check()
    assert layer_types(converted) == ["Convolution", "BatchNorm", "Scale"]


def test_merge_in_double_precision() -> None:
    """A variance far below epsilon and a large mean: (x - mean)·factor would lose digits in float32."""
    x = np.full((1, 4, 1, 1), 1000.5, np.float32)
    text = f"(float[1,4,1,1] x) => (float[] y) <{FOUR}> {{ y = BatchNormalization(x, var1, var2, var3, var4) }}"
    source = model(text, var1=np.ones(4), var2=np.zeros(4), var3=np.full(4, 1000), var4=np.full(4, 0.25))
    agrees(gluon2caffe.to_caffe(source), {"x": x}, {"y": np.full((1, 4, 1, 1), 0.5 / np.sqrt(0.25 + 1e-5))}, 2e-4)


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        ("LRN<size=4>(x)", "LRN of even size 4; Caffe's windows are odd"),
        ("LRN<size=3, bias=0.0>(x)", "LRN with bias 0"),
    ],
)
def test_refusals(node: str, reason: str) -> None:
    with pytest.raises(UnsupportedModelError, match=reason):
        gluon2caffe.to_caffe(model(f"(float[1,4,5,6] x) => (float[] y) <float[6] s> {{ y = {node} }}", opset=17))


def test_mean_and_variance_over_the_default_axes() -> None:
    """onnx cannot infer through its definition of the operator where the axes are left out."""
    body = "(float[2,4,5,6] x) => (float[2,4,5,6] y) { a = MeanVarianceNormalization(x)\n y = Relu(a) }"
    source = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 13]> net {body}')
    check(source)
    onnx.checker.check_model(gluon2caffe.to_onnx(source), full_check=True)


@pytest.mark.parametrize(
    ("opset", "node"),
    [
        (15, "y, m, v = BatchNormalization<training_mode=1>(x, var1, var2, var3, var4)"),
        (13, "y, m, v, s, t = BatchNormalization(x, var1, var2, var3, var4)"),
    ],
)
def test_running_statistics_are_refused(opset: int, node: str) -> None:
    text = f"(float[1,4,5,6] x) => (float[] y, float[] m) <{FOUR}> {{ {node} }}"
    # onnx infers no shapes for the further outputs of the older form.
    reasons = {15: "it is in training mode, and its running statistics are read", 13: "the shape of 'm' is not known"}
    with pytest.raises(UnsupportedModelError, match=reasons[opset]):
        gluon2caffe.to_caffe(model(text, opset=opset))


TRAINING = "BatchNormalization<epsilon=0.01>(a, var1, b, var3, var4)"
STATISTICS = {
    "opset 13, behind a convolution": (
        13,
        f"(float[2,3,4,5] x) => (float[] y) <float[4,3,1,1] w, float[4] b, {FOUR}> {{"
        f" a = Conv(x, w)\n y, m, v, s, t = {TRAINING} }}",
    ),
    "opset 15": (
        15,
        f"(float[2,4,3] x) => (float[] y) <float[4] b, {FOUR}> {{"
        f" a = Neg(x)\n y, m, v = {TRAINING.replace('<', '<training_mode=1, ')} }}",
    ),
    "of weights": (
        13,
        f"(float[2,4,3] x) => (float[] y) <float[2,4,3] a, float[4] b, {FOUR}> {{"
        f" n, m, v, s, t = {TRAINING}\n y = Add(x, n) }}",
    ),
}


@pytest.mark.parametrize("name", STATISTICS)
def test_statistics_of_the_input(name: str) -> None:
    opset, text = STATISTICS[name]
    source = model(text, opset=opset)
    converted = gluon2caffe.to_caffe(source)
    x = np.random.default_rng(3).normal(size=next(iter(converted.inputs.values()))).astype(np.float32)
    weights = {
        tensor.name: onnx.numpy_helper.to_array(tensor).astype(np.float64) for tensor in source.graph.initializer
    }
    if "w" in weights:
        a = np.einsum("nchw,oc->nohw", x.astype(np.float64), weights["w"][:, :, 0, 0])
    else:
        a = weights.get("a", -x.astype(np.float64))
    axes, shape = (0, *range(2, a.ndim)), (-1, *[1] * (a.ndim - 2))
    normal = (a - a.mean(axes, keepdims=True)) / np.sqrt(a.var(axes, keepdims=True) + 0.01)
    y = normal * weights["var1"].reshape(shape) + weights["b"].reshape(shape)
    agrees(converted, {"x": x}, {"y": y + x if "a" in weights else y})


def test_computed_statistics() -> None:
    """As tf2onnx writes Keras's LayerNormalization."""
    check(
        model(
            """(float[1,6,4,1] x) => (float[] y) <float[6] var1, float[6] b> {
            m4 = ReduceMean<axes=[0,2,3]>(x)\n d = Sub(x, m4)\n q = Mul(d, d)
            v = ReduceMean<axes=[0,2,3], keepdims=0>(q)\n m = ReduceMean<axes=[0,2,3], keepdims=0>(x)
            y = BatchNormalization<epsilon=0.001>(x, var1, b, m, v) }"""
        )
    )


@pytest.mark.parametrize("shape", ["2,4,7", "2,4,3,2,2"])
def test_lrn_of_other_ranks(shape: str) -> None:
    """onnxruntime has no such LRN; channels know nothing of the axes behind them."""
    source = model(f"(float[{shape}] x) => (float[] y) {{ y = LRN<size=3, alpha=0.5, bias=2.0>(x) }}")
    x = np.random.default_rng(0).uniform(-3, 3, [int(n) for n in shape.split(",")]).astype(np.float32)
    squares = np.pad(x.astype(np.float64) ** 2, [(0, 0), (1, 1)] + [(0, 0)] * (x.ndim - 2))
    sums = squares[:, :-2] + squares[:, 1:-1] + squares[:, 2:]
    agrees(gluon2caffe.to_caffe(source), {"x": x}, {"y": x / (2 + 0.5 / 3 * sums) ** 0.75})
