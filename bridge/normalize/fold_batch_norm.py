"""BatchNormalization after Conv, ConvTranspose or Gemm goes into its weights.

With s = gamma / sqrt(var + eps): s·(W·x + b - mean) + beta = (s·W)·x + (s·(b - mean) + beta).
Not folded: where the convolution's result has another reader, and where its weights are not constant.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from gluon2caffe.bridge.normalize.absorb import Affine, absorb_behind
from gluon2caffe.bridge.normalize.decompose.batch_norm import is_in_training
from gluon2caffe.bridge.normalize.surgery import Ends, ends_of, is_only_reader, producer, take_over_output
from gluon2caffe.onnx2caffe.names import Names


def fold_batch_norm(graph: gs.Graph) -> bool:
    """Fold every such BatchNormalization."""
    norms = [node for node in graph.nodes if node.op == "BatchNormalization" and not node.domain]
    if not norms:
        return False
    names, ends = Names.of_graph(graph), ends_of(graph)
    return bool(sum(_fold(norm, graph.opset, ends, names) for norm in norms))


def _fold(norm: gs.Node, opset: int, ends: Ends, names: Names) -> bool:
    maker = producer(norm.inputs[0])
    if maker is None or not is_only_reader(norm, norm.inputs[0], ends) or is_in_training(norm, opset):
        return False
    if not all(isinstance(tensor, gs.Constant) for tensor in norm.inputs[1:5]):
        return False
    gamma, beta, mean, variance = (tensor.values.astype(np.float64) for tensor in norm.inputs[1:5])
    factor = gamma / np.sqrt(variance + norm.attrs.get("epsilon", 1e-5))
    if not absorb_behind(maker, Affine(factor, beta - mean * factor), names):
        return False
    take_over_output(maker, norm)
    return True
