"""The scenes example: scenes that never change, weights as good as written down, a demo that tells the truth."""

import hashlib
import io
from importlib.util import find_spec

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("cv2")

import cv2
from rich.console import Console

from examples.digits.data import DigitSet, load_digit_sets
from examples.scenes import data, detector, picture, train
from gluon2caffe.onnx2caffe.errors import OutputError
from gluon2caffe.ssd_heads import Detections

needs_mxnet = pytest.mark.skipif(find_spec("mxnet") is None, reason="MXNet is not installed")


def digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def detections_of(*rows: tuple[int, float, tuple[float, float, float, float]]) -> Detections:
    """Return detections in one image from rows of class, score and box."""
    ids, scores, boxes = zip(*rows, strict=True) if rows else ((), (), ())
    return Detections(
        np.array(ids, np.int64),
        np.array(scores, np.float32),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.zeros(len(ids), np.int64),
    )


@pytest.fixture(scope="module")
def scenes() -> data.Scenes:
    return data.held_out_scenes()


@pytest.fixture(scope="module")
def trained_net():
    return detector.load_detector()


@pytest.fixture(scope="module")
def found(trained_net, scenes) -> Detections:
    return detector.detect(trained_net, scenes.inputs())


class TestScenes:
    def test_the_held_out_scenes_are_the_same_in_every_run(self, scenes):
        there = scenes.labels[:, :, 4] >= 0
        assert len(scenes) == 200
        assert np.bincount(there.sum(axis=1)).tolist() == [0, 42, 31, 36, 33, 28, 30]
        assert np.bincount(scenes.labels[there][:, 4].astype(int)).tolist() == [69, 69, 61, 72, 75, 57, 69, 71, 67, 54]
        assert digest(scenes.pictures) == "ca707e0f93b0c130"
        assert digest(scenes.labels) == "1bf3ac138377d2a2"

    def test_labels_are_filled_up_with_minus_one(self, scenes):
        absent = scenes.labels[:, :, 4] < 0
        assert (scenes.labels[absent] == -1).all()
        # Digits first, filling after them.
        assert (np.diff(absent.astype(int), axis=1) >= 0).all()

    def test_boxes_lie_on_the_canvas_and_hardly_cover_each_other(self, scenes):
        for labels in scenes.labels:
            boxes = labels[labels[:, 4] >= 0, :4].astype(int)
            assert boxes.min() >= 0 and boxes.max() <= 128
            assert (boxes[:, 2:] > boxes[:, :2]).all()
            cover = np.zeros((128, 128), int)
            for left, top, right, bottom in boxes:
                cover[top:bottom, left:right] += 1
            areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
            assert (cover > 1).sum() <= 0.05 * areas.sum()

    def test_digits_come_in_all_sizes_from_18_to_64_pixels(self, scenes):
        there = scenes.labels[scenes.labels[:, :, 4] >= 0]
        heights = there[:, 3] - there[:, 1]
        assert 16 <= heights.min() <= 20
        assert 58 <= heights.max() <= 64
        assert 28 <= np.median(heights) <= 36

    def test_a_box_fits_its_digit(self):
        # One black square of 20 x 20 among the 32 x 32 of a scan is the only ink there is.
        square = np.zeros((1, 3, 32, 32), np.float32)
        square[:, :, 6:26, 6:26] = 1
        made = data.make_scenes(DigitSet(square, np.array([7])), 30, seed=3)
        for scene, labels in zip(made.pictures, made.labels, strict=True):
            for left, top, right, bottom, digit in labels[labels[:, 4] >= 0].astype(int):
                inside = scene[top + 2 : bottom - 2, left + 2 : right - 2].reshape(-1, 3)
                assert digit == 7
                # One colour inside, but for the grain.
                assert np.ptp(inside.astype(int), axis=0).max() <= 12
                assert (right - left) / (bottom - top) == pytest.approx(1, abs=0.3)

    def test_another_seed_gives_other_scenes(self):
        digits, _ = load_digit_sets()
        one, same, other = (data.make_scenes(digits, 4, seed) for seed in (1, 1, 2))
        np.testing.assert_array_equal(one.pictures, same.pictures)
        np.testing.assert_array_equal(one.labels, same.labels)
        assert np.abs(one.pictures.astype(int) - other.pictures).mean() > 20

    @pytest.mark.parametrize(
        ("ends", "width", "rows", "columns"),
        [
            ((2, 5, 6, 5), 3, range(4, 7), range(2, 6)),
            ((9, 126, 9, 200), 1, range(126, 128), range(9, 10)),
            ((5, 5, 5, 5), 3, range(0), range(0)),
        ],
    )
    def test_lines_cover_whole_pixels(self, ends, width, rows, columns):
        canvas = np.zeros((128, 128, 3), np.uint8)
        data.draw_line(canvas, list(ends), [10, 20, 30], width)
        assert np.argwhere(canvas[:, :, 0]).tolist() == [[row, column] for row in rows for column in columns]
        assert (canvas[canvas[:, :, 0] > 0] == (10, 20, 30)).all()

    def test_the_net_takes_red_green_blue_from_0_to_1(self):
        pictures = np.zeros((1, 2, 2, 3), np.uint8)
        pictures[0, 0, 1] = (255, 51, 0)
        inputs = data.as_input(pictures)
        assert inputs.shape == (1, 3, 2, 2) and inputs.dtype == np.float32
        np.testing.assert_array_equal(inputs[0, :, 0, 1], np.array([1, 0.2, 0], np.float32))


class TestWeights:
    def test_the_facts_belong_to_the_stored_weights(self):
        facts = detector.read_facts()
        weights = detector.WEIGHTS_FILE.read_bytes()
        assert facts["weights_sha256"] == hashlib.sha256(weights).hexdigest()
        assert facts["network"] == f"SSD on {detector.BACKBONE}"
        assert facts["training_scenes"] == facts["epochs"] * train.SCENES_AN_EPOCH
        assert facts["held_out_mean_average_precision"] >= 0.9
        assert len(weights) <= 2_000_000

    @needs_mxnet
    def test_mxnet_reaches_the_precision_written_down(self, found, scenes):
        facts = detector.read_facts()
        assert facts["held_out_scenes"] == len(scenes)
        precision = detector.mean_average_precision(found, scenes)
        # Another build of MXNet adds in another order: a box on the edge of an IoU of 0.5 may change sides.
        assert precision == pytest.approx(facts["held_out_mean_average_precision"], abs=2e-3)

    @needs_mxnet
    def test_the_priors_are_not_whole_pixels(self, trained_net):
        sizes = [generator._sizes for generator in trained_net.anchor_generators]
        assert len(sizes) == 4
        assert all(size % 1 > 0.01 for pair in sizes for size in pair)


@needs_mxnet
class TestPrecision:
    @pytest.fixture
    def one_of_each(self) -> tuple[data.Scenes, Detections]:
        """Two scenes with five classes each, and detections that find all of it."""
        labels = np.full((2, 6, 5), -1, np.float32)
        for digit in range(10):
            scene, place = divmod(digit, 5)
            labels[scene, place] = (5 + 20 * place, 10, 20 + 20 * place, 40, digit)
        ids = np.arange(10)
        boxes = labels[:, :5, :4].reshape(10, 4)
        found = Detections(ids, np.linspace(0.9, 0.5, 10, dtype=np.float32), boxes, ids // 5)
        return data.Scenes(np.zeros((2, 128, 128, 3), np.uint8), labels), found

    def test_the_true_boxes_reach_all_of_it(self, one_of_each):
        scenes, found = one_of_each
        assert detector.mean_average_precision(found, scenes) == pytest.approx(1)

    @pytest.mark.parametrize(
        ("change", "precision"),
        [
            (lambda one: Detections(*(array[1:] for array in one)), 0.9),  # not found
            (lambda one: one._replace(ids=np.array([1, *range(1, 10)])), 0.85),  # 0 taken for a second 1, a better one
            (lambda one: one._replace(images=1 - one.images), 0),  # in the other scene
        ],
    )
    def test_what_is_not_found_costs_its_share(self, one_of_each, change, precision):
        scenes, found = one_of_each
        assert detector.mean_average_precision(change(found), scenes) == pytest.approx(precision)


class TestPicture:
    def draw(self, by_mxnet: Detections, by_caffe: Detections) -> np.ndarray:
        return picture.draw_scene(np.full((128, 128, 3), 128, np.uint8), by_mxnet, by_caffe)

    def places(self, pixels: np.ndarray, colour: tuple[int, int, int]) -> list[int]:
        """Return where pixels (N, 3) have a colour, but for the smoothing of edges."""
        return np.flatnonzero(np.abs(pixels.astype(int) - colour).max(axis=1) <= 10).tolist()

    def test_a_thin_line_lies_in_a_thick_one_where_boxes_coincide(self):
        box = detections_of((3, 0.9, (40, 50, 80, 90)))
        drawn = self.draw(box, box)
        assert drawn.shape == (384, 384, 3)
        across = drawn[210, 110:130]  # through the left edge: 3 * 40 = 120
        assert self.places(across, picture.CAFFE) == [9, 10]
        thick = self.places(across, picture.MXNET)
        assert len(thick) >= 4
        assert thick[0] < 8 and thick[-1] > 11
        assert (drawn[210, 150] == 128).all()

    def test_a_box_of_caffe_elsewhere_is_seen(self):
        drawn = self.draw(detections_of((3, 0.9, (40, 50, 80, 90))), detections_of((3, 0.9, (45, 50, 85, 90))))
        across = drawn[210, 110:145]
        assert all(place < 15 for place in self.places(across, picture.MXNET))
        assert self.places(across, picture.CAFFE) == [24, 25]

    def test_scores_below_a_half_are_not_drawn(self):
        weak = detections_of((3, 0.49, (40, 50, 80, 90)))
        assert (self.draw(weak, weak) == 128).all()

    def test_six_scenes_and_a_legend_fill_the_sheet(self, scenes, tmp_path):
        picture.save_picture(tmp_path / "sheet.png", scenes, detections_of(), detections_of())
        sheet = cv2.imread(str(tmp_path / "sheet.png"))
        assert sheet.shape == (2 * 396 + 12 + 40, 3 * 396 + 12, 3)
        full = [index for index in range(200) if (scenes.labels[index, :, 4] >= 0).sum() >= 4]
        for place, index in enumerate(full[:6]):
            top, left = 12 + place // 3 * 396, 12 + place % 3 * 396
            tile = sheet[top : top + 384, left : left + 384].reshape(128, 3, 128, 3, 3).mean(axis=(1, 3))
            assert np.abs(tile - scenes.pictures[index, :, :, ::-1]).mean() < 6  # but for the zooming
        assert self.places(sheet[-40:].reshape(-1, 3), picture.CAFFE)

    def test_a_file_that_cannot_be_written_is_one_sentence(self, scenes, tmp_path):
        with pytest.raises(OutputError, match=r"no/such/folder/sheet\.png cannot be written"):
            picture.save_picture(tmp_path / "no/such/folder/sheet.png", scenes, detections_of(), detections_of())


class TestTraining:
    def test_no_two_batches_are_alike(self):
        digits, _ = load_digit_sets()
        few = DigitSet(digits.pictures[:20], digits.labels[:20])
        batches = [next(train.batches_of(few, epoch)) for epoch in (0, 1)]
        assert digest(batches[0].pictures) != digest(batches[1].pictures)
        assert all(len(batch) == train.BATCH_SIZE for batch in batches)

    def test_the_learning_rate_rises_for_a_tenth_and_falls_to_nothing(self):
        rates = [train.learning_rate_at(step, 100) for step in range(100)]
        peak = train.PEAK_LEARNING_RATE
        assert rates[:11] == pytest.approx([peak * share / 10 for share in (*range(1, 11), 10)])
        assert rates[55] == pytest.approx(peak / 2)
        assert 0 < rates[99] < peak / 1000

    @needs_mxnet
    def test_the_prior_on_a_digit_is_told_its_class_and_no_other(self):
        net = train.initialised_detector()
        targets = train.Targets(net)
        labels = np.full((1, 6, 5), -1, np.float32)
        # The first prior of the first map in cell (4, 6): center (6.5 * 8, 4.5 * 8), side 0.09 * 128.
        side = 0.09 * 128
        labels[0, 0] = (52 - side / 2, 36 - side / 2, 52 + side / 2, 36 + side / 2, 7)
        classes, boxes = (target.asnumpy() for target in targets(labels))
        first = (4 * 16 + 6) * 5
        assert classes[0, first] == 8  # 0 is the background
        np.testing.assert_allclose(boxes[0, first], 0, atol=1e-4)
        assert set(np.unique(classes)) == {0, 8}
        assert 1 <= (classes == 8).sum() <= 10

    @needs_mxnet
    def test_a_few_steps_lower_the_loss(self, monkeypatch):
        monkeypatch.setattr(train, "SCENES_AN_EPOCH", 4 * train.BATCH_SIZE)
        digits, _ = load_digit_sets()
        log = io.StringIO()
        train.train(digits, 3, Console(file=log, width=100))
        lines = log.getvalue().splitlines()
        losses = [float(line.split("loss of classes ")[1].split(",")[0]) for line in lines]
        assert [line.split(":")[0] for line in lines] == ["Epoch  1/3", "Epoch  2/3", "Epoch  3/3"]
        assert losses[0] > losses[1] > losses[2]


@needs_mxnet
class TestDemo:
    @pytest.fixture
    def demo(self, monkeypatch, scenes):
        monkeypatch.setenv("COLUMNS", "120")
        monkeypatch.setenv("CAFFE_PYTHON", "/no/such/python")
        from examples.scenes import demo

        few = data.Scenes(scenes.pictures[:30], scenes.labels[:30])
        monkeypatch.setattr(demo, "held_out_scenes", lambda: few)
        return demo

    def rows(self, printed: str) -> list[list[str]]:
        return [[cell.strip() for cell in line.split("│")[1:-1]] for line in printed.splitlines() if "│" in line]

    def test_both_find_the_same_boxes(self, demo, tmp_path, capsys):
        drawing = tmp_path / "docs" / "drawn.png"
        status = demo.main(["--output", str(tmp_path / "new" / "folder"), "--picture", str(drawing)])
        printed = capsys.readouterr()
        assert (status, printed.err) == (0, "")
        (mxnet,) = [row for row in self.rows(printed.out) if row[0] == "MXNet (the source)"]
        (opencv,) = [row for row in self.rows(printed.out) if row[0] == "OpenCV dnn"]
        assert opencv[1] == mxnet[1]
        assert opencv[2] == opencv[3] == mxnet[2]
        assert int(mxnet[2]) > 100
        assert 0 < float(opencv[4]) <= 1e-4
        assert 0 < float(opencv[5].removesuffix(" px")) <= 0.05
        assert "Caffe (CAFFE_PYTHON) skipped: /no/such/python cannot be started" in printed.out
        files = {path.name for path in (tmp_path / "new" / "folder").iterdir()}
        assert files == {"scenes.prototxt", "scenes.caffemodel"}
        assert drawing.stat().st_size > 100_000

    def test_a_lost_box_ends_it_with_status_1(self, demo, tmp_path, capsys, monkeypatch):
        right = demo.detect_in_opencv

        def wrong(*arguments):
            found = right(*arguments)
            return Detections(*(array[1:] for array in found))  # the best box of the first scene is gone

        monkeypatch.setattr(demo, "detect_in_opencv", wrong)
        assert demo.main(["--output", str(tmp_path)]) == 1
        assert "The Caffe files do not find what MXNet finds" in capsys.readouterr().err
        assert (tmp_path / "scenes.png").exists()

    def test_a_caffe_without_ssd_layers_is_skipped_aloud(self, demo, monkeypatch):
        class Bvlc:
            name, available, has_ssd_layers = "BVLC Caffe", True, False

            def layer_types(self):
                return frozenset({"Convolution", "Permute"})

        monkeypatch.setattr(demo, "caffe_readers", lambda: [Bvlc()])
        usable, skipped = demo.usable_caffes()
        assert usable == []
        assert skipped == ["BVLC Caffe skipped: it has no DetectionOutput, Normalize, PriorBox layers"]

    def test_no_caffe_at_all_is_said(self, demo, monkeypatch):
        monkeypatch.setattr(demo, "caffe_readers", list)
        _, (sentence,) = demo.usable_caffes()
        assert sentence.startswith("Real Caffe skipped: no Caffe found")

    def test_a_folder_that_cannot_be_made_is_one_sentence(self, demo, tmp_path, capsys):
        (tmp_path / "file").write_text("in the way")
        assert demo.main(["--output", str(tmp_path / "file" / "folder")]) == 1
        assert capsys.readouterr().err == f"the folder {tmp_path}/file/folder cannot be made: Not a directory\n"
