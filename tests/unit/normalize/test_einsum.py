from agreement import Case, check, layer_types, table

import gluon2caffe
from gluon2caffe.bridge.origins import walk_back


def _two(equation: str, a: str, b: str, opset: int = 13) -> Case:
    """Of a computed tensor and a weight."""
    return Case(f'(float[{a}] x) => (float[] y) <float[{b}] w> {{ y = Einsum<equation="{equation}">(x, w) }}', opset)


def _both(equation: str, a: str, b: str) -> Case:
    """Of two computed tensors."""
    return Case(f'(float[{a}] x, float[{b}] z) => (float[] y) {{ y = Einsum<equation="{equation}">(x, z) }}')


def _one(equation: str, a: str, opset: int = 13) -> Case:
    return Case(f'(float[{a}] x) => (float[] y) {{ y = Einsum<equation="{equation}">(x) }}', opset)


CASES = {
    "transpose": _one("bij->bji", "2,3,4"),
    "transpose, implicit": _one("ba", "2,3"),
    "nothing": _one("bij->bij", "2,3,4"),
    "sum": _one("bij->bj", "2,3,4"),
    "sum, opset 12": _one("bij->bj", "2,3,4", 12),
    "sum and transpose": _one("bijk->kb", "2,3,4,5"),
    "linear": _two("bi,oi->bo", "2,3", "4,3"),
    "linear, of the last of four axes": _two("nchw,wo->ncho", "2,3,4,5", "5,6"),
    "linear, of the channels": _two("nchw,oc->nohw", "2,3,4,5", "6,3"),
    "the weight first": Case('(float[2,3] x) => (float[] y) <float[4,3] w> { y = Einsum<equation="oi,bi->bo">(w, x) }'),
    "a matrix per head": _two("bhi,hio->bho", "2,3,4", "3,4,5"),
    "ellipsis": _two("...i,io->...o", "2,3,4", "4,5"),
    "ellipsis, implicit": _two("...i,oi", "2,3,4", "5,4"),
    "broadcast": _two("bi,bi->bi", "2,3", "1,3"),
    "scores of attention": _both("bhid,bhjd->bhij", "2,3,4,5", "2,3,6,5"),
    "values of attention": _both("bhij,bhjd->bhid", "2,3,4,6", "2,3,6,5"),
    "attention over channels": _both("nchw,nkhw->nkc", "2,3,4,2", "2,5,4,2"),
    "element by element": _both("nc,nc->nc", "2,3", "2,3"),
    "outer product": _both("ni,nj->nij", "2,3", "2,4"),
    "dot product": _both("ni,ni->n", "2,3", "2,3"),
    "a sum on either side": _both("nij,nkj->nk", "2,3,4", "2,5,4"),
    "two axes at once": _two("nij,ijo->no", "2,3,4", "3,4,5"),
    "three operands": Case(
        '(float[2,3] x, float[2,5] z) => (float[] y) <float[3,4,5] w> { y = Einsum<equation="bi,ioj,bj->bo">(x, w, z) }'
    ),
    "two weights first": Case(
        '(float[2,4] x) => (float[] y) <float[5,3] v, float[3,4] w> { y = Einsum<equation="ok,ki,bi->bo">(v, w, x) }'
    ),
    "diagonal": _one("bii->bi", "2,3,3"),
    "trace": _one("bii->b", "2,3,3"),
    "diagonal, implicit": _one("iji", "3,2,3"),
    "diagonal in front of the batch": _one("iinb->bn", "3,3,2,4"),
    "diagonal of a weight": _two("bi,ioo->bo", "2,3", "3,4,4"),
    "inside a net": Case(
        """(float[1,3,4,4] x) => (float[] y) <float[6,3,1,1] k, float[6,5] w> {
        a = Conv(x, k)\n b = Einsum<equation="bchw,cd->bdhw">(a, w)\n y = Relu(b) }"""
    ),
}


@table(CASES)
def test_agrees(case: Case) -> None:
    case.check()


def test_a_linear_map_is_one_layer() -> None:
    assert layer_types(CASES["linear"].check()) == ["InnerProduct"]


def test_each_layer_leads_back_to_the_einsum() -> None:
    source = CASES["values of attention"].model()
    source.graph.node[0].name = "mix"
    assert set(walk_back(gluon2caffe.to_caffe(source)).values()) == {("mix",)}


def test_the_intermediate_has_its_parts() -> None:
    made = gluon2caffe.to_onnx(CASES["scores of attention"].model())
    assert [node.op_type for node in made.graph.node] == ["Transpose", "MatMul"]
    check(made)
