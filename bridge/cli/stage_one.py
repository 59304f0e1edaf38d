"""From the source to the intermediate graph, as the commands have it made."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from gluon2caffe.bridge.cli.progress_line import ProgressLine
from gluon2caffe.bridge.cli.source_args import Found

if TYPE_CHECKING:
    from gluon2caffe.bridge.conversion import Intermediate
    from gluon2caffe.bridge.options import ConversionOptions


def opened(found: Found, progress: ProgressLine, options: ConversionOptions) -> Any:
    """The source as the library takes it, a zoo net for the input shape asked for."""
    progress.begin("Building the net" if found.zoo_name else "Opening the source")
    shape = options.input_shapes
    return found.open(next(iter(shape.values())) if isinstance(shape, dict) and len(shape) == 1 else _plain(shape))


def _plain(shape: Any) -> tuple[int, ...] | None:
    return shape if isinstance(shape, tuple) else None


def options_for(found: Found, options: ConversionOptions) -> ConversionOptions:
    """The options, with the size that a zoo net was trained on where none is given."""
    if options.input_shape is not None:
        return options
    return dataclasses.replace(options, input_shape=found.usual_shape())


def intermediate(source: Any, options: ConversionOptions, progress: ProgressLine) -> Intermediate:
    """The normal-form graph."""
    progress.begin("Reading the source")
    from gluon2caffe.bridge.convert import to_intermediate

    return to_intermediate(source, options)


def serialised(made: Intermediate, progress: ProgressLine) -> bytes:
    """The intermediate as the content of an .onnx file, checked by onnx."""
    progress.begin("Checking the intermediate model")
    from gluon2caffe.bridge.convert import as_model

    return as_model(made).SerializeToString()


def tensors(values: Any) -> dict[str, tuple[int, ...]]:
    """Name -> shape of the inputs or the outputs of a graph."""
    return {value.name: tuple(value.shape or ()) for value in values}
