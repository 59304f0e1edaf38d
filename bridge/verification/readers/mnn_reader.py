"""MNN: its converter MNNConvert and its runtime, from the wheel."""

from gluon2caffe.bridge.verification.readers.isolated import IsolatedKind

MNN = IsolatedKind("mnn", "MNN")
