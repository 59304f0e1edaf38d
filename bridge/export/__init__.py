"""From a Gluon block, or the files MXNet saves, to an ONNX graph that computes the same numbers.

`trace_block` and `load_checkpoint` give a `TracedNet`, `cut_net` ends it earlier, `export_graph` makes it an
``onnx_graphsurgeon.Graph``.
MXNet is imported only for a live net; files are read without it.
"""

from gluon2caffe.bridge.export.checkpoint import load_checkpoint
from gluon2caffe.bridge.export.cut import cut_net
from gluon2caffe.bridge.export.graph import export_graph, refuse_mxnet_nodes
from gluon2caffe.bridge.export.mxnet_loader import load_gluoncv, load_mxnet
from gluon2caffe.bridge.export.symbol_graph import mxnet_symbol
from gluon2caffe.bridge.export.trace import trace_block
from gluon2caffe.bridge.export.traced import TracedNet

__all__ = [
    "TracedNet",
    "cut_net",
    "export_graph",
    "load_checkpoint",
    "load_gluoncv",
    "load_mxnet",
    "mxnet_symbol",
    "refuse_mxnet_nodes",
    "trace_block",
]
