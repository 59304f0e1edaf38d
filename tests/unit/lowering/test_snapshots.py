"""The prototxt of one small net per family, pinned as text: see the files in `snapshots`.

A change of what is emitted changes a file here. To write them anew: delete the file, run the tests twice, look at the
difference.
"""

from pathlib import Path

import pytest
from agreement import Case

import gluon2caffe

SNAPSHOTS = Path(__file__).with_name("snapshots")
BN = ", ".join(f"float[4] var{i}" for i in range(4))

NETS = {
    "conv_bn_relu": Case(
        f"""(float[1,3,8,8] data) => (float[] relu) <float[4,3,3,3] w, {BN}> {{
            conv = Conv<pads=[1,1,1,1], strides=[2,2]>(data, w)
            bn = BatchNormalization(conv, var0, var1, var2, var3)
            relu = Relu(bn)
        }}"""
    ),
    "conv_bn_kept": Case(
        f"""(float[1,3,8,8] data) => (float[] bn) <float[4,3,1,1] w, {BN}> {{
            conv = Conv(data, w)
            bn = BatchNormalization<epsilon=0.001>(conv, var0, var1, var2, var3)
        }}""",
        options={"merge_bn": False},
    ),
    "relu6": Case(
        """(float[1,3,8,8] data) => (float[] relu6) <float[3,1,3,3] w, float low={0.0}, float high={6.0}> {
            conv = Conv<group=3>(data, w)
            relu6 = Clip(conv, low, high)
        }"""
    ),
    "floor_pooling": Case(
        "(float[1,3,8,8] data) => (float[] pool) { pool = MaxPool<kernel_shape=[3,3], strides=[2,2]>(data) }"
    ),
    "se_multiply": Case(
        """(float[1,8,6,6] data) => (float[] scaled) <float[2,8,1,1] w1, float[8,2,1,1] w2> {
            squeeze = GlobalAveragePool(data)
            down = Conv(squeeze, w1)
            relu = Relu(down)
            up = Conv(relu, w2)
            gate = Sigmoid(up)
            scaled = Mul(data, gate)
        }"""
    ),
    "classifier": Case(
        """(float[1,8,6,6] data) => (float[] scores) <float[10,8] w, float[10] b> {
            pool = GlobalAveragePool(data)
            flat = Flatten(pool)
            scores = Gemm<transB=1>(flat, w, b)
        }""",
        options={"softmax": True},
    ),
}


@pytest.mark.parametrize("name", NETS)
def test_prototxt(name: str) -> None:
    case, path = NETS[name], SNAPSHOTS / f"{name}.prototxt"
    text = gluon2caffe.to_caffe(case.model(), **case.options).prototxt()
    if not path.exists():
        path.write_text(text, encoding="utf-8")
        pytest.fail(f"{path.name} was missing and has been written; look at it")
    assert text == path.read_text(encoding="utf-8")
