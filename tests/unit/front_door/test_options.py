"""The options of a conversion: validated once, alike in the library and on the command line."""

from __future__ import annotations

import inspect
import pickle
from dataclasses import FrozenInstanceError, fields
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
from agreement import model

import gluon2caffe
from gluon2caffe.bridge.cli.commands import commands
from gluon2caffe.bridge.conversion import Conversion
from gluon2caffe.bridge.inspection.inspect import inspect_source
from gluon2caffe.bridge.options import (
    ConversionKeywords,
    ConversionOptions,
    choices,
    conversion_options,
    flags,
    option_table,
)
from gluon2caffe.onnx2caffe.errors import ConversionError
from gluon2caffe.onnx2caffe.targets import PROFILES, TargetName

NAMES = [each.name for each in fields(ConversionOptions)]


def test_type_checkers_see_every_option() -> None:
    by_keyword = get_type_hints(ConversionKeywords)
    hints = get_type_hints(ConversionOptions)
    assert by_keyword == {name: hint for name, hint in hints.items() if name != "input_shape"}


def test_type_checkers_see_every_target() -> None:
    assert get_args(TargetName) == tuple(PROFILES)
    assert choices("target") == tuple(PROFILES)
    assert choices("softmax") == ()


@pytest.mark.parametrize("call", [gluon2caffe.to_caffe, gluon2caffe.to_onnx, inspect_source])
def test_help_shows_every_option(call: Any) -> None:
    parameters = inspect.signature(call).parameters
    assert list(parameters) == ["source", *NAMES]
    assert parameters["relu6"].default == "exact" and parameters["merge_bn"].default is True
    for name, _, text in option_table():
        assert f"    {name}: {text}" in call.__doc__.splitlines()


def test_the_command_line_has_every_option() -> None:
    written = {
        name: {text for each in command.params for text in each.opts} for name, command in commands.commands.items()
    }
    every = {flags(name).split("/")[0] for name in NAMES}
    assert every <= written["convert"] and every <= written["inspect"]
    assert written["onnx"] & every == every - {"--relu6", "--target", "--any-size"}
    assert written["verify"] & every == every - {"--input-shape"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"input_shpae": (1, 3)},
            "unknown option 'input_shpae'. Did you mean 'input_shape'? Options: input_shape, softmax,",
        ),
        ({"bgr": True}, "unknown option 'bgr'. Did you mean 'to_bgr'?"),
        ({"opset": 13}, "unknown option 'opset'. Options: input_shape,"),
        ({"relu6": "exat"}, "relu6='exat' is not valid: expected 'exact', 'layer' or 'relu'. Did you mean 'exact'?"),
        ({"heads": ["raw"]}, r"heads=\['raw'\] is not valid: expected 'detection' or 'raw'"),
        ({"target": "openvc"}, "or 'nnie'. Did you mean 'opencv'?"),
        ({"softmax": "no"}, "softmax='no' is not valid: expected True or False."),
        ({"merge_bn": None}, "merge_bn=None is not valid: expected True or False."),
        ({"mean": "1,2,3"}, "mean='1,2,3' is not valid: expected one number, or one per channel."),
        ({"mean": []}, r"mean=\[\] is not valid: expected one number, or one per channel."),
        ({"std": [1, float("inf")]}, r"std=\[1, inf\] is not valid: expected finite numbers."),
        ({"std": 0}, "std=0 is not valid: the net would divide by 0."),
        ({"outputs": []}, r"outputs=\[\] is not valid: expected names of tensors, such as \['fc1'\]."),
        ({"outputs": [1]}, r"outputs=\[1\] is not valid"),
        (
            {"input_shape": (1, 3, 0, 2)},
            r"input_shape=\(1, 3, 0, 2\) is not valid: expected positive integers, such",
        ),
        ({"input_shape": {"x": (1, 2.5)}}, r"input_shape=\(1, 2.5\) is not valid"),
        ({"input_shape": 224}, "input_shape=224 is not valid"),
    ],
)
def test_what_is_wrong_is_said_before_the_source_is_read(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConversionError, match=message.replace("?", r"\?")):
        conversion_options(wrong)
    if "input_shape" not in wrong:
        for call in (gluon2caffe.to_caffe, gluon2caffe.to_onnx, gluon2caffe.inspect_source):
            with pytest.raises(ConversionError, match=message.replace("?", r"\?")):
                call("absent.onnx", **wrong)


def test_values_have_one_form() -> None:
    made = ConversionOptions(
        input_shape={"x": [1, np.int64(3)]},
        mean=np.array([1, 2, 3], np.float32),
        std=2,
        outputs="fc1",
        softmax=np.True_,
    )
    assert made == ConversionOptions({"x": (1, 3)}, True, mean=(1.0, 2.0, 3.0), std=(2.0,), outputs=("fc1",))
    assert type(made.softmax) is bool and made.mean == (1.0, 2.0, 3.0) and type(made.mean) is tuple
    assert list(made.changed()) == ["input_shape", "softmax", "mean", "std", "outputs"]
    assert pickle.loads(pickle.dumps(made)) == made
    with pytest.raises(FrozenInstanceError):
        made.softmax = False  # type: ignore[misc]


def test_a_conversion_remembers_its_options() -> None:
    source = model("(float[1,3,4,4] x) => (float[] y) { y = Relu(x) }")
    made = gluon2caffe.to_caffe(source, (1, 3, 4, 4), mean=2, target="opencv")
    assert isinstance(made, Conversion)
    assert made.options == ConversionOptions((1, 3, 4, 4), mean=2, target="opencv")
    assert not hasattr(made.model, "options")
