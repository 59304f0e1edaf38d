"""What cannot be converted is refused with one sentence that names the piece, and nothing is written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agreement import layer_types
from small_ssd import small_ssd, telling_ssd

from gluon2caffe import load_mxnet, to_caffe, to_onnx
from gluon2caffe.bridge.export import load_gluoncv
from gluon2caffe.onnx2caffe.errors import ConversionError, SourceError, UnsupportedModelError

pytestmark = pytest.mark.usefixtures("mx")

SQUARE = (1, 3, 96, 96)


def conv_predictor(channels: int) -> Any:
    predictor = load_gluoncv().nn.predictor.ConvPredictor(channels, in_channels=12)
    predictor.initialize()
    return predictor


def replace_in(sequence: Any, index: int, block: Any) -> None:
    sequence._children[str(index)] = block


def put(net: Any, name: str, block: Any) -> None:
    """Set an attribute to a block of another type, which Gluon refuses to do."""
    object.__setattr__(net, name, block)
    net._children[name] = block


def wider_class_predictor(net: Any) -> None:
    replace_in(net.class_predictors, 1, conv_predictor(30))


def narrower_box_predictor(net: Any) -> None:
    replace_in(net.box_predictors, 2, conv_predictor(8))


def one_class_more(net: Any) -> None:
    net.classes = [*net.classes, "another"]


def one_predictor_less(net: Any) -> None:
    del net.class_predictors._children["2"]


def one_generator_more(net: Any) -> None:
    net.anchor_generators.add(net.anchor_generators[0])


def features_of_another_number(net: Any) -> None:
    class Two(load_mxnet().gluon.HybridBlock):
        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner = inner

        def hybrid_forward(self, F: Any, x: Any) -> Any:  # noqa: N803  (MXNet's own name)
            return self.inner(x)[:2]

    put(net, "features", Two(net.features))


def generator_without_an_end(net: Any) -> None:
    class Broken(load_mxnet().gluon.HybridBlock):
        def hybrid_forward(self, F: Any, x: Any) -> Any:  # noqa: N803  (MXNet's own name)
            return F.ones((1, 7, 4))

    replace_in(net.anchor_generators, 1, Broken())


def generator_that_fails(net: Any) -> None:
    class Failing(load_mxnet().gluon.HybridBlock):
        def hybrid_forward(self, F: Any, x: Any) -> Any:  # noqa: N803  (MXNet's own name)
            if F is load_mxnet().nd:
                raise ValueError("no anchors today")
            return F.slice_like(F.ones((1, 1, 24, 24)), x * 0, axes=(2, 3))

    replace_in(net.anchor_generators, 1, Failing())


def decoder_clip(net: Any) -> None:
    net.bbox_decoder._clip = 0.5


def decoder_of_another_kind(net: Any) -> None:
    put(net, "bbox_decoder", load_gluoncv().nn.coder.CenterNetDecoder())


def decoder_of_corners(net: Any) -> None:
    net.bbox_decoder = load_gluoncv().nn.coder.NormalizedBoxCenterDecoder(convert_anchor=True)


def class_decoder_of_another_kind(net: Any) -> None:
    put(net, "cls_decoder", load_gluoncv().nn.coder.MultiClassDecoder())


def no_decoder(net: Any) -> None:
    del net.bbox_decoder, net._children["bbox_decoder"]


CASES: dict[str, tuple[Callable[[Any], None], str]] = {
    "class predictor of another width": (
        wider_class_predictor,
        r"The class predictor \S+ of feature map 1 gives 30 channels; 6 boxes per cell and 3 classes need 24\.",
    ),
    "box predictor of another width": (
        narrower_box_predictor,
        r"The box predictor \S+ of feature map 2 gives 8 channels; 4 boxes per cell need 16\.",
    ),
    "more classes than predicted": (
        one_class_more,
        r"The class predictor \S+ of feature map 0 gives 16 channels; 4 boxes per cell and 4 classes need 20\.",
    ),
    "a predictor missing": (one_predictor_less, "3 anchor generators, 2 class predictors, 3 box predictors"),
    "a generator too many": (one_generator_more, "4 anchor generators, 3 class predictors"),
    "features of another number": (features_of_another_number, "2 feature maps, 3 anchor generators"),
    "a generator of so many boxes in all": (
        generator_without_an_end,
        r"anchor generator of feature map 1 \(Broken\) gives 7 boxes for 6×6 cells: not the same number for each",
    ),
    "a generator that fails": (
        generator_that_fails,
        r"anchor generator of feature map 1 \(Failing\) cannot be run: .*no anchors today",
    ),
    "a decoder that clips": (decoder_clip, r"box decoder clips its sizes \(clip=0.5\)"),
    "another box decoder": (
        decoder_of_another_kind,
        "box decoder is a CenterNetDecoder; only GluonCV's NormalizedBoxCenterDecoder",
    ),
    "a decoder of corners": (decoder_of_corners, "box decoder takes anchors as corners"),
    "another class decoder": (class_decoder_of_another_kind, "class decoder is a MultiClassDecoder"),
    "no decoder": (no_decoder, "The net has no box decoder"),
}


@pytest.mark.parametrize(("change", "message"), CASES.values(), ids=list(CASES))
def test_a_changed_net_is_refused(change: Callable[[Any], None], message: str, tmp_path: Path) -> None:
    net, _ = telling_ssd(3)
    change(net)
    with pytest.raises(SourceError, match=message) as error:
        to_caffe(net).save(tmp_path / "net")
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SourceError, match=message):
        to_onnx(net)


@pytest.mark.parametrize("size", [(1, 3, 1, 1), (1, 3, 2, 96)])
def test_small_inputs_still_work_where_the_net_takes_them(size: tuple[int, ...]) -> None:
    net, _ = telling_ssd(2)
    assert layer_types(to_caffe(net, size)).count("PriorBox") == 3


def test_an_input_too_small_for_the_last_map(tmp_path: Path) -> None:
    load_mxnet()
    net = load_gluoncv().model_zoo.get_model("ssd_300_vgg16_atrous_custom", classes=["a"], pretrained_base=False)
    net.initialize()
    with pytest.raises(SourceError, match=r"\(1, 3, 200, 200\).*extra3_conv1.*kernel size exceed input") as error:
        to_caffe(net, (1, 3, 200, 200)).save(tmp_path / "net")
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_an_input_larger_than_the_anchors(tmp_path: Path) -> None:
    """GluonCV allocates anchors for 24 rows and columns of the first map here."""
    net, _ = telling_ssd(2)
    with pytest.raises(SourceError, match="feature map 0") as error:
        to_caffe(net, (1, 3, 200, 200)).save(tmp_path / "net")
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shape", [(3, 96, 96), (1, 4, 96, 96), (1, 3, 96), (1, 3, 0, 96)])
def test_an_input_of_another_form(shape: tuple[int, ...], tmp_path: Path) -> None:
    net, _ = telling_ssd(2)
    with pytest.raises(ConversionError) as error:
        to_caffe(net, shape).save(tmp_path / "net")
    assert "\n" not in str(error.value)
    assert str(shape[-1]) in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_net_that_was_not_initialised() -> None:
    with pytest.raises(SourceError, match="not initialised") as error:
        to_caffe(small_ssd(2))
    assert "\n" not in str(error.value)


def test_an_int8_detector(tmp_path: Path) -> None:
    from gluon2caffe.bridge.zoo import zoo_net

    with pytest.raises(SourceError, match="quantised to int8; convert the float net ssd_300_vgg16_atrous_voc instead"):
        zoo_net("ssd_300_vgg16_atrous_voc_int8", random=True)


def test_a_detector_with_quantised_layers(tmp_path: Path) -> None:
    net, _ = telling_ssd(2)

    class Quantised(load_mxnet().gluon.HybridBlock):
        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner = inner

        def hybrid_forward(self, F: Any, x: Any) -> Any:  # noqa: N803  (MXNet's own name)
            low, high = F.full((1,), -3.0), F.full((1,), 3.0)
            value, low, high = F.contrib.quantize(x, low, high, out_type="int8")
            return self.inner(F.contrib.dequantize(value, low, high))

    put(net, "features", Quantised(net.features))
    with pytest.raises(ConversionError, match="quantize") as error:
        to_caffe(net).save(tmp_path / "net")
    assert "\n\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_the_target_without_ssd_layers(tmp_path: Path) -> None:
    net, _ = telling_ssd(2)
    with pytest.raises(UnsupportedModelError) as error:
        to_caffe(net, target="bvlc").save(tmp_path / "net")
    text = str(error.value)
    assert "PriorBox" in text
    assert "DetectionOutput" in text
    assert "choose the target 'ssd'" in text
    assert list(tmp_path.iterdir()) == []


def test_softmax_has_nothing_to_end(tmp_path: Path) -> None:
    net, _ = telling_ssd(2)
    with pytest.raises(ConversionError, match="softmax") as error:
        to_caffe(net, softmax=True).save(tmp_path / "net")
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_ending() -> None:
    net, _ = telling_ssd(2)
    with pytest.raises(ConversionError, match="heads='boxes' is not valid: expected 'detection' or 'raw'"):
        to_caffe(net, heads="boxes")


@pytest.mark.parametrize("asked", [{"heads": "raw"}, {"priors": "constant"}])
def test_what_only_an_ssd_has_is_not_passed_over_elsewhere(asked: dict[str, str]) -> None:
    net = load_mxnet().gluon.nn.Dense(5, in_units=4)
    net.initialize()
    ((name, value),) = asked.items()
    with pytest.raises(
        SourceError, match=f"^{name}='{value}' needs a detector; no detection heads were found in dense"
    ):
        to_caffe(net, (1, 4), **asked)


def test_weights_that_are_not_numbers(tmp_path: Path) -> None:
    net, _ = telling_ssd(2)
    bias = net.box_predictors[0].predictor.bias
    bias.set_data(bias.data() * np.nan)
    with pytest.raises(ConversionError, match="NaN") as error:
        to_caffe(net).save(tmp_path / "net")
    assert bias.name in str(error.value)
    assert list(tmp_path.iterdir()) == []
