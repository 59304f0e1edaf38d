"""The shapes that layers make, by hand and by the real Caffes."""

from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from gluon2caffe.bridge.verification.readers import NO_CAFFE, CaffeReader, caffe_readers
from gluon2caffe.onnx2caffe.caffe_pb2 import LayerParameter, NetParameter
from gluon2caffe.onnx2caffe.shapes import Shape, UnknownShapeError, net_shapes, pooled_size, top_shapes

PICTURE, ROWS = (2, 6, 11, 8), (2, 3, 4)

# name -> bottoms, type, fields, tops
CASES: dict[str, tuple[list[Shape], str, str, list[Shape]]] = {
    "conv": ([PICTURE], "Convolution", "convolution_param { num_output: 4 kernel_size: 3 }", [(2, 4, 9, 6)]),
    "conv_pairs": (
        [PICTURE],
        "Convolution",
        "convolution_param { num_output: 4 kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 3 pad_h: 1 group: 2 }",
        [(2, 4, 6, 3)],
    ),
    "conv_dilated": (
        [PICTURE],
        "Convolution",
        "convolution_param { num_output: 4 kernel_size: 3 dilation: 2 dilation: 1 pad: 1 }",
        [(2, 4, 9, 8)],
    ),
    "conv_of_two": (
        [PICTURE, PICTURE],
        "Convolution",
        "convolution_param { num_output: 4 kernel_size: 3 kernel_size: 2 }",
        [(2, 4, 9, 7), (2, 4, 9, 7)],
    ),
    "deconv": (
        [PICTURE],
        "Deconvolution",
        "convolution_param { num_output: 4 kernel_size: 4 stride: 2 pad: 1 }",
        [(2, 4, 22, 16)],
    ),
    "pool": ([PICTURE], "Pooling", "pooling_param { kernel_size: 3 stride: 2 }", [(2, 6, 5, 4)]),
    # The last window of the columns would start beyond them; being clipped depends on the pad of the rows alone.
    "pool_clipped": (
        [(2, 6, 11, 4)],
        "Pooling",
        "pooling_param { kernel_h: 3 kernel_w: 1 stride: 2 pad_h: 1 pad_w: 0 }",
        [(2, 6, 6, 2)],
    ),
    "pool_all": ([PICTURE], "Pooling", "pooling_param { global_pooling: true pool: AVE }", [(2, 6, 1, 1)]),
    "product": ([PICTURE], "InnerProduct", "inner_product_param { num_output: 7 }", [(2, 7)]),
    "product_of_rows": ([ROWS], "InnerProduct", "inner_product_param { num_output: 7 axis: -1 }", [(2, 3, 7)]),
    "joined": ([ROWS, (2, 5, 4)], "Concat", "", [(2, 8, 4)]),
    "joined_last": ([ROWS, (2, 3, 1)], "Concat", "concat_param { axis: -1 }", [(2, 3, 5)]),
    "joined_first": ([ROWS, ROWS], "Concat", "concat_param { concat_dim: 0 }", [(4, 3, 4)]),
    "cut": ([PICTURE], "Slice", "slice_param { slice_point: 1 slice_point: 3 }", [(2, n, 11, 8) for n in (1, 2, 3)]),
    "cut_evenly": ([ROWS], "Slice", "slice_param { axis: -1 }", [(2, 3, 2), (2, 3, 2)]),
    "reshaped": ([ROWS], "Reshape", "reshape_param { shape { dim: 0 dim: -1 dim: 2 } }", [(2, 6, 2)]),
    "reshaped_inside": (
        [PICTURE],
        "Reshape",
        "reshape_param { axis: 1 num_axes: 1 shape { dim: 3 dim: -1 } }",
        [(2, 3, 2, 11, 8)],
    ),
    "longer": ([ROWS], "Reshape", "reshape_param { axis: -1 num_axes: 0 shape { dim: 1 dim: 1 } }", [(2, 3, 4, 1, 1)]),
    "flat": ([PICTURE], "Flatten", "", [(2, 528)]),
    "flat_inside": ([PICTURE], "Flatten", "flatten_param { axis: 1 end_axis: -2 }", [(2, 66, 8)]),
    "cropped": ([PICTURE, (1, 9, 5, 4)], "Crop", "crop_param { axis: 2 }", [(2, 6, 5, 4)]),
    "copies": ([ROWS], "Split", "", [ROWS, ROWS]),
    "sum": ([ROWS, ROWS], "Eltwise", "", [ROWS]),
    "slope": ([PICTURE], "PReLU", "", [PICTURE]),
    "moved": ([PICTURE], "Permute", "permute_param { order: 0 order: 2 order: 3 order: 1 }", [(2, 11, 8, 6)]),
    "moved_front": ([PICTURE], "Permute", "permute_param { order: 3 }", [(8, 2, 6, 11)]),
    # Ratio 1, the two given, their inverses, and one for the largest size: 3 is there already as the inverse of 1/3.
    "boxes": (
        [PICTURE, PICTURE],
        "PriorBox",
        "prior_box_param { min_size: 4 max_size: 6 aspect_ratio: 2 aspect_ratio: 3 aspect_ratio: 1 }",
        [(1, 2, 11 * 8 * 6 * 4)],
    ),
    "boxes_not_flipped": (
        [PICTURE, PICTURE],
        "PriorBox",
        "prior_box_param { min_size: 4 min_size: 5 aspect_ratio: 2 flip: false }",
        [(1, 2, 11 * 8 * 4 * 4)],
    ),
}


def _layer(name: str) -> LayerParameter:
    bottoms, kind, fields, tops = CASES[name]
    layer = text_format.Parse(fields, LayerParameter(name=name, type=kind))
    layer.bottom.extend(f"{name}_in{i}" for i in range(len(bottoms)))
    layer.top.extend(f"{name}{i}" for i in range(len(tops)))
    return layer


@pytest.mark.parametrize("name", CASES)
def test_shapes_that_a_layer_makes(name: str) -> None:
    assert top_shapes(_layer(name), CASES[name][0]) == CASES[name][3]


@pytest.mark.parametrize(
    "reader", [pytest.param(reader, id=reader.name) for reader in caffe_readers()] or [pytest.param(None, id="Caffe")]
)
def test_they_are_those_of_a_real_caffe(reader: CaffeReader | None, tmp_path: Path) -> None:
    if reader is None:
        pytest.skip(NO_CAFFE)
    has = reader.layer_types()
    layers = [_layer(name) for name in CASES if CASES[name][1] in has]
    assert len(layers) >= len(CASES) - 4
    inputs = {blob: shape for layer in layers for blob, shape in zip(layer.bottom, CASES[layer.name][0], strict=True)}
    net = NetParameter(name="net", layer=layers)
    for blob, shape in inputs.items():
        net.input.append(blob)
        net.input_shape.add(dim=shape)
    (tmp_path / "net.prototxt").write_text(text_format.MessageToString(net))
    # Without weights Caffe takes those of its fillers.
    (tmp_path / "net.caffemodel").write_bytes(NetParameter(name="net").SerializeToString())
    values = {blob: np.zeros(shape, np.float32) for blob, shape in inputs.items()}
    tops = [top for layer in layers for top in layer.top]
    found = reader.run(tmp_path / "net.prototxt", tmp_path / "net.caffemodel", values, tops)
    expected = [shape for layer in layers for shape in CASES[layer.name][3]]
    assert {name: array.shape for name, array in found.items()} == dict(zip(tops, expected, strict=True))


@pytest.mark.parametrize("field", ["round_mode: FLOOR", "ceil_mode: false"])
def test_pooling_rounded_down(field: str) -> None:
    layer = text_format.Parse(f"pooling_param {{ kernel_size: 3 stride: 2 {field} }}", LayerParameter(type="Pooling"))
    assert top_shapes(layer, [PICTURE]) == [(2, 6, 5, 3)]


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pad", "length"), [(8, 3, 2, 0, 4), (8, 3, 2, 1, 5), (4, 1, 2, 0, 3), (3, 2, 2, 1, 2)]
)
def test_pooled_size(size: int, kernel: int, stride: int, pad: int, length: int) -> None:
    assert pooled_size(size, kernel, stride, pad) == length


@pytest.mark.parametrize(
    ("text", "bottoms"),
    [
        ('type: "Custom"', [PICTURE]),
        ('type: "DetectionOutput"', [PICTURE]),
        ('type: "Eltwise"', [PICTURE, ROWS]),
        ('type: "Concat"', [PICTURE, ROWS]),
        ('type: "Concat" concat_param { axis: 4 }', [PICTURE]),
        ('type: "Convolution" convolution_param { num_output: 4 kernel_size: 3 axis: 2 }', [PICTURE]),
        ('type: "Convolution" convolution_param { num_output: 4 kernel_size: 3 }', [PICTURE, (2, 6, 5, 5)]),
        ('type: "Convolution" convolution_param { num_output: 4 kernel_size: 3 group: 4 }', [PICTURE]),
        ('type: "Convolution" convolution_param { num_output: 4 kernel_size: [1, 2, 3] }', [PICTURE]),
        ('type: "Pooling" pooling_param { kernel_size: 3 stride_h: 2 }', [PICTURE]),
        ('type: "Pooling" pooling_param { kernel_size: 3 }', [ROWS]),
        ('type: "Reshape" reshape_param { shape { dim: 5 dim: -1 } }', [ROWS]),
        ('type: "Reshape" reshape_param { shape { dim: 5 } }', [ROWS]),
        ('type: "ReLU"', []),
    ],
)
def test_what_does_not_follow_is_not_guessed(text: str, bottoms: list[Shape]) -> None:
    layer = text_format.Parse(text, LayerParameter(name="l"))
    with pytest.raises(UnknownShapeError):
        top_shapes(layer, bottoms)


def test_a_net() -> None:
    layers = [
        LayerParameter(name="a", type="Softmax", bottom=["x"], top=["a"]),
        LayerParameter(name="b", type="Custom", bottom=["a"], top=["b", "c"]),
        LayerParameter(name="c", type="ReLU", bottom=["c"], top=["c"]),
        LayerParameter(name="d", type="Custom", bottom=["a"], top=["a"]),
        LayerParameter(name="e", type="Concat", bottom=["a", "x"], top=["e"]),
        text_format.Parse(
            'name: "f" type: "Convolution" bottom: "x" top: "f" convolution_param { num_output: 2 kernel_size: 9 }',
            LayerParameter(),
        ),
        LayerParameter(name="g", type="Split", bottom=["x"], top=["g", "h"]),
    ]
    found = list(net_shapes({"x": (1, 2, 4, 4)}, layers))
    assert [shapes.bottoms for shapes in found][:2] == [((1, 2, 4, 4),), ((1, 2, 4, 4),)]
    # `a` was written anew by a layer that is not known, and a kernel longer than the picture makes no blob.
    assert [shapes.tops for shapes in found] == [
        ((1, 2, 4, 4),),
        (None, None),
        (None,),
        (None,),
        (None,),
        (None,),
        ((1, 2, 4, 4), (1, 2, 4, 4)),
    ]
