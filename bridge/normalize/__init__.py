"""Graph surgery that brings an ONNX graph to normal form, a pass a file; `bridge.passes` lists them in order."""
