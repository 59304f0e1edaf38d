"""TensorRT 8's Caffe parser (later versions have none).

It passes over Flatten, so a Reshape is written instead, and it has no Slice and no Silence.
"""

from gluon2caffe.onnx2caffe.targets.profile import Limits, Profile
from gluon2caffe.onnx2caffe.targets.quirks import Fault, Quirk

PROFILE = Profile(
    name="tensorrt",
    title="TensorRT 8 (Caffe parser)",
    layers=frozenset(
        {
            *("AbsVal", "BNLL", "BatchNorm", "Clip", "Concat", "Convolution", "Crop", "Deconvolution", "Dropout"),
            *("ELU", "Eltwise", "InnerProduct", "Input", "LRN", "PReLU", "Permute", "Pooling", "Power", "ReLU"),
            *("Reduction", "Reshape", "Scale", "Sigmoid", "Softmax", "TanH"),
        }
    ),
    without={
        "InnerProduct": frozenset({"axis", "transpose"}),
        "Deconvolution": frozenset({"dilation"}),
        "LRN": frozenset({"k"}),
        "Pooling": frozenset({"round_mode", "ceil_mode"}),
    },
    limits=Limits(
        # nvinfer1::Dims has 8, the batch axis apart.
        axes=9,
        batch_axis=False,
        inner_product_axes=False,
        scale_axes=False,
        scale_bottoms="none",
        eltwise_bottoms=2,
    ),
    quirks=(
        Quirk(Fault.ELTWISE_COEFFICIENTS, "TensorRT", "8", "parsers/caffe/caffeParser/opParsers/parseEltwise.cpp"),
        Quirk(Fault.ZERO_TIMES_INFINITY, "TensorRT", "8", "IScaleLayer, which computes (x·scale + shift)^power"),
    ),
    measured=False,
    sources=(
        "layers: NVIDIA/TensorRT, release 8, parsers/caffe/caffeParser/opParsers/opParsers.h",
        "Eltwise (two bottoms, coefficients passed over), Scale (one bottom, per channel), Reshape, Permute, Softmax "
        "and Concat (not the batch axis), InnerProduct (no axis): parse*.cpp there",
    ),
)
