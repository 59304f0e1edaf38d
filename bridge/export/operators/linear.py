"""Convolutions and matrix products."""

from math import prod

from gluon2caffe.bridge.export.operators.layout import in_channels_first, with_layout
from gluon2caffe.bridge.export.operators.node_reader import NodeReader, NotExactError, ShapeError
from gluon2caffe.bridge.export.operators.operator import Operator
from gluon2caffe.bridge.export.operators.registry import translates
from gluon2caffe.bridge.export.operators.shape_rules import expect_rank, expect_shape
from gluon2caffe.bridge.mxnet_files.graph import Shape


def _kernel(op: NodeReader) -> Shape:
    kernel = op.integers("kernel")
    expect_rank(op, len(kernel) + 2)
    if not kernel or min(kernel) <= 0:
        raise ShapeError(f"its kernel is {kernel}")
    return kernel


def _per_axis(op: NodeReader, key: str, default: int, kernel: Shape) -> Shape:
    values = op.integers(key, (default,) * len(kernel))
    if len(values) != len(kernel) or min(values) < default:
        raise ShapeError(f"its {key} is {values} where its kernel is {kernel}")
    return values


def _convolution_shape(op: NodeReader) -> list[Shape]:
    kernel = _kernel(op)
    stride, dilate, pad = (
        _per_axis(op, key, default, kernel) for key, default in (("stride", 1), ("dilate", 1), ("pad", 0))
    )
    filters, groups = op.integer("num_filter"), op.integer("num_group", 1)
    channels = op.shape[1]
    if groups < 1 or channels % groups or filters % groups:
        raise ShapeError(f"{channels} channels and {filters} filters in {groups} groups")
    expect_shape(op, 1, (filters, channels // groups, *kernel))
    expect_shape(op, 2, (filters,))
    sizes = tuple(
        (size + 2 * p - d * (k - 1) - 1) // s + 1
        for size, k, s, d, p in zip(op.shape[2:], kernel, stride, dilate, pad, strict=True)
    )
    if min(sizes) <= 0:
        raise ShapeError(f"its kernel {kernel} exceeds the input {op.shape}")
    return [(op.shape[0], filters, *sizes)]


@translates("Convolution", "Convolution_v1", shape=with_layout(_convolution_shape, weights=True))
@in_channels_first
def convolution(op: Operator) -> None:
    """Conv with every attribute written out."""
    kernel = op.integers("kernel")
    pad = op.integers("pad", (0,) * len(kernel))
    op.result(
        "Conv",
        [tensor.name for tensor in op.inputs],
        kernel_shape=kernel,
        strides=op.integers("stride", (1,) * len(kernel)),
        dilations=op.integers("dilate", (1,) * len(kernel)),
        pads=pad + pad,
        group=op.integer("num_group", 1),
    )


def _deconvolution_shape(op: NodeReader) -> list[Shape]:
    kernel = _kernel(op)
    stride, dilate, pad, extra = (
        _per_axis(op, key, default, kernel) for key, default in (("stride", 1), ("dilate", 1), ("pad", 0), ("adj", 0))
    )
    filters, groups = op.integer("num_filter"), op.integer("num_group", 1)
    if groups < 1 or op.shape[1] % groups or filters % groups:
        raise ShapeError(f"{op.shape[1]} channels and {filters} filters in {groups} groups")
    expect_shape(op, 1, (op.shape[1], filters // groups, *kernel))
    expect_shape(op, 2, (filters,))
    sizes = op.integers("target_shape", (0,) * len(kernel))
    if not any(sizes):
        sizes = tuple(
            s * (size - 1) + d * (k - 1) + 1 - 2 * p + a
            for size, k, s, d, p, a in zip(op.shape[2:], kernel, stride, dilate, pad, extra, strict=True)
        )
    if len(sizes) != len(kernel) or min(sizes) <= 0:
        raise ShapeError(f"its output would have sizes {sizes}")
    return [(op.shape[0], filters, *sizes)]


@translates("Deconvolution", shape=with_layout(_deconvolution_shape, weights=True))
@in_channels_first
def deconvolution(op: Operator) -> None:
    """ConvTranspose; ``target_shape`` takes the place of pad and adj as MXNet's DeconvolutionParam::InferPad does."""
    kernel = op.integers("kernel")
    ones, zeros = (1,) * len(kernel), (0,) * len(kernel)
    stride = op.integers("stride", ones)
    dilate = op.integers("dilate", ones)
    pad = op.integers("pad", zeros)
    extra = op.integers("adj", zeros)
    target = op.integers("target_shape", zeros)
    if any(target):
        full = [
            s * (size - 1) + d * (k - 1) + 1 for size, k, s, d in zip(op.shape[2:], kernel, stride, dilate, strict=True)
        ]
        excess = [size - wanted for size, wanted in zip(full, target, strict=True)]
        pad = tuple((size + 1) // 2 for size in excess)
        extra = tuple(size % 2 for size in excess)
    op.result(
        "ConvTranspose",
        [tensor.name for tensor in op.inputs],
        kernel_shape=kernel,
        strides=stride,
        dilations=dilate,
        pads=pad + pad,
        output_padding=extra,
        group=op.integer("num_group", 1),
    )


def _fully_connected_shape(op: NodeReader) -> list[Shape]:
    units = op.integer("num_hidden")
    flattens = op.flag("flatten", True)
    width = prod(op.shape[1:]) if flattens else op.shape[-1]
    weight = op.input(1)
    if len(weight.shape) == 2 and weight.shape[0] == units and weight.shape[1] != width:
        raise ShapeError(f"it takes {weight.shape[1]} numbers, the input gives {width}")
    expect_shape(op, 1, (units, width))
    expect_shape(op, 2, (units,))
    return [(op.shape[0], units) if flattens else (*op.shape[:-1], units)]


@translates("FullyConnected", shape=_fully_connected_shape)
def fully_connected(op: Operator) -> None:
    """Gemm over the flattened input, or over its last axis."""
    data, weight = op.inputs[0], op.inputs[1]
    bias = [tensor.name for tensor in op.inputs[2:]]
    units, width = weight.shape
    if op.flag("flatten", True):
        rows = op.add_node("Flatten", [data.name], (op.shape[0], width), axis=1) if op.rank != 2 else data.name
        op.result("Gemm", [rows, weight.name, *bias], transB=1)
        return
    if op.rank == 2:
        op.result("Gemm", [data.name, weight.name, *bias], transB=1)
        return
    count = 1
    for size in op.shape[:-1]:
        count *= size
    rows = op.add_node("Reshape", [data.name, op.shape_constant("rows", (count, width))], (count, width))
    product = op.add_node("Gemm", [rows, weight.name, *bias], (count, units), transB=1)
    op.result("Reshape", [product, op.shape_constant("shape", op.output_shape)])


def _dot_shape(op: NodeReader) -> list[Shape]:
    first, second = op.shape, op.input(1).shape
    if not first or not second:
        raise ShapeError(f"operands of shapes {first} and {second}")
    left = first[1:] + first[:1] if op.flag("transpose_a", False) else first
    right = second[-1:] + second[:-1] if op.flag("transpose_b", False) else second
    if left[-1] != right[0]:
        raise ShapeError(f"operands of shapes {first} and {second}")
    return [(*left[:-1], *right[1:]) or (1,)]


@translates("dot", shape=_dot_shape)
def dot(op: Operator) -> None:
    """Contract the last axis of a with the first of b; ONNX has this for a matrix b."""
    if len(op.inputs[1].shape) != 2 or (op.rank != 2 and op.flag("transpose_a", False)):
        raise NotExactError("dot is exported for a matrix as second operand")
    _matrix_product(op)


def _matrix_shape(op: NodeReader) -> list[Shape]:
    first, second = op.shape, op.input(1).shape
    if len(first) < 2 or len(second) != len(first) or first[:-2] != second[:-2]:
        raise ShapeError(f"operands of shapes {first} and {second}")
    rows, inner = first[:-3:-1] if op.flag("transpose_a", False) else first[-2:]
    other, columns = second[:-3:-1] if op.flag("transpose_b", False) else second[-2:]
    if inner != other:
        raise ShapeError(f"operands of shapes {first} and {second}")
    return [(*first[:-2], rows, columns)]


@translates("batch_dot", shape=_matrix_shape)
def batch_dot(op: Operator) -> None:
    """Multiply matrices one by one over the leading axis."""
    _matrix_product(op)


@translates("_linalg_gemm2", shape=_matrix_shape)
def linalg_gemm2(op: Operator) -> None:
    """Multiply matrices over the last two axes, times alpha."""
    if op.integer("axis", -2) != -2:
        raise NotExactError("matrices over other axes than the last two")
    alpha = op.number("alpha", 1.0)
    if alpha == 1.0:
        _matrix_product(op)
        return
    product = op.add_node("MatMul", _operands(op), op.output_shape)
    op.result("Mul", [product, op.constant("alpha", alpha)])


def _matrix_product(op: Operator) -> None:
    op.result("MatMul", _operands(op))


def _operands(op: Operator) -> list[str]:
    return [
        _transposed(op, index) if op.flag(key, False) else op.inputs[index].name
        for index, key in enumerate(("transpose_a", "transpose_b"))
    ]


def _transposed(op: Operator, index: int) -> str:
    shape = op.inputs[index].shape
    rank = len(shape)
    perm = (*range(rank - 2), rank - 1, rank - 2)
    return op.add_node("Transpose", [op.inputs[index].name], tuple(shape[axis] for axis in perm), perm=perm)
