"""OpenCV's dnn module, 4.x (5.0 dropped the Caffe importer)."""

from gluon2caffe.onnx2caffe.targets.profile import Profile
from gluon2caffe.onnx2caffe.targets.quirks import Fault, Quirk

_CAFFE = "modules/dnn/src/caffe/caffe_importer.cpp"
_LAYERS = "modules/dnn/src/layers"


def _quirk(fault: Fault, source: str) -> Quirk:
    return Quirk(fault, "OpenCV", "4.11", source)


QUIRKS = (
    _quirk(Fault.SCALE_INTO_GROUPED_DECONVOLUTION, f"{_LAYERS}/convolution_layer.cpp, DeConvolutionLayerImpl"),
    _quirk(Fault.SCALE_BY_OTHER_AXES_MERGED, f"{_LAYERS}/scale_layer.cpp, getScaleShift"),
    _quirk(Fault.SINGLE_SCALE_AFTER_POWER, f"{_LAYERS}/elementwise_layers.cpp, PowerFunctor::tryFuse"),
    _quirk(Fault.POWER_AFTER_POWER, f"{_LAYERS}/elementwise_layers.cpp, PowerFunctor::tryFuse"),
    _quirk(Fault.BATCH_NORM_AFTER_ELTWISE, f"{_LAYERS}/eltwise_layer.cpp, setActivation"),
    _quirk(Fault.PRELU_AFTER_ELTWISE, f"{_LAYERS}/eltwise_layer.cpp, setActivation"),
    _quirk(Fault.ELTWISE_RANKS, f"{_LAYERS}/eltwise_layer.cpp, EltwiseInvoker"),
    _quirk(Fault.LRN_BIAS, f"{_CAFFE} and {_LAYERS}/lrn_layer.cpp"),
    _quirk(Fault.DECONVOLUTION_DILATION, f"{_LAYERS}/convolution_layer.cpp, DeConvolutionLayerImpl"),
    _quirk(Fault.DEPTHWISE_OVER_ONE_ROW, f"{_LAYERS}/cpu_kernels/conv_depthwise.cpp"),
    _quirk(Fault.ZERO_TIMES_INFINITY, f"{_LAYERS}/elementwise_layers.cpp, PowerFunctor"),
)

PROFILE = Profile(
    name="opencv",
    title="OpenCV dnn 4.x",
    layers=frozenset(
        [
            "AbsVal",
            "BNLL",
            "BatchNorm",
            "Concat",
            "Convolution",
            "Crop",
            "Deconvolution",
            "DetectionOutput",
            "Dropout",
            "ELU",
            "Eltwise",
            "Exp",
            "Flatten",
            "InnerProduct",
            "Input",
            "LRN",
            "Log",
            "MVN",
            "Mish",
            "Normalize",
            "PReLU",
            "Permute",
            "Pooling",
            "Power",
            "PriorBox",
            "ROIPooling",
            "ReLU",
            "ReLU6",
            "Reshape",
            "Scale",
            "ShuffleChannel",
            "Sigmoid",
            "Silence",
            "Slice",
            "Softmax",
            "Split",
            "TanH",
        ]
    ),
    quirks=QUIRKS,
    multiplies_bottoms=True,
    sources=(
        "OpenCV 4.11, modules/dnn/src/init.cpp and modules/dnn/src/caffe/caffe_importer.cpp",
        f"{_LAYERS}/fully_connected_layer.cpp: without weights, the product of two bottoms; run on 4.5.5 to 4.12",
    ),
)
