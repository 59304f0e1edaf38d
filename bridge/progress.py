"""Telling whoever listens which step of a long conversion begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[str], None]

_listener: ContextVar[Listener | None] = ContextVar("gluon2caffe_progress", default=None)


def step(name: str) -> None:
    """Say that the step `name` begins; nothing happens where nobody listens."""
    listener = _listener.get()
    if listener is not None:
        listener(name)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Call `listener` with the name of each step that begins within the block, in this thread or task."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
