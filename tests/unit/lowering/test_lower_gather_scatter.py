from typing import Any

import numpy as np
import pytest
from agreement import Case, layer_types, model, table

import gluon2caffe
from gluon2caffe import UnsupportedModelError


def _indices(node: str, shape: str, indices: Any, opset: int = 13, **options: Any) -> Case:
    """Of x and constant indices i."""
    values = np.array(indices)
    declared = ",".join(map(str, values.shape))
    text = f"(float[{shape}] x) => (float[] y) <int64[{declared}] i> {{ y = {node} }}"
    return Case(text, opset, {"i": values}, options=options)


def _scatter(node: str, data: str, indices: Any, updates: str, opset: int = 13, computed: str = "xu") -> Case:
    """Of data x and updates u, those of them in `computed` inputs."""
    values = np.array(indices)
    shapes = {"x": data, "u": updates}
    inputs = ", ".join(f"float[{shapes[name]}] {name}" for name in computed)
    weights = "".join(f", float[{shape}] {name}" for name, shape in shapes.items() if name not in computed)
    declared = ",".join(map(str, values.shape))
    text = f"({inputs}) => (float[] y) <int64[{declared}] i{weights}> {{ y = {node} }}"
    return Case(text, opset, {"i": values})


RNG = np.random.default_rng(0)
ANY = RNG.permutation(60)[:30].reshape(2, 3, 5) % 4
POINTS = np.stack([RNG.permutation(12) % 3, RNG.permutation(12) // 3], axis=-1)

CASES = {
    "gather elements": _indices("GatherElements<axis=1>(x, i)", "2,4,5", ANY),
    "gather elements, alike for all samples": _indices("GatherElements<axis=2>(x, i)", "2,1,5", [[[4, 0, 2]]] * 2),
    "gather elements, negative": _indices("GatherElements<axis=-1>(x, i)", "2,3", [[-1, 0], [-2, -3]]),
    "gather elements, bvlc": _indices("GatherElements<axis=1>(x, i)", "2,4,5", ANY, target="bvlc"),
    "gather nd, points": _indices("GatherND(x, i)", "3,4", POINTS),
    "gather nd, slices": _indices("GatherND(x, i)", "2,3,4", [[0, 1], [1, 2], [1, 0]]),
    "gather nd, in each sample": _indices("GatherND<batch_dims=1>(x, i)", "2,3,4", [[[2], [0]]] * 2),
    "gather nd, in each sample, unlike": _indices("GatherND<batch_dims=1>(x, i)", "2,3,4", [[[2, 1]], [[0, -1]]]),
    "scatter": _scatter("Scatter<axis=1>(x, i, u)", "2,4", [[1, 3], [0, 2]], "2,2", 9),
    "scatter elements": _scatter("ScatterElements<axis=1>(x, i, u)", "2,4", [[1, -1], [0, 2]], "2,2"),
    "scatter elements of a constant": _scatter("ScatterElements(x, i, u)", "3,4", [[2, 0, 1, 0]], "1,4", computed="u"),
    "scatter constants": _scatter("ScatterElements(x, i, u)", "3,4", [[2, 0, 1, 0]], "1,4", computed="x"),
    "scatter nd, slices": _scatter("ScatterND(x, i, u)", "4,3", [[2], [0]], "2,3"),
    "scatter nd, points": _scatter("ScatterND(x, i, u)", "4,3", POINTS[:5, ::-1], "5"),
    "scatter nd, a part of every box": _scatter(
        "ScatterND(x, i, u)", "1,5,4", [[[[0, b, c] for c in (0, 1)] for b in range(5)]], "1,5,2"
    ),
    "scatter nd of zeros": Case(
        """(float[1,2,3] u) => (float[] y) <float[1,4,3] x, int64[1,2,2] i> { y = ScatterND(x, i, u) }""",
        constants={"x": np.zeros((1, 4, 3)), "i": [[[0, 3], [0, 1]]]},
    ),
    "compress": Case(
        "(float[2,5,3] x) => (float[] y) <bool[5] c={1,0,0,1,1}> { y = Compress<axis=1>(x, c) }",
    ),
    "compress, flat": Case("(float[2,3] x) => (float[] y) <bool[5] c={0,1,0,1,1}> { y = Compress(x, c) }"),
    "reverse sequence": Case(
        "(float[4,3,2] x) => (float[] y) <int64[3] n={4,1,3}> { y = ReverseSequence(x, n) }",
    ),
    "reverse sequence, batch first": Case(
        """(float[2,5] x) => (float[] y) <int64[2] n={5,5}>
        { y = ReverseSequence<batch_axis=0, time_axis=1>(x, n) }""",
    ),
}


@table(CASES)
def test_agrees(case: Case) -> None:
    case.check()


def test_what_stays_together_is_moved_as_one() -> None:
    """No matrix of ones and zeros: whole rows are cut and joined."""
    converted = _indices("GatherND(x, i)", "6,70", [[5], [0], [3]]).check()
    assert set(layer_types(converted)) == {"Reshape", "Slice", "Concat", "Crop"}


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (_scatter("ScatterND(x, i, u)", "4,3", [[2], [2]], "2,3"), "it writes twice to one place"),
        (_scatter('ScatterND<reduction="add">(x, i, u)', "4,3", [[2], [1]], "2,3", 16), r"\(add\)"),
    ],
    ids=["twice", "reduction"],
)
def test_refusals(case: Case, reason: str) -> None:
    with pytest.raises(UnsupportedModelError, match=reason):
        gluon2caffe.to_caffe(case.model())


def test_computed_indices() -> None:
    text = """(float[1,3,4] x) => (float[] y) { i = ArgMax<axis=1>(x)
        y = GatherElements<axis=1>(x, i) }"""
    with pytest.raises(UnsupportedModelError, match=r"GatherElements .*its input 1 \(i\) is computed at run time"):
        gluon2caffe.to_caffe(model(text))


def test_very_many_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gluon2caffe.onnx2caffe.growth.MOST_BYTES", 400 * 8)
    order = np.random.default_rng(0).permutation(400)[None]
    with pytest.raises(UnsupportedModelError, match="it would need 400×400 numbers, 640,000 bytes; 3,200 are the most"):
        gluon2caffe.to_caffe(_indices("GatherElements<axis=1>(x, i)", "1,400", order).model())
