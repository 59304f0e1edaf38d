"""Gemm, MatMul and running sums: products with a constant matrix."""

import numpy as np
from draft import Draft
from hypothesis.strategies import permutations

from strategies.kind import kind


@kind("Gemm", ranks=(2,))
def gemm(net: Draft, x: str) -> str:
    rows, columns = net.values[x]
    transposed = net.number(0, 5) == 5
    inner = rows if transposed else columns
    outer = columns if transposed else rows
    made = net.number(1, 5)
    trans_b = net.flag()
    operands = [x, net.weight((made, inner) if trans_b else (inner, made))]
    addends = [(made,), (1, made), (), (1,), (outer, made), (outer, 1)]
    if net.opset < 11 or net.flag():
        operands.append(net.weight(net.pick(addends)))
    return net.add(
        "Gemm",
        *operands,
        alpha=net.pick([None, 0.5]),
        beta=net.pick([None, 2.0]),
        transA=int(transposed),
        transB=int(trans_b),
    )


@kind("Flatten and Gemm", ranks=(3, 4))
def classifier(net: Draft, x: str) -> str:
    return gemm(net, net.add("Flatten", x))


@kind("MatMul", ranks=(2, 3, 4))
def matmul(net: Draft, x: str) -> str:
    shape, made = net.values[x], net.number(1, 5)
    if net.number(0, 3) == 3:
        return net.add("MatMul", net.weight((made, shape[-2])), x)
    batch = shape[:-2] if net.number(0, 4) == 4 else ()
    return net.add("MatMul", x, net.weight((*batch, shape[-1], made)))


@kind("Einsum", ranks=(2, 3, 4), since=12)
def einsum(net: Draft, x: str) -> str:
    """Of x and a weight, or another value, that shares some of its axes."""
    shape = net.values[x]
    letters = "abcd"[: len(shape)]
    kept = [letter for letter in letters if net.number(0, 2)]
    others = [name for name in net.computed() if len(net.values[name]) in (2, 3) and name != x]
    if others and net.flag():
        other = net.pick(others)
        free = iter("wxyz")
        used: set[str] = set()
        term = ""
        for length in net.values[other]:
            same = [letter for letter in letters if letter not in used and shape[letters.index(letter)] == length]
            letter = net.pick([*same, ""]) or next(free)
            used.add(letter)
            term += letter
    else:
        shared = [letter for letter in letters if net.flag()]
        made = net.number(1, 5)
        other = net.weight((*(shape[letters.index(letter)] for letter in shared), made))
        term = "".join(shared) + "w"
    result = list(dict.fromkeys([*kept, *(letter for letter in term if letter not in letters and net.flag())]))
    if not result:
        result = [letters[0]]
    order = net.any_of(permutations(result))
    return net.add("Einsum", x, other, equation=f"{letters},{term}->{''.join(order)}")


@kind("CumSum and CumProd", since=11)
def cumulative(net: Draft, x: str) -> str:
    axis = net.constant(np.array(net.number(0, len(net.values[x]) - 1), np.int64))
    operator = net.pick(["CumSum", "CumProd"]) if net.opset >= 26 else "CumSum"
    return net.add(operator, x, axis, exclusive=int(net.flag()), reverse=int(net.flag()))


@kind("Det", ranks=(2, 3, 4, 5), since=11)
def determinant(net: Draft, x: str) -> str:
    """Of a corner of the last two axes."""
    size = net.number(1, min(3, *net.values[x][-2:]))
    corner = net.add("Slice", x, net.ints([0, 0]), net.ints([size, size]), net.ints([-2, -1]))
    return net.add("Det", corner)
