"""OpenCV's dnn module, 4.x (5.0 dropped the Caffe importer)."""

from onnx2caffe.targets.profile import Profile

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
            "Normalize",
            "PReLU",
            "Permute",
            "Pooling",
            "Power",
            "PriorBox",
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
    source="OpenCV 4.11, modules/dnn/src/init.cpp and modules/dnn/src/caffe/caffe_importer.cpp",
)
