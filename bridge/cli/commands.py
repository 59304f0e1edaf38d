"""All commands of `gluon2caffe`.

What is slow to import (onnx, MXNet, rich) is imported inside the commands, so that help and wrong usage answer at once.
"""

from __future__ import annotations

from importlib import metadata

import click

from gluon2caffe.bridge.cli.convert import convert
from gluon2caffe.bridge.cli.doctor import doctor
from gluon2caffe.bridge.cli.inspect import inspect
from gluon2caffe.bridge.cli.onnx import onnx
from gluon2caffe.bridge.cli.program import Program
from gluon2caffe.bridge.cli.ranges import ranges
from gluon2caffe.bridge.cli.readers import readers
from gluon2caffe.bridge.cli.verify import verify

# \b keeps the lines of the paragraph as they are.
HELP = """Turn MXNet-Gluon nets and ONNX files into Caffe models that compute the same numbers.

SOURCE is a symbol file with its PARAMS as net.export writes them, an .onnx file, or the name of a net in GluonCV's
model zoo.

\b
  gluon2caffe convert resnet50_v1 -o resnet50
  gluon2caffe convert net-symbol.json net-0000.params -o net --verify
  gluon2caffe inspect net.onnx --target opencv
  gluon2caffe onnx net.onnx -o normal-form.onnx
  gluon2caffe verify net net-symbol.json net-0000.params
  gluon2caffe readers setup mnn openvino
"""
EPILOG = "Exit status: 0 all went well, 1 an error or a failed verification, 2 wrong usage, 130 interrupted."


def _print_version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    try:
        version = metadata.version("gluon2caffe")
    except metadata.PackageNotFoundError:
        version = "(not installed: run from its source tree)"
    click.echo(f"gluon2caffe {version}")
    context.exit()


@click.group(
    cls=Program,
    help=HELP,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_print_version, help="Show the version."
)
def commands() -> None:
    """Hold the commands together."""


commands.add_command(convert)
commands.add_command(doctor)
commands.add_command(inspect)
commands.add_command(onnx)
commands.add_command(ranges)
commands.add_command(readers)
commands.add_command(verify)
