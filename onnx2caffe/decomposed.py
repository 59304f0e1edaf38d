"""ONNX operators replaced by others before lowering; source of a table in docs/operators.md and of error texts."""

from __future__ import annotations

_FOLDED = "a constant: it depends on constants and shapes only"
_DEFINED = "the operators of its function body in the ONNX specification"

_BY_FORM = {
    _FOLDED: "Constant ConstantOfShape Shape Size Range EyeLike MelWeightMatrix BlackmanWindow HammingWindow "
    "HannWindow",
    "a Cast to the type of its second input": "CastLike",
    "a Gather, if its condition is constant; otherwise the output shape depends on the data": "Compress",
    "Transpose, ReduceSum, MatMul and Mul": "Einsum",
    "its unrolled steps: weights and number of steps must be constant, `clip` is not supported": "RNN GRU LSTM",
    "the branch taken, if its condition is constant": "If",
    _DEFINED: "AffineGrid Attention CausalConvWithState CenterCropPad RotaryEmbedding SwiGLU",
}

DECOMPOSED: dict[str, str] = {name: form for form, names in _BY_FORM.items() for name in names.split()}
"""Operator -> what replaces it."""

DEFINED_BY_ONNX = frozenset(_BY_FORM[_DEFINED].split())
"""Those that onnx's inliner expands."""
