"""ONNX operators that are gone before lowering: a table in docs/operators.md is made from this."""

from __future__ import annotations

_FOLDED = "computed when the model is converted: it depends on constants and shapes alone"
_DEFINED = "the operators that ONNX itself defines it by"

_BY_FORM = {
    _FOLDED: "Constant ConstantOfShape Shape Size Range EyeLike MelWeightMatrix BlackmanWindow HammingWindow "
    "HannWindow",
    "the Cast to that type, which is known before the net runs": "CastLike",
    "a Gather, where its condition is constant; else its shape depends on the values": "Compress",
    "Transpose, ReduceSum, MatMul and Mul": "Einsum",
    "its steps, one after the other, where the weights and their number are constant": "RNN GRU LSTM",
    "the branch that is taken, where its condition is constant": "If",
    _DEFINED: "AffineGrid Attention CausalConvWithState CenterCropPad RotaryEmbedding SwiGLU",
}

WRITTEN_OUT: dict[str, str] = {name: form for form, names in _BY_FORM.items() for name in names.split()}
"""Operator -> what stands for it."""

DEFINED_BY_OTHERS = frozenset(_BY_FORM[_DEFINED].split())
"""Those that onnx's inliner writes out."""
