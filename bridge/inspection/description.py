"""What an inspection finds, as plain dataclasses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gluon2caffe.bridge.inspection.blocks import Block
from gluon2caffe.onnx2caffe.errors import Cut, Refusal
from gluon2caffe.onnx2caffe.targets import profile_named

Shape = tuple[int, ...]


@dataclass(frozen=True)
class LayerRow:
    """A Caffe layer.

    Attributes:
        name: its name.
        type: its type.
        bottoms: the blobs it reads.
        tops: the blobs it writes.
        shapes: the shapes of its tops; None for those that are not known.
        macs: multiply-accumulates, see `bridge.inspection.cost`; None where they are not known.
        weights: the shapes of its blobs of weights.
        nodes: names of the ONNX nodes whose work it does.
        source: names of the layers of the source whose work it does.
    """

    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    shapes: tuple[Shape | None, ...]
    macs: int | None
    weights: tuple[Shape, ...] = ()
    nodes: tuple[str, ...] = ()
    source: tuple[str, ...] = ()


@dataclass(frozen=True)
class NodeRow:
    """A node of the intermediate.

    Attributes:
        name: its name.
        operator: its operator; with its domain in front where that is not ONNX's own.
        outputs: name -> shape of the tensors it makes; None and names stand for lengths known only at run time.
        parameters: how many floating-point numbers its constant inputs hold.
        macs: multiply-accumulates, see `bridge.inspection.cost`.
        source: names of the layers of the source whose work it does.
        blocks: the Gluon blocks that these belong to, where the source is a Gluon net.
        layers: the Caffe layers that do its work; none where it is refused, or where nothing has to be done.
        refusal: why it cannot be computed on the target.
    """

    name: str
    operator: str
    outputs: dict[str, tuple[int | str | None, ...]]
    parameters: int
    macs: int
    source: tuple[str, ...]
    blocks: tuple[Block, ...] = ()
    layers: tuple[LayerRow, ...] = ()
    refusal: Refusal | None = None


@dataclass(frozen=True)
class Inspection:
    """What a source becomes.

    Attributes:
        source: its title.
        target: the name of the target profile that was asked about.
        inputs: name -> shape.
        outputs: name -> shape; None where it is not known.
        nodes: of the intermediate, in order; none for Caffe files.
        layers: of the Caffe net, in order, without its Input layers. Where nodes are refused, those of the others.
        refusals: everything that the target cannot compute, with reasons and remedies.
        parameters: how many numbers the weights hold, each array counted once.
        notes: what the user should know about the Caffe net.
        heads: the description of an SSD's heads.
        sizes: at which input sizes the Caffe net computes what its source does, as `Sizes.as_data` gives it; None for
            Caffe files and where nodes are refused.
        cut: where the source could be cut before what is refused, not yet tried; None where nothing comes before it.
    """

    source: str
    target: str
    inputs: dict[str, Shape]
    outputs: dict[str, tuple[int | str | None, ...] | None]
    nodes: tuple[NodeRow, ...]
    layers: tuple[LayerRow, ...]
    refusals: tuple[Refusal, ...]
    parameters: int
    notes: tuple[str, ...] = ()
    heads: str = ""
    sizes: dict[str, Any] | None = None
    cut: Cut | None = None

    @property
    def convertible(self) -> bool:
        """Whether the target can compute all of it."""
        return not self.refusals

    @property
    def verdict(self) -> str:
        """Whether the target can compute all of it, in a sentence; if not, a line for each refusal with its remedy."""
        title = profile_named(self.target).title
        if self.convertible:
            return "\n".join([f"{title} can compute all of it.", *self.reservations])
        count, kind = len(self.refusals), "node" if self.nodes else "layer"
        head = f"{count} {kind}{'s' if count > 1 else ''} cannot be computed exactly by {title}:"
        tail = [] if self.cut is None else [str(self.cut)]
        return "\n".join([head, *(f"  - {refusal}" for refusal in self.refusals), *tail, *self.reservations])

    @property
    def reservations(self) -> tuple[str, ...]:
        """What to know of a target that was never run: that, and the documents that it rests on."""
        profile = profile_named(self.target)
        if profile.measured:
            return ()
        head = f"Nothing for {profile.title} was run: no reader was at hand. The target {self.target!r} rests on:"
        return (head, *(f"  - {source}" for source in profile.sources))

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all nodes; of Caffe files, of all layers for which they are known."""
        return sum(row.macs or 0 for row in self.nodes or self.layers)

    @property
    def uncounted_layers(self) -> tuple[str, ...]:
        """Names of the layers of Caffe files whose multiply-accumulates are not known."""
        return () if self.nodes else tuple(layer.name for layer in self.layers if layer.macs is None)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values for JSON; nodes name their layers, which are described once."""
        described: dict[str, Any] = {
            "convertible": self.convertible,
            "macs": self.macs,
            "uncounted_layers": list(self.uncounted_layers),
            "reservations": list(self.reservations),
            **_plain(asdict(self)),
        }
        for node in described["nodes"]:
            node["layers"] = [layer["name"] for layer in node["layers"]]
        return described


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value if isinstance(value, (str, bool, type(None))) else int(value)
