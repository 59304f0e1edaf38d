import numpy as np
import pytest
from agreement import Case, check, layer_types, model, table

import gluon2caffe
from gluon2caffe import UnsupportedModelError


def _gemm(attributes: str, weight: str, addend: str | None = None) -> Case:
    declared = f"float[{weight}] w" + ("" if addend is None else f", float[{addend}] c")
    inputs = "x, w" if addend is None else "x, w, c"
    return Case(f"(float[2,4] x) => (float[] y) <{declared}> {{ y = Gemm<{attributes}>({inputs}) }}")


def _matmul(x: str, matrix: str, inputs: str = "x, w") -> Case:
    return Case(f"(float[{x}] x) => (float[] y) <float[{matrix}] w> {{ y = MatMul({inputs}) }}")


CASES = {
    "gemm": _gemm("", "4,7"),
    "gemm, transB": _gemm("transB=1", "7,4", "7"),
    "gemm, bias": _gemm("", "4,7", "7"),
    "gemm, bias of two axes": _gemm("", "4,7", "1,7"),
    "gemm, bias of one number": _gemm("", "4,7", "1"),
    "gemm, bias (1, 1)": _gemm("transB=1", "7,4", "1,1"),
    "gemm, scalar bias": Case("(float[2,4] x) => (float[] y) <float[4,7] w, float c={2}> { y = Gemm(x, w, c) }"),
    "gemm, alpha": _gemm("alpha=0.5", "4,7"),
    "gemm, alpha and beta": _gemm("alpha=0.5, beta=2.0, transB=1", "7,4", "7"),
    "gemm, beta 0": _gemm("beta=0.0", "4,7", "7"),
    "gemm, transA": Case("(float[4,2] x) => (float[] y) <float[4,7] w> { y = Gemm<transA=1>(x, w) }"),
    "gemm, addend per row": _gemm("beta=0.5", "4,7", "2,1"),
    "gemm, addend everywhere": _gemm("", "4,7", "2,7"),
    "gemm, square addend per row": Case(
        "(float[7,4] x) => (float[] y) <float[4,7] w, float[7,1] c> { y = Gemm(x, w, c) }"
    ),
    "gemm, computed addend": Case(
        "(float[2,4] x, float[2,1] z) => (float[] y) <float[4,7] w> { y = Gemm<beta=0.5>(x, w, z) }"
    ),
    "gemm, constant first": Case("(float[4,2] x) => (float[] y) <float[7,4] w> { y = Gemm<alpha=2.0>(w, x) }"),
    "gemm, constant first, turned": Case(
        "(float[2,4] x) => (float[] y) <float[4,7] w, float[2] c> { y = Gemm<transA=1, transB=1>(w, x, c) }"
    ),
    "gemm, both computed": Case(
        "(float[2,4] x, float[3,4] z) => (float[] y) <float[3] c> { y = Gemm<transB=1, alpha=0.5>(x, z, c) }"
    ),
    "matmul, both computed": Case("(float[2,3] x, float[3,4] z) => (float[] y) { y = MatMul(x, z) }"),
    "matmul, both computed, batched": Case("(float[2,5,3,6] x, float[2,5,6,4] z) => (float[] y) { y = MatMul(x, z) }"),
    "matmul, both computed, batch broadcast": Case(
        "(float[2,5,3,6] x, float[5,6,4] z) => (float[] y) { y = MatMul(x, z) }"
    ),
    "matmul of computed vectors": Case(
        "(float[6] x, float[6] z, float[3,6] w) => (float[] y, float[] u) { y = MatMul(x, z)\n u = MatMul(w, z) }"
    ),
    "matmul by a vector": _matmul("2,3,4", "4"),
    "matmul of a vector": _matmul("4", "4,7"),
    "matmul of a vector from the left": _matmul("2,4,3", "4", "w, x"),
    "matmul by a batch": _matmul("2,3,4", "2,4,7"),
    "matmul by a batch, 4-D": _matmul("2,5,3,4", "5,4,7"),
    "matmul by a batch of batches": _matmul("2,5,3,4", "2,5,4,7"),
    "matmul by a batch, enlarged": _matmul("1,3,4", "2,4,7"),
    "matmul by a batch with a 1 inside": _matmul("3,5,3,4", "3,1,4,7"),
    "matmul by a batch of one": _matmul("2,5,3,4", "1,4,7"),
    "matmul by a batch from the left": _matmul("5,4,3", "5,7,4", "w, x"),
    "self attention": Case(
        """(float[2,6,8] x) => (float[] y) <float[8,8] q, float[8,8] k, float[8,8] v, int64[4] s={0,0,2,4},
            int64[3] t={0,0,8}, float r={0.5}> {
            a = MatMul(x, q)
            b = Reshape(a, s)
            c = Transpose<perm=[0,2,1,3]>(b)
            d = MatMul(x, k)
            e = Reshape(d, s)
            f = Transpose<perm=[0,2,3,1]>(e)
            g = MatMul(c, f)
            h = Mul(g, r)
            i = Softmax(h)
            j = MatMul(x, v)
            l = Reshape(j, s)
            m = Transpose<perm=[0,2,1,3]>(l)
            n = MatMul(i, m)
            o = Transpose<perm=[0,2,1,3]>(n)
            y = Reshape(o, t)
        }"""
    ),
    "matmul": _matmul("2,4", "4,7"),
    "matmul, 3-D": _matmul("2,3,4", "4,7"),
    "matmul, 4-D": _matmul("2,3,5,4", "4,7"),
    "matmul from the left": _matmul("4,3", "7,4", "w, x"),
    "matmul from the left, 3-D": _matmul("2,4,3", "7,4", "w, x"),
    "matmul from the left, 4-D": _matmul("2,5,4,3", "7,4", "w, x"),
    "after flatten": Case(
        "(float[2,3,4,5] x) => (float[] y) <float[60,7] w, float[7] c> { a = Flatten(x)\n y = Gemm(a, w, c) }"
    ),
    "matmul and add": Case(
        "(float[2,4] x) => (float[] y) <float[4,7] w, float[7] c> { a = MatMul(x, w)\n y = Add(a, c) }"
    ),
}


@table(CASES)
def test_agrees(case: Case) -> None:
    case.check()


@pytest.mark.parametrize("name", ["gemm, alpha and beta", "after flatten", "matmul, 4-D"])
def test_one_layer(name: str) -> None:
    assert layer_types(CASES[name].check()) == ["InnerProduct"]


def test_a_product_too_large_to_write_out_is_refused() -> None:
    text = "(float[1,512,512] x, float[1,512,512] z) => (float[] y) { y = MatMul(x, z) }"
    with pytest.raises(
        UnsupportedModelError, match=r"multiplies two computed tensors.*need 536,870,912 bytes; 268,435,456"
    ):
        gluon2caffe.to_caffe(model(text))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((2, 3, 5, 7), (2, 3, 7, 4)),
        ((1, 12, 50, 64), (1, 12, 64, 50)),
        ((5, 7), (7, 1)),
        ((2, 5, 7), (7, 4)),
        ((1, 3, 5, 7), (1, 1, 7, 4)),
        ((1, 512, 512), (1, 512, 512)),
    ],
)
def test_opencv_multiplies_two_bottoms(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    """Activations on both sides: OpenCV forgets one that it merges into such a product."""
    lengths = [",".join(map(str, shape)) for shape in (a, b)]
    text = f"""(float[{lengths[0]}] x, float[{lengths[1]}] z) => (float[] y) {{
        c = Tanh(x) d = Tanh(z) e = MatMul(c, d) y = Tanh(e) }}"""
    # Sums of 512 products, added up in another order.
    converted = check(model(text), target="opencv", tolerance=5e-5)
    assert layer_types(converted).count("InnerProduct") == 1
    assert "Eltwise" not in layer_types(converted)


def test_the_refusal_of_a_large_product_names_the_target() -> None:
    text = "(float[1,512,512] x, float[1,512,512] z) => (float[] y) { a = Relu(x) y = MatMul(a, z) }"
    with pytest.raises(UnsupportedModelError, match=r"Remedy: choose the target 'opencv'\nTry: --outputs a "):
        gluon2caffe.to_caffe(model(text))


def test_shared_weight_is_used_as_it_is_by_both() -> None:
    weight = np.eye(4, dtype=np.float32) * 3
    text = """(float[2,4] x) => (float[] y, float[] z) <float[4,4] w, float s={5.0}> {
        a = Gemm<transB=1>(x, w)
        y = Mul(a, s)
        z = Gemm<transB=1>(x, w)
    }"""
    converted = check(model(text, w=weight))
    assert np.array_equal(converted.layer("z").blobs[0], weight)
