"""Operators of a user's own, registered from outside the package."""

from __future__ import annotations

import importlib
import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from agreement import agrees, layer_types

import gluon2caffe
from gluon2caffe.bridge.export.operators.registry import SHAPE_RULES, TRANSLATORS
from gluon2caffe.extend import lowering, same_shape, translates
from gluon2caffe.onnx2caffe.registry import _LOWERINGS

# The operators are registered for these tests alone: others list all that are.
NAME, KEY = "my_scaled_square", ("com.example", "ScaledSquare")
X = np.linspace(-2, 2, 24, dtype=np.float32).reshape(1, 2, 3, 4)


@pytest.fixture(scope="module", autouse=True)
def user_operators() -> Iterator[ModuleType]:
    yield importlib.import_module("user_operators")
    del sys.modules["user_operators"], _LOWERINGS[KEY], TRANSLATORS[NAME], SHAPE_RULES[NAME]


def test_an_onnx_operator_of_another_domain(user_operators: ModuleType) -> None:
    made = gluon2caffe.to_caffe(user_operators.model(alpha=0.5))
    assert layer_types(made) == ["Power", "ReLU"]
    agrees(made, {"x": X}, {"y": (0.5 * X) ** 2})


def test_it_refuses_as_ours_do(user_operators: ModuleType) -> None:
    with pytest.raises(gluon2caffe.UnsupportedModelError) as error:
        gluon2caffe.to_caffe(user_operators.model(alpha=0.0))
    (refusal,) = error.value.refusals
    assert (refusal.operator, refusal.reason, refusal.remedy) == ("ScaledSquare", "alpha is 0", "leave the node out")


def _files(folder: Path, attributes: dict[str, str]) -> tuple[Path, Path]:
    """A symbol with the operator, and a file of no parameters."""
    nodes = [
        {"op": "null", "name": "data", "inputs": []},
        {"op": "my_scaled_square", "name": "square", "attrs": attributes, "inputs": [[0, 0, 0]]},
    ]
    symbol = {"nodes": nodes, "arg_nodes": [0], "heads": [[1, 0, 0]]}
    (folder / "net-symbol.json").write_text(json.dumps(symbol))
    # Magic number, reserved, no arrays, no names.
    (folder / "net-0000.params").write_bytes(struct.pack("<4Q", 0x112, 0, 0, 0))
    return folder / "net-symbol.json", folder / "net-0000.params"


def test_an_mxnet_operator(tmp_path: Path) -> None:
    made = gluon2caffe.to_caffe(_files(tmp_path, {"alpha": "3"}), X.shape)
    agrees(made, {"data": X}, {"square": (3 * X) ** 2})


def test_an_mxnet_operator_that_is_not_exact(tmp_path: Path) -> None:
    with pytest.raises(gluon2caffe.SourceError, match="beta is not known"):
        gluon2caffe.to_caffe(_files(tmp_path, {"beta": "1"}), X.shape)


def test_a_name_is_given_once(user_operators: ModuleType) -> None:
    with pytest.raises(ValueError, match="ScaledSquare since 1 is registered twice"):
        lowering("ScaledSquare", domain="com.example")(user_operators.scaled_square)
    with pytest.raises(ValueError, match="my_scaled_square already has a translation: my_scaled_square"):
        translates("my_scaled_square", shape=same_shape)(user_operators.my_scaled_square)
