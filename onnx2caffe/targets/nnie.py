"""HiSilicon's NNIE mapper.

Its manual is not public; this is what public pages that quote it name, so it may be less than the mapper takes.
"""

from gluon2caffe.onnx2caffe.targets.profile import Limits, Profile
from gluon2caffe.onnx2caffe.targets.quirks import Fault, Quirk

PROFILE = Profile(
    name="nnie",
    title="HiSilicon NNIE (nnie_mapper)",
    layers=frozenset(
        {
            *("BatchNorm", "Concat", "Convolution", "Deconvolution", "Eltwise", "Flatten", "InnerProduct", "Input"),
            *("LRN", "Normalize", "PReLU", "Permute", "Pooling", "ROIPooling", "ReLU", "Reshape", "Scale", "Sigmoid"),
            *("Slice", "Softmax", "Split", "TanH"),
        }
    ),
    without={
        "InnerProduct": frozenset({"axis", "transpose"}),
        "Deconvolution": frozenset({"dilation"}),
        "LRN": frozenset({"k"}),
        "Pooling": frozenset({"round_mode", "ceil_mode"}),
    },
    limits=Limits(
        axes=4,
        batch_axis=False,
        inner_product_axes=False,
        scale_axes=False,
        scale_bottoms="none",
        eltwise_bottoms=2,
        permute_ranks=frozenset({4}),
        equal_dilation=True,
        kernel=255,
        stride=255,
    ),
    quirks=(Quirk(Fault.ELTWISE_COEFFICIENTS, "NNIE", "Hi35xx", "not run; no page quoted names coefficients"),),
    measured=False,
    sources=(
        "convolution, pooling, activations, LRN, BatchNorm, InnerProduct, Concat, Eltwise: the HiSVP development "
        "guide, as quoted by wpgdadatong.com.cn/blog/detail/43354",
        "Permute, Normalize, ROIPooling: the same guide's extension layers, blog.csdn.net/u011622208/article/details/"
        "105676120",
        "limits: the least that a fixed-function engine of (C, H, W) can be counted on for; not from the manual",
    ),
)
