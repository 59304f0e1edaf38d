"""BatchNormalization after Conv, ConvTranspose or Gemm goes into its weights.

With s = gamma / sqrt(var + eps): s·(W·x + b - mean) + beta = (s·W)·x + (s·(b - mean) + beta).
Not folded: where the convolution's result has another reader, and where its weights are not constant.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from gluon2caffe.bridge.normalize.decompose.batch_norm import is_in_training
from gluon2caffe.bridge.normalize.fold_affine import absorb_affine
from gluon2caffe.bridge.normalize.surgery import is_only_reader, producer, take_over_output


def fold_batch_norm(graph: gs.Graph) -> bool:
    """Fold every such BatchNormalization."""
    return bool(sum(_fold(node, graph) for node in graph.nodes if node.op == "BatchNormalization"))


def _fold(norm: gs.Node, graph: gs.Graph) -> bool:
    maker = producer(norm.inputs[0])
    if maker is None or not is_only_reader(norm, norm.inputs[0], graph) or is_in_training(norm, graph.opset):
        return False
    if not all(isinstance(tensor, gs.Constant) for tensor in norm.inputs[1:5]):
        return False
    gamma, beta, mean, variance = (tensor.values.astype(np.float64) for tensor in norm.inputs[1:5])
    factor = gamma / np.sqrt(variance + norm.attrs.get("epsilon", 1e-5))
    if not absorb_affine(maker, factor, beta - mean * factor):
        return False
    take_over_output(maker, norm)
    return True
