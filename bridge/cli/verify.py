"""`gluon2caffe verify`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from gluon2caffe.bridge.cli.conversion_options import conversion_options
from gluon2caffe.bridge.cli.options import (
    OutputOptions,
    SourceArgs,
    output_options,
    readers_option,
    source_options,
)
from gluon2caffe.bridge.cli.output_files import pair_at
from gluon2caffe.bridge.cli.progress_line import shown_progress
from gluon2caffe.bridge.cli.sample_option import Samples, samples_option
from gluon2caffe.bridge.cli.show import Summary, show
from gluon2caffe.bridge.cli.sizes_option import sizes_option
from gluon2caffe.bridge.cli.source_args import find_source
from gluon2caffe.bridge.cli.stage_one import opened
from gluon2caffe.onnx2caffe.errors import SourceError

if TYPE_CHECKING:
    from gluon2caffe.bridge.options import ConversionOptions


def _finite(_context: click.Context, _option: click.Parameter, number: float | None) -> float | None:
    if number is not None and not 0 <= number < math.inf:
        raise click.BadParameter(f"{number} is not a number of 0 or more.")
    return number


@click.command(short_help="Compare a saved pair with its source.")
@click.argument("prefix")
@source_options
@click.option(
    "--tolerance",
    type=float,
    callback=_finite,
    help="Largest difference allowed, as a part of the largest value of the output.  [default: 1e-4, and 0.01 on a "
    "reader in half precision]",
)
@samples_option
@sizes_option
@readers_option
@conversion_options(without=("input_shape",))
@output_options
def verify(
    prefix: str,
    source_args: SourceArgs,
    tolerance: float | None,
    samples: Samples | None,
    at_sizes: tuple[tuple[int, ...], ...] | None,
    readers: tuple[str, ...] | None,
    options: ConversionOptions,
    output: OutputOptions,
) -> int:
    """Compare the saved pair PREFIX.prototxt and PREFIX.caffemodel with its SOURCE.

    The files are run on the target's own reader where it is ready (`gluon2caffe readers` lists them), else on OpenCV
    and the Caffes, and the source in MXNet or onnxruntime. Give the options with which the pair was converted, except
    --input-shape, which the files have.

    The exit status is 1 where an output differs, a reader fails, or there is none.
    """
    found = find_source(source_args)
    pair = pair_at(prefix)
    for file in pair:
        if not file.is_file():
            raise SourceError(f"There is no file {file}.")
    with shown_progress(output) as progress:
        source = opened(found, progress, options)
        progress.begin("Verifying")
        from gluon2caffe import verify as compared

        given: dict[str, Any] = {"tolerance": tolerance, "readers": readers, **options.changed()}
        if samples is not None:
            given["samples"] = samples
        if at_sizes is not None:
            given["at_sizes"] = at_sizes
        report = compared(pair[0].with_suffix(""), source, **given)
    failure = f"{pair[0]} and {pair[1]} failed verification against {found.title}."
    return show(Summary(found.title, pair, progress.seconds(), report=report, when_failed=failure), output)
