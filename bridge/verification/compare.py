"""The arithmetic of a comparison, and the table it fills."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from gluon2caffe.bridge.verification.readers.reader import TOLERANCE
from gluon2caffe.bridge.verification.report import Report, Row
from gluon2caffe.bridge.verification.run_errors import ReaderError
from gluon2caffe.bridge.verification.samples import FloatArray
from gluon2caffe.bridge.verification.sensitivity import Sensitivity

WITHIN_SENSITIVITY = "agrees within the net's own sensitivity"


@dataclass(frozen=True)
class Difference:
    """How far two arrays are apart.

    Attributes:
        absolute: the largest |difference|.
        relative: that divided by the largest |value| of the reference; 0 when both are zero throughout.
        problem: why they cannot be compared at all (then all numbers are infinite), else empty.
        mean_square: the mean of the squared differences.
    """

    absolute: float
    relative: float
    problem: str = ""
    mean_square: float = 0.0

    def within(self, tolerance: float, floor: float = 0.0) -> bool:
        """Return whether the arrays agree: to a part of the largest value, or to an absolute difference."""
        return not self.problem and (self.relative <= tolerance or self.absolute <= floor)


def difference(got: FloatArray, expected: FloatArray) -> Difference:
    """Compare an array with its reference.

    Axes of size 1 do not count: some readers drop them, some add them. NaN and infinity, on either side, are a problem.
    """
    got, expected = np.asarray(got), np.asarray(expected)
    if tuple(n for n in got.shape if n != 1) != tuple(n for n in expected.shape if n != 1):
        return _incomparable(f"shape {got.shape} instead of {expected.shape}")
    for array, what in ((expected, "the reference"), (got, "the result")):
        wrong = array.size - np.count_nonzero(np.isfinite(array))
        if wrong:
            return _incomparable(f"{wrong} of {array.size} values of {what} are NaN or infinite")
    if not got.size:
        return Difference(0.0, 0.0)
    # In double precision, so that the difference of two large numbers of opposite sign cannot overflow.
    apart = np.subtract(got.reshape(expected.shape), expected, dtype=np.float64)
    absolute, scale = float(np.abs(apart).max()), float(np.abs(expected).max())
    relative = 0.0 if absolute == 0 else absolute / scale if scale else float("inf")
    return Difference(absolute, relative, mean_square=float(np.square(apart).mean()))


def compare(
    results: Mapping[str, Mapping[str, FloatArray] | ReaderError],
    reference: Mapping[str, FloatArray],
    *,
    blobs: Mapping[str, str] | None = None,
    skipped: Mapping[str, str] | None = None,
    tolerance: float = TOLERANCE,
    own_tolerances: Mapping[str, float] | None = None,
    floors: Mapping[str, float] | None = None,
    sensitivities: Mapping[str, Sensitivity] | None = None,
) -> Report:
    """Compare what each reader computed with the reference, output by output.

    Args:
        results: reader -> its blobs, or the error it ended with.
        reference: output -> its values.
        blobs: output -> the blob that holds it; None where they have the same names.
        skipped: reader -> why it was not run.
        tolerance: largest |difference| allowed, as a part of the largest |value| of the reference.
        own_tolerances: reader -> its tolerance, for those of another precision; their scores (N, C) must also have the
            largest of each row in the same column.
        floors: output -> the absolute difference that passes, whatever the size of the output.
        sensitivities: output -> how far rounding moves the source itself; a difference within that passes.
    """
    of_reader = own_tolerances or {}
    rows = []
    for reader, result in results.items():
        if isinstance(result, ReaderError):
            continue
        for output, expected in reference.items():
            blob = output if blobs is None else blobs[output]
            found = result.get(blob)
            apart = _incomparable("the reader did not return it") if found is None else difference(found, expected)
            if reader in of_reader and found is not None and not apart.problem:
                apart = _with_classes(apart, found, expected)
            own = (sensitivities or {}).get(output)
            agrees = apart.within(of_reader.get(reader, tolerance), (floors or {}).get(output, 0.0))
            explained = own is not None and own.explains(apart.absolute, apart.mean_square)
            excused = explained and not agrees and not apart.problem
            rows.append(
                Row(
                    reader=reader,
                    output=output,
                    blob=blob,
                    shape=tuple(expected.shape),
                    absolute=apart.absolute,
                    relative=apart.relative,
                    problem=apart.problem,
                    passed=agrees or excused,
                    sensitivity=None if own is None else own.absolute,
                    remark=WITHIN_SENSITIVITY if excused else "",
                    tolerance=of_reader.get(reader),
                )
            )
    # A reader's own errors begin with its name, which the report gives anyway.
    failed = {
        reader: str(result).removeprefix(f"{reader}: ")
        for reader, result in results.items()
        if isinstance(result, ReaderError)
    }
    return Report(tolerance=tolerance, rows=tuple(rows), failed=failed, skipped=dict(skipped or {}))


def _incomparable(problem: str) -> Difference:
    return Difference(float("inf"), float("inf"), problem)


def _with_classes(apart: Difference, found: FloatArray, expected: FloatArray) -> Difference:
    """The difference, incomparable where scores (N, C) in half precision have their largest in another column."""
    if expected.ndim != 2 or expected.shape[1] < 2:
        return apart
    got, wanted = found.reshape(expected.shape).argmax(axis=1), expected.argmax(axis=1)
    others = int(np.count_nonzero(got != wanted))
    return (
        replace(apart, problem=f"another class is the largest in {others} of {len(wanted)} rows") if others else apart
    )
