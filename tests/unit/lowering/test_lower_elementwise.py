from itertools import product

import pytest
from agreement import Case, layer_types, model, table

import gluon2caffe
from gluon2caffe import UnsupportedModelError

X = "float[2,4,5,6] x"
SHAPES = [
    *("1", "6", "5,6", "4,1,1", "1,4,1,1", "2,1,1,1", "1,1,5,6", "1,1,1,6", "1,1,5,1", "1,4,5,1", "1,4,1,6"),
    *("2,4,1,1", "2,1,5,6", "2,1,1,6", "2,1,5,1", "2,4,5,1", "2,4,1,6", "1,4,5,6", "2,4,5,6"),
]
POSITIVE = (0.5, 2.0)


def _computed(operator: str, inputs: str = "x, z") -> Case:
    """One net for all shapes of the second operand."""
    declared = ", ".join(f"float[{shape}] z{i}" for i, shape in enumerate(SHAPES))
    nodes = "\n".join(f"y{i} = {operator}({inputs.replace('z', f'z{i}')})" for i in range(len(SHAPES)))
    outputs = ", ".join(f"float[] y{i}" for i in range(len(SHAPES)))
    return Case(f"({X}, {declared}) => ({outputs}) {{ {nodes} }}", span=POSITIVE if operator == "Div" else (-3.0, 3.0))


def _constant(operator: str, inputs: str = "x, var") -> Case:
    declared = ", ".join(["float var", *(f"float[{shape}] var{i}" for i, shape in enumerate(SHAPES))])
    names = ["var", *(f"var{i}" for i in range(len(SHAPES)))]
    nodes = "\n".join(f"y_{name} = {operator}({inputs.replace('var', name)})" for name in names)
    outputs = ", ".join(f"float[] y_{name}" for name in names)
    return Case(f"({X}) => ({outputs}) <{declared}> {{ {nodes} }}", span=POSITIVE if operator == "Div" else (-3.0, 3.0))


def _pair(operator: str, first: str, second: str) -> Case:
    return Case(f"(float[{first}] x, float[{second}] z) => (float[] y) {{ y = {operator}(x, z) }}", span=POSITIVE)


OPERATORS = ("Add", "Sub", "Mul", "Div", "Max", "Min")
BOTH_GROW = [("2,4,1,1", "2,1,5,6"), ("2,3,1", "2,1,4"), ("2,3,1,1", "2,1,4,1"), ("1,4,1,1", "1,1,5,6")]
OTHER_RANKS = [
    *(("2,3", "3"), ("2,3", "2,1"), ("2,3", "1,3"), ("2,3,4", "2,1,4"), ("2,3,4", "2,3,1"), ("2,3,4", "4")),
    *(("2,3,4,5,6", "2,3,1,1,1"), ("2,3,4,5,6", "1,3,4,1,1"), ("2,3,4,5,6", "5,6"), ("2,3,4,5,6", "2,3,4,5,6")),
]

CASES = {
    **{f"{op}, computed": _computed(op) for op in OPERATORS},
    **{f"{op}, computed, other order": _computed(op, "z, x") for op in OPERATORS},
    **{f"{op}, constant": _constant(op) for op in OPERATORS},
    **{f"{op}, constant first": _constant(op, "var, x") for op in OPERATORS},
    **{f"{op} {a} {b}": _pair(op, a, b) for op, (a, b) in product(("Mul", "Sub", "Max"), BOTH_GROW + OTHER_RANKS)},
    "batch 1": _pair("Mul", "1,4,5,6", "1,4,1,1"),
    "x + x": Case(f"({X}) => (float[] y) {{ y = Add(x, x) }}"),
    "x * x": Case(f"({X}) => (float[] y) {{ y = Mul(x, x) }}"),
    "max of x and x": Case(f"({X}) => (float[] y) {{ y = Max(x, x) }}"),
    "times 0": Case(f"({X}) => (float[] y) <float c={{0.0}}> {{ a = Mul(x, c)\n y = Add(a, x) }}"),
    "sum": Case(f"({X}, float[2,4,5,6] z, float[2,4,5,6] w) => (float[] y) {{ y = Sum(x, z, w) }}"),
    "sum, broadcast": Case(f"({X}, float[2,4,1,1] z, float[1,1,5,6] w) => (float[] y) {{ y = Sum(z, w, x) }}"),
    "sum with constants": Case(
        f"({X}, float[2,4,1,1] z) => (float[] y) <float[6] c, float[4,1,1] d> {{ y = Sum(c, x, d, z) }}"
    ),
    "sum of one and a constant": Case(f"({X}) => (float[] y) <float[2,4,5,6] c> {{ y = Sum(x, c) }}"),
    "mean": Case(f"({X}, float[2,4,5,6] z, float[2,4,5,6] w) => (float[] y) {{ y = Mean(x, z, w) }}"),
    "mean, broadcast, with a constant": Case(
        f"({X}, float[1,4,1,1] z) => (float[] y) <float[5,6] c> {{ y = Mean(z, c, x) }}"
    ),
    "mean of one and a constant": Case(f"({X}) => (float[] y) <float c={{2.5}}> {{ y = Mean(x, c) }}"),
    "sum of one": Case(f"({X}) => (float[] y) {{ y = Sum(x) }}"),
    "max of four": Case(
        f"({X}, float[2,4,1,1] z, float[1,1,5,6] w) => (float[] y) <float c={{0.5}}> {{ y = Max(z, w, x, c) }}"
    ),
    "min of four": Case(
        f"({X}, float[2,4,1,1] z, float[1,1,5,6] w) => (float[] y) <float[4,1,1] c> {{ y = Min(z, c, w, x) }}"
    ),
    "max, enlarged by its constant": Case("(float[1,4,1,1] x) => (float[] y) <float[1,4,5,6] c> { y = Max(x, c) }"),
    "square": Case(f"({X}) => (float[] y) <float p={{2.0}}> {{ y = Pow(x, p) }}"),
    "cube root": Case(f"({X}) => (float[] y) <float[1] p={{0.3333}}> {{ y = Pow(x, p) }}", span=POSITIVE),
    "power 0": Case(f"({X}) => (float[] y) <float p={{0.0}}> {{ y = Pow(x, p) }}"),
    "power 1": Case(f"({X}) => (float[] y) <float p={{1.0}}> {{ a = Pow(x, p)\n y = Relu(a) }}"),
    "cube of negatives": Case(f"({X}) => (float[] y) <float p={{3.0}}> {{ y = Pow(x, p) }}"),
    "the same power everywhere": Case(
        f"({X}) => (float[] y) <float[6] p={{1.5,1.5,1.5,1.5,1.5,1.5}}> {{ y = Pow(x, p) }}", span=POSITIVE
    ),
    "number to the power of x": Case(f"({X}) => (float[] y) <float p={{2.0}}> {{ y = Pow(p, x) }}"),
    "numbers to the power of x": Case(f"({X}) => (float[] y) <float[4,1,1] var> {{ y = Pow(var, x) }}"),
    **{
        f"{op}, enlarged by its constant": Case(
            f"(float[1,4,1,1] x) => (float[] y, float[] z) <float[2,4,5,6] var> {{ y = {op}(x, var)\n"
            f" z = {op}(var, x) }}",
            span=POSITIVE,
        )
        for op in ("Add", "Sub", "Mul", "Div")
    },
    "divided by negatives": Case(f"({X}) => (float[] y) <float c={{2.0}}> {{ y = Div(c, x) }}", span=(-2.0, -0.5)),
}


@table(CASES)
def test_agrees(case: Case) -> None:
    case.check()


# What OpenCV merges: a Scale behind a convolution or batch normalisation, a Power behind a Power.
MAKERS = {
    "convolution": "a = Conv(x, w)",
    "deconvolution": "a = ConvTranspose(x, w)",
    "batch norm": "a = BatchNormalization(x, var1, var2, var3, var4)",
    "convolution and affine": "b = Conv(x, w)\n a = Mul(b, var5)",
    "convolution and number": "b = Conv(x, w)\n r = Relu(b)\n a = Mul(r, n)",
}


@pytest.mark.parametrize("shape", ["1,1,1,4", "1,1,4,1", "1,1,4,4", "1,4,4,1", "1,4,4,4", "4,1"])
@pytest.mark.parametrize("maker", MAKERS)
def test_constants_along_rows_and_columns_behind_a_layer_that_scales(maker: str, shape: str) -> None:
    weights = ", ".join([f"float[4] var{i}" for i in range(1, 5)] + ["float[4,1,1] var5, float[4,4,1,1] w"])
    Case(
        f"""(float[1,4,4,4] x) => (float[] y, float[] z) <{weights}, float[{shape}] c, float n={{3.0}}> {{
            {MAKERS[maker]}
            p = Mul(a, c)
            y = Sub(c, p)
            z = Add(a, c)
        }}""",
        tolerance=1e-4,
        options={"merge_bn": maker != "batch norm"},
    ).check()


@pytest.mark.parametrize("shape", ["2,4,3,3", "2,1,3,3", "2,4", "4", "2,3,5"])
@pytest.mark.parametrize("bent", ["Sqrt(x)", "Reciprocal(x)", "Pow(x, n)", "Div(n, x)"])
def test_numbers_behind_a_power(bent: str, shape: str) -> None:
    Case(
        f"""(float[{shape}] x) => (float[] y, float[] z, float[] u) <float n={{3.0}}> {{
            a = {bent}
            b = {bent}
            c = {bent}
            y = Mul(a, n)
            z = Sub(n, b)
            d = Neg(c)
            u = Add(d, n)
        }}""",
        span=POSITIVE,
    ).check()


@pytest.mark.parametrize(
    ("first", "second", "layers"),
    [
        ("2,4,5,6", "2,4,5,6", ["Eltwise"]),
        ("2,4,5,6", "2,4,1,1", ["Flatten", "Scale"]),
        ("2,4,5,6", "2,1,1,1", ["Reshape", "Scale"]),
    ],
)
def test_products_in_few_layers(first: str, second: str, layers: list[str]) -> None:
    assert layer_types(gluon2caffe.to_caffe(_pair("Mul", first, second).model())) == layers


@pytest.mark.parametrize(
    ("text", "opset", "reason"),
    [
        (f"({X}) => (float[] y) <float[6] p> {{ y = Pow(x, p) }}", 13, r"its exponent has shape \(6,\); Caffe's Power"),
        (f"({X}, float[6] z) => (float[] y) {{ y = Pow(x, z) }}", 13, "a computed tensor to a computed power"),
        (f"({X}) => (float[] y) <float p={{-2.0}}> {{ y = Pow(p, x) }}", 13, "its constant base is not positive"),
    ],
)
def test_refusals(text: str, opset: int, reason: str) -> None:
    with pytest.raises(UnsupportedModelError, match=reason):
        gluon2caffe.to_caffe(model(text, opset=opset))
