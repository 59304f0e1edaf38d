"""The exceptions of a conversion: one family, and what the largest of them lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Refusal:
    """One node that cannot be computed exactly.

    Attributes:
        node: its name.
        operator: its operator.
        shapes: those of its inputs and outputs, as text.
        reason: why.
        remedy: what the user can do about it; empty where nothing is known.
    """

    node: str
    operator: str
    shapes: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        text = f"{self.operator} {self.node!r} {self.shapes}: {self.reason}"
        return f"{text}. Remedy: {self.remedy}" if self.remedy else text


@dataclass(frozen=True)
class Cut:
    """Where a net can be ended before what cannot be converted.

    Attributes:
        outputs: names of the last tensors that come before it, as `outputs` takes them.
        left: the operators behind them, in order, that remain to be computed outside.
    """

    outputs: tuple[str, ...]
    left: tuple[str, ...]

    @property
    def remaining(self) -> str:
        """The operators that remain outside, each once with its number."""
        counts = Counter(self.left)
        return ", ".join(name if count == 1 else f"{name} ({count})" for name, count in counts.items())

    def __str__(self) -> str:
        return f"Try: --outputs {','.join(self.outputs)} (or auto), which leaves for you to compute: {self.remaining}."


class ConversionError(Exception):
    """A conversion that cannot be done; the message says what was found, what was expected and what to try.

    `cut` is where the net could be ended before the cause, as far as that is known.
    """

    cut: Cut | None = None

    def add(self, advice: str) -> None:
        """Add a line to the message."""
        self.args = (f"{self}\n{advice}", *self.args[1:])


class SourceError(ConversionError):
    """The source cannot be read, traced or exported."""


class UnsupportedModelError(ConversionError):
    """The model holds nodes that the target cannot compute exactly.

    The message lists all of them; `refusals` holds them one by one.
    """

    def __init__(self, message: str, refusals: Sequence[Refusal] = ()) -> None:
        super().__init__(message)
        self.refusals = tuple(refusals)


class OutputError(ConversionError):
    """The result cannot be written; nothing partial is left behind."""


class InternalError(ConversionError):
    """A fault of this program, found by its own checks before anything was written: a broken invariant, a failed pass.

    `where` names the pass or the node; the message adds what was expected and found.
    """

    def __init__(self, where: str, what: str) -> None:
        super().__init__(
            f"Internal error {where}: {what}. Nothing was written. This is a bug in gluon2caffe; please report it with "
            "the output of --debug."
        )
        self.where = where
