from dataclasses import replace

import pytest
from agreement import Case, layer_types, model, table

import gluon2caffe
from gluon2caffe import UnsupportedModelError

X = "float[2,4,5,6] x"


def _one(node: str, shape: str = "2,4,5,6", opset: int = 13, **constants: list[int]) -> Case:
    declared = ", ".join(f"int64[{len(v)}] {k} = {{{', '.join(map(str, v))}}}" for k, v in constants.items())
    return Case(f"(float[{shape}] x) => (float[] y) {f'<{declared}>' if declared else ''} {{ y = {node} }}", opset)


def _reshape(*shape: int) -> Case:
    return _one("Reshape(x, s)", s=list(shape))


def _slice(starts: list[int], ends: list[int], axes: list[int], steps: list[int] | None = None) -> Case:
    return _one("Slice(x, a, b, c, d)", a=starts, b=ends, c=axes, d=steps or [1] * len(starts))


def _pad(pads: str, value: str = "") -> Case:
    declared = f"int64[8] p={{{pads}}}" + (f", float v={{{value}}}" if value else "")
    return Case(f"({X}) => (float[] y) <{declared}> {{ y = Pad(x, p{', v' if value else ''}) }}")


SHUFFLE = Case(
    """(float[2,6,3,4] x) => (float[] y) <int64[5] s5={0,2,3,3,4}, int64[4] s4={0,-1,3,4}> {
        a = Reshape(x, s5)
        b = Transpose<perm=[0,2,1,3,4]>(a)
        y = Reshape(b, s4)
    }"""
)
CASES = {
    "reshape, rest": _reshape(0, -1),
    "reshape, batch merged": _reshape(-1, 6),
    "reshape, batch split": _reshape(1, 2, 4, 5, 6),
    "reshape, batch changed": _reshape(4, 2, 5, 6),
    "reshape, 5-D": _reshape(2, 2, 2, 5, 6),
    "reshape, 1-D": _reshape(-1),
    "channel shuffle": SHUFFLE,
    "flatten": _one("Flatten(x)"),
    "flatten, axis 2": _one("Flatten<axis=2>(x)"),
    "flatten, axis 0": _one("Flatten<axis=0>(x)"),
    "flatten, 2-D": _one("Flatten(x)", "2,4"),
    "squeeze": _one("Squeeze(x, a)", "2,4,1,1", a=[2, 3]),
    "squeeze, negative": _one("Squeeze(x, a)", "2,4,1,3", a=[-2]),
    "squeeze 11": _one("Squeeze<axes=[2]>(x)", "2,4,1,3", 11),
    "unsqueeze": _one("Unsqueeze(x, a)", "2,4", a=[2, 3]),
    "transpose": _one("Transpose<perm=[0,2,3,1]>(x)"),
    "transpose, all axes": _one("Transpose(x)"),
    "transpose, batch": _one("Transpose<perm=[1,0,2,3]>(x)"),
    "transpose, batch of one": _one("Transpose<perm=[1,2,0,3]>(x)", "1,4,5,6"),
    "transpose, 2-D": _one("Transpose(x)", "2,4"),
    "transpose, 3-D": _one("Transpose<perm=[0,2,1]>(x)", "2,4,5"),
    "transpose of short axes": _one("Transpose<perm=[0,2,1,3]>(x)", "1,4,1,6"),
    "transpose to the end": _one("Transpose<perm=[0,3,1,2]>(x)", "2,1,1,6"),
    **{
        f"concat, axis {axis}": Case(f"({X}, {X[:-1]}z) => (float[] y) {{ y = Concat<axis={axis}>(x, z, x) }}")
        for axis in (0, 1, 2, 3, -1)
    },
    "concat, lengths": Case("(float[2,4,5] x, float[2,1,5] z) => (float[] y) { y = Concat<axis=1>(x, z) }"),
    "split": Case(f"({X}) => (float[] a, float[] b) {{ a, b = Split<axis=1>(x) }}"),
    "split 13, lengths": Case(
        f"({X}) => (float[] a, float[] b, float[] c) <int64[3] s={{1,3,2}}> {{ a, b, c = Split<axis=3>(x, s) }}"
    ),
    "split 11, lengths": Case(f"({X}) => (float[] a, float[] b) {{ a, b = Split<axis=-1, split=[1,5]>(x) }}", 11),
    "split 18": Case(f"({X}) => (float[] a, float[] b) {{ a, b = Split<axis=1, num_outputs=2>(x) }}", 18),
    "split batch": Case(f"({X}) => (float[] a, float[] b) {{ a, b = Split(x) }}"),
    "split, one unread": Case(f"({X}) => (float[] y) {{ a, b = Split<axis=1>(x)\n y = Relu(b) }}"),
    "slice, middle": _slice([1], [3], [1]),
    "slice, from the end": _slice([-3], [-1], [3]),
    "slice, two axes": _slice([1, 2], [4, 100], [2, 3]),
    "slice, head": _slice([0], [2], [1]),
    "slice, tail": _slice([2], [2**40], [1]),
    "slice, batch": _slice([1], [2], [0]),
    "slice, all": _slice([0], [9], [2]),
    "slice without axes": _one("Slice(x, a, b)", a=[0, 1], b=[2, 3]),
    "slice 9": _one("Slice<starts=[1], ends=[3], axes=[2]>(x)", opset=9),
    "slice 9 without axes": _one("Slice<starts=[0,1], ends=[2,3]>(x)", opset=9),
    "pad rows and columns": _pad("0,0,1,2,0,0,3,0"),
    "pad with a value": _pad("0,0,1,2,0,0,3,0", "1.5"),
    "pad channels": _pad("0,1,0,0,0,2,0,0"),
    "pad channels and rows with a value": _pad("0,1,1,0,0,2,0,1", "-2.0"),
    "pad far": _pad("0,0,12,0,0,0,0,9"),
    "pad by nothing": _pad("0,0,0,0,0,0,0,0", "3.0"),
    "pad 10": _one("Pad<pads=[0,0,1,0,0,0,0,2], value=0.5>(x)", opset=10),
    "pad 18, axes": _one("Pad(x, p, , a)", opset=18, p=[1, 1, 0, 2], a=[2, 3]),
    "pad 18, axes in another order": _one("Pad(x, p, , a)", opset=18, p=[1, 1, 0, 2], a=[-1, -2]),
    "tile": _one("Tile(x, r)", r=[1, 2, 1, 3]),
    "tile, batch": _one("Tile(x, r)", r=[2, 1, 1, 1]),
    "tile of ones": _one("Tile(x, r)", "2,1,5,1", r=[1, 3, 2, 70]),
    "tile many times": _one("Tile(x, r)", "2,3", r=[1, 70]),
    "tile, 3-D": _one("Tile(x, r)", "2,3,4", r=[3, 1, 2]),
    "expand": _one("Expand(x, r)", "2,1,5,1", r=[2, 4, 5, 6]),
    "expand to more axes": _one("Expand(x, r)", "3,1", r=[2, 3, 4]),
    "expand to fewer": _one("Expand(x, r)", "2,1,4", r=[1, 3, 1]),
    "expand, 5-D": _one("Expand(x, r)", "2,1,3,1,4", r=[1, 2, 3, 5, 4]),
    "concat with a constant": Case(
        f"({X}) => (float[] y) <float[2,1,5,6] c, float[2,3,5,6] d> {{ y = Concat<axis=1>(c, x, d) }}"
    ),
    "depth to space": _one("DepthToSpace<blocksize=2>(x)", "2,12,3,5"),
    "depth to space, CRD": _one('DepthToSpace<blocksize=3, mode="CRD">(x)', "1,18,2,3"),
    "depth to space, one channel": _one("DepthToSpace<blocksize=2>(x)", "2,4,3,5", 11),
    **{
        f"columns to image, {name}": Case(
            f"(float[2,{channels * block[0] * block[1]},{places}] x) => (float[] y)"
            f" <int64[2] size={{{size}}}, int64[2] block={{{block[0]},{block[1]}}}>"
            f" {{ y = Col2Im<{attributes}>(x, size, block) }}",
            18,
        )
        for name, channels, block, size, places, attributes in (
            ("side by side", 3, (2, 2), "4,6", 6, "strides=[2,2]"),
            ("overlapping", 2, (3, 2), "5,5", 12, ""),
            ("padded", 2, (3, 3), "5,4", 20, "pads=[1,1,1,1]"),
            ("padded on one side", 1, (2, 2), "4,4", 12, "pads=[0,1,0,0], strides=[1,1]"),
            ("dilated", 2, (2, 3), "6,6", 8, "dilations=[2,2]"),
            ("with a rest", 2, (2, 2), "7,6", 9, "strides=[2,2]"),
        )
    },
    "space to depth": _one("SpaceToDepth<blocksize=2>(x)", "2,3,4,6"),
    "pixel shuffle by a transpose": Case(
        """(float[2,8,3,4] x) => (float[] y) <int64[6] s={2,2,2,2,3,4}, int64[4] t={2,2,6,8}> {
            a = Reshape(x, s)
            b = Transpose<perm=[0,1,4,2,5,3]>(a)
            y = Reshape(b, t)
        }"""
    ),
    "a transpose of six axes": Case(
        """(float[2,8,3,4] x) => (float[] y) <int64[6] s={2,2,2,2,3,4}, int64[4] t={2,2,24,2}> {
            a = Reshape(x, s)
            b = Transpose<perm=[0,1,4,2,5,3]>(a)
            y = Reshape(b, t)
        }"""
    ),
    "slice, step 2": _slice([0], [5], [2], [2]),
    "slice, step 3 from 1": _slice([1], [6], [3], [3]),
    "slice channels, step 2": _slice([1], [4], [1], [2]),
    "slice batch, step 2": _one("Slice(x, a, b, c, d)", "5,3", a=[0], b=[5], c=[0], d=[2]),
    "slice, reversed": _slice([-1], [-100], [2], [-1]),
    "slice, reversed channels, step -2": _slice([3], [-100], [1], [-2]),
    "slice of two axes with steps": _slice([1, 5], [5, 0], [2, 3], [2, -2]),
    "slice, long and reversed": _one("Slice(x, a, b, c, d)", "2,100,3", a=[99], b=[-200], c=[1], d=[-1]),
    "gather one": _one("Gather<axis=1>(x, i)", "2,4,5,6", i=[2]),
    "gather some": _one("Gather<axis=2>(x, i)", "2,4,5,6", i=[3, 0, -1, 3]),
    "gather a grid": Case(f"({X}) => (float[] y) <int64[2,2] i={{0,1,3,2}}> {{ y = Gather<axis=1>(x, i) }}"),
    "gather a scalar": Case(f"({X}) => (float[] y) <int64 i={{1}}> {{ y = Gather<axis=1>(x, i) }}"),
    "triangle": _one("Trilu(x)", opset=14),
    "lower triangle": Case(f"({X}) => (float[] y) <int64 k={{1}}> {{ y = Trilu<upper=0>(x, k) }}", 14),
    "pad batch": _pad("1,0,0,0,0,0,0,2"),
    "pad 2-D": Case("(float[2,4] x) => (float[] y) <int64[4] p={1,0,2,3}> { y = Pad(x, p) }"),
    "pad 3-D with a value": Case(
        "(float[2,4,5] x) => (float[] y) <int64[6] p={0,1,2,0,0,3}, float v={0.5}> { y = Pad(x, p, v) }"
    ),
    "pad and cut": _pad("0,0,-1,2,0,-1,3,-2"),
    **{
        f"pad, {mode}": _one(f'Pad<mode="{mode}">(x, p)', opset=19, p=[0, 1, 2, 0, 0, 0, 1, 3])
        for mode in ("edge", "reflect", "wrap")
    },
    "pad 10, reflect": _one('Pad<mode="reflect", pads=[0,0,1,1,0,0,1,1]>(x)', opset=10),
    "pad, edge, 3-D": _one('Pad<mode="edge">(x, p)', "2,4,5", p=[0, 0, 2, 0, 1, 1]),
    "cast like": Case(f"({X}, {X[:-1]}z) => (float[] y) {{ a = CastLike(x, z)\n y = Add(a, z) }}", 15),
    "cast a constant like the input": Case(
        f"({X}) => (float[] y) <float h={{0.5}}> {{ a = CastLike(h, x)\n y = Mul(x, a) }}", 15
    ),
    "an axis behind a single one": Case(
        """(float[1,3] x) => (float[] y) <int64[1] front={0}, int64[1] behind={1}, int64[2] size={3,2}> {
        a = Squeeze(x, front)\n b = Unsqueeze(a, behind)\n y = Expand(b, size) }"""
    ),
    "identity": Case(f"({X}) => (float[] y) {{ a = Identity(x)\n y = Relu(a) }}"),
    "dropout": Case(f"({X}) => (float[] y) {{ a = Dropout(x)\n y = Relu(a) }}"),
    "cast": Case(f"({X}) => (float[] y) {{ a = Cast<to=11>(x)\n b = Cast<to=1>(a)\n y = Relu(b) }}"),
}


@table(CASES)
def test_agrees(case: Case) -> None:
    case.check()


def test_channel_shuffle_in_three_layers() -> None:
    assert layer_types(gluon2caffe.to_caffe(SHUFFLE.model())) == ["Reshape", "Permute", "Reshape"]


def test_batch_axis_is_copied_so_that_it_can_change() -> None:
    (layer,) = gluon2caffe.to_caffe(_reshape(2, 2, 2, 5, 6).model()).layers
    assert list(layer.message.reshape_param.shape.dim) == [0, 2, 2, 5, 6]


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (_one("SpaceToDepth<blocksize=2>(x)", "2,3,4,5"), r"its blocks of 2 do not divide \(2, 3, 4, 5\)"),
        (Case(f"({X}) => (float[] y) {{ a = Cast<to=7>(x)\n y = Cast<to=1>(a) }}"), "it casts to a type that is not a"),
    ],
)
def test_refusals(case: Case, reason: str) -> None:
    with pytest.raises(UnsupportedModelError, match=reason):
        gluon2caffe.to_caffe(case.model())


def test_infinite_padding_is_refused() -> None:
    source = model(
        f"({X}) => (float[] y) <int64[8] p={{0,0,1,1,0,0,1,1}}, float v> {{ y = Pad(x, p, v) }}", v=-float("inf")
    )
    with pytest.raises(UnsupportedModelError, match="it pads with -inf"):
        gluon2caffe.to_caffe(source, allow_non_finite=True)


WITHOUT_PERMUTE = [
    *("transpose", "transpose, all axes", "transpose, batch", "transpose, batch of one", "transpose, 2-D"),
    *("transpose, 3-D", "channel shuffle", "a transpose of six axes"),
]


@pytest.mark.parametrize("name", WITHOUT_PERMUTE)
def test_transpose_without_permute(name: str) -> None:
    converted = replace(CASES[name], options={"target": "bvlc"}).check()
    assert set(layer_types(converted)) <= {"Reshape", "Flatten", "Slice", "Concat"}


@pytest.mark.parametrize("name", ["slice, long and reversed", "pad, reflect", "gather some", "expand, 5-D"])
def test_on_bvlc_caffe(name: str) -> None:
    replace(CASES[name], options={"target": "bvlc"}).check()


def test_transpose_is_refused_where_there_is_no_permute_and_the_axes_are_long() -> None:
    source = _one("Transpose<perm=[0,2,1]>(x)", "1,70,80").model()
    with pytest.raises(
        UnsupportedModelError, match=r"the target 'bvlc' has no Permute layer.*Remedy: choose the target 'ssd'"
    ):
        gluon2caffe.to_caffe(source, target="bvlc")


def test_transpose_of_short_axes_needs_no_permute() -> None:
    converted = gluon2caffe.to_caffe(CASES["transpose of short axes"].model(), target="bvlc")
    assert layer_types(converted) == ["Reshape"]
