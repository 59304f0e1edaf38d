from itertools import product

import pytest
from agreement import Case, layer_types, table

import bridge
from bridge import UnsupportedModelError

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


@pytest.mark.parametrize(
    ("attributes", "scales", "reason"),
    [
        ('mode="cubic"', "1,1,2,2", "resize mode 'cubic'"),
        ('coordinate_transformation_mode="tf_crop_and_resize"', "1,1,2,2", "mode 'tf_crop_and_resize'"),
        ('mode="nearest"', "1,2,1,1", r"it resizes \(2, 3, 5, 6\) to \(2, 6, 5, 6\): more than height and width"),
    ],
)
def test_refusals(attributes: str, scales: str, reason: str) -> None:
    case = _one(f"Resize<{attributes}>(x, q, s)", f"float[4] s={{{scales}}}, float[8] q", 13)
    with pytest.raises(UnsupportedModelError, match=reason):
        bridge.to_caffe(case.model())


def test_antialias_is_refused() -> None:
    case = _one('Resize<mode="linear", antialias=1>(x, r, s)', "float[4] s={1,1,0.5,0.5}", 18)
    with pytest.raises(UnsupportedModelError, match="exclude_outside or antialias"):
        bridge.to_caffe(case.model())
