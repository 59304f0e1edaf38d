"""Each pass alone: the nodes before and after as text, or None where it must leave the graph as it is."""

from collections.abc import Callable

import numpy as np
import onnx
import onnx_graphsurgeon as gs
import pytest
from agreement import model, random_inputs

from gluon2caffe.bridge.normalize.fold_affine import fold_affine
from gluon2caffe.bridge.normalize.fold_batch_norm import fold_batch_norm
from gluon2caffe.bridge.normalize.fold_padding import fold_padding
from gluon2caffe.bridge.normalize.infer_and_fold import infer_and_fold
from gluon2caffe.bridge.normalize.remove_no_ops import remove_no_ops
from gluon2caffe.bridge.options import ConversionOptions
from gluon2caffe.bridge.passes import FLOAT32, normalizing_passes
from gluon2caffe.bridge.verification.reference_onnx import run_onnx
from gluon2caffe.onnx2caffe.graph_pass import PassRunner

X = "float[1,4,6,6] x"
BN = "var1, var2, var3, var4"
WEIGHTS = (
    "float[4,4,3,3] w, float[4] b, float[4] var1, float[4] var2, float[4] var3, float[4] var4, float[4,1,1] c,"
    "float[1,4,1,1] k, float[1] s, float[6] row, float[7,4] m, float[7] mb, float[4,2,3,3] wg, float[4,7] mt,"
    "int64[8] p={0,0,1,0,0,0,2,1}, int64[8] pc={0,1,0,0,0,0,0,0}, int64[8] pn={0,0,-1,0,0,0,0,0},"
    "int64[8] p0={0,0,0,0,0,0,0,0}, int64[8] pm={0,0,1,0,0,0,-1,0}, float v={1.5}, float v0={0.0}, float vi={-inf},"
    "int64[4] same={1,4,6,6}, int64[1] i0={0}, int64[1] i9={9}, int64[1] i2={2}, int64[1] im1={-1}, int64[1] im9={-9}"
)


def _source(body: str, outputs: str = "y", inputs: str = X) -> onnx.ModelProto:
    made = model(f"({inputs}) => ({', '.join(f'float[] {name}' for name in outputs.split())}) <{WEIGHTS}> {{ {body} }}")
    used = {tensor for node in made.graph.node for tensor in node.input}
    kept = [constant for constant in made.graph.initializer if constant.name in used]
    del made.graph.initializer[:]
    made.graph.initializer.extend(kept)
    return onnx.shape_inference.infer_shapes(made, data_prop=True)


def _text(graph: gs.Graph) -> str:
    """Each node as ``output = Operator(inputs that are computed)``."""
    lines = []
    for node in graph.nodes:
        computed = ", ".join(tensor.name for tensor in node.inputs if isinstance(tensor, gs.Variable) and tensor.name)
        lines.append(f"{', '.join(tensor.name for tensor in node.outputs)} = {node.op}({computed})")
    return "; ".join(lines)


def _apply(step: Callable[[gs.Graph], bool], source: onnx.ModelProto) -> tuple[bool, str]:
    """Run the pass; the values of all outputs must stay what they were."""
    graph = gs.import_onnx(source)
    changed = step(graph)
    graph.cleanup().toposort()
    after = gs.export_onnx(graph)
    after.ir_version = 8
    names = [output.name for output in source.graph.output]
    fed = random_inputs({i.name: tuple(d.dim_value for d in i.type.tensor_type.shape.dim) for i in source.graph.input})
    expected, got = run_onnx(source, fed, names), run_onnx(after, fed, names)
    for name in names:
        np.testing.assert_allclose(got[name], expected[name], rtol=1e-4, atol=1e-5)
    return changed, _text(graph)


def _case(step: Callable[[gs.Graph], bool], body: str, after: str | None, outputs: str = "y", inputs: str = X) -> tuple:
    return step, body, after, outputs, inputs


FOLDS = {
    "bn into conv": _case(fold_batch_norm, f"a = Conv(x, w)\n y = BatchNormalization(a, {BN})", "y = Conv(x)"),
    "bn into conv with bias": _case(
        fold_batch_norm, f"a = Conv(x, w, b)\n y = BatchNormalization<epsilon=0.1>(a, {BN})", "y = Conv(x)"
    ),
    "bn into conv of groups": _case(
        fold_batch_norm, f"a = Conv<group=2>(x, wg)\n y = BatchNormalization(a, {BN})", "y = Conv(x)"
    ),
    "bn into transposed conv": _case(
        fold_batch_norm, f"a = ConvTranspose(x, w, b)\n y = BatchNormalization(a, {BN})", "y = ConvTranspose(x)"
    ),
    "two bns of shared weights": _case(
        fold_batch_norm,
        f"a = Conv(x, w, b)\n y = BatchNormalization(a, {BN})\n d = Conv(x, w, b)\n z = BatchNormalization(d, {BN})",
        "y = Conv(x); z = Conv(x)",
        "y z",
    ),
    "shared weights, one bn": _case(
        fold_batch_norm,
        f"a = Conv(x, w, b)\n y = BatchNormalization(a, {BN})\n z = Conv(x, w, b)",
        "y = Conv(x); z = Conv(x)",
        "y z",
    ),
    "two bns in a row": _case(
        fold_batch_norm,
        f"a = Conv(x, w)\n d = BatchNormalization(a, {BN})\n y = BatchNormalization(d, {BN})",
        "y = Conv(x)",
    ),
    "bn, two readers of the conv": _case(
        fold_batch_norm, f"a = Conv(x, w)\n y = BatchNormalization(a, {BN})\n z = Relu(a)", None, "y z"
    ),
    "bn, conv is an output": _case(fold_batch_norm, f"a = Conv(x, w)\n y = BatchNormalization(a, {BN})", None, "y a"),
    "bn, weight is computed": _case(
        fold_batch_norm, f"a = Conv(x, q)\n y = BatchNormalization(a, {BN})", None, "y", f"{X}, float[4,4,3,3] q"
    ),
    "bn, statistics are computed": _case(
        fold_batch_norm,
        "a = Conv(x, w)\n y = BatchNormalization(a, var1, q, var3, var4)",
        None,
        "y",
        f"{X}, float[4] q",
    ),
    "bn after relu": _case(fold_batch_norm, f"a = Relu(x)\n y = BatchNormalization(a, {BN})", None),
    "bn into transposed conv of groups": _case(
        fold_batch_norm, f"a = ConvTranspose<group=2>(x, wg)\n y = BatchNormalization(a, {BN})", "y = ConvTranspose(x)"
    ),
    "mul": _case(fold_affine, "a = Conv(x, w)\n y = Mul(a, c)", "y = Conv(x)"),
    "mul first": _case(fold_affine, "a = Conv(x, w, b)\n y = Mul(k, a)", "y = Conv(x)"),
    "div": _case(fold_affine, "a = Conv(x, w, b)\n y = Div(a, s)", "y = Conv(x)"),
    "add": _case(fold_affine, "a = Conv(x, w)\n y = Add(a, c)", "y = Conv(x)"),
    "sub": _case(fold_affine, "a = Conv(x, w, b)\n y = Sub(a, k)", "y = Conv(x)"),
    "sub first": _case(fold_affine, "a = Conv(x, w, b)\n y = Sub(k, a)", "y = Conv(x)"),
    "chain": _case(fold_affine, "a = Conv(x, w)\n d = Mul(a, c)\n e = Add(d, s)\n y = Sub(v, e)", "y = Conv(x)"),
    "gemm": _case(fold_affine, "a = Gemm<transB=1>(x, m, mb)\n y = Mul(a, mb)", "y = Gemm(x)", "y", "float[2,4] x"),
    "gemm, not transposed": _case(fold_affine, "a = Gemm(x, mt)\n y = Mul(a, mb)", None, "y", "float[2,4] x"),
    "gemm, alpha": _case(
        fold_affine, "a = Gemm<transB=1, alpha=2.0>(x, m)\n y = Mul(a, mb)", None, "y", "float[2,4] x"
    ),
    "div first": _case(fold_affine, "a = Conv(x, w)\n y = Div(s, a)", None),
    "along rows": _case(fold_affine, "a = Conv<pads=[1,1,1,1]>(x, w)\n y = Mul(a, row)", None),
    "as many columns as channels": _case(
        fold_affine, "a = Conv<pads=[0,1,0,1]>(x, w)\n y = Add(a, b)", None, "y", "float[1,4,6,4] x"
    ),
    "two computed": _case(fold_affine, "a = Conv(x, w)\n y = Mul(a, a)", None),
    "mul, two readers": _case(fold_affine, "a = Conv(x, w)\n y = Mul(a, c)\n z = Relu(a)", None, "y z"),
    "mul, conv is an output": _case(fold_affine, "a = Conv(x, w)\n y = Mul(a, c)", None, "y a"),
    "shared bias": _case(
        fold_affine, "a = Conv(x, w, b)\n y = Add(a, c)\n z = Conv(y, w, b)", "y = Conv(x); z = Conv(y)", "y z"
    ),
    "the factor is also a bias": _case(
        fold_affine, "a = Conv(x, w, b)\n y = Mul(a, c)\n z = Add(y, c)", "y = Conv(x); z = Add(y)", "y z"
    ),
    "pad": _case(fold_padding, "a = Pad(x, p)\n y = Conv(a, w)", "y = Conv(x)"),
    "pad, value 0": _case(fold_padding, "a = Pad(x, p, v0)\n y = Conv<pads=[1,0,2,1]>(a, w)", "y = Conv(x)"),
    "pad with a value": _case(fold_padding, "a = Pad(x, p, v)\n y = Conv(a, w)", None),
    "pad by reflection": _case(fold_padding, 'a = Pad<mode="reflect">(x, p)\n y = Conv(a, w)', None),
    "pad of channels": _case(fold_padding, "a = Pad(x, pc)\n y = Conv(a, w)", None, "y", "float[1,3,6,6] x"),
    "negative pad": _case(fold_padding, "a = Pad(x, pn)\n y = Conv(a, w)", None),
    "pad, auto_pad": _case(fold_padding, 'a = Pad(x, p)\n y = Conv<auto_pad="SAME_UPPER">(a, w)', None),
    "pad, two readers": _case(fold_padding, "a = Pad(x, p)\n y = Conv(a, w)\n z = Relu(a)", None, "y z"),
    "pad is an output": _case(fold_padding, "a = Pad(x, p)\n y = Conv(a, w)", None, "y a"),
    "pad of zeros before a pool": _case(fold_padding, "a = Pad(x, p)\n y = MaxPool<kernel_shape=[3,3]>(a)", None),
    "pad of infinity before a pool": _case(
        fold_padding, "a = Pad(x, p, vi)\n y = MaxPool<kernel_shape=[3,3], pads=[1,0,0,1]>(a)", "y = MaxPool(x)"
    ),
    "pad of infinity before a pool that rounds up": _case(
        fold_padding, "a = Pad(x, p, vi)\n y = MaxPool<kernel_shape=[3,3], ceil_mode=1>(a)", None
    ),
    "identity, dropout": _case(remove_no_ops, "a = Identity(x)\n d = Dropout(a)\n y = Relu(d)", "y = Relu(x)"),
    "identity at the end": _case(remove_no_ops, "a = Relu(x)\n y = Identity(a)", "y = Relu(x)"),
    "identity of the input": _case(remove_no_ops, "y = Identity(x)", None),
    "identity of an output": _case(remove_no_ops, "y = Relu(x)\n z = Identity(y)", None, "y z"),
    "reshape to itself": _case(remove_no_ops, "a = Reshape(x, same)\n y = Relu(a)", "y = Relu(x)"),
    "slice of all": _case(remove_no_ops, "a = Slice(x, i0, i9, i2)\n y = Relu(a)", "y = Relu(x)"),
    "slice backwards": _case(remove_no_ops, "a = Slice(x, im1, im9, i2, im1)\n y = Relu(a)", None),
    "pad by nothing": _case(remove_no_ops, "a = Pad(x, p0, v)\n y = Relu(a)", "y = Relu(x)"),
    "pad and cut": _case(remove_no_ops, "a = Pad(x, pm)\n y = Relu(a)", None),
    "transpose in order": _case(remove_no_ops, "a = Transpose<perm=[0,1,2,3]>(x)\n y = Relu(a)", "y = Relu(x)"),
    "transpose of equal lengths": _case(remove_no_ops, "a = Transpose<perm=[0,1,3,2]>(x)\n y = Relu(a)", None),
    "pool of single values": _case(
        remove_no_ops, "a = MaxPool<kernel_shape=[1,1], strides=[1,1]>(x)\n y = Relu(a)", "y = Relu(x)"
    ),
    "pool with a stride": _case(remove_no_ops, "a = MaxPool<kernel_shape=[1,1], strides=[2,2]>(x)\n y = Relu(a)", None),
    "concat of one": _case(remove_no_ops, "a = Concat<axis=1>(x)\n y = Relu(a)", "y = Relu(x)"),
    "nodes of constants": _case(infer_and_fold, "a = Add(c, c)\n d = Exp(a)\n y = Mul(x, d)", "y = Mul(x)"),
    "shape": _case(infer_and_fold, "a = Shape(x)\n y = Reshape(x, a)", "y = Reshape(x)"),
    "size": _case(infer_and_fold, "a = Size(x)\n d = Cast<to=1>(a)\n y = Mul(x, d)", "y = Mul(x)"),
    "nothing constant": _case(infer_and_fold, "a = Relu(x)\n y = Mul(a, x)", None),
}


@pytest.mark.parametrize(("step", "body", "after", "outputs", "inputs"), FOLDS.values(), ids=list(FOLDS))
def test_pass(step: Callable[[gs.Graph], bool], body: str, after: str | None, outputs: str, inputs: str) -> None:
    source = _source(body, outputs, inputs)
    before = _text(gs.import_onnx(source))
    changed, text = _apply(step, source)
    assert text == (before if after is None else after)
    assert changed == (after is not None)


def test_the_callers_weights_are_not_written_to_when_shared() -> None:
    source = _source(f"a = Conv(x, w, b)\n y = BatchNormalization(a, {BN})\n z = Conv(x, w, b)", "y z")
    graph = gs.import_onnx(source)
    weight = graph.tensors()["w"].values.copy()
    fold_batch_norm(graph)
    assert np.array_equal(graph.tensors()["w"].values, weight)


def _normalize(graph: gs.Graph, *, merge_bn: bool = True) -> None:
    PassRunner(graph, established=(FLOAT32,)).run(normalizing_passes(ConversionOptions(merge_bn=merge_bn)))


def test_order_folds_pad_conv_and_batch_norm_into_one() -> None:
    graph = gs.import_onnx(_source(f"a = Pad(x, p)\n d = Conv(a, w)\n y = BatchNormalization(d, {BN})"))
    _normalize(graph)
    assert _text(graph) == "y = Conv(x)"
    assert graph.nodes[0].name == "y"
    assert graph.nodes[0].attrs["pads"] == [1, 0, 2, 1]


def test_without_merge_bn_nothing_is_folded_into_weights() -> None:
    graph = gs.import_onnx(_source(f"a = Conv(x, w)\n d = BatchNormalization(a, {BN})\n y = Mul(d, c)"))
    _normalize(graph, merge_bn=False)
    assert _text(graph) == "a = Conv(x); d = BatchNormalization(a); y = Mul(d)"
    assert (
        len(normalizing_passes(ConversionOptions())) == len(normalizing_passes(ConversionOptions(merge_bn=False))) + 2
    )


def test_normal_form_twice_is_normal_form() -> None:
    graph = gs.import_onnx(_source(f"a = Pad(x, p)\n d = Conv(a, w)\n e = BatchNormalization(d, {BN})\n y = Relu(e)"))
    _normalize(graph)
    assert [step.name for step in normalizing_passes(ConversionOptions()) if step.run(graph)] == []
