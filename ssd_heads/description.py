"""What the heads of an SSD are, read from the net: typed, printable, independent of MXNet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gluon2caffe.onnx2caffe.errors import SourceError

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Head:
    """The boxes and predictors on one feature map.

    Attributes:
        index: its place among the heads.
        feature_shape: (height, width) of the feature map.
        anchors: (height, width, boxes per cell, 4) as the net uses them: center x, center y, width, height in pixels.
        generator: class name of the anchor generator.
        sizes: the generator's own sizes in pixels; empty where only the anchors are known.
        ratios: the generator's aspect ratios.
        clip: whether the generator clips its anchors.
        predictors: names of the class and the box predictor.
        beyond: the anchors of a map with one more row and one more column, where the source has them.
    """

    index: int
    feature_shape: tuple[int, int]
    anchors: Floats
    generator: str
    sizes: tuple[float, ...]
    ratios: tuple[float, ...]
    clip: bool
    predictors: tuple[str, str]
    beyond: Floats | None = None

    @property
    def boxes_per_cell(self) -> int:
        """Number of anchors at each place of the feature map."""
        return int(self.anchors.shape[2])

    @property
    def box_count(self) -> int:
        """Number of anchors."""
        return int(np.prod(self.anchors.shape[:3]))

    def require_widths(self, classes: int, class_channels: int, box_channels: int) -> None:
        """Compare the channels of its predictors with its boxes and the number of foreground classes.

        Raises:
            SourceError: a predictor has another width; the message names it.
        """
        boxes = self.boxes_per_cell
        rows = (
            ("class", self.predictors[0], class_channels, boxes * (classes + 1), f" and {classes} classes"),
            ("box", self.predictors[1], box_channels, boxes * 4, ""),
        )
        for kind, name, found, wanted, more in rows:
            if found != wanted:
                raise SourceError(
                    f"The {kind} predictor {name} of feature map {self.index} gives {found} channels; {boxes} boxes "
                    f"per cell{more} need {wanted}."
                )


@dataclass(frozen=True, eq=False)
class SSDDescription:
    """An SSD's heads, decoders and non-maximum suppression.

    Attributes:
        name: of the net.
        image_size: (height, width) of the input in pixels.
        heads: one per feature map, in order.
        variances: what the decoder multiplies the four box predictions by (GluonCV's stds).
        box_clip: upper bound of the decoder's log sizes; None for none.
        classes: names of the foreground classes.
        score_threshold: a box is reported for scores above this.
        nms_threshold: overlap above which the weaker box goes; None where suppression is switched off.
        nms_topk: number of boxes that enter suppression; 0 or less for all.
        post_nms: number of boxes that are reported; 0 or less for all.
        best_class: whether a box has a score for its best class only.
        in_pixels: whether the anchors are counted in pixels, so that a picture of another size has the same.
    """

    name: str
    image_size: tuple[int, int]
    heads: tuple[Head, ...]
    variances: tuple[float, float, float, float]
    box_clip: float | None
    classes: tuple[str, ...]
    score_threshold: float
    nms_threshold: float | None
    nms_topk: int
    post_nms: int
    best_class: bool = False
    in_pixels: bool = True

    @property
    def box_count(self) -> int:
        """Number of anchors on all feature maps."""
        return sum(head.box_count for head in self.heads)

    def __str__(self) -> str:
        height, width = self.image_size
        best = ", best class of each box" if self.best_class else ""
        suppression = "off" if self.nms_threshold is None else f"overlap above {self.nms_threshold:g}"
        lines = [
            f"{self.name}: input {height}×{width}, {self.box_count} boxes, {len(self.classes)} classes",
            f"decoder: variances {', '.join(f'{v:g}' for v in self.variances)}, scores above {self.score_threshold:g}",
            f"suppression: {suppression}{best}, of {_count(self.nms_topk)} boxes, {_count(self.post_nms)} reported",
        ]
        for head in self.heads:
            rows, columns = head.feature_shape
            boxes = f"map {head.index}: {rows}×{columns}, {head.boxes_per_cell} boxes per cell"
            clipped = ", clipped" if head.clip else ""
            if head.sizes:
                sizes = ", ".join(f"{size:g}" for size in head.sizes)
                ratios = ", ".join(f"{ratio:.3g}" for ratio in head.ratios)
                lines.append(f"{boxes}, sizes {sizes}, ratios {ratios} ({head.generator}{clipped})")
            else:
                cell = ", ".join(f"{width:g}×{height:g}" for width, height in head.anchors[0, 0, :, 2:])
                lines.append(f"{boxes}: {cell} ({head.generator}{clipped})")
        return "\n".join(lines)


def _count(number: int) -> str:
    return str(number) if number > 0 else "all"
