"""OpenVINO 2022.3, the last line of releases whose Model Optimizer reads Caffe files."""

from gluon2caffe.bridge.verification.readers.isolated import IsolatedKind

KIND = IsolatedKind("openvino", "OpenVINO")
