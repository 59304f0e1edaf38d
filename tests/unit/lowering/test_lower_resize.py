from dataclasses import replace
from itertools import product

import pytest
from agreement import Case, layer_types, table

import gluon2caffe
from gluon2caffe import UnsupportedModelError

X = "float[2,3,5,6] x"
COORDINATES = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")
ROUNDINGS = ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")
SCALES = ("1,1,2,2", "1,1,2,3", "1,1,1.7,2.3", "1,1,0.5,0.6", "1,1,3,1", "1,1,0.2,0.17")
SIZES = ("2,3,10,12", "2,3,7,11", "2,3,1,4", "2,3,15,18")


def _grid(attributes: str) -> Case:
    """One net of all scales and sizes."""
    declared = [f"float[4] s{i}={{{scales}}}" for i, scales in enumerate(SCALES)]
    declared += [f"int64[4] z{i}={{{sizes}}}" for i, sizes in enumerate(SIZES)]
    nodes = [f"a{i} = Resize<{attributes}>(x, r, s{i})" for i in range(len(SCALES))]
    nodes += [f"b{i} = Resize<{attributes}>(x, r, , z{i})" for i in range(len(SIZES))]
    outputs = ", ".join(f"float[] {node.split(' ')[0]}" for node in nodes)
    return Case(f"({X}) => ({outputs}) <float[0] r, {', '.join(declared)}> {{ {chr(10).join(nodes)} }}")


def _one(node: str, declared: str, opset: int, output: str = "y") -> Case:
    return Case(f"({X}) => (float[] {output}) <float[0] r, {declared}> {{ {output} = {node} }}", opset)


CASES = {
    **{f"linear, {c}": _grid(f'mode="linear", coordinate_transformation_mode="{c}"') for c in COORDINATES},
    **{
        f"nearest, {c}, {r}": _grid(f'mode="nearest", coordinate_transformation_mode="{c}", nearest_mode="{r}"')
        for c, r in product(COORDINATES, ROUNDINGS)
    },
    **{
        f"{operator} {opset}, {mode}, {scales}": _one(
            f'{operator}<mode="{mode}">(x, s)', f"float[4] s={{{scales}}}", opset
        )
        for operator, opset, scales in (
            *(("Upsample", 9, scales) for scales in ("1,1,2,2", "1,1,1.7,2.3")),
            *(("Resize", 10, scales) for scales in ("1,1,2,2", "1,1,1.7,2.3", "1,1,0.5,0.6")),
        )
        for mode in ("nearest", "linear")
    },
    **{
        f"cubic, {c}, {extra}": _grid(f'mode="cubic", coordinate_transformation_mode="{c}"{extra}')
        for c in COORDINATES
        for extra in ("", ", exclude_outside=1", ", cubic_coeff_a=-0.5")
    },
    **{
        f"antialias, {mode}, {scales}": _one(
            f'Resize<mode="{mode}", antialias=1>(x, r, s)', f"float[4] s={{{scales}}}", 18
        )
        for mode in ("linear", "cubic")
        for scales in ("1,1,0.5,0.5", "1,1,0.6,0.4", "1,1,1.5,0.7")
    },
    "region": _one(
        'Resize<mode="linear", coordinate_transformation_mode="tf_crop_and_resize">(x, q, , z)',
        "float[8] q={0,0,0.2,0.1,1,1,0.9,0.7}, int64[4] z={2,3,4,5}",
        13,
    ),
    "region beyond the picture": _one(
        'Resize<mode="linear", coordinate_transformation_mode="tf_crop_and_resize", extrapolation_value=7.0>'
        "(x, q, , z)",
        "float[8] q={0,0,-0.3,0.1,1,1,0.9,1.7}, int64[4] z={2,3,6,7}",
        13,
    ),
    "channels too": _one('Resize<mode="nearest">(x, r, s)', "float[4] s={1,2,1,1}", 13),
    "one spatial axis": Case(
        '(float[2,3,5] x) => (float[] y) <float[0] r, float[3] s={1,1,2.5}> { y = Resize<mode="linear">(x, r, s) }'
    ),
    "three spatial axes": Case(
        "(float[2,3,4,5,2] x) => (float[] y) <float[0] r, float[5] s={1,1,2,0.5,2}> {"
        ' y = Resize<mode="linear">(x, r, s) }'
    ),
    "upsample 7": Case("(float[2,3,5,6] x) => (float[] y) { y = Upsample<scales=[1.0,1.0,2.0,2.0]>(x) }", 7),
    "symmetric": _one(
        'Resize<mode="linear", coordinate_transformation_mode="half_pixel_symmetric">(x, r, s)',
        "float[4] s={1,1,1.7,2.3}",
        19,
    ),
    "scales of two axes": _one("Resize<axes=[2,3]>(x, r, s)", "float[2] s={2,3}", 18),
    "scales of two axes, turned": _one('Resize<mode="linear", axes=[3,2]>(x, r, s)', "float[2] s={2.5,1.5}", 18),
    "sizes of two axes, turned": _one('Resize<mode="linear", axes=[3,2]>(x, r, , z)', "int64[2] z={9,7}", 18),
    "aspect ratio kept": _one(
        'Resize<mode="linear", keep_aspect_ratio_policy="not_larger">(x, r, , z)', "int64[4] z={2,3,20,20}", 18
    ),
}


@table(CASES)
def test_agrees(case: Case) -> None:
    case.check()


@pytest.mark.parametrize(
    ("scales", "layers"),
    [
        ("1,1,2,2", ["Deconvolution"]),
        ("1,1,2,3", ["Deconvolution"]),
        ("1,1,1,1.5", ["InnerProduct"]),
        ("1,1,1.5,1", ["Permute", "InnerProduct", "Permute"]),
    ],
)
def test_no_more_layers_than_needed(scales: str, layers: list[str]) -> None:
    case = _one(
        'Resize<coordinate_transformation_mode="asymmetric", nearest_mode="floor">(x, r, s)',
        f"float[4] s={{{scales}}}",
        13,
    )
    assert layer_types(case.check()) == layers


def test_unknown_mode_is_refused() -> None:
    case = _one('Resize<mode="lanczos">(x, q, s)', "float[4] s={1,1,2,2}, float[8] q", 13)
    with pytest.raises(UnsupportedModelError, match="resize mode 'lanczos'"):
        gluon2caffe.to_caffe(case.model())


@pytest.mark.parametrize("name", ["linear, half_pixel", "cubic, align_corners, ", "region beyond the picture"])
def test_on_bvlc_caffe(name: str) -> None:
    replace(CASES[name], options={"target": "bvlc"}).check()
