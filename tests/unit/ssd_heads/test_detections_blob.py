"""Reading DetectionOutput blobs, and matching two lists of detections. Needs no MXNet."""

from typing import Any

import numpy as np
import pytest

from gluon2caffe.ssd_heads import Detections, compare_detections, detections, from_gluon

# Image 0 has two classes, image 1 one; the boxes are parts of an image of 100 x 200 (height x width).
GROUPED = [
    [0, 1, 0.5, 0.1, 0.2, 0.3, 0.4],
    [0, 1, 0.25, 0.5, 0.5, 0.75, 1.0],
    [0, 3, 0.75, 0.0, -0.1, 1.5, 1.0],
    [1, 2, 0.625, 0.25, 0.25, 0.5, 0.5],
]


def check_grouped(found: Detections) -> None:
    assert found.ids.tolist() == [2, 0, 0, 1]
    assert found.scores.tolist() == [0.75, 0.5, 0.25, 0.625]
    assert found.images.tolist() == [0, 0, 0, 1]
    np.testing.assert_allclose(
        found.boxes, [[0, -10, 300, 100], [20, 20, 60, 40], [100, 50, 150, 100], [50, 25, 100, 50]], rtol=1e-6
    )
    assert [part.dtype for part in found] == [np.int64, np.float32, np.float32, np.int64]


def test_caffes_rows_are_grouped_by_class() -> None:
    check_grouped(detections(np.array([[GROUPED]], np.float32), (100, 200)))


def test_opencvs_rows_are_sorted_and_padded_with_zeros() -> None:
    rows = [GROUPED[2], GROUPED[0], GROUPED[1], GROUPED[3], *[[0] * 7] * 5]
    check_grouped(detections(np.array([[rows]]), (100, 200)))


@pytest.mark.parametrize("form", [(4, 7), (1, 4, 7), (28,), (2, 2, 7)])
def test_any_shape_of_rows_of_seven(form: tuple[int, ...]) -> None:
    if form == (28,):
        with pytest.raises(ValueError, match=r"rows of 7 or 6 numbers, not of shape \(28,\)"):
            detections(np.zeros(form), 100)
        return
    check_grouped(detections(np.array(GROUPED).reshape(form), (100, 200)))


def test_lists_and_a_square_image() -> None:
    found = detections(GROUPED[:1], 50)
    np.testing.assert_allclose(found.boxes, [[5, 10, 15, 20]], rtol=1e-6)
    np.testing.assert_array_equal(detections(GROUPED[:1], np.int64(50)).boxes, found.boxes)


@pytest.mark.parametrize(
    "blob",
    [
        np.full((1, 1, 1, 7), -1),
        [[0, -1, -1, -1, -1, -1, -1], [1, -1, -1, -1, -1, -1, -1]],
        np.zeros((1, 1, 100, 7)),
        np.zeros((1, 1, 0, 7)),
        np.zeros((0, 7)),
    ],
    ids=["Caffe's row of -1", "a row for each image", "OpenCV's zeros", "no row", "nothing"],
)
def test_nothing_found(blob: Any) -> None:
    found = detections(blob, (100, 200))
    assert [part.shape for part in found] == [(0,), (0,), (0, 4), (0,)]
    assert [part.dtype for part in found] == [np.int64, np.float32, np.float32, np.int64]


def test_nothing_in_one_image_of_two() -> None:
    rows = [[0, -1, -1, -1, -1, -1, -1], GROUPED[3]]
    found = detections(rows, (100, 200))
    assert found.images.tolist() == [1]
    assert found.ids.tolist() == [1]


def test_images_in_any_order() -> None:
    found = detections([GROUPED[3], *GROUPED[:3]], (100, 200))
    check_grouped(found)


@pytest.mark.parametrize(("threshold", "count"), [(0.0, 4), (0.25, 4), (0.26, 3), (0.7, 1), (0.8, 0)])
def test_score_threshold(threshold: float, count: int) -> None:
    found = detections(GROUPED, 100, score_threshold=threshold)
    assert len(found.ids) == count
    assert (found.scores >= threshold).all()


@pytest.mark.parametrize("shape", [(1, 1, 5, 8), (7, 2), (1, 1, 7, 3), (), (3,)])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="rows of 7 or 6 numbers"):
        detections(np.zeros(shape), 100)


def test_equal_scores_keep_their_order() -> None:
    rows = [[0, 3, 0.5, 0, 0, 1, 1], [0, 1, 0.5, 0, 0, 1, 1], [0, 2, 0.5, 0, 0, 1, 1]]
    assert detections(rows, 10).ids.tolist() == [2, 0, 1]


def test_from_gluon() -> None:
    ids = [[[1], [-1], [0]], [[2], [0], [-1]]]
    scores = [[[0.25], [-1], [0.5]], [[0.125], [0.75], [0]]]
    boxes = np.arange(24).reshape(2, 3, 4)
    found = from_gluon(ids, scores, boxes)
    assert found.ids.tolist() == [0, 1, 0, 2]
    assert found.scores.tolist() == [0.5, 0.25, 0.75, 0.125]
    assert found.images.tolist() == [0, 0, 1, 1]
    assert found.boxes[:, 0].tolist() == [8, 0, 16, 12]


class TestComparison:
    """Whether a reader's list is MXNet's, and where it may be longer."""

    ROWS = ((0, 1, 0.9, 10.0), (0, 0, 0.5, 20.0), (0, 1, 0.3, 30.0), (1, 2, 0.8, 40.0))

    def made(self, *rows: tuple[int, int, float, float]) -> Detections:
        """Of rows of image, class, score and place; boxes are 8 pixels wide and high."""
        images, ids, scores, places = zip(*rows, strict=True) if rows else ((), (), (), ())
        corners = np.array(places, np.float32)[:, None] + np.array([0, 0, 8, 8], np.float32)
        return Detections(
            np.array(ids, np.int64), np.array(scores, np.float32), corners.reshape(-1, 4), np.array(images, np.int64)
        )

    def test_the_same(self) -> None:
        difference = compare_detections(self.made(*self.ROWS), self.made(*self.ROWS), 100)
        assert difference == (4, 0, 0.0, 0.0, "")
        assert difference.agrees

    def test_none_at_all(self) -> None:
        assert compare_detections(self.made(), self.made(), 100) == (0, 0, 0.0, 0.0, "")

    def test_the_largest_differences_are_told(self) -> None:
        near = [(0, 1, 0.9, 10.01), (0, 0, 0.50005, 20.0), (0, 1, 0.3, 30.0), (1, 2, 0.8, 39.96)]
        difference = compare_detections(self.made(*self.ROWS), self.made(*near), 100)
        assert difference.score == pytest.approx(5e-5, rel=1e-2)
        assert difference.corner == pytest.approx(0.04, rel=1e-3)
        assert difference.agrees

    def test_corners_too_far(self) -> None:
        difference = compare_detections(self.made(*self.ROWS[:1]), self.made((0, 1, 0.9, 10.06)), 100)
        assert difference.corner == pytest.approx(0.06, rel=1e-3)
        assert not difference.agrees

    @pytest.mark.parametrize(
        "other", [(0, 2, 0.9, 10.0), (0, 1, 0.9002, 10.0), (1, 1, 0.9, 10.0)], ids=["class", "score", "image"]
    )
    def test_one_that_is_not_found(self, other: tuple[int, int, float, float]) -> None:
        difference = compare_detections(self.made(*self.ROWS), self.made(other, *self.ROWS[1:]), 100)
        assert not difference.agrees
        assert difference.problem == "image 0: class 1 with score 0.9000 is not found"

    def test_nothing_found_at_all(self) -> None:
        assert not compare_detections(self.made(*self.ROWS), self.made(), 100).agrees

    def test_each_is_used_once(self) -> None:
        twice = self.made(*[(0, 1, 0.9, 10.0)] * 2)
        assert not compare_detections(twice, self.made((0, 1, 0.9, 10.0)), 100).agrees
        assert compare_detections(twice, twice, 100).matched == 2

    def test_equal_scores_in_another_order(self) -> None:
        rows = [(0, 1, 0.5, 10.0), (0, 1, 0.5, 20.0), (0, 1, 0.5, 30.0)]
        assert compare_detections(self.made(*rows), self.made(*rows[::-1]), 100) == (3, 0, 0.0, 0.0, "")

    def test_a_tail_of_lower_scores_where_fewer_were_returned(self) -> None:
        difference = compare_detections(self.made(*self.ROWS), self.made(*self.ROWS, (0, 2, 0.25, 1.0)), 100)
        assert (difference.matched, difference.tail, difference.problem) == (4, 1, "")
        assert difference.agrees

    def test_no_tail_where_the_list_was_full(self) -> None:
        difference = compare_detections(self.made(*self.ROWS[:3]), self.made(*self.ROWS[:3], (0, 2, 0.25, 1.0)), 3)
        assert difference.problem == "image 0: 1 detections more than the 3 that the net returns"
        assert not difference.agrees

    def test_nothing_else_among_them(self) -> None:
        difference = compare_detections(self.made(*self.ROWS), self.made(*self.ROWS, (0, 2, 0.4, 1.0)), 100)
        assert "score 0.4000 stands among the net's" in difference.problem
        assert not difference.agrees

    def test_an_image_with_more_than_the_other_found_none(self) -> None:
        """A tail is measured in its own image: the other's scores say nothing about it."""
        difference = compare_detections(self.made(*self.ROWS[:3]), self.made(*self.ROWS), 100)
        assert difference.tail == 1


def test_rows_of_six() -> None:
    """As ncnn and MNN give them: without the image."""
    rows = np.array([[2, 0.9, 0.1, 0.2, 0.3, 0.4], [1, 0.95, 0, 0, 1, 1], [0, 0, 0, 0, 0, 0]], np.float32)
    found = detections(rows, (100, 200))
    assert found.ids.tolist() == [0, 1]
    assert found.images.tolist() == [0, 0]
    np.testing.assert_allclose(found.boxes[1], [20, 20, 60, 40], rtol=1e-6)
