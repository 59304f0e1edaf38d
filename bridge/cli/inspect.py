"""`gluon2caffe inspect`."""

from __future__ import annotations

import dataclasses
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gluon2caffe.bridge.cli.conversion_options import conversion_options
from gluon2caffe.bridge.cli.failures import FAILED
from gluon2caffe.bridge.cli.inspection_tables import show_inspection
from gluon2caffe.bridge.cli.options import OutputOptions, SourceArgs, output_options, source_options
from gluon2caffe.bridge.cli.output_files import check_writable
from gluon2caffe.bridge.cli.progress_line import shown_progress
from gluon2caffe.bridge.cli.source_args import find_source
from gluon2caffe.bridge.cli.stage_one import intermediate, opened, options_for, serialised
from gluon2caffe.onnx2caffe.atomic import atomic_files
from gluon2caffe.onnx2caffe.errors import SourceError

if TYPE_CHECKING:
    from gluon2caffe.bridge.inspection.description import Inspection
    from gluon2caffe.bridge.options import ConversionOptions

_USUAL_PORT = 8080


@dataclasses.dataclass(frozen=True)
class Viewing:
    """Whether and how Netron shows the model."""

    netron: bool
    port: int
    browser: bool


@click.command(short_help="Look inside: nodes, their layers and costs, refusals.")
@source_options
@conversion_options()
@click.option(
    "--save",
    "file",
    metavar="FILE.onnx",
    type=click.Path(path_type=Path),
    help="Keep the intermediate model in this file.",
)
@click.option("--netron", is_flag=True, help="Show it in Netron, on this machine alone, until Ctrl-C.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=_USUAL_PORT,
    show_default=True,
    help="Where Netron is served; 0 for any port that is free.",
)
@click.option("--browser/--no-browser", default=True, show_default=True, help="Open the web browser on Netron.")
@output_options
def inspect(
    source_args: SourceArgs,
    options: ConversionOptions,
    file: Path | None,
    netron: bool,
    port: int,
    browser: bool,
    output: OutputOptions,
) -> int:
    """Look inside SOURCE: every node of the intermediate model, the Caffe layers it becomes, what it costs.

    Nothing is converted or written but what --save names. The exit status is 1 where the target cannot compute all of
    SOURCE exactly: each node in the way is listed with the reason and what to do about it.

    SOURCE can also be a .prototxt, with its .caffemodel as PARAMS or beside it: its layers are shown, and those that
    the target does not have are listed.
    """
    viewing = Viewing(netron, port, browser)
    if netron:
        from gluon2caffe.bridge.inspection.netron_view import require_netron

        require_netron()
    if Path(source_args.source).suffix == ".prototxt":
        if file is not None or options.changed().keys() - {"target"}:
            raise click.UsageError("A .prototxt takes only --target and --netron: its layers are shown as they are.")
        return _inspect_files(source_args, options.target, viewing, output)
    found = find_source(source_args)
    saved = None if file is None else file.expanduser()
    if saved is not None:
        check_writable([saved], found.files)
    content = b""
    with shown_progress(output) as progress:
        source = opened(found, progress, options)
        made = intermediate(source, options_for(found, options), progress)
        if saved is not None or netron:
            content = serialised(made, progress)
        from gluon2caffe.bridge.inspection.inspect import inspect_intermediate

        seen = dataclasses.replace(inspect_intermediate(made, source), source=found.title)
        if saved is not None:
            progress.begin("Writing the file")
            with atomic_files(saved, size=len(content)) as (stream,):
                stream.write(content)
    files = [] if saved is None else [saved]
    if not netron:
        return show_inspection(seen, files, output)
    with tempfile.TemporaryDirectory(prefix="gluon2caffe-") as folder:
        # A file of its own in a folder of its own: what else the user keeps beside his file is not served.
        shown = Path(folder) / "intermediate.onnx"
        shown.write_bytes(content)
        return _show_in_netron(seen, files, shown, viewing, output)


def _inspect_files(source_args: SourceArgs, target: str, viewing: Viewing, output: OutputOptions) -> int:
    """Show Caffe files."""
    from gluon2caffe.bridge.inspection.caffe_files import inspect_caffe_files, weights_beside

    if source_args.random or source_args.classes is not None:
        raise click.UsageError("--random and --classes go with the name of a zoo net.")
    prototxt = Path(source_args.source).expanduser()
    caffemodel = source_args.params.expanduser() if source_args.params is not None else weights_beside(prototxt)
    for path in (prototxt, caffemodel):
        if path is not None and not path.is_file():
            raise SourceError(f"There is no file {path}.")
    seen = inspect_caffe_files(prototxt, caffemodel, target=target)
    if not viewing.netron:
        return show_inspection(seen, [], output)
    return _show_in_netron(seen, [], prototxt, viewing, output)


def _show_in_netron(seen: Inspection, files: list[Path], shown: Path, viewing: Viewing, output: OutputOptions) -> int:
    """Print what was seen and where Netron shows it, and serve until Ctrl-C."""
    from gluon2caffe.bridge.inspection.netron_view import NetronView

    # Ctrl-C is how this ends, from the moment that the address can be read.
    with NetronView(shown, viewing.port, browse=viewing.browser) as view, suppress(KeyboardInterrupt):
        show_inspection(seen, files, output, address=view.url)
        view.wait()
    return 0 if seen.convertible else FAILED
