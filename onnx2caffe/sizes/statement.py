"""The input sizes at which a model is exact, summed up as data and as words."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, product
from typing import Any

from gluon2caffe.onnx2caffe.sizes.program import UNFIT, Shape, ShapeProgram

# Sizes repeat with the product of a net's strides, which is 32 or 64 in nets of pictures; longer periods are not
# looked for, and the net is then said to hold at one size.
LONGEST_PERIOD = 64
BATCHES = (1, 2, 3, 5)
MOST_REASONS = 4
MOST_PAIRS = 64
_ASCII = str.maketrans({"×": "x", "≡": "=", "≢": "!="})
_NAMES = {4: ("height", "width"), 3: ("length",), 5: ("depth", "height", "width")}


@dataclass(frozen=True)
class AxisSizes:
    """The lengths of one input axis at which a model is exact.

    Those from `least` on whose remainder by `modulus` is one of `remainders`; with modulus 0 `remainders` themselves.
    """

    least: int
    modulus: int
    remainders: tuple[int, ...]

    @property
    def is_fixed(self) -> bool:
        """Whether there is one length only."""
        return self.modulus == 0 and len(self.remainders) == 1

    @property
    def is_range(self) -> bool:
        """Whether these are several lengths in a row."""
        count = len(self.remainders)
        return self.modulus == 0 and count > 1 and self.remainders[-1] - self.remainders[0] + 1 == count

    def includes(self, length: int) -> bool:
        """Whether the model is exact at `length`, the other axes being as they were."""
        rest = length % self.modulus if self.modulus else length
        return length >= self.least and rest in self.remainders

    def some(self, count: int) -> list[int]:
        """The `count` smallest lengths, fewer where there are no more."""
        if not self.modulus:
            return list(self.remainders[:count])
        found: list[int] = []
        length = self.least
        while len(found) < count:
            if self.includes(length):
                found.append(length)
            length += 1
        return found


class Sizes:
    """At which input sizes a model computes what its source computes.

    Everything is found out from the net's shapes when it is first asked for.
    """

    def __init__(self, program: ShapeProgram, names: Iterable[str] | None = None) -> None:
        self._program = program
        # An input that no layer reads is none of the model's.
        self._inputs = {name: program.inputs[name] for name in (program.inputs if names is None else names)}

    def includes(self, shapes: Shape | Mapping[str, Shape]) -> bool:
        """Whether the model is exact at these input shapes: one, or a mapping from input name to shape."""
        return not self.why_not(shapes)

    def why_not(self, shapes: Shape | Mapping[str, Shape]) -> list[str]:
        """What does not hold at these input shapes, as `node: reason`; empty where the model is exact.

        Raises:
            ValueError: they do not name the model's inputs.

        """
        inputs = self._inputs
        if not isinstance(shapes, Mapping):
            if len(inputs) != 1:
                raise ValueError(f"the model has the inputs {', '.join(inputs)}: give a shape for each")
            shapes = dict.fromkeys(inputs, tuple(shapes))
        if shapes.keys() != inputs.keys():
            raise ValueError(f"the model has the inputs {', '.join(inputs)}, not {', '.join(shapes)}")
        given = {name: tuple(shapes[name]) for name in inputs}
        for name, shape in given.items():
            own = inputs[name]
            if len(shape) != len(own) or (len(shape) > 1 and shape[1] != own[1]):
                return [f"{name}: {shape} is not like {own}"]
        return self._program.broken({**self._program.inputs, **given})

    @cached_property
    def any_batch(self) -> bool:
        """Whether the model is exact with any batch (axis 0 of all inputs)."""
        inputs = self._inputs
        if any(len(shape) < 2 for shape in inputs.values()):
            return False
        return all(
            self.includes({name: (batch, *shape[1:]) for name, shape in inputs.items()})
            for batch in (*BATCHES, *(shape[0] + 1 for shape in inputs.values()))
        )

    @cached_property
    def axes(self) -> dict[str, tuple[AxisSizes, ...]]:
        """Input -> the sizes of its spatial axes (all from axis 2 on), each that of the conversion or one beside it."""
        found = {
            name: tuple(self._axis(name, axis) for axis in range(2, len(shape))) for name, shape in self._inputs.items()
        }
        if self._holds_together(found):
            return found
        fixed = self._inputs
        return {name: tuple(AxisSizes(n, 0, (n,)) for n in fixed[name][2:]) for name in found}

    @cached_property
    def reasons(self) -> tuple[str, ...]:
        """Why other sizes are left out, as `node: reason`: what a size one larger, and one smaller, breaks."""
        if self.is_any_size:
            return ()
        found: dict[str, str] = {}
        for name, shape in self._inputs.items():
            for axis in range(2, len(shape)):
                for step in (1, -1, LONGEST_PERIOD, 16 * LONGEST_PERIOD):
                    for reason in self._broken_at(name, axis, shape[axis] + step):
                        # One of a node is enough.
                        found.setdefault(reason.partition(": ")[0], reason)
        return tuple(found.values())

    @property
    def is_any_size(self) -> bool:
        """Whether every size from the least one on is included."""
        return all(axis.modulus == 1 for axes in self.axes.values() for axis in axes)

    @property
    def fixed(self) -> tuple[str, ...]:
        """Why the model holds for the input shapes of its conversion alone; empty where nothing says so."""
        return tuple(self._program.fixed)

    @property
    def follows_input(self) -> bool:
        """Whether it takes every size that the net itself takes: from a least one on, or up to a largest.

        Where blobs do not fit each other and nothing else is amiss, the net does not take the size either, such as one
        whose maps are halved five times and added up again.
        """
        spatial = [axis for axes in self.axes.values() for axis in axes]
        whole = all(axis.modulus == 1 or axis.is_range for axis in spatial)
        periodic = all(axis.modulus > 0 for axis in spatial)
        misfits = periodic and all(reason.endswith(f": {UNFIT}") for reason in self.reasons)
        return not self.fixed and (whole or misfits)

    @property
    def is_fixed(self) -> bool:
        """Whether the model holds for the size of its conversion alone; a net of vectors has none."""
        spatial = [axis for axes in self.axes.values() for axis in axes]
        return bool(self._program.fixed) or (bool(spatial) and all(axis.is_fixed for axis in spatial))

    @cached_property
    def words(self) -> str:
        """All of it in a line: `any size, any batch`, or `224×224 only (dense0: weights for fixed lengths)`."""
        return self._in_words(_listed(self._program.fixed or self.reasons))

    @cached_property
    def place(self) -> str:
        """`words` without the reasons."""
        return self._in_words("")

    def _in_words(self, reasons: str) -> str:
        if self._program.fixed or not self._inputs:
            shapes = ", ".join("×".join(map(str, shape)) for shape in self._inputs.values())
            return f"{shapes} only{reasons}"
        parts = [self._words_of(name, axes) for name, axes in self.axes.items() if axes]
        return f"{'; '.join(dict.fromkeys(parts))}{reasons}, {self._batch_words}" if parts else self._batch_words

    @property
    def ascii_words(self) -> str:
        """`words` in ASCII on one line, for a comment that every reader can read over."""
        text = " ".join(self.words.split()).translate(_ASCII)
        return text.encode("ascii", "backslashreplace").decode("ascii")

    def as_data(self) -> dict[str, Any]:
        """All of it for programs, in numbers, texts and lists."""
        return {
            "words": self.words,
            "any_batch": self.any_batch,
            "axes": {
                name: [
                    {"least": axis.least, "modulus": axis.modulus, "remainders": list(axis.remainders)} for axis in axes
                ]
                for name, axes in self.axes.items()
            },
            "reasons": list(self._program.fixed or self.reasons),
        }

    def __repr__(self) -> str:
        return f"<Sizes: {self.words}>"

    @property
    def _batch_words(self) -> str:
        if self.any_batch:
            return "any batch"
        batches = dict.fromkeys(shape[0] for shape in self._inputs.values() if shape)
        return f"batch {', '.join(map(str, batches))}"

    def _broken_at(self, name: str, axis: int, length: int) -> list[str]:
        inputs = self._program.inputs
        shape = list(inputs[name])
        shape[axis] = length
        return self._program.broken({**inputs, name: tuple(shape)}) if length > 0 else ["nothing is left"]

    def _axis(self, name: str, axis: int) -> AxisSizes:
        length = self._inputs[name][axis]
        fixed = AxisSizes(length, 0, (length,))
        if self._program.fixed:
            return fixed

        def holds(size: int) -> bool:
            return not self._broken_at(name, axis, size)

        window = [holds(length + k) for k in range(LONGEST_PERIOD + 1)]
        period = _period(window) if holds(length + 16 * LONGEST_PERIOD) else None
        if period is None:
            # As far as lengths hold without a gap longer than a period.
            below = [size for size in range(max(1, length - LONGEST_PERIOD), length) if holds(size)]
            found = [*below, *(length + k for k, held in enumerate(window) if held)]
            while found[-1] > length + len(window) - LONGEST_PERIOD and len(window) < 16 * LONGEST_PERIOD:
                window.append(holds(length + len(window)))
                found += [length + len(window) - 1] * window[-1]
            return AxisSizes(found[0], 0, tuple(found))
        remainders = tuple(sorted({(length + k) % period for k in range(period) if window[k]}))
        below = [size for size in range(1, length + 1) if size % period in remainders]
        # Sizes that are too small for a window are those below some least one.
        return AxisSizes(below[bisect_left(below, True, key=holds)], period, remainders)

    def _holds_together(self, axes: Mapping[str, Sequence[AxisSizes]]) -> bool:
        """Whether sizes that hold on each axis by itself hold on all of them at once."""
        return not any(self._program.broken(shapes) for shapes in self._examples(axes))

    def examples(self) -> Iterator[dict[str, Shape]]:
        """Some of the input shapes at which the model is exact: the least sizes, others, and far larger ones."""
        return self._examples(self.axes)

    def _examples(self, axes: Mapping[str, Sequence[AxisSizes]]) -> Iterator[dict[str, Shape]]:
        flat = [(name, i) for name, each in axes.items() for i in range(len(each))]
        for sizes in islice(product(*(_witnesses(axes[name][i]) for name, i in flat)), MOST_PAIRS):
            shapes = {name: list(shape) for name, shape in self._program.inputs.items()}
            for (name, i), size in zip(flat, sizes, strict=True):
                shapes[name][2 + i] = size
            yield {name: tuple(shape) for name, shape in shapes.items()}

    def _words_of(self, name: str, axes: Sequence[AxisSizes]) -> str:
        prefix = f"{name} " if len(self._inputs) > 1 else ""
        if all(axis.is_fixed for axis in axes):
            return f"{prefix}{'×'.join(str(axis.least) for axis in axes)} only"
        if all(axis.modulus == 1 for axis in axes):
            least = "×".join(str(axis.least) for axis in axes)
            return f"{prefix}any size" + (f" from {least} up" if any(axis.least > 1 for axis in axes) else "")
        names = _NAMES.get(len(axes) + 2, tuple(f"axis {i + 2}" for i in range(len(axes))))
        if len({(axis.modulus, axis.remainders) for axis in axes}) == 1 and len(axes) == 2:
            return f"{prefix}{' and '.join(names)} {_remainder_words(axes[0])}"
        return prefix + ", ".join(f"{each} {_remainder_words(axis)}" for each, axis in zip(names, axes, strict=True))


def _witnesses(axis: AxisSizes) -> list[int]:
    """The least size and others, one for each of the first remainders among them."""
    if not axis.modulus:
        return [axis.remainders[0], axis.remainders[-1]]
    return [*axis.some(3), *(size + 8 * axis.modulus for size in axis.some(2))]


def _period(window: Sequence[bool]) -> int | None:
    """The shortest period of the window, which is LONGEST_PERIOD at most; None where none fits."""
    for period in range(1, len(window)):
        if all(window[k] == window[k + period] for k in range(len(window) - period)):
            return period
    return None


def _remainder_words(axis: AxisSizes) -> str:
    if axis.is_fixed:
        return f"{axis.least} only"
    if not axis.modulus:
        first, last = axis.remainders[0], axis.remainders[-1]
        return f"{first} to {last}" if last - first + 1 == len(axis.remainders) else _joined(axis.remainders)
    if axis.modulus == 1:
        return "of any size"
    if len(axis.remainders) > axis.modulus // 2 and len(axis.remainders) > 3:
        others = [rest for rest in range(axis.modulus) if rest not in axis.remainders]
        return f"≢ {_joined(others)} (mod {axis.modulus})"
    return f"≡ {_joined(axis.remainders)} (mod {axis.modulus})"


def _joined(numbers: Sequence[int]) -> str:
    shown = [str(number) for number in numbers[:6]] + (["…"] if len(numbers) > 6 else [])
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"


def _listed(reasons: Sequence[str]) -> str:
    if not reasons:
        return ""
    more = len(reasons) - MOST_REASONS
    shown = [*reasons[:MOST_REASONS], *([f"{more} more"] if more > 0 else [])]
    return f" ({'; '.join(shown)})"
