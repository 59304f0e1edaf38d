"""SSD heads: GluonCV anchors and decoders, described, grafted into ONNX and lowered to Caffe."""
