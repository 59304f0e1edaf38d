"""OpenVINO's Model Optimizer `mo`; 2022.3 is the last release line that reads Caffe files."""

from gluon2caffe.onnx2caffe.targets.profile import Limits, Profile
from gluon2caffe.onnx2caffe.targets.quirks import Fault, Quirk

PROFILE = Profile(
    name="openvino",
    title="OpenVINO 2022.3 (mo)",
    layers=frozenset(
        {
            *("BatchNorm", "Concat", "Convolution", "Crop", "Deconvolution", "DetectionOutput", "Dropout", "ELU"),
            *("Eltwise", "Flatten", "InnerProduct", "Input", "Interp", "LRN", "MVN", "Normalize", "PReLU", "Permute"),
            *("Pooling", "Power", "PriorBox", "ROIPooling", "ReLU", "ReLU6", "Reshape", "Scale", "ShuffleChannel"),
            *("Sigmoid", "Slice", "Softmax", "Split", "TanH", "Tile"),
        }
    ),
    without={
        "InnerProduct": frozenset({"axis", "transpose"}),
        "LRN": frozenset({"k"}),
        "Pooling": frozenset({"round_mode"}),
    },
    limits=Limits(
        inner_product_axes=False,
        scale_axes=False,
        scale_bottoms="none",
        # The two dilations of a Convolution are taken for columns and rows.
        equal_dilation=True,
    ),
    quirks=(
        Quirk(Fault.ELTWISE_COEFFICIENTS_OF_MANY, "OpenVINO", "2022.3.2", "measured: the third is ignored"),
        Quirk(Fault.IDLE_POWER_AS_OUTPUT, "OpenVINO", "2022.3.2", "measured: an output that is a copy is not there"),
        Quirk(Fault.LAST_WINDOW_IN_PADDING, "OpenVINO", "2022.3.2", "measured"),
        Quirk(Fault.SCALE_INTO_GROUPED_DECONVOLUTION, "OpenVINO", "2022.3.2", "measured"),
        Quirk(Fault.SHARED_PIECES, "OpenVINO", "2022.3.2", "the CPU plugin's merged Subgraph, for a·b + b·c; measured"),
        Quirk(Fault.ZERO_TIMES_INFINITY, "OpenVINO", "2022.3.2", "AttributedPower, a Multiply and an Add; measured"),
    ),
    sources=("openvino-dev 2022.3.2, openvino/tools/mo/front/caffe: the extractors of layers; measured",),
)
