"""Reading a GluonCV SSD: its heads, and the block that ends at its raw predictions."""

from __future__ import annotations

from typing import Any

import numpy as np

from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.ssd_heads.description import Floats, Head, SSDDescription

# Hard-coded in gluoncv.model_zoo.SSD.hybrid_forward (valid_thresh of box_nms).
VALID_THRESHOLD = 0.01


def is_ssd(net: Any) -> bool:
    """Whether `net` is a `gluoncv.model_zoo.SSD`, found out without importing GluonCV."""
    return any(
        base.__name__ == "SSD" and base.__module__.startswith("gluoncv.model_zoo.ssd") for base in type(net).__mro__
    )


def built_for(net: Any) -> tuple[int, int, int, int]:
    """The input shape that the net was built for: (1, 3, base size, base size)."""
    for generator in _blocks(net, "anchor_generators"):
        size = getattr(generator, "_im_size", None)
        if size is not None and len(size) == 2:
            return (1, 3, int(size[0]), int(size[1]))
    raise SourceError(f"{net.name}'s anchor generators do not say its size: give input_shape.")


def raw_heads(net: Any) -> Any:
    """A block of the net's own parameters that returns its class and box predictions, before decoding.

    In training mode GluonCV's SSD returns them with the anchors; the mode matters to the trace alone, BatchNorm and
    Dropout are exported in inference form.
    """
    import mxnet

    class RawHeads(mxnet.gluon.HybridBlock):  # type: ignore[misc]
        """(N, boxes, classes + 1) and (N, boxes, 4)."""

        def __init__(self) -> None:
            super().__init__(prefix=net.prefix, params=net.collect_params())
            self.net = net

        def hybrid_forward(self, F: Any, x: Any, **_: Any) -> Any:  # noqa: N803  (MXNet's own name)
            was_active, net._active = net._active, False
            try:
                with mxnet.autograd.train_mode():
                    return list(net(x))[:2]
            finally:
                net._active = was_active

    return RawHeads()


def describe(net: Any, input_shape: tuple[int, ...] | None = None) -> SSDDescription:
    """Read the heads of an SSD for inputs of `input_shape` (N, C, H, W); the net's own size if left out.

    Raises:
        SourceError: the net's parts do not fit together, or are of an unknown kind; the message names the piece.
    """
    shape = built_for(net) if input_shape is None else tuple(input_shape)
    if len(shape) != 4:
        raise SourceError(f"An SSD takes an input (N, C, H, W), not {shape}.")
    generators = _blocks(net, "anchor_generators")
    features = _feature_shapes(net, shape)
    class_predictors, box_predictors = _blocks(net, "class_predictors"), _blocks(net, "box_predictors")
    counts = {
        "feature maps": len(features),
        "anchor generators": len(generators),
        "class predictors": len(class_predictors),
        "box predictors": len(box_predictors),
    }
    if len(set(counts.values())) != 1:
        found = ", ".join(f"{count} {what}" for what, count in counts.items())
        raise SourceError(f"{net.name} is inconsistent: it has {found}.")
    heads = tuple(
        _head(index, feature, generator, (class_predictors[index].name, box_predictors[index].name))
        for index, (feature, generator) in enumerate(zip(features, generators, strict=True))
    )
    for head, class_channels, box_channels in zip(
        heads, _channels(net, class_predictors, shape), _channels(net, box_predictors, shape), strict=True
    ):
        head.require_widths(len(net.classes), class_channels, box_channels)
    decoder: Any = getattr(net, "bbox_decoder", None)
    scores: Any = getattr(net, "cls_decoder", None)
    _require_kind(decoder, "NormalizedBoxCenterDecoder", "box decoder")
    _require_kind(scores, "MultiPerClassDecoder", "class decoder")
    if getattr(decoder, "_format", "center") != "center":
        raise SourceError(f"{net.name}'s box decoder takes anchors as corners; SSD's are centers.")
    threshold = float(scores._thresh)
    suppresses = 0 < net.nms_thresh < 1
    clip = getattr(decoder, "_clip", None)
    stds = tuple(float(std) for std in decoder._stds)
    return SSDDescription(
        name=net.name,
        image_size=(shape[2], shape[3]),
        heads=heads,
        variances=(stds[0], stds[1], stds[2], stds[3]),
        box_clip=float(clip) if clip is not None and clip > 0 else None,
        classes=tuple(str(name) for name in net.classes),
        # Without suppression only the decoder's threshold applies.
        score_threshold=max(threshold, VALID_THRESHOLD) if suppresses else threshold,
        nms_threshold=float(net.nms_thresh) if suppresses else None,
        nms_topk=int(net.nms_topk) if suppresses else -1,
        post_nms=int(net.post_nms) if suppresses else -1,
    )


def _blocks(net: Any, name: str) -> list[Any]:
    sequence = getattr(net, name, None)
    if sequence is None:
        raise SourceError(f"{net.name} has no {name}.")
    return list(sequence)


def _require_kind(block: Any, expected: str, what: str) -> None:
    if block is None:
        raise SourceError(f"The net has no {what}; an SSD has GluonCV's {expected}.")
    if not any(base.__name__ == expected for base in type(block).__mro__):
        raise SourceError(f"The {what} is a {type(block).__name__}; only GluonCV's {expected} can be converted.")


def _feature_shapes(net: Any, shape: tuple[int, ...]) -> list[tuple[int, int]]:
    import mxnet

    try:
        _, shapes, _ = mxnet.sym.Group(_feature_symbols(net)).infer_shape(data=shape)
    except Exception as error:  # MXNet raises MXNetError for shapes, the block's own code anything
        reason = str(error).strip().splitlines()[-1]
        raise SourceError(f"{net.name} cannot take an input of {shape}: {reason}") from error
    for index, found in enumerate(shapes):
        if len(found) != 4 or min(found) < 1:
            raise SourceError(
                f"An input of {shape[2]}×{shape[3]} is too small for {net.name}: its feature map {index} would be "
                f"{tuple(found[2:])}."
            )
    return [(int(found[2]), int(found[3])) for found in shapes]


def _feature_symbols(net: Any) -> list[Any]:
    import mxnet

    features = net.features(mxnet.sym.var("data"))
    return list(features) if isinstance(features, (list, tuple)) else [features]


def _channels(net: Any, predictors: list[Any], shape: tuple[int, ...]) -> list[int]:
    """The number of channels that each predictor gives on its feature map."""
    import mxnet

    made = [predictor(feature) for predictor, feature in zip(predictors, _feature_symbols(net), strict=True)]
    try:
        _, shapes, _ = mxnet.sym.Group(made).infer_shape(data=shape)
    except mxnet.MXNetError as error:
        reason = str(error).strip().splitlines()[-1]
        raise SourceError(f"{net.name}'s predictors do not fit its feature maps: {reason}") from error
    return [int(found[1]) for found in shapes]


def _head(index: int, feature: tuple[int, int], generator: Any, predictors: tuple[str, str]) -> Head:
    anchors = _anchors(index, feature, generator)
    try:
        beyond = _anchors(index, (feature[0] + 1, feature[1] + 1), generator)
    except SourceError:
        # It has no more of them.
        beyond = None
    return Head(
        index=index,
        feature_shape=feature,
        anchors=anchors,
        generator=type(generator).__name__,
        sizes=tuple(float(size) for size in getattr(generator, "_sizes", ())),
        ratios=tuple(float(ratio) for ratio in getattr(generator, "_ratios", ())),
        clip=bool(getattr(generator, "_clip", False)),
        predictors=predictors,
        beyond=beyond,
    )


def _anchors(index: int, feature: tuple[int, int], generator: Any) -> Floats:
    """The anchors as the generator gives them for a feature map of this size."""
    import mxnet

    rows, columns = feature
    kind = type(generator).__name__
    if any(parameter._data is None for parameter in generator.collect_params().values()):
        raise SourceError(
            f"The anchors of feature map {index} are not initialised. Call net.initialize() or "
            "net.load_parameters(file) first."
        )
    try:
        made = generator(mxnet.nd.zeros((1, 1, rows, columns))).asnumpy()
    except Exception as error:  # any block can stand here
        reason = str(error).strip().splitlines()[-1]
        raise SourceError(f"The anchor generator of feature map {index} ({kind}) cannot be run: {reason}") from error
    if made.size == 0 or made.size % (rows * columns * 4):
        raise SourceError(
            f"The anchor generator of feature map {index} ({kind}) gives {made.size // 4} boxes for {rows}×{columns} "
            "cells: not the same number for each."
        )
    return np.asarray(made, np.float32).reshape(rows, columns, -1, 4)
