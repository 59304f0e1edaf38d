import numpy as np
import pytest
from agreement import Case, layer_types, random_inputs, run, table

import gluon2caffe
from gluon2caffe import UnsupportedModelError
from gluon2caffe.bridge.verification.reference_onnx import run_onnx

REGIONS = np.float32([[0, 0, 0, 7, 8], [1, 2, 1, 5, 6], [0, 3, 3, 3, 3], [1, 0, 4, 7, 8]])


def _pool(attributes: str) -> Case:
    text = f"(float[2,3,9,8] x, float[4,5] r) => (float[] y) {{ y = MaxRoiPool<{attributes}>(x, r) }}"
    return Case(text, 11, options={"target": "opencv"})


CASES = {
    "whole numbers": _pool("pooled_shape=[3,2]"),
    "half the scale": _pool("pooled_shape=[2,2], spatial_scale=0.5"),
}


@table(CASES)
def test_agrees_on_opencv(case: Case) -> None:
    """The Caffes at hand have either no such layer or one of a fork that reads its regions in another way."""
    converted = gluon2caffe.to_caffe(case.model(), **case.options)
    assert layer_types(converted) == ["Reshape", "ROIPooling"]
    fed = {**random_inputs({"x": (2, 3, 9, 8)}), "r": REGIONS}
    expected = run_onnx(case.model(), fed, ["y"])["y"]
    assert np.array_equal(run(converted, fed)["OpenCV"]["y"], expected)


def test_refused_where_there_is_no_layer() -> None:
    with pytest.raises(
        UnsupportedModelError, match=r"the target 'ssd' has no ROIPooling layer. Remedy: choose the target 'opencv'"
    ):
        gluon2caffe.to_caffe(CASES["whole numbers"].model())
