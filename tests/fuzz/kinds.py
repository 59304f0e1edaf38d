"""What is fuzzed: random graphs by our own strategies, graphs by nnsmith, and damaged copies of real files.

Every kind is a function from (seed, count) to the ends of `count` cases. The same seed gives the same cases.
"""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
from graphs import Example, examples
from hypothesis import HealthCheck, Phase, given, seed, settings
from other_sizes import WrongSizesError
from verdict import INVALID, UNREAD, WrongNumbersError, verdict

import gluon2caffe
from gluon2caffe.onnx2caffe.errors import ConversionError, InternalError
from tests.fuzz import corpus
from tests.fuzz.plan import PARTS
from tests.unit.onnx_door.mutations import altered, damaged

End = tuple[str, str]
"""How a case ended, and words on it where it is a fault."""
Kind = Callable[[int, int], Iterator[End]]
LARGEST_TO_RUN = 2_000_000
"""Bytes of a converted damaged model up to which it is run; larger ones are converted only."""


def own_graphs(first: int, count: int) -> Iterator[End]:
    """Graphs by the strategies of tests/property."""
    drawn: list[Example] = []

    @seed(first)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(examples())
    def draw(example: Example) -> None:
        drawn.append(example)

    draw()
    for example in drawn[:count]:
        yield _judged(lambda example=example: verdict(example), lambda example=example: repr(example))


def nnsmith_graphs(first: int, count: int) -> Iterator[End]:
    """Graphs that nnsmith's solver draws."""
    from tests.fuzz.nnsmith_graphs import drawn_model

    for number in range(first, first + count):
        source = drawn_model(number)
        if source is None:
            yield INVALID, ""
            continue
        yield _judged(
            lambda source=source: verdict(Example(source)), lambda source=source: onnx.printer.to_text(source)
        )


def onnx_files(first: int, count: int) -> Iterator[End]:
    """ONNX files with bytes or values changed."""
    names = corpus.onnx_files()
    for number in range(first, first + count):
        content = names[number % len(names)].read_bytes()
        changed = damaged(content, number) if number % 2 else altered(content, number)
        yield _judged(lambda changed=changed: _onnx_end(changed))


def _onnx_end(content: bytes) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.onnx"
        path.write_bytes(content)
        shape = corpus.input_shape(path)
        try:
            made = gluon2caffe.to_caffe(path) if shape is None else gluon2caffe.to_caffe(path, shape)
        except InternalError:
            raise
        except ConversionError:
            return "refused"
        if len(content) > LARGEST_TO_RUN or made.parameter_count > LARGEST_TO_RUN:
            return "converted"
        try:
            source = onnx.ModelProto.FromString(content)
        except Exception:  # protobuf's DecodeError; onnx's own reader is as strict, so this is not reached
            return "converted"
    found = verdict(Example(source)) if _is_static(source) else INVALID
    return "converted" if found in (INVALID, UNREAD) else found


def _is_static(source: onnx.ModelProto) -> bool:
    infos = (*source.graph.input, *source.graph.output)
    dims = [dim for info in infos for dim in info.type.tensor_type.shape.dim]
    return not source.functions and all(0 < dim.dim_value < 2**16 for dim in dims)


def symbol_files(first: int, count: int) -> Iterator[End]:
    """Symbol files of MXNet with characters or values changed; their parameters whole."""
    for number in range(first, first + count):
        net = corpus.mxnet_files()[number % len(corpus.mxnet_files())]
        text = net.symbol.read_bytes()
        changed = damaged(text, number) if number % 2 else corpus.altered_json(text, number)
        yield _judged(lambda net=net, changed=changed: _mxnet_end(net, changed, net.parameters()))


def parameter_files(first: int, count: int) -> Iterator[End]:
    """Parameter files of MXNet with bytes changed, the words before the values above all; their symbols whole."""
    for number in range(first, first + count):
        net = corpus.mxnet_files()[number % len(corpus.mxnet_files())]
        params = net.parameters()
        changed = damaged(params, number) if number % 2 else corpus.altered_words(params, number)
        yield _judged(lambda net=net, changed=changed: _mxnet_end(net, net.symbol.read_bytes(), changed))


def _mxnet_end(net: corpus.MXNetFiles, symbol: bytes, params: bytes) -> str:
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "net-symbol.json", Path(folder) / "net-0000.params"
        files[0].write_bytes(symbol)
        files[1].write_bytes(params)
        try:
            gluon2caffe.to_caffe(files, net.shape)
        except InternalError:
            raise
        except ConversionError:
            return "refused"
    return "converted"


def _judged(end_of: Callable[[], str], describe: Callable[[], str] = str) -> End:
    # numpy's warnings of overflow are what damaged weights come to.
    with np.errstate(all="ignore"):
        try:
            return end_of(), ""
        except (WrongNumbersError, WrongSizesError) as error:
            return "wrong", f"{str(error)[:1500]}\n{describe()[:2500]}"
        except Exception:
            return "traceback", f"{traceback.format_exc()[-1500:]}\n{describe()[:2500]}"


KINDS: dict[str, Kind] = {
    "graphs": own_graphs,
    "graphs by nnsmith": nnsmith_graphs,
    "ONNX files, damaged": onnx_files,
    "symbol files, damaged": symbol_files,
    "parameter files, damaged": parameter_files,
}
assert KINDS.keys() == PARTS.keys()
