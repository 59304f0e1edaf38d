"""MNN: its converter MNNConvert and its runtime, from the wheel."""

from gluon2caffe.bridge.verification.readers.isolated import IsolatedKind

KIND = IsolatedKind("mnn", "MNN")
