"""The strategy of whole examples: a small model and the options to convert it with."""

from dataclasses import dataclass, field
from typing import Any

import onnx
import onnx.printer
from draft import Draft, Shape
from hypothesis import reject
from hypothesis import strategies as st
from strategies import KINDS, Kind

from gluon2caffe.onnx2caffe.targets import PROFILES

# It shrinks to 13. onnxruntime lags behind onnx; what it cannot run is dropped.
OPSETS = [13, *(opset for opset in range(7, min(onnx.defs.onnx_opset_version(), 26) + 1) if opset != 13)]
MOST_NODES = 6


@dataclass(frozen=True)
class Example:
    """A model and how to convert it; `repr` is what Hypothesis prints of a failure."""

    model: onnx.ModelProto
    options: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"to_caffe(model, **{self.options}) of\n{onnx.printer.to_text(self.model)}"


@st.composite
def input_shapes(draw: Any) -> Shape:
    """Mostly pictures; batch 1 or 2, sizes also odd and different."""
    batch = draw(st.sampled_from([1, 1, 2]))
    rank = draw(st.sampled_from([4, 4, 4, 4, 2, 3, 5]))
    channels = draw(st.sampled_from([3, 4, 1, 2, 6, 8]))
    sizes = [draw(st.integers(1, 9 if rank < 5 else 4)) for _ in range(rank - 2)]
    return (batch, channels, *sizes)


@st.composite
def examples(draw: Any) -> Example:
    """A graph of one to six operators or patterns, on one input or two."""
    net = Draft(draw, draw(st.sampled_from(OPSETS)))
    net.input(draw(input_shapes()))
    for _ in range(draw(st.integers(1, MOST_NODES))):
        if draw(st.integers(0, 15)) == 15 and len(net.inputs) < 2:
            net.input(draw(st.one_of(st.just(net.values["x0"]), input_shapes())))
        _grow(net)
    kept = [name for name in net.values if name not in net.inputs and draw(st.integers(0, 9)) == 9]
    model = net.model(kept)
    return Example(model, draw(options_for(net, len(model.graph.output))))


def _grow(net: Draft) -> None:
    """Read the newest value, or now and then an older one, by something that fits it."""
    operand = net.computed()[0] if net.number(0, 3) < 3 else net.pick(net.computed())
    kinds: list[Kind] = [kind for kind in KINDS.values() if kind.fits(len(net.values[operand]), net.opset)]
    if not kinds:
        reject()
    net.pick(kinds).grow(net, operand)


@st.composite
def options_for(draw: Any, net: Draft, outputs: int) -> dict[str, Any]:
    """Options that the net can be converted with; mostly none."""
    options: dict[str, Any] = {}
    if draw(st.integers(0, 3)) == 3:
        options["merge_bn"] = False
    if draw(st.integers(0, 2)) == 2:
        options["target"] = draw(st.sampled_from(sorted(PROFILES)))
    if draw(st.integers(0, 5)) == 5:
        options["relu6"] = "layer"
    if draw(st.integers(0, 5)) == 5:
        options["softmax"] = True
    shape = net.values[net.inputs[0]]
    if len(net.inputs) == 1 and len(shape) == 4 and shape[1] == 3 and draw(st.booleans()):
        options |= draw(preprocessing())
    return options


@st.composite
def preprocessing(draw: Any) -> dict[str, Any]:
    """to_bgr, mean and std, as one number or one per channel."""
    chosen: dict[str, Any] = {}
    if draw(st.booleans()):
        chosen["to_bgr"] = True
    if draw(st.booleans()):
        chosen["mean"] = draw(st.sampled_from([0.5, (0.4, -0.2, 1.1)]))
    if draw(st.booleans()):
        chosen["std"] = draw(st.sampled_from([2.0, (0.5, 0.8, 1.25)]))
    return chosen
