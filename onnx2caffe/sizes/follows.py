"""The operators whose lowerings record every length that they rely on, as far as the layers do not show it.

What every other operator reads is taken to be relied on at its exact shape. Before an operator is put on this list, its
lowering is read for each place where a length decides something: a branch, a number, a layer that is left out.
"""

from __future__ import annotations

_WINDOWS = "Conv ConvTranspose MaxPool AveragePool GlobalAveragePool GlobalMaxPool DepthToSpace SpaceToDepth"
_ELEMENTWISE = "Add Sub Mul Div Sum Mean Max Min Pow Exp Log Abs Neg Sqrt Reciprocal"
_ACTIVATION = (
    "Relu LeakyRelu PRelu Elu Selu Celu Sigmoid Tanh Softplus Softsign Swish Mish Clip HardSigmoid HardSwish "
    "ThresholdedRelu Erf Gelu Shrink Sin Cos"
)
_NORMALIZATION = "BatchNormalization LRN Normalize Softmax"
_REDUCTION = "ReduceMean ReduceSum ReduceMax ReduceMin ReduceL1 ReduceL2 ReduceSumSquare"
_LAYOUT = "Reshape Flatten Squeeze Unsqueeze Transpose Concat Split Slice Gather Pad Resize Upsample"
_LINEAR = "Gemm MatMul"
_NOTHING = "Identity Dropout Cast"

FOLLOWS = frozenset(
    " ".join((_WINDOWS, _ELEMENTWISE, _ACTIVATION, _NORMALIZATION, _REDUCTION, _LAYOUT, _LINEAR, _NOTHING)).split()
)
