"""Rules for the shapes of outputs that several operators share; the others stand beside their translations.

A rule gets the node with the shapes of its inputs and returns the shapes of the visible outputs, as MXNet 1.9.1
infers them.
"""

from collections.abc import Callable, Sequence

from gluon2caffe.bridge.export.operators.node_reader import NodeReader, ShapeError
from gluon2caffe.bridge.mxnet_files.graph import Shape

ShapeRule = Callable[[NodeReader], Sequence[Shape]]


def same(op: NodeReader) -> list[Shape]:
    """One output of the shape of the first input."""
    return [op.shape]


def elementwise(op: NodeReader) -> list[Shape]:
    """All inputs and the output have one shape."""
    different = next((tensor for tensor in op.inputs if tensor.shape != op.shape), None)
    if different is not None:
        raise ShapeError(f"{different.name} has shape {different.shape}, {op.input(0).name} has {op.shape}")
    return [op.shape]


def broadcast(op: NodeReader) -> list[Shape]:
    """Two inputs, whose axes of size one take the other's size; missing axes are leading ones."""
    return [broadcast_shape(op.shape, op.input(1).shape)]


def broadcast_shape(first: Shape, second: Shape) -> Shape:
    """Return the common shape of two tensors."""
    rank = max(len(first), len(second))
    pairs = zip((1,) * (rank - len(first)) + first, (1,) * (rank - len(second)) + second, strict=True)
    sizes = []
    for one, other in pairs:
        if one != other and 1 not in (one, other):
            raise ShapeError(f"shapes {first} and {second} do not broadcast")
        sizes.append(other if one == 1 else one)
    return tuple(sizes)


def expect_rank(op: NodeReader, *ranks: int) -> None:
    """Raise unless the first input has one of these numbers of axes."""
    if op.rank not in ranks:
        raise ShapeError(f"its input has shape {op.shape}, expected {' or '.join(map(str, ranks))} axes")


def expect_shape(op: NodeReader, index: int, shape: Shape) -> None:
    """Raise unless input `index` is absent or has this shape."""
    if index < len(op.inputs) and op.inputs[index].shape != shape:
        found = op.inputs[index]
        raise ShapeError(f"{found.name} has shape {found.shape}, expected {shape}")
