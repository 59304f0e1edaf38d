"""ncnn, through caffe2ncnn."""

from gluon2caffe.onnx2caffe.targets.profile import Limits, Profile
from gluon2caffe.onnx2caffe.targets.quirks import Fault, Quirk

PROFILE = Profile(
    name="ncnn",
    title="ncnn (caffe2ncnn)",
    layers=frozenset(
        {
            *("AbsVal", "BNLL", "BatchNorm", "Concat", "Convolution", "Crop", "Deconvolution", "DetectionOutput"),
            *("Dropout", "ELU", "Eltwise", "Exp", "Flatten", "InnerProduct", "Input", "LRN", "Log", "MVN", "Mish"),
            *("Normalize", "PReLU", "Permute", "Pooling", "Power", "PriorBox", "ReLU", "ReLU6", "Reshape", "Scale"),
            *("ShuffleChannel", "Sigmoid", "Silence", "Slice", "Softmax", "Split", "Swish", "TanH", "Threshold"),
        }
    ),
    # caffe2ncnn writes no parameters of these layers, so their defaults must do.
    without={
        "Exp": frozenset({"base", "scale", "shift"}),
        "Log": frozenset({"base", "scale", "shift"}),
        "Swish": frozenset({"beta"}),
        "LRN": frozenset({"k"}),
        "Flatten": frozenset({"axis", "end_axis"}),
        "InnerProduct": frozenset({"axis", "transpose"}),
        "Reshape": frozenset({"axis", "num_axes"}),
    },
    limits=Limits(
        # A blob of ncnn is (C, H, W): it has no batch axis, and Scale multiplies channels.
        axes=4,
        batch_axis=False,
        inner_product_axes=False,
        scale_axes=False,
        scale_bottoms="channels",
        permute_ranks=frozenset({4}),
        equal_dilation=True,
    ),
    quirks=(
        Quirk(Fault.ZERO_TIMES_INFINITY, "ncnn", "1.0.20261020", "src/layer/power.cpp"),
        Quirk(Fault.CROP_OF_ALL_AXES, "ncnn", "1.0.20261020", "src/layer/crop.cpp, with a reference blob; measured"),
        Quirk(
            Fault.RESHAPE_COPIES_OTHER_AXIS,
            "ncnn",
            "1.0.20261020",
            "src/layer/reshape.cpp counts the axes from the last; measured",
        ),
        Quirk(Fault.LAST_WINDOW_IN_PADDING, "ncnn", "1.0.20261020", "src/layer/pooling.cpp; measured"),
        Quirk(
            Fault.AVERAGE_LEAVES_PADDING_OUT,
            "ncnn",
            "1.0.20261020",
            "tools/caffe/caffe2ncnn.cpp never writes avgpool_count_include_pad; measured",
        ),
    ),
    sources=(
        "layers and fields: Tencent/ncnn, tools/caffe/caffe2ncnn.cpp and tools/caffe/caffe.proto",
        "axes, Scale, InnerProduct, Permute: Tencent/ncnn, src/layer",
    ),
)
