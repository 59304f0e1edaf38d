"""What `make fuzz` has found, at its smallest."""

import json
from pathlib import Path

import numpy as np
import pytest
from agreement import model

import gluon2caffe
from gluon2caffe.onnx2caffe.errors import SourceError
from tests.property.other_sizes import check_sizes
from tests.unit.mxnet_files.wild import save_params

SHAPE = (1, 2, 3, 3)


def test_a_batch_norm_that_has_lost_an_input(tmp_path: Path) -> None:
    names = ["data", "gamma", "beta", "mean"]
    nodes = [{"op": "null", "name": name, "inputs": []} for name in names]
    norm = {"op": "BatchNorm", "name": "bn", "attrs": {"fix_gamma": "False"}, "inputs": [[i, 0, 0] for i in range(4)]}
    graph = {"nodes": [*nodes, norm], "arg_nodes": [0, 1, 2, 3], "heads": [[4, 0, 0]]}
    graph["attrs"] = {"mxnet_version": ["int", 10901]}
    symbol = tmp_path / "net-symbol.json"
    symbol.write_text(json.dumps(graph))
    params = tmp_path / "net-0000.params"
    save_params(params, {f"arg:{name}": np.ones(2, np.float32) for name in names[1:]})
    with pytest.raises(SourceError, match="bn"):
        gluon2caffe.to_caffe((symbol, params), SHAPE)


def test_the_sizes_of_a_model_name_its_own_inputs_alone() -> None:
    source = model("(float[2,4,2] x, float[2,1] unread) => (float[] y) { y = Relu(x) }")
    converted = gluon2caffe.to_caffe(source)
    assert converted.sizes is not None
    assert converted.inputs == {"x": (2, 4, 2)}
    assert converted.sizes.includes({"x": (3, 4, 2)})
    assert converted.sizes.includes((2, 4, 5))


def test_an_input_without_axes() -> None:
    converted = gluon2caffe.to_caffe(model("(float v, float[1,2,2,2] x) => (float[] y) { y = Div(x, v) }"))
    assert converted.inputs == {"v": (), "x": (1, 2, 2, 2)}


SIZES_DECIDE = {
    "a transposition that moves axes of length 1": (
        "(float[1,1,1,1,1,1] x) => (float[] y) { y = Transpose<perm=[0,1,4,2,5,3]>(x) }",
        "axis 2 of any size, axis 3 of any size, axis 4 1 only, axis 5 1 only "
        "(nothing is left; y: only axes of length 1 move), any batch",
    ),
    "a transposition that moves the batch": (
        "(float[1,1,3,4] x) => (float[] y) { y = Transpose<perm=[1,0,2,3]>(x) }",
        "any size, batch 1",
    ),
    "one value that linear interpolation repeats": (
        '(float[1,2,1,1] x) => (float[] y) <float[4] s = {1,1,2,3}> { y = Resize<mode="linear">(x, "", s) }',
        "1×1 only (y: repeated; nothing is left), any batch",
    ),
    "two values that align_corners repeats": (
        '(float[1,2,1,2] x) => (float[] y) <float[4] s = {1,1,1,3}> { y = Resize<mode="nearest", '
        'coordinate_transformation_mode="align_corners", nearest_mode="round_prefer_ceil">(x, "", s) }',
        "height of any size, width 2 only (nothing is left; y: repeated), any batch",
    ),
    "a Flatten of everything": (
        "(float[1,2,3] x) => (float[] y) { a = Flatten<axis=0>(x) y = Softmax<axis=1>(a) }",
        "3 only (a: a Reshape to fixed lengths), batch 1",
    ),
    "an axis in front of the batch": (
        "(float[1,2,3] x) => (float[] y) <int64[1] axes = {0}> { a = Unsqueeze(x, axes) y = Softmax<axis=1>(a) }",
        "3 only (a: a Reshape to fixed lengths), batch 1",
    ),
    "a piece of the last axis": (
        "(float[1,8,8,6] x) => (float[] y) <int64[2] c = {2, 0}> { y = Gather<axis=3>(x, c) }",
        "height of any size, width 6 only (y/gather: cut at fixed places; y: picked places), any batch",
    ),
    "a piece of the last of five axes": (
        "(float[1,2,3,3,4] x) => (float[] y) <int64[2] c = {2, 0}> { y = Gather<axis=4>(x, c) }",
        "depth 3 only, height of any size, width 4 only "
        "(y: cut at fixed places; y/gather: cut at fixed places), any batch",
    ),
    "a whole factor": (
        '(float[1,2,1,2] x) => (float[] y) <float[4] s = {1,1,2,2}> { y = Resize<mode="nearest", '
        'coordinate_transformation_mode="asymmetric", nearest_mode="floor">(x, "", s) }',
        "any size, any batch",
    ),
}


@pytest.mark.parametrize(("text", "words"), SIZES_DECIDE.values(), ids=list(SIZES_DECIDE))
def test_sizes_at_which_a_conversion_would_differ_are_not_included(text: str, words: str) -> None:
    source = model(text)
    converted = gluon2caffe.to_caffe(source)
    assert converted.sizes is not None
    assert converted.sizes.words == words
    check_sizes(source, converted, {})
