"""Sophgo's tpu-mlir, the compiler for the camera chips CV18xx and the edge chips BM168x."""

from gluon2caffe.onnx2caffe.targets.profile import Limits, Profile
from gluon2caffe.onnx2caffe.targets.quirks import Fault, Quirk

_CONVERTER = "python/transform/CaffeConverter.py"


def _quirk(fault: Fault, source: str) -> Quirk:
    return Quirk(fault, "Sophgo", "1.30.2", source)


PROFILE = Profile(
    name="sophgo",
    title="Sophgo tpu-mlir",
    layers=frozenset(
        {
            *("AbsVal", "ArgMax", "BatchNorm", "Concat", "Convolution", "Crop", "Deconvolution", "DetectionOutput"),
            *("Dropout", "Eltwise", "Flatten", "InnerProduct", "Input", "Interp", "LRN", "Mish", "Normalize", "PReLU"),
            *("Permute", "Pooling", "PriorBox", "ROIPooling", "ReLU", "ReLU6", "Reshape", "Scale", "ShuffleChannel"),
            *("Sigmoid", "Silence", "Slice", "Softmax", "Split", "TanH", "Upsample"),
        }
    ),
    without={
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
        scale_ranks=frozenset({2, 4}),
        equal_dilation=True,
    ),
    quirks=(
        _quirk(Fault.ELTWISE_COEFFICIENTS, "measured: a - b is a + b, in the F32 model and in the chip's simulator"),
        _quirk(Fault.ELTWISE_MORE_THAN_TWO, "measured: PROD and MAX of three are those of the first two"),
        _quirk(Fault.INNER_PRODUCT_OF_ONE, "measured: tpuc-opt ends at MatMul (N, 1)·(1, M)"),
        _quirk(
            Fault.INNER_PRODUCTS_OF_ONE_BLOB,
            f"{_CONVERTER}, convert_inner_product_op: both reshapes are called after the bottom; measured",
        ),
        _quirk(Fault.NORMALIZE_AS_OUTPUT, "measured: it becomes Normalize and Scale, whose top is called y_scale"),
        _quirk(Fault.GROUPED_DECONVOLUTION, f"{_CONVERTER}, convert_deconvolution_op; measured"),
        _quirk(Fault.PRELU_SHARED_SLOPE, f"{_CONVERTER}, convert_prelu_op, which wants a slope per channel"),
        _quirk(Fault.PADDED_POOLING_OF_WHOLE_MAP, f"{_CONVERTER}, convert_pooling_op"),
    ),
    sources=(f"tpu-mlir 1.30.2, {_CONVERTER}, caffeop_factory",),
)
