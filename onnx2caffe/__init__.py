"""From normal-form ONNX to Caffe layers and files."""
