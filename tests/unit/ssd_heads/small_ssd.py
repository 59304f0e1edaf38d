"""Small SSDs with random but telling weights: GluonCV's own class on a few convolutions."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gluon2caffe.bridge.export import load_gluoncv, load_mxnet
from tests.telling_detector import initialise_detector

SIZES = (20.5, 41.2, 62.9, 90.0)
RATIOS = ((1, 2, 0.5), (1, 2, 0.5, 3, 1.0 / 3), (1, 2, 0.5))
STEPS = (8, 16, 32)


def names(count: int) -> list[str]:
    """So many names of classes."""
    return [f"class{index}" for index in range(count)]


def small_ssd(
    classes: int = 3,
    *,
    base_size: int = 96,
    sizes: Sequence[float] = SIZES,
    ratios: Sequence[Sequence[float]] = RATIOS,
    steps: Sequence[float] = STEPS,
    **options: Any,
) -> Any:
    """An SSD whose feature maps have 1/8, 1/16, ... of the input's size, not initialised.

    `options` are those of gluoncv.model_zoo.SSD.
    """
    load_mxnet()
    options = {"anchor_alloc_size": 24, "prefix": "ssd_", **options}
    return load_gluoncv().model_zoo.SSD(
        network=None,
        base_size=base_size,
        features=lambda **_: features(len(ratios)),
        num_filters=None,
        sizes=sizes,
        ratios=ratios,
        steps=steps,
        classes=names(classes),
        **options,
    )


def features(maps: int) -> Any:
    """A block of so many feature maps."""
    nn = load_mxnet().gluon.nn

    class Features(nn.HybridBlock):
        def __init__(self) -> None:
            super().__init__()
            with self.name_scope():
                self.stages = nn.HybridSequential()
                for index in range(maps):
                    stage = nn.HybridSequential()
                    for _ in range(3 if index == 0 else 1):
                        stage.add(nn.Conv2D(12, 3, strides=2, padding=1, use_bias=False), nn.BatchNorm())
                        stage.add(nn.Activation("relu"))
                    self.stages.add(stage)

        def hybrid_forward(self, F: Any, x: Any) -> list[Any]:  # noqa: N803  (MXNet's own name)
            maps = []
            for stage in self.stages:
                x = stage(x)
                maps.append(x)
            return maps

    return Features()


def telling_ssd(
    classes: int = 3, shape: tuple[int, ...] = (1, 3, 96, 96), *, candidates: int = 120, **options: Any
) -> tuple[Any, np.ndarray]:
    """A small SSD with telling weights, and the input they were made for."""
    net = small_ssd(classes, **options)
    return net, initialise_detector(net, shape, seed=1, candidates=candidates)


def raw_predictions(net: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the net predicts before decoding: (N, boxes, classes + 1), (N, boxes, 4); and its anchors, (boxes, 4).

    Put together by hand from the net's parts, in inference mode.
    """
    mx = load_mxnet()
    maps = net.features(mx.nd.array(x))

    def joined(predictors: Any, width: int) -> np.ndarray:
        made = [predictor(feature).asnumpy() for predictor, feature in zip(predictors, maps, strict=True)]
        return np.concatenate([one.transpose(0, 2, 3, 1).reshape(len(x), -1, width) for one in made], axis=1)

    anchors = [generator(feature).asnumpy() for generator, feature in zip(net.anchor_generators, maps, strict=True)]
    return (
        joined(net.class_predictors, len(net.classes) + 1),
        joined(net.box_predictors, 4),
        np.concatenate([one.reshape(-1, 4) for one in anchors]),
    )
