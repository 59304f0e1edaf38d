"""What the source of a conversion computes: MXNet's own forward pass, or onnxruntime's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from gluon2caffe.bridge.load import FixedShape, Source, is_gluon_block, trace
from gluon2caffe.bridge.options import Preprocessing
from gluon2caffe.bridge.preprocessing import apply_preprocessing
from gluon2caffe.bridge.verification.reference_onnx import run_onnx
from gluon2caffe.bridge.verification.run_errors import ReferenceModelError
from gluon2caffe.bridge.verification.samples import join_samples, split_samples
from gluon2caffe.ssd_heads import kind_of_block

FloatArray = npt.NDArray[np.float32]
Inputs = Mapping[str, FloatArray]


def source_outputs(
    source: Source,
    raw: Inputs,
    shapes: Mapping[str, tuple[int, ...]],
    *,
    preprocessing: Preprocessing | None,
    outputs: Sequence[str] | None,
    softmax: bool,
    whole: bool = False,
) -> list[FloatArray]:
    """The outputs of `source`, in its order, for the raw inputs that the converted model takes.

    Args:
        source: as for `to_caffe`.
        raw: input -> float32 array, one sample or several along axis 0.
        shapes: input -> the shape that the model takes.
        preprocessing: what stands between the raw input and the source.
        outputs: tensors to give instead of the source's outputs.
        softmax: whether a softmax over axis 1 follows.
        whole: run a detector to its detections, where it would else be run to its raw predictions.
    """
    inputs = {name: apply_preprocessing(array, preprocessing) for name, array in raw.items()}
    if isinstance(source, (str, PathLike, onnx.ModelProto)):
        model = source if isinstance(source, onnx.ModelProto) else str(source)
        results = list(run_onnx(model, inputs, outputs).values())
    else:
        results = _mxnet_outputs(source, inputs, shapes, outputs, whole)
    return [_softmax(result) for result in results] if softmax else results


def _softmax(scores: FloatArray) -> FloatArray:
    powers = np.exp(scores.astype(np.float64) - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def _mxnet_outputs(
    source: Source, inputs: Inputs, shapes: Mapping[str, tuple[int, ...]], outputs: Sequence[str] | None, whole: bool
) -> list[FloatArray]:
    """MXNet's own forward pass, sample by sample."""
    from gluon2caffe.bridge.export import load_mxnet
    from gluon2caffe.bridge.export.messages import reason_of

    mxnet = load_mxnet()
    kind = None if whole else kind_of_block(source)
    if kind is not None:
        # Its own forward pass ends in detections; traced, the raw heads run in inference form.
        net = _as_block(mxnet, kind.raw_block(source), dict(shapes), outputs)
    elif is_gluon_block(source) and outputs is None and not other_precision(source):
        net = source
    else:
        net = _as_block(mxnet, source, dict(shapes), outputs)
    context = context_of(net)
    runs = []
    for sample in split_samples(inputs, shapes):
        try:
            made = net(*(mxnet.nd.array(sample[name], ctx=context) for name in shapes))
            mxnet.nd.waitall()
        except mxnet.MXNetError as error:
            raise ReferenceModelError(f"MXNet cannot run the source: {reason_of(error)}") from error
        arrays = [leaf.asnumpy().astype(np.float32) for leaf in _leaves(made)]
        runs.append({str(position): array for position, array in enumerate(arrays)})
    return list(join_samples(runs).values())


def context_of(net: Any) -> Any:
    """Return the first device that a Gluon block's parameters are on; None, MXNet's default, where it has none."""
    return next((param.list_ctx()[0] for param in net.collect_params().values() if param._data is not None), None)


def other_precision(net: Any) -> str:
    """Return "half" or "double" for a Gluon block with parameters of that precision, else an empty text."""
    kinds = {np.dtype(param.dtype).name for param in net.collect_params().values()}
    return "half" if "float16" in kinds else "double" if "float64" in kinds else ""


def _as_block(mxnet: Any, source: Source, shapes: FixedShape, outputs: Sequence[str] | None) -> Any:
    """The traced symbol, or some tensors inside it, as a block on the CPU with weights in float32, as Caffe has them.

    A block runs as a CachedOp; a bound symbol would go through MKLDNN's subgraph backend, which gives wrong numbers on
    some nets.
    """
    from gluon2caffe.bridge.export import cut_net, mxnet_symbol

    traced = trace(source, shapes, outputs)
    if outputs is not None:
        traced = cut_net(traced, outputs)
    inputs = [mxnet.sym.var(name) for name in traced.input_shapes]
    block = mxnet.gluon.SymbolBlock(_without_types(mxnet, mxnet_symbol(traced.graph, mxnet)), inputs)
    for name, param in block.collect_params().items():
        value = traced.params[name]
        param.shape = tuple(value.shape)
        param.initialize(ctx=mxnet.cpu())
        param.set_data(mxnet.nd.array(value.asnumpy() if hasattr(value, "asnumpy") else value, dtype=np.float32))
    return block


def _without_types(mxnet: Any, symbol: Any) -> Any:
    """The symbol with no types declared for its variables, so that those of half precision can be fed float32."""
    graph = json.loads(symbol.tojson())
    for node in graph["nodes"]:
        node.get("attrs", {}).pop("__dtype__", None)
    return mxnet.sym.load_json(json.dumps(graph))


def _leaves(made: Any) -> list[Any]:
    if isinstance(made, (list, tuple)):
        return [leaf for part in made for leaf in _leaves(part)]
    return [made]
