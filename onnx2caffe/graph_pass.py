"""Passes over a graph: objects with a name, run in order, the invariants checked after each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import onnx_graphsurgeon as gs

from gluon2caffe.onnx2caffe.errors import ConversionError, InternalError
from gluon2caffe.onnx2caffe.invariants import GraphWatch
from gluon2caffe.onnx2caffe.surgeon import remove_dead


@dataclass(frozen=True)
class Property:
    """Something a graph has once a pass has brought it about, and keeps.

    `find_fault` looks for a counterexample, and describes it; None where there is none.
    """

    name: str
    find_fault: Callable[[gs.Graph], str | None]


@dataclass(frozen=True)
class Pass:
    """One step of graph surgery.

    Attributes:
        name: what messages and `-v` call it.
        run: changes the graph where it stands; says whether it did.
        requires: what passes before it have to have ensured.
        ensures: what holds of the graph from now on.
        only_checks: it changes nothing, so that nothing is checked after it.
    """

    name: str
    run: Callable[[gs.Graph], bool]
    requires: tuple[Property, ...] = ()
    ensures: tuple[Property, ...] = ()
    only_checks: bool = False


TYPES = Property("inferred types", lambda _graph: None)
"""Shapes and types are inferred as far as onnx can; from here on they are compared after every pass."""


@dataclass(frozen=True)
class PassRun:
    """One pass that has run: how long it took, checks included, and whether it changed the graph."""

    name: str
    seconds: float
    changed: bool


PassListener = Callable[[PassRun], None]

_listener: ContextVar[PassListener | None] = ContextVar("gluon2caffe_passes", default=None)


@contextmanager
def listening_to_passes(listener: PassListener) -> Iterator[None]:
    """Call `listener` after each pass that runs within the block, in this thread or task."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


class PassError(InternalError):
    """A pass that ended in an exception which is no refusal."""


class PassRunner:
    """Runs passes over one graph, in one or more batches, and knows what came before."""

    def __init__(self, graph: gs.Graph, established: Iterable[Property] = ()) -> None:
        """Take the graph, and the properties that it is known to have."""
        self._graph = graph
        self._watch = GraphWatch(graph)
        self._established = {property_.name for property_ in established}
        self._last = ""

    def run(self, passes: Iterable[Pass]) -> None:
        """Run the passes.

        Raises:
            ConversionError: a pass refuses the graph.
            InternalError: a pass leaves an invariant broken, fails, or stands where what it requires is not ensured.
        """
        for step in passes:
            self._run(step)
            self._last = step.name

    def _run(self, step: Pass) -> None:
        missing = [property_.name for property_ in step.requires if property_.name not in self._established]
        if missing:
            raise InternalError(self._where("before", step), f"it requires {', '.join(missing)}, which nothing ensured")
        started = time.perf_counter()
        try:
            changed = step.run(self._graph)
        except (ConversionError, MemoryError):
            raise
        except Exception as error:
            raise PassError(self._where("in", step), f"{type(error).__name__}: {error}".rstrip(": ")) from error
        if changed:
            remove_dead(self._graph)
        where = self._where("after", step)
        self._established.update(property_.name for property_ in step.ensures)
        if not step.only_checks:
            self._watch.check(where, types=TYPES.name in self._established)
        for property_ in step.ensures:
            fault = property_.find_fault(self._graph)
            if fault is not None:
                raise InternalError(where, f"it ensures {property_.name}, but {fault}")
        listener = _listener.get()
        if listener is not None:
            listener(PassRun(step.name, time.perf_counter() - started, changed))

    def _where(self, when: str, step: Pass) -> str:
        return f"{when} pass {step.name!r}" + (f", which follows {self._last!r}" if self._last else "")
