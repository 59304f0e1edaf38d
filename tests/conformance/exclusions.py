"""Why a conformance test is left out: a table of reasons.

Most are refusals. Such a test is run all the same and must be refused with a ConversionError whose text the row knows,
so that the reason stays true; one that begins to pass is found out by `test_conformance`. A few cannot be judged and
are not run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

REFUSED, NOT_RUN = "refused", "not run"


@dataclass(frozen=True)
class Exclusion:
    """A row of the table.

    Args:
        reason: why Caffe, or this converter, does not do it.
        says: what the refusal's text holds: a regular expression.
        operators: of the nodes that the refusal lists; the other way to know it.
        tests: patterns of test ids; every test by default.
        expected: REFUSED or NOT_RUN.
    """

    reason: str
    says: str = ""
    operators: str = ""
    tests: tuple[str, ...] = ("*",)
    expected: str = REFUSED

    def covers(self, test: str) -> bool:
        """Whether a test's id is among its patterns."""
        return any(fnmatchcase(test, pattern) for pattern in self.tests)

    def explains(self, test: str, refusal: str) -> bool:
        """Whether it is the reason of a refusal."""
        return self.expected == REFUSED and self.covers(test) and bool(re.search(self._pattern, refusal, re.MULTILINE))

    @property
    def _pattern(self) -> str:
        if not self.operators:
            return self.says
        return rf"^  - ({'|'.join(self.operators.split())}) '"


EXCLUSIONS = (
    # What a net is made of
    Exclusion(
        "takes integers or booleans alone; a Caffe net takes float32",
        says=r"Input '[^']*' is u?int\d+, and|input as it stands",
    ),
    Exclusion("8-bit and smaller floats, bfloat16, strings and complex numbers", says="of a type that Caffe does not"),
    Exclusion("8-bit and smaller floats, bfloat16, strings and complex numbers", says="Caffe has no such numbers"),
    Exclusion("quantised numbers", says="The model is quantised"),
    Exclusion("sequences and optional values", says=r"is no tensor \((sequence|optional)_type\)"),
    Exclusion("sequences and optional values", says="inferred=sequence_type"),
    Exclusion("sequences and optional values", tests=("node/if_*", "simple/sequence_model*"), says="not a valid ONNX"),
    Exclusion(
        "sequences and optional values",
        operators="ConcatFromSequence SequenceAt SequenceConstruct SequenceErase SequenceInsert SequenceLength"
        " SplitToSequence OptionalGetElement",
    ),
    Exclusion("an operator of traditional machine learning or of training", says="does not say which opset of ONNX"),
    Exclusion("training", says="it is in training mode"),
    Exclusion("training", says="(NegativeLogLikelihood|SoftmaxCrossEntropy)Loss"),
    Exclusion("training", tests=("node/nllloss*", "node/sce_*", "*/PoissonNLL*"), says="."),
    Exclusion("control flow: loops and branches chosen by data", operators="Loop Scan"),
    Exclusion("results that are no float numbers", says="it casts to a type that is not a float"),
    Exclusion("a constant result: nothing of the input but its shape is used", says="is a constant, not computed from"),
    # Operators without a layer
    Exclusion("the bits of a number", operators="BitCast"),
    Exclusion("the bits of a number", says="reads the bits of a float64"),
    Exclusion("what is no number: readers differ in what they make of NaN", operators="IsInf IsNaN"),
    Exclusion(
        "trigonometry: no stock layer computes or rounds",
        operators="Acos Asin Atan Cos Sin Tan",
    ),
    Exclusion("rounding: no stock layer rounds", operators="Ceil Floor Mod Round"),
    Exclusion(
        "picks or sorts by computed values",
        operators="MaxUnpool NonMaxSuppression NonZero OneHot TensorScatter TopK Unique",
    ),
    Exclusion("updates of one place twice, or combined with the data", operators="ScatterElements ScatterND"),
    Exclusion(
        "attention with computed lengths or weights, or in a loop",
        operators="Attention FlexAttention LinearAttention RotaryEmbedding CausalConvWithState",
    ),
    Exclusion(
        "attention with computed lengths or weights, or in a loop",
        tests=("node/causal_conv_with_state_*",),
        says="computed at run time|cannot be empty",
    ),
    Exclusion("signal processing", operators="DFT STFT"),
    Exclusion("random numbers", operators="Bernoulli RandomUniformLike"),
    Exclusion("samples at computed places: no stock layer does", operators="AffineGrid DeformConv GridSample RoiAlign"),
    Exclusion("samples at computed places: no stock layer does", tests=("node/affine_grid_*",), says="."),
    # Forms of operators that are supported
    Exclusion("three spatial axes: Caffe's layers have two", says="3 spatial axes"),
    Exclusion("the indices of the largest values as a second output", says=r"second output \(indices\)"),
    Exclusion("the mask of what is dropped, a constant, as an output", says="is not computed at inference"),
    Exclusion("a power with computed or mixed exponents", says="Power takes one number|to a computed power"),
    Exclusion(
        "its weights are computed from constants, more numbers than are computed ahead",
        tests=("real/*",),
        says="are the most that (are computed ahead|one node may make)",
    ),
    # Shapes
    Exclusion("tensors without elements", says=r"=\((\d+, )*0\b[^)]*\) is not valid|cannot be empty"),
    Exclusion("a scalar as input: a Caffe blob has an axis", says=r"=\(\) is not valid"),
    # Not to be judged
    Exclusion(
        "expects positions by the length before it is rounded down; onnxruntime, like us, by the real one",
        tests=(
            "node/resize_downsample_scales_cubic_align_corners",
            "node/resize_downsample_scales_linear_align_corners",
        ),
        expected=NOT_RUN,
    ),
    Exclusion(
        "float64 numbers beyond the range of float32",
        tests=tuple(
            f"pytorch-operator/operator_{name}"
            for name in ("add_broadcast", "add_size1_right_broadcast", "add_size1_singleton_broadcast", "addconstant")
        ),
        expected=NOT_RUN,
    ),
    Exclusion(
        "stand-in weights make a thousand equal scores of 1e10: softmax shows how they were rounded",
        tests=("real/squeezenet",),
        expected=NOT_RUN,
    ),
    Exclusion(
        "opset 6, whose slopes onnx's version converter leaves unbroadcastable",
        tests=tuple(f"pytorch-converted/PReLU_{n}d_multiparam" for n in (1, 2, 3)),
        expected=NOT_RUN,
    ),
)

# Tests that fail, each with the bug; a test that passes again must be taken off.
_ONE_AXIS = "the net's input has one axis, which OpenCV does not know: it gives it a second one"
BUGS: dict[str, str] = {
    "node/l1normalization_axis_0": _ONE_AXIS,
    "node/nllloss_NCd1_weight_expanded": _ONE_AXIS,
    "node/nllloss_NCd1d2_with_weight_reduction_mean_expanded": _ONE_AXIS,
    "node/nllloss_NCd1d2d3d4d5_mean_weight_expanded": _ONE_AXIS,
}


def not_run(test: str) -> Exclusion | None:
    """The row that says not to run a test."""
    return next((row for row in EXCLUSIONS if row.expected == NOT_RUN and row.covers(test)), None)


def reason_of(test: str, refusal: str) -> str | None:
    """Why a test is refused; None when no row of the table explains it."""
    return next((row.reason for row in EXCLUSIONS if row.explains(test, refusal)), None)
