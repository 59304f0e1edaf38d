"""Where the numbers of a tensor come from: back through all that only moves numbers, element by element.

Detectors put class, score and corners of every box and class into rows, in one of many ways, only to have them taken
apart again by suppression. Following the elements finds the scores and the boxes whatever the way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_graphsurgeon as gs

Codes = npt.NDArray[np.int64]

# An element's code: the number of its leaf, above its place in the leaf. Leaf 0 stands for constants, whose place is
# the bits of the number.
_PLACE_BITS = 40
_PLACE_MASK = (1 << _PLACE_BITS) - 1


@dataclass
class Origins:
    """The elements of tensors, followed to leaves that all share.

    Attributes:
        is_leaf: whether to stop at a tensor although its maker only moves numbers.
        chosen: of each `Where` with constants that was followed to its first choice: the condition.
        leaves: the tensors at which elements end; the first place is taken by the constants.
    """

    is_leaf: Callable[[gs.Tensor], bool] = lambda tensor: False
    chosen: list[gs.Tensor] = field(default_factory=list)
    leaves: list[gs.Tensor | None] = field(default_factory=lambda: [None])
    _known: dict[int, Codes] = field(default_factory=dict)

    def of(self, tensor: gs.Tensor) -> Codes:
        """The codes of all elements, in the tensor's shape."""
        if id(tensor) not in self._known:
            self._known[id(tensor)] = self._followed(tensor)
        return self._known[id(tensor)]

    def leaf(self, codes: Codes) -> npt.NDArray[np.int64]:
        """The number of the leaf of each element; 0 for constants."""
        return codes >> _PLACE_BITS

    def place(self, codes: Codes) -> npt.NDArray[np.int64]:
        """The flat place of each element in its leaf."""
        return codes & _PLACE_MASK

    def _followed(self, tensor: gs.Tensor) -> Codes:
        if isinstance(tensor, gs.Constant):
            return _constants(tensor.values)
        maker = tensor.inputs[0] if tensor.inputs else None
        if maker is not None and not maker.domain and not self.is_leaf(tensor):
            step = _STEPS.get(maker.op)
            made = step(self, maker, tensor) if step else None
            if made is not None:
                return made
        self.leaves.append(tensor)
        start = (len(self.leaves) - 1) << _PLACE_BITS
        return (start + np.arange(np.prod(tensor.shape, dtype=np.int64))).reshape(tensor.shape)


def numbers(codes: Codes) -> npt.NDArray[np.float32]:
    """The values of elements that are constants."""
    return (codes & _PLACE_MASK).astype(np.uint32).view(np.float32)


def _constants(values: npt.ArrayLike) -> Codes:
    return np.ascontiguousarray(values, np.float32).view(np.uint32).astype(np.int64)


def _is_constant(codes: Codes) -> bool:
    return bool((codes >> _PLACE_BITS == 0).all())


def _values(tensor: gs.Tensor) -> Any:
    return tensor.values if isinstance(tensor, gs.Constant) else None


def _reshaped(origins: Origins, node: gs.Node, tensor: gs.Tensor) -> Codes | None:
    return origins.of(node.inputs[0]).reshape(tensor.shape)


def _transposed(origins: Origins, node: gs.Node, tensor: gs.Tensor) -> Codes | None:
    return origins.of(node.inputs[0]).transpose(node.attrs.get("perm"))


def _joined(origins: Origins, node: gs.Node, tensor: gs.Tensor) -> Codes | None:
    return np.concatenate([origins.of(part) for part in node.inputs], axis=node.attrs["axis"])


def _sliced(origins: Origins, node: gs.Node, tensor: gs.Tensor) -> Codes | None:
    bounds = [_values(part) for part in node.inputs[1:]]
    if any(part is None for part in bounds) or len(bounds) < 2:
        return None
    starts, ends = bounds[0].tolist(), bounds[1].tolist()
    axes = bounds[2].tolist() if len(bounds) > 2 else list(range(len(starts)))
    steps = bounds[3].tolist() if len(bounds) > 3 else [1] * len(starts)
    if min(steps) < 1:
        return None
    codes = origins.of(node.inputs[0])
    cuts = [slice(None)] * codes.ndim
    for axis, start, end, pace in zip(axes, starts, ends, steps, strict=True):
        cuts[axis] = slice(start, end, pace)
    return codes[tuple(cuts)]


def _split(origins: Origins, node: gs.Node, tensor: gs.Tensor) -> Codes | None:
    axis = node.attrs.get("axis", 0)
    lengths = [part.shape[axis] for part in node.outputs]
    pieces = np.split(origins.of(node.inputs[0]), np.cumsum(lengths)[:-1], axis=axis)
    return pieces[next(place for place, part in enumerate(node.outputs) if part is tensor)]


def _tiled(origins: Origins, node: gs.Node, tensor: gs.Tensor) -> Codes | None:
    repeats = _values(node.inputs[1])
    return None if repeats is None else np.tile(origins.of(node.inputs[0]), repeats.tolist())


def _expanded(origins: Origins, node: gs.Node, tensor: gs.Tensor) -> Codes | None:
    return np.broadcast_to(origins.of(node.inputs[0]), tensor.shape)


def _gathered(origins: Origins, node: gs.Node, tensor: gs.Tensor) -> Codes | None:
    indices = _values(node.inputs[1])
    return None if indices is None else np.take(origins.of(node.inputs[0]), indices, axis=node.attrs.get("axis", 0))


def _computed(origins: Origins, node: gs.Node, tensor: gs.Tensor) -> Codes | None:
    """Arithmetic of constants; whatever is multiplied by 0 is a constant too, since scores are finite."""
    a, b = (origins.of(part) for part in node.inputs)
    if node.op == "Mul":
        for factor in (a, b):
            if _is_constant(factor) and not numbers(factor).any():
                return np.zeros(tensor.shape, np.int64)
    if not (_is_constant(a) and _is_constant(b)):
        return None
    first, second = numbers(a), numbers(b)
    made = first * second if node.op == "Mul" else first + second if node.op == "Add" else first - second
    return _constants(np.broadcast_to(made, tensor.shape))


def _chosen(origins: Origins, node: gs.Node, tensor: gs.Tensor) -> Codes | None:
    """A choice between constants, the second one negative: a class, or none."""
    first, second = (origins.of(part) for part in node.inputs[1:])
    if not (_is_constant(first) and _is_constant(second)) or not (numbers(second) < 0).all():
        return None
    origins.chosen.append(node.inputs[0])
    return np.broadcast_to(first, tensor.shape)


_STEPS: dict[str, Callable[[Origins, gs.Node, gs.Tensor], Codes | None]] = {
    **dict.fromkeys(("Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze"), _reshaped),
    **dict.fromkeys(("Add", "Sub", "Mul"), _computed),
    "Transpose": _transposed,
    "Concat": _joined,
    "Slice": _sliced,
    "Split": _split,
    "Tile": _tiled,
    "Expand": _expanded,
    "Gather": _gathered,
    "Where": _chosen,
}
