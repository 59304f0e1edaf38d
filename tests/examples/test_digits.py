"""The digits example: a split that never moves, weights as good as written down, a demo that tells the truth."""

import hashlib
import io
from importlib.util import find_spec

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("cv2")

import cv2
from rich.console import Console

from examples.digits import classifier, comparison, data, sheet, train

needs_mxnet = pytest.mark.skipif(find_spec("mxnet") is None, reason="MXNet is not installed")


def digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


@pytest.fixture(scope="module")
def digit_sets() -> tuple[data.DigitSet, data.DigitSet]:
    return data.load_digit_sets()


@pytest.fixture(scope="module")
def trained_net():
    return classifier.load_classifier()


def test_the_split_has_the_same_digits_in_every_run(digit_sets):
    training, held_out = digit_sets
    assert (len(training), len(held_out)) == (1352, 445)
    assert digest(training.labels) == "8606bf41d57fa683"
    assert digest(held_out.labels) == "a8dfe355e2e40e33"
    assert digest(training.pictures) == "83e3984454ede662"
    assert digest(held_out.pictures) == "31c59b7a238e1f4f"


def test_a_quarter_of_each_class_is_held_out(digit_sets):
    training, held_out = digit_sets
    in_training, in_held_out = (np.bincount(part.labels, minlength=10) for part in (training, held_out))
    np.testing.assert_array_equal(in_held_out, (in_training + in_held_out) // 4)


def test_every_fourth_of_a_class_is_held_out_in_order():
    labels = np.array([5, 5, 2, 5, 5, 2, 2, 5, 2])
    assert np.nonzero(data.held_out_mask(labels))[0].tolist() == [4, 8]


def test_scaling_spreads_one_ink_spot_bilinearly():
    scan = np.zeros((1, 8, 8))
    scan[0, 2, 3] = 16
    (picture,) = data.to_pictures(scan)
    # Pixel y of 32 lies at (y + 0.5) / 4 - 0.5 of the scan: rows 6 to 13 see row 2 with these weights.
    tent = np.array([1, 3, 5, 7, 7, 5, 3, 1], np.float32) / 8
    expected = np.zeros((32, 32), np.float32)
    expected[6:14, 10:18] = np.outer(tent, tent)
    for channel in picture:
        np.testing.assert_array_equal(channel, expected)


def test_the_facts_belong_to_the_stored_weights():
    facts = classifier.read_facts()
    assert facts["weights_sha256"] == hashlib.sha256(classifier.WEIGHTS_FILE.read_bytes()).hexdigest()
    assert facts["network"] == classifier.NETWORK
    assert facts["held_out_accuracy"] == facts["held_out_correct"] / facts["held_out_digits"]
    assert facts["held_out_accuracy"] >= 0.985


@needs_mxnet
def test_mxnet_reaches_the_accuracy_written_down(digit_sets, trained_net):
    _, held_out = digit_sets
    facts = classifier.read_facts()
    scores = classifier.scores_of(trained_net, held_out.pictures)
    assert scores.shape == (445, 10)
    assert facts["held_out_digits"] == len(held_out)
    assert int((scores.argmax(axis=1) == held_out.labels).sum()) == facts["held_out_correct"]
    assert classifier.accuracy_of(scores, held_out.labels) == facts["held_out_accuracy"]


@needs_mxnet
def test_batch_norms_have_the_statistics_of_a_training(trained_net):
    parameters = trained_net.collect_params()
    for ending, untrained in (("running_mean", 0), ("running_var", 1), ("gamma", 1), ("beta", 0)):
        values = [p.data().asnumpy() for name, p in parameters.items() if name.endswith(ending)]
        assert len(values) == 21
        assert all(np.abs(one - untrained).max() > 0.02 for one in values)


def test_comparison_counts_labels_and_measures_differences():
    reference = np.array([[8.0, 1.0], [2.0, 3.0], [0.0, -16.0]], np.float32)
    scores = np.array([[8.0, 1.0], [3.5, 3.0], [0.0, -16.0]], np.float32)
    found = comparison.compare("some reader", scores, reference, np.array([0, 1, 1]))
    assert found == comparison.Comparison(
        reader="some reader",
        accuracy=pytest.approx(1 / 3),
        labels_that_differ=1,
        largest_difference=1.5,
        relative_difference=1.5 / 16,
    )
    assert not found.agrees


@pytest.mark.parametrize(
    ("error", "agrees"), [(0.0, True), (0.9e-4, True), (1.1e-4, False), (float("nan"), False), (float("inf"), False)]
)
def test_agreement_is_one_ten_thousandth_of_the_largest_score(error, agrees):
    reference = np.array([[0.0, 1.0]])
    scores = reference - np.array([[error, 0.0]])
    assert comparison.compare("some reader", scores, reference, np.array([1])).agrees is agrees


def test_scores_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"some reader gave scores of shape \(1, 3\), MXNet gave \(1, 2\)"):
        comparison.compare("some reader", np.zeros((1, 3)), np.zeros((1, 2)), np.zeros(1))


def test_the_sheet_shows_misread_digits_first_and_wrong_labels_in_red(digit_sets, tmp_path):
    _, held_out = digit_sets
    by_mxnet, by_caffe = held_out.labels.copy(), held_out.labels.copy()
    by_mxnet[300] = (by_mxnet[300] + 1) % 10
    sheet.save_sheet(tmp_path / "sheet.png", held_out, by_mxnet, by_caffe)
    drawn = cv2.imread(str(tmp_path / "sheet.png")).astype(int)
    height, width = drawn.shape[0] // sheet.ROWS, drawn.shape[1] // sheet.COLUMNS
    red = drawn[..., 2] - drawn[..., 1] > 100
    lines, columns = np.nonzero(red)
    assert red.any()
    # Only the first of its two lines, in the first cell: MXNet is wrong there, Caffe is not.
    assert lines.max() < height - sheet.MARGIN - sheet.CAPTION // 2 + 5
    assert columns.max() < width


def test_distorted_digits_depend_on_the_seed_alone(digit_sets):
    training, _ = digit_sets
    pictures = training.pictures[:5]
    one, same, other = (train.distort(pictures, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert one.shape == pictures.shape
    assert one.min() >= 0 and one.max() <= 1
    assert np.abs(one - other).max() > 0.1
    assert 0.01 < np.abs(one - pictures).mean() < 0.25


def test_the_learning_rate_rises_for_a_tenth_and_falls_to_nothing():
    rates = [train.learning_rate_at(step, 100) for step in range(100)]
    assert rates[:11] == pytest.approx([0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1, 0.1])
    assert rates[55] == pytest.approx(0.05)
    assert 0 < rates[99] < 1e-4


@needs_mxnet
def test_training_twice_gives_the_same_net(digit_sets):
    few = data.DigitSet(digit_sets[0].pictures[:130], digit_sets[0].labels[:130])
    log = io.StringIO()
    one, two = (train.train(few, 1, Console(file=log)) for _ in range(2))
    scores = [classifier.scores_of(net, few.pictures) for net in (one, two)]
    np.testing.assert_allclose(scores[0], scores[1], rtol=0, atol=1e-3 * np.abs(scores[0]).max())
    assert log.getvalue().startswith("Epoch  1/1: loss 2.")


@needs_mxnet
class TestDemo:
    @pytest.fixture
    def demo(self, monkeypatch):
        monkeypatch.setenv("COLUMNS", "100")
        monkeypatch.setenv("CAFFE_PYTHON", "/no/such/python")
        from examples.digits import demo

        return demo

    def test_both_read_the_held_out_digits_alike(self, demo, tmp_path, capsys):
        status = demo.main(["--output", str(tmp_path / "new" / "folder")])
        printed = capsys.readouterr()
        assert (status, printed.err) == (0, "")
        rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in printed.out.splitlines() if "│" in line]
        assert ["MXNet (the source)", "99.10%", "", "", ""] in rows
        (opencv,) = [row for row in rows if row[0] == "OpenCV dnn"]
        assert opencv[1:3] == ["99.10%", "0"]
        assert 0 < float(opencv[4]) <= 1e-4
        assert "Caffe (CAFFE_PYTHON) skipped: /no/such/python cannot be started" in printed.out
        files = {path.name: path.stat().st_size for path in (tmp_path / "new" / "folder").iterdir()}
        assert files.keys() == {"digits.prototxt", "digits.caffemodel", "digits.png"}
        assert 1_050_000 < files["digits.caffemodel"] < 1_150_000

    def test_a_wrong_label_ends_it_with_status_1(self, demo, tmp_path, capsys, monkeypatch):
        right = demo.scores_in_opencv

        def wrong(*arguments):
            scores = right(*arguments)
            scores[7, (scores[7].argmax() + 1) % 10] = scores[7].max() * 2
            return scores

        monkeypatch.setattr(demo, "scores_in_opencv", wrong)
        assert demo.main(["--output", str(tmp_path)]) == 1
        assert "in OpenCV dnn, 1 of 445 labels differ and the largest difference is" in capsys.readouterr().err

    def test_a_folder_that_cannot_be_made_is_one_sentence(self, demo, tmp_path, capsys):
        (tmp_path / "file").write_text("in the way")
        assert demo.main(["--output", str(tmp_path / "file" / "folder")]) == 1
        assert capsys.readouterr().err == f"the folder {tmp_path}/file/folder cannot be made: Not a directory\n"
