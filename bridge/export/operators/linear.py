"""Convolutions and matrix products."""

from gluon2caffe.bridge.export.operators.operator import NotExactError, Operator
from gluon2caffe.bridge.export.operators.registry import translates

_CHANNELS_FIRST = ("NCHW", "NCW", "NCDHW")


def _check_layout(op: Operator) -> None:
    layout = op.text("layout", "NCHW")
    if layout not in _CHANNELS_FIRST:
        raise NotExactError(f"layout {layout}: only channels-first nets can be exported")


@translates("Convolution", "Convolution_v1")
def convolution(op: Operator) -> None:
    """Conv with every attribute written out."""
    _check_layout(op)
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


@translates("Deconvolution")
def deconvolution(op: Operator) -> None:
    """ConvTranspose; ``target_shape`` takes the place of pad and adj as MXNet's DeconvolutionParam::InferPad does."""
    _check_layout(op)
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


@translates("FullyConnected")
def fully_connected(op: Operator) -> None:
    """Gemm over the flattened input, or over its last axis."""
    data, weight = op.inputs[0], op.inputs[1]
    bias = [tensor.name for tensor in op.inputs[2:]]
    units, width = weight.shape
    if op.flag("flatten", True):
        rows = op.step("Flatten", [data.name], (op.shape[0], width), axis=1) if op.rank != 2 else data.name
        op.result("Gemm", [rows, weight.name, *bias], transB=1)
        return
    if op.rank == 2:
        op.result("Gemm", [data.name, weight.name, *bias], transB=1)
        return
    count = 1
    for size in op.shape[:-1]:
        count *= size
    rows = op.step("Reshape", [data.name, op.shape_constant("rows", (count, width))], (count, width))
    product = op.step("Gemm", [rows, weight.name, *bias], (count, units), transB=1)
    op.result("Reshape", [product, op.shape_constant("shape", op.output_shape)])


@translates("dot")
def dot(op: Operator) -> None:
    """Contract the last axis of a with the first of b; ONNX has this for a matrix b."""
    if len(op.inputs[1].shape) != 2 or (op.rank != 2 and op.flag("transpose_a", False)):
        raise NotExactError("dot is exported for a matrix as second operand")
    _matrix_product(op)


@translates("batch_dot")
def batch_dot(op: Operator) -> None:
    """Multiply matrices one by one over the leading axis."""
    _matrix_product(op)


@translates("_linalg_gemm2")
def linalg_gemm2(op: Operator) -> None:
    """Multiply matrices over the last two axes, times alpha."""
    if op.integer("axis", -2) != -2:
        raise NotExactError("matrices over other axes than the last two")
    alpha = op.number("alpha", 1.0)
    if alpha == 1.0:
        _matrix_product(op)
        return
    product = op.step("MatMul", _operands(op), op.output_shape)
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
    return op.step("Transpose", [op.inputs[index].name], tuple(shape[axis] for axis in perm), perm=perm)
