"""What each family of GluonCV's zoo was trained on, and what its constructor takes: data."""

from __future__ import annotations

import re
from dataclasses import dataclass

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Family:
    """Nets of the zoo that are alike.

    Attributes:
        names: pattern that their names begin with.
        shape: (N, C, ...) of the input that they were trained on; None where the net itself says it.
        has_size: whether the constructor takes the size of the picture, as `crop_size`, or `height` and `width`.
        has_base: whether the constructor takes `pretrained_base`, and would download the classifier it grows on.
    """

    names: str
    shape: Shape | None = (1, 3, 224, 224)
    has_size: bool = False
    has_base: bool = True


# The first that fits. Sizes from the scripts and logs that GluonCV publishes with its weights.
FAMILIES = (
    Family("cifar_", (1, 3, 32, 32), has_base=False),
    Family("ssd_", None),
    Family("yolo3_", (1, 3, 416, 416)),
    Family("center_net_", (1, 3, 512, 512)),
    Family("(simple|mobile|alpha)_pose_", (1, 3, 256, 192)),
    Family("monodepth2_.*_posenet_", (1, 6, 192, 640)),
    Family("monodepth2_", (1, 3, 192, 640)),
    Family("(custom_)?(faster|mask|doublehead)_rcnn", (1, 3, 600, 800)),
    Family("siamrpn_", None),
    Family("fastscnn_citys", (1, 3, 1024, 1024), has_size=True, has_base=False),
    Family("hrnet_.*_s$", (1, 3, 480, 480), has_base=False),
    Family("danet_", (1, 3, 480, 480), has_size=True),
    Family("(deeplab|psp|icnet|fcn)_.*_citys", (1, 3, 768, 768), has_size=True),
    Family("(deeplab|psp|icnet|fcn)_", (1, 3, 480, 480), has_size=True),
    Family("c3d_", (1, 3, 16, 112, 112)),
    Family("(r2plus1d|p3d)_", (1, 3, 16, 112, 112)),
    Family("slowfast_", (1, 3, 64, 224, 224)),
    Family("i3d_", (1, 3, 32, 224, 224)),
    Family("inceptionv3_(kinetics400|sthsthv2|ucf101)", (1, 3, 299, 299)),
    Family(".*_(kinetics400|kinetics700|sthsthv2|ucf101|hmdb51|custom)"),
    Family("(inceptionv3|xception)", (1, 3, 299, 299), has_base=False),
    Family("nasnet_(5|6|7)", (1, 3, 331, 331), has_base=False),
    Family("", has_base=False),
)


def family_of(name: str) -> Family:
    """The family of a net; every name has one."""
    return next(family for family in FAMILIES if re.match(family.names, name.lower()))
