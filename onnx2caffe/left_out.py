"""Unsupported ONNX operators and the reason for each; source of a table in docs/operators.md and of error texts."""

from __future__ import annotations

_BITS = "bitwise operations on integers of up to 64 bits; a Caffe blob holds float32"
_NAN = "tests for NaN or infinity; readers disagree on how MAX and ReLU treat NaN"
_ANGLE = "needs range reduction modulo 2π, i.e. rounding, which Caffe lacks"
_NOT_YET = "not implemented: a polynomial would do, as for Erf, but no vision model is known to use it"
_ROUNDING = (
    "Caffe has no rounding layer; emulating it with float32 rounding tricks breaks on readers that fuse layers or use "
    "other precisions"
)
_DATA = "output shape or indices depend on the data; Caffe fixes shapes and indices before it runs"
_SUPPRESSION = "only at the end of a detector, where it becomes a DetectionOutput layer; elsewhere its shape is data"
_CONTROL = "has a subgraph; flatten it first with onnxruntime or onnx-simplifier where they can"
_RECURRENT = "a loop over the data; Caffe's recurrent layers have another form and few readers support them"
_SEQUENCE = "works on sequences, optional values or strings; Caffe has tensors (blobs) only"
_RANDOM = "random numbers"
_QUANTISED = "quantised; Caffe computes in float32 only"
_LOSS = "a training loss"
_SIGNAL = "signal processing on complex or windowed data"
_SAMPLING = "samples at computed positions between pixels; no stock Caffe layer does"

_BY_REASON = {
    _BITS: "BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BitCast",
    _NAN: "IsInf IsNaN",
    _ANGLE: "Tan",
    _NOT_YET: "Acos Asin Atan",
    _ROUNDING: "Ceil Floor Round Mod",
    _SUPPRESSION: "NonMaxSuppression",
    _DATA: "NonZero Unique TensorScatter MaxUnpool",
    _CONTROL: "Loop Scan SequenceMap",
    _RECURRENT: "LinearAttention",
    _SEQUENCE: "ConcatFromSequence SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert "
    "SequenceLength SplitToSequence Optional OptionalGetElement OptionalHasElement StringConcat StringNormalizer "
    "StringSplit RegexFullMatch TfIdfVectorizer ImageDecoder",
    _RANDOM: "RandomNormal RandomNormalLike RandomUniform RandomUniformLike Multinomial Bernoulli",
    _QUANTISED: "QuantizeLinear DequantizeLinear DynamicQuantizeLinear QLinearConv QLinearMatMul ConvInteger "
    "MatMulInteger",
    _LOSS: "NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss",
    _SIGNAL: "DFT STFT",
    _SAMPLING: "GridSample RoiAlign DeformConv",
}

LEFT_OUT: dict[str, str] = {name: reason for reason, names in _BY_REASON.items() for name in names.split()}
