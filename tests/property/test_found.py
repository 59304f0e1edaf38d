"""What the random graphs have found, at its smallest: each was a crash or a wrong number once.

Those that still fail are marked with why; the mark is strict, so that it goes when the fault does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from agreement import model, workers
from graphs import Example
from verdict import AGREES, verdict


@dataclass(frozen=True)
class Found:
    """A model as text; `reader` is the one that failed (its name begins so), `open` why it still does."""

    text: str
    reader: str = "OpenCV"
    opset: int = 13
    options: Mapping[str, Any] = field(default_factory=dict)
    outcome: str = AGREES
    open: str = ""

    def example(self) -> Example:
        return Example(model(self.text, opset=self.opset), dict(self.options))


BN = "float[1] var0, float[1] b, float[1] m, float[1] var1"
FOUND = {
    # Before opset 13 Softmax flattens all axes from its own on; the one put at the end must not.
    "softmax asked for, before opset 13": Found(
        "(float[1,4,2,3] x) => (float[] y) { y = Tanh(x) }",
        opset=11,
        options={"softmax": True},
    ),
    # OpenCV's Eltwise takes blobs of at most five axes.
    "maximum of six axes": Found(
        "(float[1,3,4,2,3,2] x, float[1,3,4,2,3,2] x2) => (float[] y) { y = Max(x, x2) }",
    ),
    "bounds of six axes": Found(
        "(float[1,3,4,2,3,2] x) => (float[] y) { y = HardSigmoid(x) }",
    ),
    # Caffe's PReLU knows blobs of two to four axes.
    "PRelu of five axes": Found(
        "(float[2,6,1,2,1] x) => (float[] y) <float[1] s> { y = PRelu(x, s) }",
        reader="BVLC Caffe",
    ),
    "PRelu of one axis": Found(
        "(float[3] x) => (float[] y) <float[1] s> { y = PRelu(x, s) }",
        reader="BVLC Caffe",
    ),
    # OpenCV merges PReLU into the Eltwise before it, and then counts channels as if the blob had four axes.
    "PRelu behind a product of two axes": Found(
        "(float[2,3] x, float[2,3] x2) => (float[] y) <float[3] s> { a = Mul(x, x2)\n y = PRelu(a, s) }",
    ),
    "PRelu behind a product of three axes": Found(
        "(float[1,6,2] x, float[1,6,2] x2) => (float[] y) <float[6,1] s> { a = Mul(x, x2)\n y = PRelu(a, s) }",
    ),
    # OpenCV merges a Scale by one number into the Power before it, as if it came first.
    "number over a single channel": Found(
        "(float[1,1] x) => (float[] y) <float[1] c> { y = Div(c, x) }",
    ),
    "batch norm of a root, single channel": Found(
        f"(float[1,1,3,3] x) => (float[] y) <{BN}> {{ a = Exp(x)\n r = Sqrt(a)\n"
        " y = BatchNormalization(r, var0, b, m, var1) }",
    ),
    # OpenCV has no pooling or slicing of blobs of one axis.
    "LogSoftmax over everything": Found(
        "(float[1,3,1,2,1] x) => (float[] y) { y = LogSoftmax<axis=0>(x) }",
        opset=12,
    ),
}


def _case(name: str) -> Any:
    reason = FOUND[name].open
    return pytest.param(FOUND[name], id=name, marks=[pytest.mark.xfail(strict=True, reason=reason)] if reason else [])


@pytest.mark.parametrize("found", [_case(name) for name in FOUND])
def test_found(found: Found) -> None:
    if not any(worker.name.startswith(found.reader) for worker in workers()):
        pytest.skip(f"{found.reader} is not installed")
    assert verdict(found.example()) == found.outcome
