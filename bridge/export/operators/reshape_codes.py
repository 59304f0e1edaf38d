"""The shapes that MXNet's Reshape and reshape_like give."""

from math import prod

from gluon2caffe.bridge.export.operators.node_reader import NodeReader, ShapeError
from gluon2caffe.bridge.mxnet_files.graph import Shape


def reshape_shape(op: NodeReader) -> list[Shape]:
    """Read ``shape`` with its codes, or MXNet 0.7's ``target_shape``, where one 0 stands for what is left."""
    codes = op.integers("shape")
    if codes:
        return [_decoded(op.shape, codes, reverse=op.flag("reverse", False))]
    target = list(op.integers("target_shape"))
    if not target:
        raise ShapeError("it has neither shape nor target_shape")
    if op.flag("keep_highest", False):
        target[0] = op.shape[0]
    if target.count(0) == 1:
        place = target.index(0)
        target[place] = prod(op.shape) // max(prod(target[:place] + target[place + 1 :]), 1)
    return [_positive(op.shape, tuple(target))]


def like_shape(op: NodeReader) -> list[Shape]:
    """Give the axes from lhs_begin to lhs_end the sizes of the other input's from rhs_begin to rhs_end."""
    like = op.input(1).shape
    start, end = _range(op, "lhs", op.rank)
    like_start, like_end = _range(op, "rhs", len(like))
    return [op.shape[:start] + like[like_start:like_end] + op.shape[end:]]


def _range(op: NodeReader, side: str, rank: int) -> tuple[int, int]:
    bounds = slice(
        op.integer(f"{side}_begin") if op.has(f"{side}_begin") else None,
        op.integer(f"{side}_end") if op.has(f"{side}_end") else None,
    )
    start, end, _ = bounds.indices(rank)
    return start, end


def _decoded(shape: Shape, codes: tuple[int, ...], *, reverse: bool) -> Shape:
    """Follow the codes: 0 keep, -1 infer, -2 keep all that are left, -3 merge two, -4 split in the two that follow.

    In reverse both rows are read from the end.
    """
    if reverse:
        return _decoded(shape[::-1], codes[::-1], reverse=False)[::-1]
    sizes: list[int] = []
    source = 0
    inferred: int | None = None
    rest = list(codes)
    try:
        while rest:
            code = rest.pop(0)
            if code == 0:
                sizes.append(shape[source])
                source += 1
            elif code == -1:
                if inferred is not None:
                    raise ShapeError(f"its shape {codes} leaves two sizes open")
                inferred = len(sizes)
                sizes.append(1)
                source += 1
            elif code == -2:
                sizes += shape[source:]
                source = len(shape)
            elif code == -3:
                sizes.append(shape[source] * shape[source + 1])
                source += 2
            elif code == -4:
                sizes += _halves(shape[source], rest.pop(0), rest.pop(0))
                source += 1
            else:
                sizes.append(code)
                source += 1
    except (IndexError, ZeroDivisionError) as error:
        raise ShapeError(f"its shape {codes} does not fit the input {shape}") from error
    if inferred is not None:
        sizes[inferred] = prod(shape) // max(prod(sizes), 1)
    return _positive(shape, tuple(sizes))


def _halves(size: int, first: int, second: int) -> tuple[int, int]:
    first = size // second if first == -1 else first
    second = size // first if second == -1 else second
    if first * second != size:
        raise ShapeError(f"{size} does not split into {first} times {second}")
    return first, second


def _positive(shape: Shape, wanted: Shape) -> Shape:
    if min(wanted) < 1:
        raise ShapeError(f"an input of shape {shape} cannot take the shape {wanted}")
    return wanted
