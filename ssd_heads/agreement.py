"""Whether two lists of detections are the same, as far as the two kinds of suppression allow.

MXNet lets `nms_topk` boxes of all classes together enter suppression, Caffe as many of each class. So MXNet's list, by
falling score, is the head of Caffe's; Caffe's is longer only where MXNet returned fewer than `post_nms`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gluon2caffe.ssd_heads.detections import Detections

SCORE_TOLERANCE = 1e-4
CORNER_TOLERANCE = 0.05  # pixels


class DetectionDifference(NamedTuple):
    """How far two lists of detections are apart.

    Attributes:
        matched: number of detections of the reference that were found again.
        tail: number of detections found after those of the reference.
        score: largest difference of two scores.
        corner: largest difference of two corners, in pixels.
        problem: what is wrong with the lists as such, else empty.
    """

    matched: int
    tail: int
    score: float
    corner: float
    problem: str = ""

    @property
    def agrees(self) -> bool:
        """Whether everything of the reference was found, close enough, with nothing else among it."""
        return not self.problem and self.score <= SCORE_TOLERANCE and self.corner <= CORNER_TOLERANCE


def compare_detections(
    reference: Detections, found: Detections, post_nms: int, *, may_continue: bool = True
) -> DetectionDifference:
    """Match each detection of `reference` with one of `found`, image by image.

    Args:
        reference: from MXNet, by image and falling score.
        found: from a Caffe reader, likewise, without rows below the net's score threshold.
        post_nms: most detections per image that MXNet returns; 0 or less for all.
        may_continue: whether `found` may go on behind the reference: only where more boxes than `nms_topk` had a score.
    """
    total = DetectionDifference(0, 0, 0.0, 0.0)
    for image in range(1 + int(max([-1, *reference.images, *found.images]))):
        one = _compare_image(_of_image(reference, image), _of_image(found, image), post_nms, may_continue)
        total = DetectionDifference(
            total.matched + one.matched,
            total.tail + one.tail,
            max(total.score, one.score),
            max(total.corner, one.corner),
            total.problem or (f"image {image}: {one.problem}" if one.problem else ""),
        )
    return total


def _of_image(all_images: Detections, image: int) -> Detections:
    chosen = all_images.images == image
    return Detections(*(part[chosen] for part in all_images))


def _compare_image(reference: Detections, found: Detections, post_nms: int, may_continue: bool) -> DetectionDifference:
    free = np.ones(len(found.ids), bool)
    score = corner = 0.0
    for k in range(len(reference.ids)):
        scores = np.abs(found.scores - reference.scores[k])
        same = free & (found.ids == reference.ids[k]) & (scores <= SCORE_TOLERANCE)
        corners = np.abs(found.boxes - reference.boxes[k]).max(axis=1, initial=0.0)
        if not same.any():
            problem = f"class {reference.ids[k]} with score {reference.scores[k]:.4f} is not found"
            return DetectionDifference(k, 0, score, corner, problem)
        best = int(np.argmin(np.where(same, corners, np.inf)))
        free[best] = False
        score, corner = max(score, float(scores[best])), max(corner, float(corners[best]))
    matched, tail = len(reference.ids), int(free.sum())
    full = 0 < post_nms <= matched
    lowest = float(reference.scores.min(initial=np.inf))
    # Only the tail may be longer: all that is left over has a lower score than everything matched.
    if tail and not may_continue:
        problem = f"{tail} detections more than the net's, all of whose boxes entered suppression"
    elif tail and full:
        problem = f"{tail} detections more than the {post_nms} that the net returns"
    elif tail and float(found.scores[free].max()) > lowest + SCORE_TOLERANCE:
        problem = f"a detection with score {found.scores[free].max():.4f} stands among the net's, which has none there"
    else:
        problem = ""
    return DetectionDifference(matched, tail, score, corner, problem)
