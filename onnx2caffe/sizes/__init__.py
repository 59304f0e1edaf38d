"""At which input sizes a Caffe model computes what its source computes.

A file is exact at the size that its source was converted at. Fed another size it still is, as long as converting at
that size would have made the same layers: what a lowering chose because of a length (a cut after a rounded pooling, the
lengths of a Reshape, a factor for a count) must be what it would choose again.

Lowerings record what they rely on where the layers do not show it (`record`); the rest is read off the layers
(`visible`). `program` holds both with the shapes of the net and says, for any input size, what no longer holds;
`statement` sums that up.
"""

from gluon2caffe.onnx2caffe.sizes.program import ShapeProgram
from gluon2caffe.onnx2caffe.sizes.record import SizeRecord
from gluon2caffe.onnx2caffe.sizes.statement import Sizes

__all__ = ["ShapeProgram", "SizeRecord", "Sizes"]
