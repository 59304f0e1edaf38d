"""Rockchip's rknn-toolkit2, for the NPUs of RK35xx and RV11xx. Its simulator computes in half precision, as they do."""

from gluon2caffe.onnx2caffe.targets.profile import Limits, Profile

PROFILE = Profile(
    name="rockchip",
    title="Rockchip rknn-toolkit2",
    layers=frozenset(
        {
            *("BatchNorm", "Concat", "Convolution", "Crop", "Deconvolution", "Dropout", "Eltwise", "Flatten"),
            *("InnerProduct", "Input", "LRN", "Normalize", "PReLU", "Permute", "Pooling", "Power", "ReLU", "ReLU6"),
            *("Reshape", "Scale", "Sigmoid", "Slice", "Softmax", "Split", "TanH"),
        }
    ),
    without={
        "Deconvolution": frozenset({"dilation"}),
        "Flatten": frozenset({"axis", "end_axis"}),
        "InnerProduct": frozenset({"axis", "transpose"}),
        "LRN": frozenset({"k"}),
        "Pooling": frozenset({"round_mode", "ceil_mode"}),
        "Reshape": frozenset({"axis", "num_axes"}),
    },
    limits=Limits(
        axes=4,
        batch_axis=False,
        inner_product_axes=False,
        scale_axes=False,
        scale_bottoms="none",
        equal_dilation=True,
    ),
    sources=("rknn-toolkit2 2.5.0, measured; it prints that it cuts off DetectionOutput",),
)
