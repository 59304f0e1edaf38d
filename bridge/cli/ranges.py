"""`gluon2caffe ranges`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from gluon2caffe.bridge.cli.output_files import pair_at


@click.command(short_help="Measure the ranges of a net's blobs over samples, for quantisation.")
@click.argument("prefix")
@click.option(
    "--samples",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE|FOLDER",
    help="An .npy or .npz file, or images and folders of images; images keep their values of 0 to 255.",
)
@click.option("--bgr", is_flag=True, help="Give the net the channels of images in BGR order.")
@click.option("--ncnn-table", type=click.Path(path_type=Path, dir_okay=False), help="Write ncnn's table for int8.")
@click.option(
    "--calibration",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the samples to this folder as the toolchains read them: .npz, .npy with a dataset.txt, raw NCHW.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, histograms included, instead of text.")
def ranges(
    prefix: str,
    samples: tuple[Path, ...],
    bgr: bool,
    ncnn_table: Path | None,
    calibration: Path | None,
    as_json: bool,
) -> int:
    """Run PREFIX.prototxt and PREFIX.caffemodel in OpenCV on samples, and show the range of what each layer writes."""
    from gluon2caffe.bridge.verification import ranges as measured
    from gluon2caffe.bridge.verification.sample_files import read_samples
    from gluon2caffe.onnx2caffe.read import read_model

    pair = pair_at(prefix)
    model = read_model(*pair)
    inputs = read_samples(samples, model.inputs, bgr=bgr)
    found = measured.ranges(pair, inputs)
    if ncnn_table is not None:
        ncnn_table.write_text(measured.ncnn_table(model, found), encoding="utf-8")
    if calibration is not None:
        measured.write_calibration(calibration, inputs, model.inputs)
    if as_json:
        click.echo(json.dumps({"ranges": [asdict(each) for each in found]}, indent=2))
        return 0
    from rich.table import Table

    from gluon2caffe.bridge.cli.show import print_table

    table = Table(box=None, pad_edge=False)
    for heading in ("Layer", "Blob", "Minimum", "Maximum"):
        table.add_column(heading, justify="right" if heading.endswith("imum") else "left", overflow="fold")
    for each in found:
        table.add_row(each.layer, each.blob, f"{each.minimum:.6g}", f"{each.maximum:.6g}")
    print_table(table)
    return 0
