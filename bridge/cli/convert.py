"""`gluon2caffe convert`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gluon2caffe.bridge.cli.conversion_options import conversion_options
from gluon2caffe.bridge.cli.convert_many import convert_many
from gluon2caffe.bridge.cli.failures import InterruptedAfterWriting, status_of
from gluon2caffe.bridge.cli.options import (
    OutputOptions,
    output_options,
    readers_option,
    sources_options,
)
from gluon2caffe.bridge.cli.output_files import check_writable, pair_at
from gluon2caffe.bridge.cli.progress_line import ProgressLine, shown_progress
from gluon2caffe.bridge.cli.sample_option import Samples, samples_option
from gluon2caffe.bridge.cli.show import Summary, show
from gluon2caffe.bridge.cli.sizes_option import sizes_option
from gluon2caffe.bridge.cli.source_args import Found, find_source, listed_sources
from gluon2caffe.bridge.cli.stage_one import opened, options_for, serialised, tensors
from gluon2caffe.onnx2caffe.atomic import atomic_files
from gluon2caffe.onnx2caffe.errors import ConversionError

if TYPE_CHECKING:
    from gluon2caffe.bridge.conversion import Conversion, Intermediate
    from gluon2caffe.bridge.options import ConversionOptions
    from gluon2caffe.bridge.verification.report import Report


@click.command()
@sources_options
@click.option(
    "-o",
    "--output",
    "prefix",
    metavar="PREFIX",
    help="Write PREFIX.prototxt and PREFIX.caffemodel; of several sources, into the folder of this name.  [default: "
    "the name of the source, in the current folder]",
)
@conversion_options()
@click.option("--save-onnx", is_flag=True, help="Write the intermediate model to PREFIX.onnx too.")
@click.option(
    "--verify", is_flag=True, help="Run the files on the Caffe readers there are and compare them with the source."
)
@samples_option
@sizes_option
@readers_option
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Convert this many of several sources at once, each in a process.",
)
@output_options
def convert(
    sources: tuple[str, ...],
    random: bool,
    classes: int | None,
    prefix: str | None,
    options: ConversionOptions,
    save_onnx: bool,
    verify: bool,
    samples: Samples | None,
    at_sizes: tuple[tuple[int, ...], ...] | None,
    readers: tuple[str, ...] | None,
    jobs: int,
    output: OutputOptions,
) -> int:
    """Convert SOURCE to a Caffe model.

    SOURCE is a symbol .json file with PARAMS, its .params file; an .onnx file; or the name of a net in GluonCV's zoo,
    such as resnet50_v1, with its pretrained weights, those in PARAMS, or random ones.

    Several sources, or a folder with its .onnx and -symbol.json files, are converted one after the other, or --jobs at
    once; those that cannot be are listed at the end, and stop no other.

    Where --verify finds a difference the files stay, and the exit status is 1.
    """
    listed = listed_sources(sources, random, classes)
    if len(listed) != 1:
        if save_onnx or samples is not None or at_sizes is not None:
            raise click.UsageError("--save-onnx, --samples and --sizes go with one source.")
        if readers is not None and not verify:
            raise click.UsageError("--readers goes with --verify.")
        return convert_many(listed, prefix, options, jobs, output, (readers or ()) if verify else None)
    found = find_source(listed[0])
    pair = pair_at(prefix if prefix is not None else found.stem)
    onnx_file = pair[0].with_suffix(".onnx") if save_onnx else None
    files = [*pair] if onnx_file is None else [*pair, onnx_file]
    check_writable(files, found.files)
    report = None
    if samples is not None and not verify:
        raise click.UsageError("--samples goes with --verify.")
    if at_sizes is not None and not verify:
        raise click.UsageError("--sizes goes with --verify.")
    if readers is not None and not verify:
        raise click.UsageError("--readers goes with --verify.")
    from gluon2caffe.bridge.convert import convert_keeping

    with shown_progress(output) as progress:
        source = opened(found, progress, options)
        if verify:
            from gluon2caffe.bridge.verification.prerequisites import check_prerequisites

            check_prerequisites(source, samples)
        progress.begin("Reading the source")
        made, model = convert_keeping(source, options_for(found, options))
        outputs = tensors(made.graph.outputs)
        files += model.files(pair)[2:]
        _write(model, made, pair[0].with_suffix(""), onnx_file, progress)
        # Verifying is long and takes memory of its own.
        del made
        if verify:
            with _files_stay(files):
                report = _verified(model, source, pair[0].with_suffix(""), samples, at_sizes, readers, progress)
    return show(_summary(found, model, outputs, files, report, progress.seconds()), output)


def _write(model: Conversion, made: Intermediate, prefix: Path, onnx_file: Path | None, progress: ProgressLine) -> None:
    """Write all files or none."""
    content = b"" if onnx_file is None else serialised(made, progress)
    progress.begin("Writing the files")
    if onnx_file is None:
        model.save(prefix)
        return
    # The ONNX file waits under a temporary name until the pair is in its place.
    with atomic_files(onnx_file, size=len(content)) as (file,):
        file.write(content)
        model.save(prefix)


def _verified(
    model: Conversion,
    source: Any,
    prefix: Path,
    samples: Samples | None,
    at_sizes: tuple[tuple[int, ...], ...] | None,
    readers: tuple[str, ...] | None,
    progress: ProgressLine,
) -> Report:
    progress.begin("Verifying")
    from gluon2caffe import verify

    given: dict[str, Any] = {} if samples is None else {"samples": samples}
    return verify(model, source, files=prefix, readers=readers, at_sizes=at_sizes, **given)


@contextmanager
def _files_stay(files: list[Path]) -> Iterator[None]:
    """Whatever ends the verification, say that the conversion is done."""
    names = " and ".join(map(str, files[:2]))
    try:
        yield
    except KeyboardInterrupt as error:
        raise InterruptedAfterWriting(
            f"Interrupted while verifying; {names} are complete.", status_of(error)
        ) from error
    except ConversionError as error:
        raise ConversionError(f"{names} are written, but could not be verified: {error}") from error


def _summary(
    found: Found,
    model: Conversion,
    outputs: dict[str, tuple[int, ...]],
    files: list[Path],
    report: Report | None,
    seconds: float,
) -> Summary:
    from gluon2caffe.bridge.feeding import feeding
    from gluon2caffe.bridge.origins import origin_map

    fed = feeding(model.inputs, model.preprocessing, is_gluoncv=found.zoo_name is not None)
    how_to_feed = fed.to_dict(files[0].stem) if fed is not None else None
    preprocessing = vars(model.preprocessing) if model.preprocessing else None
    return Summary(
        source=found.title,
        inputs=model.inputs,
        outputs=outputs,
        counts={"layers": len(model.layers), "parameters": model.parameter_count},
        files=files,
        seconds=seconds,
        exact_at="" if model.sizes is None else model.sizes.words,
        feed=() if fed is None else (fed.takes, *fed.call(model.options.target, files[0].stem).splitlines()),
        notes=model.notes,
        report=report,
        when_failed=f"the verification failed; {files[0]} and {files[1]} are kept.",
        details={
            "target": model.options.target,
            "output_blobs": model.outputs,
            "preprocessing": preprocessing,
            "how_to_feed": how_to_feed,
            "layer_origins": origin_map(model),
            "sizes": None if model.sizes is None else model.sizes.as_data(),
        },
    )
