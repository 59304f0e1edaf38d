"""`gluon2caffe convert` of several sources: one after the other or in processes, with one table at the end."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gluon2caffe.bridge.cli.failures import FAILED, print_error, with_options
from gluon2caffe.bridge.cli.options import OutputOptions, SourceArgs
from gluon2caffe.bridge.cli.progress_line import ProgressLine, shown_progress
from gluon2caffe.bridge.cli.show import print_table
from gluon2caffe.bridge.cli.source_args import Found, find_source
from gluon2caffe.bridge.cli.stage_one import options_for
from gluon2caffe.onnx2caffe.errors import ConversionError, OutputError

if TYPE_CHECKING:
    from gluon2caffe.bridge.many import ManyResult
    from gluon2caffe.bridge.options import ConversionOptions


def convert_many(
    listed: Sequence[SourceArgs],
    folder: str | None,
    options: ConversionOptions,
    jobs: int,
    output: OutputOptions,
    readers: Sequence[str] | None,
) -> int:
    """Convert every source and print what became of each; the exit status is 1 where one failed, or does not agree.

    Args:
        listed: what the user named.
        folder: where to write; it is made if it does not exist. None is the current one.
        options: the same for all.
        jobs: how many processes work at once; with 1, this one works alone.
        output: how much is printed.
        readers: what to verify on, all that are ready where none is named; None does not verify.
    """
    with shown_progress(output) as progress:
        progress.begin("Starting")
        from gluon2caffe.bridge.many import failed_result, prefixes

        found: list[Found | ManyResult] = []
        for each in listed:
            try:
                found.append(find_source(each))
            except ConversionError as error:
                found.append(failed_result(each.source, error, 0.0))
        there = [each for each in found if isinstance(each, Found)]
        places = prefixes([each.stem for each in there], _made(folder))
        converted = _converted(list(zip(there, places, strict=True)), options, jobs, progress, readers)
        results = [next(converted) if isinstance(each, Found) else each for each in found]
    return _show(results, output)


def _made(folder: str | None) -> Path:
    place = Path(folder or ".").expanduser()
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write to {place}: {error.strerror}. Several sources need a folder.") from error
    return place


def _converted(
    todo: Sequence[tuple[Found, Path]],
    options: ConversionOptions,
    jobs: int,
    progress: ProgressLine,
    readers: Sequence[str] | None,
) -> Iterator[ManyResult]:
    if jobs == 1 or len(todo) < 2:
        for number, (found, prefix) in enumerate(todo, 1):
            progress.begin(f"{number} of {len(todo)}: {found.title}")
            yield _convert(found, prefix, options, readers)
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    from gluon2caffe.bridge.many import result_of

    workers = min(jobs, len(todo))
    # A fork of a process that has threads, or MXNet, may hang.
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_start_worker)
    try:
        running = [(found, pool.submit(_convert, found, prefix, options, readers)) for found, prefix in todo]
        for number, (found, future) in enumerate(running, 1):
            progress.begin(f"{number} of {len(todo)}: {found.title}")
            yield result_of(found.title, future)
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    """What libraries print in a worker goes to stderr, since stdout is for the result."""
    os.dup2(2, 1)
    warnings.simplefilter("ignore")


def _convert(found: Found, prefix: Path, options: ConversionOptions, readers: Sequence[str] | None) -> ManyResult:
    from gluon2caffe.bridge.many import convert_opened, failed_result

    try:
        wanted = options_for(found, options)
    except ConversionError as error:  # a zoo net without MXNet
        return failed_result(found.title, error, 0.0)
    return convert_opened(found.open, found.title, prefix, wanted, readers)


def _show(results: Sequence[ManyResult], output: OutputOptions) -> int:
    failed = [each for each in results if not each.converted]
    other = [each for each in results if each.converted and not each.passed]
    status = FAILED if failed or other else 0
    if output.json:
        click.echo(json.dumps({"results": [_as_dict(each) for each in results], "failed": len(failed)}, indent=2))
        return status
    if not output.quiet:
        _print(results)
    if failed:
        lines = [f"  - {each.source}: {with_options(each.error)}" for each in failed]
        print_error("\n".join([f"{len(failed)} of {len(results)} sources could not be converted:", *lines]))
    if other:
        lines = [f"  - {each.source}: {_misses(each)}" for each in other]
        print_error("\n".join([f"{len(other)} of {len(results)} could not be shown to agree; files are kept:", *lines]))
    return status


def _misses(result: ManyResult) -> str:
    """Why files are not known to agree, in a line."""
    if result.report is None:
        return with_options(result.problem)
    from gluon2caffe.bridge.verification.report import number

    report = result.report
    rows = [
        f"{row.reader} {row.output}: {row.problem or number(row.relative)}" for row in report.rows if not row.passed
    ]
    return "; ".join([*rows, *(f"{reader}: {why}" for reader, why in report.failed.items())])


def _as_dict(result: ManyResult) -> dict[str, Any]:
    described: dict[str, Any] = {"source": result.source, "seconds": result.seconds}
    if not result.converted:
        return {**described, "error": {"kind": result.kind, "message": with_options(result.error)}}
    files = [str(path) for path in result.files]
    described |= {"files": files, "parameters": result.parameters, "notes": list(result.notes)}
    if result.report is not None:
        described["verification"] = result.report.to_dict()
    elif result.problem:
        described["verification"] = {"passed": False, "problem": with_options(result.problem)}
    return described


def _print(results: Sequence[ManyResult]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("Source", "Result"):
        table.add_column(title, overflow="fold")
    verified = any(each.report is not None or each.problem for each in results)
    for title in ("Parameters", "Notes", *(("Verified",) if verified else ()), "Time"):
        table.add_column(title, justify="right")
    for each in results:
        cells = ["failed", "", ""]
        if each.converted:
            cells = [str(each.files[0]), f"{each.parameters:,}", str(len(each.notes) or "")]
        if verified:
            cells.append(_verdict(each))
        table.add_row(Text(each.source), *map(Text, [*cells, f"{each.seconds:.1f} s"]))
    print_table(table)


def _verdict(result: ManyResult) -> str:
    """The largest relative difference on any reader, or that there is none to be had."""
    from gluon2caffe.bridge.verification.report import number

    if result.report is None:
        return "failed" if result.problem else ""
    worst = result.report.worst
    figure = "" if worst is None else f"{number(worst.relative)} "
    return f"{figure}{'ok' if result.report.passed else 'DIFFERS'}"
