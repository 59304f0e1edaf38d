"""What readers do wrong, as data: a fault has a name that lowerings ask for, a quirk says which reader has it.

A profile lists what its reader *has*; its quirks are where the reader takes a layer and computes something else, or
fails. A lowering asks `profile.has_quirk(Fault.X)` and then writes another exact form.

Every quirk has a minimal net in `tests/quirks/`, which runs on its reader in the plain form and in the other one. The
test fails when the plain form comes out right: then the reader was mended, and the quirk can go.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Fault(Enum):
    """One way to be wrong; the value says what the reader does."""

    SCALE_INTO_GROUPED_DECONVOLUTION = "merges a Scale or BatchNorm into a grouped Deconvolution as if it had no groups"
    SCALE_BY_OTHER_AXES_MERGED = "merges a Scale over other axes than the channels as if it were one per channel"
    SINGLE_SCALE_AFTER_POWER = "merges a one-channel Scale or BatchNorm into a Power before it in the wrong order"
    POWER_AFTER_POWER = "merges two Power layers in the wrong order"
    BATCH_NORM_AFTER_ELTWISE = "merges a BatchNorm into the Eltwise before it, right for four axes only"
    PRELU_AFTER_ELTWISE = "merges a PReLU into the Eltwise before it, right for four axes only"
    ELTWISE_RANKS = "computes Eltwise layers of two to five axes only"
    LRN_BIAS = "ignores k of an LRN layer and takes 1"
    DECONVOLUTION_DILATION = "ignores the dilation of a Deconvolution"
    DEPTHWISE_OVER_ONE_ROW = "reads beyond its input in a padded depthwise 3×3 Convolution over one row or column"
    ELTWISE_COEFFICIENTS = "ignores the coefficients of an Eltwise layer"
    ELTWISE_COEFFICIENTS_OF_MANY = "takes no Eltwise coefficients but 1 and -1 for two blobs"
    ELTWISE_MORE_THAN_TWO = "multiplies, or takes the maximum of, the first two blobs of an Eltwise layer only"
    INNER_PRODUCT_OF_ONE = "fails on an InnerProduct of one value"
    INNER_PRODUCTS_OF_ONE_BLOB = "fails on two InnerProduct layers that read one blob of more than two axes"
    SHARED_PIECES = "takes one piece of a Slice for another where several elementwise layers read it"
    IDLE_POWER_AS_OUTPUT = "removes a Power that changes nothing, and gives its bottom as the output"
    NORMALIZE_AS_OUTPUT = "gives the top of a Normalize layer under another name, so that an output is not found"
    LAST_WINDOW_IN_PADDING = "keeps a last pooling window that starts in the padding, which Caffe drops"
    AVERAGE_LEAVES_PADDING_OUT = "leaves the padding out of the mean in an average pooling"
    PADDED_POOLING_OF_WHOLE_MAP = "fails on a padded Pooling whose window is as large as its input"
    GROUPED_DECONVOLUTION = "computes a Deconvolution in groups, but not of single channels, wrongly"
    PRELU_SHARED_SLOPE = "takes a slope per channel only in a PReLU layer"
    CROP_OF_ALL_AXES = "crops along all axes in a Crop layer, whatever its axis"
    RESHAPE_COPIES_OTHER_AXIS = "copies another axis for a 0 in a Reshape to more or fewer axes"
    ZERO_TIMES_INFINITY = "multiplies in a Power of scale 0, so that infinities become NaN"


@dataclass(frozen=True)
class Quirk:
    """A reader's fault.

    `versions` are those in which it was seen, and `source` says where: a file of the reader, or a measurement.
    """

    fault: Fault
    reader: str
    versions: str
    source: str

    @property
    def name(self) -> str:
        """The fault's name, in lower case."""
        return self.fault.name.lower()
