"""`gluon2caffe verify`."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from gluon2caffe.bridge.cli.options import (
    OutputOptions,
    SourceArgs,
    Wishes,
    output_options,
    readers_option,
    source_options,
    wish_options,
)
from gluon2caffe.bridge.cli.output_files import pair_at
from gluon2caffe.bridge.cli.progress_line import shown_progress
from gluon2caffe.bridge.cli.sample_option import Samples, samples_option
from gluon2caffe.bridge.cli.show import Summary, show
from gluon2caffe.bridge.cli.source_args import find_source
from gluon2caffe.bridge.cli.stage_one import opened
from gluon2caffe.onnx2caffe.errors import SourceError


@click.command(short_help="Compare a saved pair with its source.")
@click.argument("prefix")
@source_options
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    help="Largest difference allowed, as a part of the largest value of the output.  [default: 1e-4, and 0.01 on a "
    "reader in half precision]",
)
@samples_option
@readers_option
@wish_options
@output_options
def verify(
    prefix: str,
    source_args: SourceArgs,
    tolerance: float | None,
    samples: Samples | None,
    readers: tuple[str, ...] | None,
    wishes: Wishes,
    output: OutputOptions,
) -> int:
    """Compare the saved pair PREFIX.prototxt and PREFIX.caffemodel with its SOURCE.

    The files are run on the readers that are ready (`gluon2caffe readers` lists them), and the source in MXNet or
    onnxruntime. Give the options for softmax, preprocessing and outputs with which the pair was converted.

    The exit status is 1 where an output differs, a reader fails, or there is none.
    """
    found = find_source(source_args)
    pair = pair_at(prefix)
    for file in pair:
        if not file.is_file():
            raise SourceError(f"There is no file {file}.")
    with shown_progress(output) as progress:
        source = opened(found, progress)
        progress.begin("Verifying")
        from gluon2caffe import verify as compared

        given: dict[str, Any] = {"tolerance": tolerance, "readers": readers, **dataclasses.asdict(wishes)}
        if samples is not None:
            given["samples"] = samples
        report = compared(pair[0].with_suffix(""), source, **given)
    failure = f"{pair[0]} and {pair[1]} are not shown to compute what {found.title} does."
    return show(Summary(found.title, pair, progress.seconds(), report=report, when_failed=failure), output)
