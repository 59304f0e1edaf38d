import json

import numpy as np
import pytest

from gluon2caffe.bridge.verification.compare import compare, difference
from gluon2caffe.bridge.verification.report import FirstDifference
from gluon2caffe.bridge.verification.run_errors import ReaderError


def array(*values: float) -> np.ndarray:
    return np.array([values], np.float32)


def test_errors_are_relative_to_the_largest_value_of_the_reference() -> None:
    apart = difference(array(1, 2.5, -8), array(1, 2, -8))
    assert (apart.absolute, apart.relative, apart.problem) == (0.5, 0.0625, "")
    assert apart.within(0.0625)
    assert not apart.within(0.0624)


def test_the_largest_error_counts_whatever_its_sign() -> None:
    assert difference(array(3, 0, 0), array(4, 0, 0.25)).absolute == 1


def test_a_reference_of_zeros() -> None:
    assert difference(array(0, 0), array(0, 0)).relative == 0
    assert difference(array(0, 1e-9), array(0, 0)).relative == float("inf")


def test_large_numbers_of_opposite_sign_do_not_overflow() -> None:
    apart = difference(array(3e38), array(-3e38))
    assert apart.relative == pytest.approx(2)


def test_axes_of_size_one_do_not_count() -> None:
    values = np.arange(6, dtype=np.float32)
    assert difference(values.reshape(1, 2, 3, 1), values.reshape(2, 1, 3)).relative == 0


def test_other_shapes_are_a_problem() -> None:
    apart = difference(np.zeros((2, 3), np.float32), np.zeros((3, 2), np.float32))
    assert apart.problem == "shape (2, 3) instead of (3, 2)"
    assert not apart.within(float("inf"))


def test_nan_and_infinity_are_a_problem_on_either_side() -> None:
    apart = difference(array(1, np.nan, np.inf), array(1, 2, np.inf))
    assert apart.problem == "1 of 3 values of the reference are NaN or infinite"
    apart = difference(array(1, np.nan, -np.inf), array(1, 2, 3))
    assert apart.problem == "2 of 3 values of the result are NaN or infinite"
    assert not apart.within(float("inf"))


def test_no_values_at_all_agree() -> None:
    empty = np.zeros((1, 0), np.float32)
    assert difference(empty, empty).within(0)
    assert difference(empty, array(1)).problem == "shape (1, 0) instead of (1, 1)"


def test_report_of_readers_that_agree() -> None:
    report = compare(
        {"OpenCV": {"prob": array(1, 2.00001)}, "Caffe": {"prob": array(1, 2)}},
        {"softmax0_output": array(1, 2)},
        blobs={"softmax0_output": "prob"},
        skipped={"MNN": "it is not installed"},
    )
    assert report.passed
    assert report.worst is not None and report.worst.reader == "OpenCV"
    assert str(report) == (
        "reader  output           shape  max abs error  relative\n"
        "OpenCV  softmax0_output  1x2    1e-05          5e-06     ok\n"
        "Caffe   softmax0_output  1x2    0              0         ok\n"
        "MNN was skipped: it is not installed\n"
        "Agreed within 0.0001 on OpenCV, Caffe."
    )


def test_report_of_readers_that_do_not() -> None:
    report = compare(
        {
            "OpenCV": {"a": array(1, 2), "b": array(1)},
            "BVLC Caffe": ReaderError("BVLC Caffe: ended by SIGABRT while loading"),
            "Caffe-SSD": {"a": array(1, 4), "b": array(1, 1)},
            "other": {"a": array(1, 2)},
        },
        {"a": array(1, 2), "b": array(1)},
    )
    assert not report.passed
    assert [(row.reader, row.output, row.passed) for row in report.rows] == [
        ("OpenCV", "a", True),
        ("OpenCV", "b", True),
        ("Caffe-SSD", "a", False),
        ("Caffe-SSD", "b", False),
        ("other", "a", True),
        ("other", "b", False),
    ]
    assert str(report).splitlines()[3:] == [
        "Caffe-SSD  a       1x2    2              1         DIFFERS",
        "Caffe-SSD  b       1x1    -              -         shape (1, 2) instead of (1, 1)",
        "other      a       1x2    0              0         ok",
        "other      b       1x1    -              -         the reader did not return it",
        "BVLC Caffe failed: ended by SIGABRT while loading",
        "Not agreed within 0.0001 on Caffe-SSD, other, BVLC Caffe.",
    ]


def test_a_reader_that_fails_fails_the_report() -> None:
    report = compare({"A": {"y": array(1)}, "B": ReaderError("no")}, {"y": array(1)})
    assert not report.passed


def test_nothing_that_ran_is_no_pass() -> None:
    report = compare({}, {"y": array(1)}, skipped={"Caffe": "no Caffe found"})
    assert not report.passed
    assert str(report) == "Caffe was skipped: no Caffe found\nNot verified: no reader ran."


def test_the_report_as_json() -> None:
    report = compare({"A": {"y": array(1, 1)}}, {"y": array(1)}, tolerance=0.5)
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False)) == {
        "passed": False,
        "tolerance": 0.5,
        "rows": [
            {
                "reader": "A",
                "output": "y",
                "blob": "y",
                "shape": [1, 1],
                "absolute": None,
                "relative": None,
                "passed": False,
                "problem": "shape (1, 2) instead of (1, 1)",
                "sensitivity": None,
                "remark": "",
                "tolerance": None,
            }
        ],
        "failed": {},
        "skipped": {},
        "first_difference": None,
        "reference": "",
        "intermediate": [],
        "notes": [],
    }


def test_a_reader_of_another_precision_has_its_own_tolerance() -> None:
    reference = {"y": array(1, 100)}
    results = {"A": {"y": array(1, 100.005)}, "B": {"y": array(1, 100.9)}, "C": {"y": array(1, 101.1)}}
    report = compare(results, reference, own_tolerances={"B": 1e-2, "C": 1e-2})
    assert [row.passed for row in report.rows] == [True, True, False]
    assert str(report).endswith("Not agreed within 0.01 on C.")
    del results["C"]
    report = compare(results, reference, own_tolerances={"B": 1e-2})
    assert str(report).endswith("Agreed within 0.0001 on A, within 0.01 on B.")


def test_half_precision_must_find_the_same_class() -> None:
    reference = {"y": array(1, 100.0, 100.1)}
    close = {"A": {"y": array(1, 100.1, 100.0)}}
    assert compare(close, reference).passed is False
    assert compare(close, reference, tolerance=1e-2).passed
    row = compare(close, reference, own_tolerances={"A": 1e-2}).rows[0]
    assert (row.passed, row.problem) == (False, "another class is the largest in 1 of 1 rows")


def test_the_first_difference_in_words() -> None:
    found = FirstDifference(
        reader="OpenCV",
        layer="conv1",
        type="Convolution",
        blob="c",
        tensor="bn_out",
        origin=("Conv_0", "BatchNorm_0"),
        absolute=0.5,
        relative=0.125,
        unchecked=("pad1",),
    )
    assert str(found) == (
        "The first layer that differs on OpenCV is conv1 (Convolution): blob c, off by 0.5 (relative 0.12)."
        " It computes Conv_0, BatchNorm_0 and should give tensor bn_out."
        " The fault may also lie in pad1, which could not be checked."
    )
