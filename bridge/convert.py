"""The library calls: `to_onnx` and `to_caffe`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx_graphsurgeon as gs

from gluon2caffe.bridge.cut import cut_at
from gluon2caffe.bridge.load import DEFAULT_INPUT_SHAPE, InputShape, Source, load_graph
from gluon2caffe.bridge.normalize import normalize
from gluon2caffe.bridge.normalize.fold_padding import fold_padding
from gluon2caffe.bridge.normalize.infer_and_fold import infer_and_fold
from gluon2caffe.bridge.origins import all_sources, write_sources
from gluon2caffe.bridge.preprocessing import append_softmax, make_preprocessing, prepend_preprocessing
from gluon2caffe.bridge.progress import announce
from gluon2caffe.onnx2caffe.builder import LoweringOptions
from gluon2caffe.onnx2caffe.errors import ConversionError
from gluon2caffe.onnx2caffe.lower import lower
from gluon2caffe.onnx2caffe.model import CaffeModel, Preprocessing
from gluon2caffe.ssd_heads.heads import Heads

RELU6_CHOICES = ("exact", "layer", "relu")
Numbers = Sequence[float] | float | None


@dataclass(frozen=True)
class Intermediate:
    """The normal-form graph between the two stages, and what was put into it.

    `arrays` go beside the model: the priors of an SSD that ends at its raw heads. `notes` say what was changed on the
    way in, such as weights of another precision. `heads` are the detection heads that the graph ends in.
    """

    graph: gs.Graph
    preprocessing: Preprocessing | None
    source: str
    arrays: dict[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    heads: Heads | None = None


def to_intermediate(
    source: Source,
    input_shape: InputShape = DEFAULT_INPUT_SHAPE,
    *,
    softmax: bool = False,
    to_bgr: bool = False,
    mean: Numbers = None,
    std: Numbers = None,
    merge_bn: bool = True,
    outputs: Sequence[str] | None = None,
    heads: str = "detection",
    priors: str = "box",
    allow_non_finite: bool = False,
) -> Intermediate:
    """Stage one: the source as a normal-form graph, weights by reference. For the arguments see `to_caffe`."""
    preprocessing = make_preprocessing(to_bgr, mean, std)
    loaded = load_graph(
        source, input_shape, outputs=outputs, heads=heads, priors=priors, allow_non_finite=allow_non_finite
    )
    graph = loaded.graph
    announce("Normalising")
    found = loaded.heads
    if outputs is not None:
        ends = list(graph.outputs)
        cut_at(graph, outputs)
        found = found if list(graph.outputs) == ends else None
    if preprocessing is not None:
        infer_and_fold(graph)
        fold_padding(graph)
        prepend_preprocessing(graph, preprocessing)
    normalize(graph, merge_bn=merge_bn)
    if softmax:
        append_softmax(graph)
    return Intermediate(graph, preprocessing, loaded.title, loaded.arrays, loaded.notes, found)


def to_onnx(
    source: Source,
    input_shape: InputShape = DEFAULT_INPUT_SHAPE,
    *,
    softmax: bool = False,
    to_bgr: bool = False,
    mean: Numbers = None,
    std: Numbers = None,
    merge_bn: bool = True,
    outputs: Sequence[str] | None = None,
    heads: str = "detection",
    priors: str = "box",
    allow_non_finite: bool = False,
) -> onnx.ModelProto:
    """The intermediate ONNX model, in normal form, for Netron, onnxruntime or another converter.

    The arguments are those of `to_caffe`. The model passes `onnx.checker` with full checks; its metadata hold the
    source, this converter's version, the input layout and the preprocessing.
    """
    made = to_intermediate(
        source,
        input_shape,
        softmax=softmax,
        to_bgr=to_bgr,
        mean=mean,
        std=std,
        merge_bn=merge_bn,
        outputs=outputs,
        heads=heads,
        priors=priors,
        allow_non_finite=allow_non_finite,
    )
    return as_model(made)


def as_model(made: Intermediate) -> onnx.ModelProto:
    """Serialise the intermediate and check it."""
    model: onnx.ModelProto = gs.export_onnx(made.graph)
    # The IR version that came with opset 13 to 17: every runtime of the last years reads it.
    model.ir_version = 8
    version = metadata.version("gluon2caffe")
    model.producer_name, model.producer_version = "gluon2caffe", version
    properties = {
        "source": made.source,
        "converter": f"gluon2caffe {version}",
        "input_layout": "NCHW",
        "preprocessing": json.dumps(vars(made.preprocessing) if made.preprocessing else {}),
        **write_sources(model, made.graph),
    }
    onnx.helper.set_model_props(model, properties)
    onnx.checker.check_model(model, full_check=True)
    return model


def to_caffe(
    source: Source,
    input_shape: InputShape = DEFAULT_INPUT_SHAPE,
    *,
    softmax: bool = False,
    to_bgr: bool = False,
    mean: Numbers = None,
    std: Numbers = None,
    merge_bn: bool = True,
    relu6: str = "exact",
    target: str = "ssd",
    outputs: Sequence[str] | None = None,
    heads: str = "detection",
    priors: str = "box",
    allow_non_finite: bool = False,
) -> CaffeModel:
    """Convert a net to a Caffe model that computes the same numbers.

    Args:
        source: a Gluon HybridBlock (initialised, hybridised or not), a pair (symbol file, params file), the path of an
            .onnx file, or an `onnx.ModelProto`.
        input_shape: (N, C, H, W) of the input, or a mapping from input name to shape. Where it is not given, an ONNX
            source keeps the shape it declares, and an SSD has the size it was built for.
        softmax: end the net in a softmax.
        to_bgr: let the net take its three channels in BGR order.
        mean: per channel, in the order of the source; the net takes it off its raw input.
        std: per channel, in the order of the source; the net divides by it.
        merge_bn: False keeps BatchNorm and Scale layers instead of folding batch normalisation into weights.
        relu6: "exact"; "layer" for a ReLU6 layer where the target has one; "relu" for a plain ReLU, which is an
            approximation and noted in the model.
        target: the reader that the files are for, a name in `onnx2caffe.targets.PROFILES`.
        outputs: names of tensors at which the net is cut.
        heads: of an SSD, "detection" ends it in DetectionOutput; "raw" ends it at the class scores before softmax
            (N, boxes, classes + 1) and the box predictions (N, boxes, 4), and the model's `arrays` hold the priors as a
            PriorBox layer gives them, (1, 2, 4·boxes).
        priors: of an SSD, "box" writes PriorBox layers; "constant" writes the priors as constants, for anchors that are
            no regular grid of equal boxes.
        allow_non_finite: take weights that hold NaN or infinity.

    Raises:
        ConversionError: the source cannot be read, or is no SSD and `heads` or `priors` ask for an SSD's (SourceError);
            or it holds nodes that the target cannot compute exactly (UnsupportedModelError lists them all).

    """
    asked: dict[str, Any] = {
        "input_shape": input_shape,
        "softmax": softmax,
        "to_bgr": to_bgr,
        "mean": mean,
        "std": std,
        "merge_bn": merge_bn,
        "outputs": outputs,
        "heads": heads,
        "priors": priors,
        "allow_non_finite": allow_non_finite,
    }
    return lowered(to_intermediate(source, **asked), asked, relu6=relu6, target=target)


def lowered(made: Intermediate, asked: dict[str, Any], *, relu6: str = "exact", target: str = "ssd") -> CaffeModel:
    """Stage two: the intermediate as a Caffe model; `asked` are the keyword arguments that it was made with."""
    announce("Lowering to Caffe layers")
    options = lowering_options(asked, relu6)
    sources = all_sources(made.graph)
    model = lower(made.graph, target=target, options=options, preprocessing=made.preprocessing)
    model.made_with, model.arrays, model.sources, model.heads = asked, made.arrays, sources, made.heads
    model.notes = [*made.notes, *model.notes]
    return model


def lowering_options(asked: dict[str, Any], relu6: str) -> LoweringOptions:
    """What the user chose about the Caffe layers; `asked` are the keyword arguments of `to_intermediate`."""
    if relu6 not in RELU6_CHOICES:
        raise ConversionError(f"relu6 is {relu6!r}; it can be {', '.join(map(repr, RELU6_CHOICES))}.")
    return LoweringOptions(relu6=relu6, merge_bn=asked.get("merge_bn", True))
