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
    from gluon2caffe.bridge.load import Source
    from gluon2caffe.bridge.options import Unpack


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
    """

    source: str
    files: tuple[Path, ...] = ()
    parameters: int = 0
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    error: str = ""
    kind: str = ""

    @property
    def converted(self) -> bool:
        """Whether the files were written."""
        return not self.error


@takes_options
def convert_many(
    sources: Iterable[Source],
    folder: str | PathLike[str] = ".",
    *,
    executor: Executor | None = None,
    input_shape: InputShape | None = None,
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
    if executor is None:
        return [convert_one(source, prefix, wanted) for source, prefix in todo]
    running = [(source, executor.submit(convert_one, source, prefix, wanted)) for source, prefix in todo]
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


def convert_one(source: Source, prefix: Path, options: ConversionOptions) -> ManyResult:
    """Convert and save one source; an error is its result."""
    return convert_opened(lambda: source, _title(source), prefix, options)


def convert_opened(
    open_source: Callable[[], Source], title: str, prefix: Path, options: ConversionOptions
) -> ManyResult:
    """Like `convert_one`, of a source that has to be opened or built first, which may fail too."""
    from gluon2caffe.bridge.convert import convert

    start = time.perf_counter()
    try:
        made = convert(open_source(), options)
        saved = made.save(prefix)
    except Exception as error:  # of this source alone: the others go on
        return failed_result(title, error, time.perf_counter() - start)
    files = tuple(made.files(saved))
    return ManyResult(title, files, made.parameter_count, tuple(made.notes), time.perf_counter() - start)


def result_of(title: str, future: Future[ManyResult]) -> ManyResult:
    """What a worker found; its death, and what cannot be sent to it, are errors of this source."""
    try:
        return future.result()
    except Exception as error:
        return failed_result(title, error, 0.0)


def failed_result(title: str, error: Exception, seconds: float) -> ManyResult:
    """The result of a source that could not be converted."""
    known = isinstance(error, ConversionError)
    text = str(error) if known else f"{type(error).__name__}: {error}"
    return ManyResult(title, seconds=seconds, error=text.strip().rstrip(":"), kind=type(error).__name__)


def _title(source: Source) -> str:
    if isinstance(source, (tuple, list)):
        return ", ".join(Path(fspath(part)).name for part in source)
    return Path(fspath(source)).name if isinstance(source, (str, PathLike)) else source_name(source)
