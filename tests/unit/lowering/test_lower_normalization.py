import numpy as np
import pytest
from agreement import Case, agrees, layer_types, model, table

import bridge
from bridge import UnsupportedModelError

FOUR = ", ".join(f"float[4] var{i}" for i in range(1, 5))


def _norm(node: str, shape: str = "2,4,5,6", channels: int = 4, **options: object) -> Case:
    weights = ", ".join(f"float[{channels}] var{i}" for i in range(1, 5))
    return Case(f"(float[{shape}] x) => (float[] y) <{weights}> {{ y = {node} }}", options=options)


BN = "BatchNormalization<epsilon=0.1>(x, var1, var2, var3, var4)"
CASES = {
    "batch norm": _norm(BN),
    "batch norm, layers of its own": _norm(BN, merge_bn=False),
    "batch norm, default epsilon": _norm("BatchNormalization(x, var1, var2, var3, var4)", merge_bn=False),
    "batch norm, 2-D": _norm(BN, "2,4"),
    "batch norm, 2-D, layers of its own": _norm(BN, "2,4", merge_bn=False),
    "batch norm, 3-D": _norm(BN, "2,4,3"),
    "batch norm, 5-D": _norm(BN, "2,4,3,2,2", merge_bn=False),
    "lrn": _norm("LRN<size=5, alpha=0.5>(x)"),
    "lrn, k 2": _norm("LRN<size=3, alpha=0.5, beta=0.6, bias=2.0>(x)"),
    "lrn, k 0.5": _norm("LRN<size=3, bias=0.5>(x)"),
    "lrn, batch 1": _norm("LRN<size=7, alpha=0.9>(x)", "1,9,3,2"),
    "l2 over channels": _norm("LpNormalization<axis=1>(x)"),
    "l2, negative axis": _norm("LpNormalization<axis=-3, p=2>(x)"),
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
    assert layer_types(bridge.to_caffe(CASES["batch norm"].model())) == ["Scale"]
    assert layer_types(bridge.to_caffe(CASES["batch norm"].model(), merge_bn=False)) == ["BatchNorm", "Scale"]


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
    agrees(bridge.to_caffe(source), {"x": x}, {"y": np.full((1, 4, 1, 1), 0.5 / np.sqrt(0.25 + 1e-5))}, 2e-4)


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        ("LRN<size=4>(x)", "LRN of even size 4; Caffe's windows are odd"),
        ("LRN<size=3, bias=0.0>(x)", "LRN with bias 0"),
        ("LpNormalization<axis=2>(x)", r"only the L2 norm over the channels of \(N, C, H, W\)"),
        ("LpNormalization<axis=1, p=1>(x)", "only the L2 norm"),
        ("LayerNormalization(x, s)", "no exact translation of this operator"),
    ],
)
def test_refusals(node: str, reason: str) -> None:
    with pytest.raises(UnsupportedModelError, match=reason):
        bridge.to_caffe(model(f"(float[1,4,5,6] x) => (float[] y) <float[6] s> {{ y = {node} }}", opset=17))


def test_l2_is_refused_where_there_is_no_layer() -> None:
    with pytest.raises(
        UnsupportedModelError, match=r"the target 'bvlc' has no Normalize layer. Remedy: choose the target"
    ):
        bridge.to_caffe(CASES["l2 over channels"].model(), target="bvlc")


def test_training_mode_is_refused() -> None:
    text = f"""(float[1,4,5,6] x) => (float[] y) <{FOUR}> {{
        y, m, v = BatchNormalization<training_mode=1>(x, var1, var2, var3, var4)
    }}"""
    with pytest.raises(UnsupportedModelError, match=r"it is in training mode. Remedy: export the net for inference"):
        bridge.to_caffe(model(text, opset=15))
