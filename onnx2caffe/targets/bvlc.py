"""BVLC Caffe, master: no Permute, no Normalize, no SSD layers."""

from gluon2caffe.onnx2caffe.targets.profile import Profile

LAYERS = frozenset(
    [
        "AbsVal",
        "ArgMax",
        "BNLL",
        "BatchNorm",
        "BatchReindex",
        "Bias",
        "Clip",
        "Concat",
        "Convolution",
        "Crop",
        "Deconvolution",
        "Dropout",
        "DummyData",
        "ELU",
        "Eltwise",
        "Embed",
        "Exp",
        "Flatten",
        "Im2col",
        "InnerProduct",
        "Input",
        "LRN",
        "Log",
        "MVN",
        "PReLU",
        "Parameter",
        "Pooling",
        "Power",
        "ReLU",
        "Reduction",
        "Reshape",
        "SPP",
        "Scale",
        "Sigmoid",
        "Silence",
        "Slice",
        "Softmax",
        "Split",
        "Swish",
        "TanH",
        "Threshold",
        "Tile",
    ]
)

PROFILE = Profile(
    name="bvlc",
    title="BVLC Caffe 1.0",
    # Clip and Swish came after the 1.0 release, so files for it must do without.
    layers=LAYERS - {"Clip", "Swish"},
    sources=("caffe.layer_type_list() of a BVLC 1.0 build; src/caffe/layers",),
)
