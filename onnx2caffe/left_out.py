"""ONNX operators without a lowering, and why: the table in docs/operators.md is made from this."""

from __future__ import annotations

_FOLDED = "depends on constants and shapes alone: it is computed when the model is converted"
_DEFINED = "written out as the operators that ONNX defines it by, which are lowered"
_TYPE = "becomes the Cast to that type, which is known before the net runs"
_BOOLEAN = "works on truth values or whole numbers; Caffe computes in float32 only"
_FUNCTION = "no stock layer, and no sum or product of them, gives this function"
_DATA = "what it reads or makes depends on the values: Caffe's shapes and places are fixed before it runs"
_CONTROL = "a graph inside the graph: fold it first (onnxruntime or onnx-simplifier make a flat graph where they can)"
_RECURRENT = "a recurrent net; stock Caffe's own such layers are of another form and few readers have them"
_SEQUENCE = "a sequence, an optional value or text: Caffe has blobs only"
_RANDOM = "random numbers"
_QUANTISED = "quantised numbers; Caffe computes in float32 only"
_LOSS = "a training loss"
_SIGNAL = "signal processing on complex or windowed data"
_SAMPLING = "places between pixels that are themselves computed; stock Caffe has no such sampling"

_BY_REASON = {
    _FOLDED: "Constant ConstantOfShape Shape Size Range EyeLike MelWeightMatrix BlackmanWindow HammingWindow "
    "HannWindow",
    _TYPE: "CastLike",
    "becomes a Gather where its condition is constant; else its shape depends on the values": "Compress",
    _BOOLEAN: "And Or Xor Not Equal Greater GreaterOrEqual Less LessOrEqual Where IsInf IsNaN BitShift BitwiseAnd "
    "BitwiseNot BitwiseOr BitwiseXor BitCast Mod",
    _FUNCTION: "Acos Acosh Asin Asinh Atan Atanh Cos Cosh Sin Sinh Tan Erf Ceil Floor Round Det CumProd",
    _DATA: "NonZero NonMaxSuppression Unique TopK OneHot TensorScatter MaxUnpool",
    _CONTROL: "If Loop Scan SequenceMap",
    _RECURRENT: "RNN GRU LSTM LinearAttention",
    _SEQUENCE: "ConcatFromSequence SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert "
    "SequenceLength SplitToSequence Optional OptionalGetElement OptionalHasElement StringConcat StringNormalizer "
    "StringSplit RegexFullMatch TfIdfVectorizer ImageDecoder",
    _RANDOM: "RandomNormal RandomNormalLike RandomUniform RandomUniformLike Multinomial Bernoulli",
    _QUANTISED: "QuantizeLinear DequantizeLinear DynamicQuantizeLinear QLinearConv QLinearMatMul ConvInteger "
    "MatMulInteger",
    _LOSS: "NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss",
    _SIGNAL: "DFT STFT",
    _SAMPLING: "GridSample RoiAlign DeformConv",
    "written out as Transpose, ReduceSum, MatMul and Mul, which are lowered; a diagonal is refused": "Einsum",
    _DEFINED: "AffineGrid Attention CausalConvWithState CenterCropPad RotaryEmbedding SwiGLU",
}

LEFT_OUT: dict[str, str] = {name: reason for reason, names in _BY_REASON.items() for name in names.split()}

TAKEN_APART = frozenset(_BY_REASON[_DEFINED].split())
