"""ONNX operators that are not converted, and why: a table in docs/operators.md is made from this."""

from __future__ import annotations

_BITS = "works on the bits of whole numbers, as many as 64; a Caffe blob holds float32"
_NO_NUMBER = "tells what is no number; readers differ in which of two operands MAX and ReLU keep where one is NaN"
_ANGLE = "an angle of any size would have to be brought into one turn first, which needs rounding"
_NOT_YET = "polynomials would give it, as they give Erf; not done, since no net for pictures is known to use it"
_ROUNDING = "could be had only from how sums are rounded, which a reader that merges layers or has other floats undoes"
_DATA = "what it reads or makes depends on the values: Caffe's shapes and places are fixed before it runs"
_CONTROL = "a graph inside the graph: fold it first (onnxruntime or onnx-simplifier make a flat graph where they can)"
_RECURRENT = "a loop over the data; stock Caffe's own recurrent layers are of another form and few readers have them"
_SEQUENCE = "a sequence, an optional value or text: Caffe has blobs only"
_RANDOM = "random numbers"
_QUANTISED = "quantised numbers; Caffe computes in float32 only"
_LOSS = "a training loss"
_SIGNAL = "signal processing on complex or windowed data"
_SAMPLING = "places between pixels that are themselves computed; stock Caffe has no such sampling"

_BY_REASON = {
    _BITS: "BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BitCast",
    _NO_NUMBER: "IsInf IsNaN",
    _ANGLE: "Cos Sin Tan",
    _NOT_YET: "Acos Asin Atan",
    _ROUNDING: "Ceil Floor Round Mod",
    _DATA: "NonZero NonMaxSuppression Unique TensorScatter MaxUnpool",
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
