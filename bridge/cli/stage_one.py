"""From the source to the intermediate graph, as the commands have it made."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from gluon2caffe.bridge.cli.options import Shape, Wishes
from gluon2caffe.bridge.cli.progress_line import ProgressLine
from gluon2caffe.bridge.cli.source_args import Found

if TYPE_CHECKING:
    from gluon2caffe.bridge.convert import Intermediate


def opened(found: Found, progress: ProgressLine) -> Any:
    """The source as the library takes it."""
    progress.begin("Building the net" if found.zoo_name else "Opening the source")
    return found.open()


def arguments(
    found: Found, input_shape: Shape | dict[str, Shape] | None, merge_bn: bool, wishes: Wishes
) -> dict[str, Any]:
    """The keyword arguments of `to_intermediate`; without `input_shape` where the library is to find it."""
    asked = {"merge_bn": merge_bn, **dataclasses.asdict(wishes)}
    shape = input_shape or found.usual_shape()
    return asked if shape is None else {"input_shape": shape, **asked}


def intermediate(source: Any, asked: dict[str, Any], progress: ProgressLine) -> Intermediate:
    """The normal-form graph, with the user's wishes in it."""
    progress.begin("Reading the source")
    from gluon2caffe.bridge.convert import to_intermediate

    return to_intermediate(source, **asked)


def serialised(made: Intermediate, progress: ProgressLine) -> bytes:
    """The intermediate as the content of an .onnx file, checked by onnx."""
    progress.begin("Checking the intermediate model")
    from gluon2caffe.bridge.convert import as_model

    return as_model(made).SerializeToString()


def tensors(values: Any) -> dict[str, tuple[int, ...]]:
    """Name -> shape of the inputs or the outputs of a graph."""
    return {value.name: tuple(value.shape or ()) for value in values}
