"""What becomes of one conformance test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gluon2caffe.bridge.verification.run_errors import ReaderError
from gluon2caffe.onnx2caffe.errors import ConversionError
from tests.conformance.backend import CaffeBackend, CaffeRep, input_names
from tests.conformance.cases import Conformance, Samples, is_array

# Of the largest expected value, beside ONNX's own tolerances (1e-3 of each value, 1e-7): a zero that comes out of a sum
# of large numbers is off by their rounding.
OF_LARGEST = 1e-6
HALF_PRECISION = 2e-3


@dataclass(frozen=True)
class Outcome:
    """What became of a test.

    Attributes:
        what: "passed", "refused" (by a ConversionError), "not run" (no reader here has the layers), or "failed" (a
            wrong value, another exception, or a reader that broke down).
        text: the refusal, or what is wrong.
        readers: the names of those that computed it.
        weights: inputs that had to be weights.
    """

    what: str
    text: str = ""
    readers: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()


def outcome_of(case: Conformance) -> Outcome:
    """Convert a test's model and run it on every reader that has the layers.

    A Caffe net is made for weights, which the tests feed as inputs like everything else. So a model is tried with all
    its float inputs as inputs of the net; when it is refused, with all but the first as weights; then with all but the
    last. Integer and boolean inputs beside them, which are axes, shapes and the like, are always part of the net.
    """
    refusals: list[str] = []
    weights: dict[str, np.ndarray] = {}
    readers: tuple[str, ...] = ()
    try:
        for samples in case.samples():
            for weights in ways(case, samples):
                try:
                    rep = prepared(case, samples, weights)
                except ConversionError as error:
                    refusals.append(str(error))
                    continue
                readers = tuple(agrees(rep, case, samples))
                if not readers:
                    return Outcome("not run", f"no reader here has {', '.join(sorted(rep.layer_types))}")
                break
            else:
                return Outcome("refused", "\n".join(dict.fromkeys(refusals)))
    except (AssertionError, ReaderError) as error:
        return Outcome("failed", str(error))
    except Exception as error:  # whatever it is, it is neither a result nor a refusal
        return Outcome("failed", f"{type(error).__name__}: {error}")
    return Outcome("passed", "", readers, tuple(floats(weights)))


def prepared(case: Conformance, samples: Samples, weights: Mapping[str, np.ndarray]) -> CaffeRep:
    """Convert the model for these inputs, the `weights` among them made part of it."""
    given = dict(zip(input_names(case.model), samples.inputs, strict=True))
    shapes = {name: value.shape for name, value in given.items() if name not in weights and is_array(value)}
    return CaffeBackend.prepare(case.model, constants=weights, input_shape=shapes)


def ways(case: Conformance, samples: Samples) -> Iterator[dict[str, np.ndarray]]:
    """The inputs to make weights of, one choice after the other."""
    given = dict(zip(input_names(case.model), samples.inputs, strict=True))
    arrays = {name: value for name, value in given.items() if is_array(value)}
    integers = {name: value for name, value in arrays.items() if value.dtype.kind != "f"}
    numbers = floats(arrays)
    yield integers if numbers else {}
    if len(numbers) > 1:
        yield {name: value for name, value in arrays.items() if name != next(iter(numbers))}
        yield {name: value for name, value in arrays.items() if name != next(reversed(numbers))}


def floats(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Those of floating-point numbers."""
    return {name: value for name, value in arrays.items() if value.dtype.kind == "f"}


def agrees(rep: CaffeRep, case: Conformance, samples: Samples) -> Iterator[str]:
    """Run it on every reader that has its layers; yield the name of each that computes what is expected.

    Raises:
        AssertionError: it computes something else.
        ReaderError: it breaks down.

    """
    given: dict[str, Any] = dict(zip(input_names(case.model), samples.inputs, strict=True))
    for reader in rep.readers():
        found = rep.run(given, reader=reader)
        assert len(found) == len(samples.outputs), f"{reader.name}: {len(found)} outputs, not {len(samples.outputs)}"
        for index, (value, expected) in enumerate(zip(found, samples.outputs, strict=True)):
            _assert_close(f"{reader.name}, output {index}", value, np.asarray(expected), case)
        yield reader.name


def _assert_close(where: str, value: np.ndarray, expected: np.ndarray, case: Conformance) -> None:
    assert value.shape == expected.shape, f"{where}: shape {value.shape} instead of {expected.shape}"
    assert value.dtype == expected.dtype, f"{where}: {value.dtype} instead of {expected.dtype}"
    finite = np.abs(expected[np.isfinite(expected)].astype(np.float64))
    largest = float(finite.max()) if finite.size else 0.0
    rtol = max(case.test.rtol, HALF_PRECISION) if expected.dtype == np.float16 else case.test.rtol
    np.testing.assert_allclose(
        value.astype(np.float64),
        expected.astype(np.float64),
        rtol=rtol,
        atol=max(case.test.atol, OF_LARGEST * largest),
        err_msg=where,
    )
