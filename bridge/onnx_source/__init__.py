"""The ONNX door: any ONNX model, from opset 7 to the newest that the installed onnx knows, as a graph.

Operators keep the form that their opset gives them: lowerings and passes read every form, so that no model is
rewritten by a version converter. Weights are read once, each into an array of its own, and never copied.
"""

from gluon2caffe.bridge.onnx_source.open_model import open_model, reading

__all__ = ["open_model", "reading"]
