"""What the rest of the converter knows of detection heads: a few methods, the same for every kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import onnx_graphsurgeon as gs

from gluon2caffe.ssd_heads.decoding import DecoderDocument
from gluon2caffe.ssd_heads.detections import Detections, Floats

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class Heads(ABC):
    """Detection heads found in a source: what they are, and how a graph is ended at them.

    Attributes:
        image_size: (height, width) of the picture that the boxes lie in, in pixels.
        score_threshold: a box is reported for scores above this.
        nms_topk: number of boxes of all classes together that enter suppression; 0 or less for all.
        post_nms: number of boxes that are reported; 0 or less for all.
        fetch: tensors of the source that `read` takes instead of its outputs; empty for the outputs.
    """

    image_size: tuple[int, int]
    score_threshold: float
    nms_topk: int
    post_nms: int
    fetch: tuple[str, ...] = ()

    @abstractmethod
    def __str__(self) -> str:
        """Return a description for people, some lines long."""

    @abstractmethod
    def graft(self, graph: gs.Graph, *, priors: str = "box") -> None:
        """End `graph` in rows of detections, as `ssd_heads.detections` reads them.

        Args:
            graph: the one that the heads were found in, or of the block that `HeadKind.raw_block` gave.
            priors: "box" for PriorBox nodes where the kind has priors; "constant" for priors as constants.

        Raises:
            SourceError: Caffe's layers cannot compute the same.
        """

    @abstractmethod
    def end_raw(self, graph: gs.Graph) -> dict[str, Floats]:
        """End `graph` at the predictions, before the decoder; return the arrays that a decoder needs beside them."""

    @abstractmethod
    def document(self) -> DecoderDocument:
        """What `gluon2caffe.decode` needs to know to finish the raw predictions."""

    @abstractmethod
    def read(self, outputs: Sequence[Array]) -> Detections:
        """Turn what the source itself gives (its outputs, or the tensors `fetch`) into detections."""


class HeadKind:
    """One kind of detection heads. Each method says no where a kind does not override it.

    Attributes:
        name: short, for messages and files.
        rank: kinds of lower rank are asked first; the most general one comes last.
        whole: whether a block of this kind is cut behind its heads only; otherwise inside its own decoder too.
    """

    name = ""
    rank = 0
    whole = True

    def in_block(self, net: Any) -> bool:
        """Whether the Gluon block `net` is of this kind, and must be traced as `raw_block` says."""
        return False

    def input_shape(self, net: Any) -> tuple[int, ...]:
        """The input shape that a block of this kind was built for."""
        raise NotImplementedError

    def raw_block(self, net: Any) -> Any:
        """A block of the net's own parameters that ends at its predictions."""
        raise NotImplementedError

    def of_block(self, net: Any, input_shape: tuple[int, ...]) -> Heads:
        """The heads of a block of this kind, for inputs of this shape.

        Raises:
            SourceError: its parts do not fit together.
        """
        raise NotImplementedError

    def cut_training(self, symbol: Any) -> str:
        """End an MXNet symbol at its detections where it is made for training; return a note, or nothing.

        `symbol` has `nodes` (each with `name`, `op`, `attrs` and `inputs`) and `heads`, which may be changed.
        """
        return ""

    def in_graph(self, graph: gs.Graph) -> Heads | None:
        """The heads in an exported or opened graph, or None where it has none of this kind. The graph stays as it is.

        Raises:
            SourceError: it has, but Caffe's layers cannot compute the same.
        """
        return None
