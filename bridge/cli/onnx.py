"""`gluon2caffe onnx`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gluon2caffe.bridge.cli.conversion_options import conversion_options
from gluon2caffe.bridge.cli.options import OutputOptions, SourceArgs, output_options, source_options
from gluon2caffe.bridge.cli.output_files import check_writable
from gluon2caffe.bridge.cli.progress_line import shown_progress
from gluon2caffe.bridge.cli.show import Summary, show
from gluon2caffe.bridge.cli.source_args import find_source
from gluon2caffe.bridge.cli.stage_one import intermediate, opened, options_for, serialised, tensors
from gluon2caffe.onnx2caffe.atomic import atomic_files

if TYPE_CHECKING:
    from gluon2caffe.bridge.conversion import Intermediate
    from gluon2caffe.bridge.options import ConversionOptions


@click.command()
@source_options
@click.option(
    "-o",
    "--output",
    "file",
    metavar="FILE.onnx",
    type=click.Path(path_type=Path),
    help="The file to write.  [default: the name of the source, in the current folder]",
)
@conversion_options(stage=1)
@output_options
def onnx(
    source_args: SourceArgs,
    file: Path | None,
    options: ConversionOptions,
    output: OutputOptions,
) -> None:
    """Write the intermediate ONNX model of SOURCE.

    It is in the normal form that Caffe layers are made of: static shapes, constants folded, the names of the source.
    It runs in onnxruntime, opens in Netron, and `gluon2caffe convert` takes it as a SOURCE.
    """
    found = find_source(source_args)
    target = file.expanduser() if file is not None else Path(f"{found.stem}.onnx")
    check_writable([target], found.files)
    with shown_progress(output) as progress:
        source = opened(found, progress, options)
        made = intermediate(source, options_for(found, options), progress)
        content = serialised(made, progress)
        progress.begin("Writing the file")
        files = _write(made, content, target)
    preprocessing = vars(options.preprocessing) if options.preprocessing else None
    summary = Summary(
        source=found.title,
        inputs=tensors(made.graph.inputs),
        outputs=tensors(made.graph.outputs),
        counts={"nodes": len(made.graph.nodes), "parameters": _parameter_count(made)},
        files=files,
        seconds=progress.seconds(),
        details={"preprocessing": preprocessing},
    )
    show(summary, output)


def _write(made: Intermediate, content: bytes, target: Path) -> list[Path]:
    """Write the model, and beside it NAME.array.npy and NAME.heads.json; return all files."""
    import numpy as np

    from gluon2caffe.bridge.conversion import documents_of

    name = target.name.removesuffix(".onnx")
    beside = {target.with_name(f"{name}.{array}.npy"): values for array, values in made.arrays.items()}
    documents = documents_of(made.heads, made.options)
    texts = {target.with_name(f"{name}.{document}.json"): text for document, text in documents.items()}
    with atomic_files(*beside, *texts, target, size=len(content)) as (*extra, stream):
        for file, values in zip(extra, beside.values(), strict=False):
            np.save(file, values)
        for file, text in zip(extra[len(beside) :], texts.values(), strict=True):
            file.write(text.encode())
        stream.write(content)
    return [target, *beside, *texts]


def _parameter_count(made: Intermediate) -> int:
    constants = [tensor for tensor in made.graph.tensors().values() if hasattr(tensor, "values")]
    return sum(tensor.values.size for tensor in constants if tensor.values.dtype.kind == "f")
