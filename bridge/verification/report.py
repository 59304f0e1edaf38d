"""The result of a verification: what ran, how far it was off, what was skipped, and where the first difference is."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """One output on one reader.

    Attributes:
        reader: name of the reader.
        output: name of the output in the source.
        blob: name of the blob that holds it.
        shape: its shape in the source.
        absolute: the largest |difference|.
        relative: that divided by the largest |value| of the source's output.
        passed: whether the difference is within the tolerance, or explained by rounding.
        problem: why the two could not be compared, else empty.
        sensitivity: the largest |change| of the source's output when its input moves by rounding; None where that was
            not measured.
        remark: what explains a difference beyond the tolerance in a row that passed, else empty.
        tolerance: the largest relative difference that passes on this reader, where it is not the report's.
    """

    reader: str
    output: str
    blob: str
    shape: tuple[int, ...]
    absolute: float
    relative: float
    passed: bool
    problem: str = ""
    sensitivity: float | None = None
    remark: str = ""
    tolerance: float | None = None

    @property
    def verdict(self) -> str:
        """What the table says of it."""
        if self.passed:
            return self.remark or "ok"
        return self.problem or (f"DIFFERS: {self.remark}" if self.remark else "DIFFERS")


@dataclass(frozen=True)
class FirstDifference:
    """The first blob, in the order of the net, that differs from the tensor it should hold.

    Attributes:
        reader: name of the reader.
        layer: name of the layer that wrote the blob.
        type: type of that layer.
        blob: name of the blob.
        tensor: name of the ONNX tensor it should hold.
        origin: names of the ONNX nodes whose work the layer does.
        source: names of the layers of the source whose work it does.
        absolute: the largest |difference|.
        relative: that divided by the largest |value| of the tensor.
        problem: why the two could not be compared, else empty.
        unchecked: names of the layers in front of this one, back to the last blobs that agree: no tensor of the source
            could be compared with what they write, so the fault may lie in any of them.
    """

    reader: str
    layer: str
    type: str
    blob: str
    tensor: str
    origin: tuple[str, ...]
    absolute: float
    relative: float
    problem: str = ""
    unchecked: tuple[str, ...] = ()
    source: tuple[str, ...] = ()

    def __str__(self) -> str:
        size = self.problem or f"off by {number(self.absolute)} (relative {number(self.relative)})"
        text = f"The first layer that differs on {self.reader} is {self.layer} ({self.type}): blob {self.blob}, {size}."
        if self.origin:
            text += f" It computes {', '.join(self.origin)} and should give tensor {self.tensor}."
        else:
            text += f" It should give tensor {self.tensor}."
        if self.source and self.source != self.origin:
            text += f" In the source that is {', '.join(self.source)}."
        if self.unchecked:
            text += f" The fault may also lie in {', '.join(self.unchecked)}, which could not be checked."
        return text


@dataclass(frozen=True)
class Report:
    """The outcome of a verification.

    Attributes:
        tolerance: largest relative difference that passes.
        rows: one for every output on every reader that ran.
        failed: reader that could not load or run the files -> its own words.
        skipped: reader that was not run -> why.
        first_difference: where to look first when an output differs; None when all agree, or it was not looked for.
        reference: what the readers were compared with, where that is not simply the source itself.
        intermediate: one row for every output of the intermediate, where that was compared with the source too.
        notes: what else there is to know, a sentence each.
    """

    tolerance: float
    rows: tuple[Row, ...]
    failed: Mapping[str, str] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)
    first_difference: FirstDifference | None = None
    reference: str = ""
    intermediate: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether at least one reader ran, none failed, and every output agrees on each and in the intermediate."""
        return bool(self.rows) and not self.failed and all(row.passed for row in (*self.rows, *self.intermediate))

    @property
    def readers(self) -> tuple[str, ...]:
        """The readers that ran, in order."""
        return tuple(dict.fromkeys(row.reader for row in self.rows))

    @property
    def worst(self) -> Row | None:
        """The row with the largest relative difference; None when no reader ran."""
        return max(self.rows, key=lambda row: row.relative, default=None)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON; numbers that JSON does not have (infinity) become None."""
        return {"passed": self.passed, **_plain(asdict(self))}

    def __str__(self) -> str:
        lines = _table(
            ("reader", "output", "shape", "max abs error", "relative", ""),
            [
                (
                    row.reader,
                    row.output,
                    "x".join(map(str, row.shape)) or "scalar",
                    number(row.absolute),
                    number(row.relative),
                    row.verdict,
                )
                for row in (*self.intermediate, *self.rows)
            ],
        )
        lines += [f"{reader} failed: {words}" for reader, words in self.failed.items()]
        lines += [f"{reader} was skipped: {reason}" for reader, reason in self.skipped.items()]
        lines += self.notes
        if self.first_difference:
            lines.append(str(self.first_difference))
        if self.reference:
            lines.append(f"Compared with {self.reference}")
        return "\n".join([*lines, self._verdict()])

    def _verdict(self) -> str:
        if not self.rows and not self.failed:
            return "Not verified: no reader ran."
        if self.passed:
            excused = " or as far as rounding allows" if any(row.remark for row in self.rows) else ""
            return f"Agreed {self._within(self.readers, excused)}."
        bad = dict.fromkeys(
            [row.reader for row in (*self.intermediate, *self.rows) if not row.passed] + list(self.failed)
        )
        return f"Not agreed {self._within(list(bad))}."

    def _within(self, readers: Sequence[str], excused: str = "") -> str:
        """The tolerances, each with the readers that it holds for: within 0.0001 on A, B, within 0.01 on C."""
        own = {row.reader: row.tolerance for row in self.rows if row.tolerance is not None}
        groups: dict[float, list[str]] = {}
        for reader in readers:
            groups.setdefault(own.get(reader, self.tolerance), []).append(reader)
        return ", ".join(f"within {number(each)}{excused} on {', '.join(names)}" for each, names in groups.items())


def number(value: float) -> str:
    """The number with two digits, as reports show it."""
    return f"{value:.2g}" if math.isfinite(value) else "-"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return []
    table = [header, *rows]
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
