"""The library call `convert_many`: several sources, one after the other or in an executor's workers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

from gluon2caffe.bridge.options import (
    ConversionKeywords,
    ConversionOptions,
    InputShape,
    conversion_options,
    takes_options,
)
from gluon2caffe.onnx2caffe.errors import ConversionError, OutputError

if TYPE_CHECKING:
    from gluon2caffe.bridge.conversion import Conversion
    from gluon2caffe.bridge.load import Source
    from gluon2caffe.bridge.options import Unpack
    from gluon2caffe.bridge.verification.report import Report


@dataclass(frozen=True)
class ManyResult:
    """What became of one source.

    Attributes:
        source: what it is called.
        files: what was written: the .prototxt, the .caffemodel, then any arrays; none if it failed.
        parameters: number of weights.
        notes: what the user should know about the result.
        seconds: how long it took.
        error: why it failed; empty if it did not.
        kind: the class of that error.
        report: how the files agree with the source on the readers; None where that was not asked for, or failed.
        problem: why the files could not be verified; empty where they could, or that was not asked for.
    """

    source: str
    files: tuple[Path, ...] = ()
    parameters: int = 0
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    error: str = ""
    kind: str = ""
    report: Report | None = None
    problem: str = ""

    @property
    def converted(self) -> bool:
        """Whether the files were written."""
        return not self.error

    @property
    def passed(self) -> bool:
        """Whether the files were written and, where that was asked for, agree with the source."""
        return self.converted and not self.problem and (self.report is None or self.report.passed)


@takes_options
def convert_many(
    sources: Iterable[Source],
    folder: str | PathLike[str] = ".",
    *,
    executor: Executor | None = None,
    input_shape: InputShape | None = None,
    verify: bool | Sequence[str] = False,
    **options: Unpack[ConversionKeywords],
) -> list[ManyResult]:
    """Convert several sources, and write FOLDER/NAME.prototxt and FOLDER/NAME.caffemodel for each.

    NAME is that of the source: of its file without `.onnx` or `-symbol.json`, of its block or of its graph. A source
    that cannot be converted stops no other.

    Args:
        sources: as for `to_caffe`. Other processes can be given files only, since a net in memory cannot be sent.
        folder: where to write; it must exist.
        executor: any `concurrent.futures` executor, such as a ProcessPoolExecutor or Dask's `client.get_executor()`;
            None converts one after the other. It is left open.
        input_shape: the same for all, as for `to_caffe`.
        verify: run the files of each on the readers that are ready, or on those named, and compare with the source.
        options: see below.

    Returns:
        One result for each source, in their order.

    Raises:
        ConversionError: an option is not valid, two sources have the same name, or the folder does not exist.

    """
    wanted = conversion_options({"input_shape": input_shape, **options})
    listed = list(sources)
    places = prefixes([source_name(source) for source in listed], folder)
    todo = list(zip(listed, places, strict=True))
    readers = None if verify is False else () if verify is True else tuple(verify)
    if executor is None:
        return [convert_one(source, prefix, wanted, readers) for source, prefix in todo]
    running = [(source, executor.submit(convert_one, source, prefix, wanted, readers)) for source, prefix in todo]
    return [result_of(_title(source), future) for source, future in running]


def prefixes(names: Sequence[str], folder: str | PathLike[str]) -> list[Path]:
    """FOLDER/NAME for each name.

    Raises:
        ConversionError: two names are the same.
        OutputError: the folder does not exist.
    """
    place = Path(fspath(folder)).expanduser()
    if not place.is_dir():
        raise OutputError(f"cannot write to {place}: it is not an existing folder.")
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise ConversionError(
            f"several sources would be written to the same files: {', '.join(twice)}. Convert them to other folders."
        )
    return [place / name for name in names]


def source_name(source: Source) -> str:
    """What to call the files of a source."""
    first = source[0] if isinstance(source, (tuple, list)) and source else source
    if isinstance(first, (str, PathLike)):
        stem = Path(fspath(first)).stem
        return stem.removesuffix("-symbol") or stem
    graph = getattr(first, "graph", None)
    return str(getattr(first, "name", "") or getattr(graph, "name", "") or "net")


def convert_one(
    source: Source, prefix: Path, options: ConversionOptions, readers: Sequence[str] | None = None
) -> ManyResult:
    """Convert, save and verify one source; an error is its result.

    It is verified on the readers named, on those that are ready where none is, and not at all for None.
    """
    return convert_opened(lambda: source, _title(source), prefix, options, readers)


def convert_opened(
    open_source: Callable[[], Source],
    title: str,
    prefix: Path,
    options: ConversionOptions,
    readers: Sequence[str] | None = None,
) -> ManyResult:
    """Like `convert_one`, of a source that has to be opened or built first, which may fail too."""
    from gluon2caffe.bridge.convert import convert

    start = time.perf_counter()
    try:
        source = open_source()
        made = convert(source, options)
        saved = made.save(prefix)
    except Exception as error:  # of this source alone: the others go on
        return failed_result(title, error, time.perf_counter() - start)
    report, problem = (None, "") if readers is None else _verified(made, source, prefix, readers)
    seconds = time.perf_counter() - start
    files, notes = tuple(made.files(saved)), tuple(made.notes)
    return ManyResult(title, files, made.parameter_count, notes, seconds, report=report, problem=problem)


def _verified(made: Conversion, source: Source, prefix: Path, readers: Sequence[str]) -> tuple[Report | None, str]:
    """How the saved files agree with the source, or why that could not be found out."""
    from gluon2caffe.bridge.verification.against_source import verify

    try:
        return verify(made, source, files=prefix, readers=readers or None), ""
    except Exception as error:  # the files stay, and the others go on
        return None, _text(error)


def result_of(title: str, future: Future[ManyResult]) -> ManyResult:
    """What a worker found; its death, and what cannot be sent to it, are errors of this source."""
    try:
        return future.result()
    except Exception as error:
        return failed_result(title, error, 0.0)


def failed_result(title: str, error: Exception, seconds: float) -> ManyResult:
    """The result of a source that could not be converted."""
    return ManyResult(title, seconds=seconds, error=_text(error), kind=type(error).__name__)


def _text(error: Exception) -> str:
    text = str(error) if isinstance(error, ConversionError) else f"{type(error).__name__}: {error}"
    return text.strip().rstrip(":")


def _title(source: Source) -> str:
    if isinstance(source, (tuple, list)):
        return ", ".join(Path(fspath(part)).name for part in source)
    return Path(fspath(source)).name if isinstance(source, (str, PathLike)) else source_name(source)
