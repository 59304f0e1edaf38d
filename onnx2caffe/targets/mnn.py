"""MNN, through MNNConvert: it has no Power, Exp, Log or MVN, and passes over what it does not know."""

from gluon2caffe.onnx2caffe.targets.profile import Limits, Profile
from gluon2caffe.onnx2caffe.targets.quirks import Fault, Quirk

PROFILE = Profile(
    name="mnn",
    title="MNN (MNNConvert)",
    layers=frozenset(
        {
            *("AbsVal", "ArgMax", "BNLL", "BatchNorm", "Clip", "Concat", "Convolution", "Crop", "Deconvolution"),
            *("DetectionOutput", "Dropout", "ELU", "Eltwise", "InnerProduct", "Input", "Interp", "LRN", "Normalize"),
            *("PReLU", "Permute", "Pooling", "PriorBox", "ROIPooling", "ReLU", "ReLU6", "Reshape", "Scale"),
            *("ShuffleChannel", "Sigmoid", "Slice", "Softmax", "TanH", "Threshold"),
        }
    ),
    without={
        "Deconvolution": frozenset({"dilation"}),
        "LRN": frozenset({"k"}),
        "Pooling": frozenset({"round_mode", "ceil_mode"}),
        "Reshape": frozenset({"axis", "num_axes"}),
    },
    limits=Limits(
        axes=6,
        scale_axes=False,
        # Two bottoms are read as one with weights, which are not there.
        scale_bottoms="none",
        # The first of two dilations is taken for the columns.
        equal_dilation=True,
    ),
    quirks=(
        Quirk(Fault.ELTWISE_COEFFICIENTS_OF_MANY, "MNN", "3.6.1", "source/backend/cpu/CPUEltwise.cpp; measured"),
        Quirk(Fault.LAST_WINDOW_IN_PADDING, "MNN", "3.6.1", "source/shape/ShapePool.cpp; measured"),
    ),
    sources=(
        "layers: alibaba/MNN, tools/converter/source/caffe (one file per layer; caffeConverter.cpp leaves out Dropout)",
        "Scale: BatchNormalScale.cpp there; dilation: Convolution.cpp; Flatten, which makes four axes: Reshape.cpp",
    ),
)
