"""What a symbol node says: its inputs with their shapes, and its attributes with MXNet's defaults."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from gluon2caffe.bridge.mxnet_files.graph import Shape, SymbolNode


class NotExactError(Exception):
    """A use of an operator that has no exact ONNX counterpart; the message says why."""


class ShapeError(Exception):
    """Inputs of these shapes are not what the operator takes; the message says what it takes."""


class OpenShapeError(ShapeError):
    """A size that the symbol leaves to what reads the tensor."""


@dataclass(frozen=True)
class Input:
    """A tensor an operator reads: its name, its static shape, and whether it is a parameter of the net."""

    name: str
    shape: Shape
    is_parameter: bool


class NodeReader:
    """One node of a symbol, read by the rule for its shape and by its translation.

    The typed readers of attributes get the defaults of the MXNet operator from their caller.
    """

    def __init__(self, node: SymbolNode, inputs: Sequence[Input]) -> None:
        """Wrap `node`, which reads `inputs`."""
        self.name = node.name
        self.kind = node.op
        self.inputs = list(inputs)
        self.attrs = node.attrs

    @property
    def shape(self) -> Shape:
        """Shape of the first input."""
        return self.input(0).shape

    def input(self, index: int) -> Input:
        """Return input number `index`, which must be there."""
        if index >= len(self.inputs):
            raise NotExactError(f"it has {len(self.inputs)} inputs, expected at least {index + 1}")
        return self.inputs[index]

    @property
    def rank(self) -> int:
        """Number of axes of the first input."""
        return len(self.shape)

    def axis(self, value: int, rank: int | None = None) -> int:
        """Count a possibly negative axis from the front."""
        count = self.rank if rank is None else rank
        if not -count <= value < count:
            raise NotExactError(f"axis {value} of {count} axes")
        return value % count

    def has(self, key: str) -> bool:
        """Whether an attribute is there and is not None."""
        return self.attrs.get(key, "None") not in ("None", "")

    def text(self, key: str, default: str) -> str:
        """Read a word."""
        return self.attrs[key] if self.has(key) else default

    def integer(self, key: str, default: int | None = None) -> int:
        """Read an integer; without a default it must be there."""
        value = self.number(key, default)
        if not isfinite(value):
            raise NotExactError(f"attribute {key} is {value}, expected an integer")
        return int(value)

    def number(self, key: str, default: float | None = None) -> float:
        """Read a number; without a default it must be there."""
        value = self._required(key, default)
        try:
            return float(value)
        except ValueError as error:
            raise NotExactError(f"attribute {key} is {value!r}, expected a number") from error

    def flag(self, key: str, default: bool) -> bool:
        """Read a truth value."""
        return self.attrs[key] in ("True", "1", "true") if self.has(key) else default

    def optional_integers(self, key: str) -> tuple[int | None, ...]:
        """Read a tuple that may hold None, such as ``(0, None, 2)``; a lone number is a tuple of one."""
        words = [word.strip() for word in self.text(key, "").strip("()[] ").replace("L", "").split(",")]
        try:
            return tuple(None if word == "None" else int(word) for word in words if word)
        except ValueError as error:
            raise NotExactError(f"attribute {key} is {self.attrs[key]!r}, expected integers") from error

    def integers(self, key: str, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """Read a tuple of integers; an absent or empty one is the default."""
        read = tuple(value for value in self.optional_integers(key) if value is not None)
        return read or default

    def numbers(self, key: str, default: tuple[float, ...] = ()) -> tuple[float, ...]:
        """Read a tuple of numbers; an absent or empty one is the default."""
        words = self.text(key, "").strip("()[] ").split(",")
        try:
            return tuple(float(word) for word in words if word.strip()) or default
        except ValueError as error:
            raise NotExactError(f"attribute {key} is {self.attrs[key]!r}, expected numbers") from error

    def _required(self, key: str, default: float | None) -> str | float:
        if self.has(key):
            return self.attrs[key]
        if default is None:
            raise NotExactError(f"attribute {key} is missing")
        return default
