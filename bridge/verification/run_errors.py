"""What can go wrong while a model is checked."""

from gluon2caffe.onnx2caffe.errors import ConversionError


class ReaderError(ConversionError):
    """A reader that cannot be started, or that cannot load or run the files it was given."""


class ReferenceModelError(ConversionError):
    """The model to compare with cannot be run."""
