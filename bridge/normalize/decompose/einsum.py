"""Einsum as Transposes, Reshapes, sums and one product after the other.

A term is a tensor whose axes have letters. Two terms are multiplied as matrices: letters of both that are not needed
any more are summed over, letters of both that are needed make a batch. Without such a sum they are multiplied element
by element. The rules for the equation are those of ONNX's Einsum, which are numpy's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import onnx_graphsurgeon as gs

from gluon2caffe.bridge.normalize.decompose.replacement import Replacement
from gluon2caffe.bridge.normalize.rewrite import Rewriting
from gluon2caffe.onnx2caffe import growth
from gluon2caffe.onnx2caffe.errors import ConversionError
from gluon2caffe.onnx2caffe.node import is_static

# Letters for the axes under an ellipsis; an equation has a to z and A to Z.
_ELLIPSIS = "".join(map(chr, range(0x3B1, 0x3B1 + 16)))
_REDUCE_SUM_WITH_AXES_AS_INPUT = 13


def decomposed_einsum(node: gs.Node, state: Rewriting) -> list[gs.Node] | None:
    """An Einsum of static shapes."""
    if node.op != "Einsum" or node.domain or any(not is_static(tensor) for tensor in node.inputs):
        return None
    return _Decomposition(Replacement(node, state)).nodes(*_letters(node))


def _letters(node: gs.Node) -> tuple[list[str], str]:
    """The letters of each operand's axes, and of the result's, ellipses written out."""
    equation = node.attrs["equation"].replace(" ", "")
    left, arrow, result = equation.partition("->")
    terms = left.split(",")
    hidden = [len(tensor.shape) - len(term.replace("...", "")) for term, tensor in zip(terms, node.inputs, strict=True)]
    most = max((count for term, count in zip(terms, hidden, strict=True) if "..." in term), default=0)
    full = [term.replace("...", _ELLIPSIS[most - count : most]) for term, count in zip(terms, hidden, strict=True)]
    if arrow:
        return full, result.replace("...", _ELLIPSIS[:most])
    once = sorted(letter for letter, count in Counter(left).items() if count == 1 and letter.isalpha())
    return full, _ELLIPSIS[:most] + "".join(once)


@dataclass
class _Term:
    tensor: gs.Tensor
    letters: str

    def shape_of(self, letters: Iterable[str]) -> list[int]:
        return [int(self.tensor.shape[self.letters.index(letter)]) for letter in letters]


class _Decomposition:
    """The nodes that take one Einsum's place."""

    def __init__(self, new: Replacement) -> None:
        self._new = new

    def nodes(self, letters: Sequence[str], result: str) -> list[gs.Node]:
        """The nodes."""
        inputs = list(self._new.node.inputs)
        sizes: dict[str, int] = {}
        for tensor, term in zip(inputs, letters, strict=True):
            for length, letter in zip(tensor.shape, term, strict=True):
                sizes[letter] = max(sizes.get(letter, 1), int(length))
        terms = [_Term(tensor, term) for tensor, term in zip(inputs, letters, strict=True)]
        waiting = [self._without_broadcast(self._diagonal(term), sizes) for term in terms]
        whole = waiting.pop(0)
        while True:
            needed = set(result).union(*(term.letters for term in waiting))
            whole = self._summed(whole, needed)
            if not waiting:
                break
            other = waiting.pop(0)
            later = set(result).union(*(term.letters for term in waiting))
            whole = self._product(whole, self._summed(other, later | set(whole.letters)), later)
        return self._new.nodes([self._transposed(whole, result).tensor])

    def _diagonal(self, term: _Term) -> _Term:
        """With one axis for every letter: of two axes of one letter, the places at which their indices are equal."""
        twice = next((letter for letter in term.letters if term.letters.count(letter) > 1), None)
        if twice is None:
            return term
        first, second = (axis for axis, letter in enumerate(term.letters) if letter == twice)
        others = [axis for axis in range(len(term.letters)) if axis not in (first, second)]
        shape, length = [int(term.tensor.shape[axis]) for axis in others], int(term.tensor.shape[first])
        order = [*others, first, second]
        new, letters = self._new, "".join(term.letters[axis] for axis in others) + twice
        if isinstance(term.tensor, gs.Constant):
            return self._diagonal(_Term(new.constant(term.tensor.values.diagonal(0, first, second)), letters))
        turned = new.add("Transpose", [term.tensor], [*shape, length, length], perm=order)
        flat = new.reshape(turned, [*shape, length * length])
        places = new.constant(np.arange(length) * (length + 1))
        return self._diagonal(_Term(new.add("Gather", [flat, places], [*shape, length], axis=len(others)), letters))

    def _without_broadcast(self, term: _Term, sizes: dict[str, int]) -> _Term:
        """Without the axes of length 1 that stand for a longer one."""
        kept = "".join(
            letter
            for letter, length in zip(term.letters, term.tensor.shape, strict=True)
            if not (length == 1 and sizes[letter] > 1)
        )
        return term if kept == term.letters else self._reshaped(term.tensor, kept, term.shape_of(kept))

    def _summed(self, term: _Term, needed: set[str]) -> _Term:
        axes = [axis for axis, letter in enumerate(term.letters) if letter not in needed]
        if not axes:
            return term
        kept = "".join(letter for letter in term.letters if letter in needed)
        shape = term.shape_of(kept)
        if isinstance(term.tensor, gs.Constant):
            return _Term(self._new.constant(term.tensor.values.sum(tuple(axes))), kept)
        if self._new.state.opset < _REDUCE_SUM_WITH_AXES_AS_INPUT:
            return _Term(self._new.add("ReduceSum", [term.tensor], shape, axes=axes, keepdims=0), kept)
        return _Term(
            self._new.add("ReduceSum", [term.tensor, self._new.constant(np.array(axes))], shape, keepdims=0), kept
        )

    def _product(self, a: _Term, b: _Term, needed: set[str]) -> _Term:
        if isinstance(a.tensor, gs.Constant):
            a, b = b, a  # a constant is the second factor of a matrix product that Caffe has
        shared = [letter for letter in a.letters if letter in b.letters]
        batch = "".join(letter for letter in shared if letter in needed)
        inner = "".join(letter for letter in shared if letter not in needed)
        only_a = "".join(letter for letter in a.letters if letter not in shared)
        only_b = "".join(letter for letter in b.letters if letter not in shared)
        shape = [*a.shape_of(batch + only_a), *b.shape_of(only_b)]
        if isinstance(a.tensor, gs.Constant) and isinstance(b.tensor, gs.Constant):
            return self._constant_product(a, b, batch + only_a + only_b)
        if not inner:
            left = self._transposed(a, batch + only_a)
            right = self._transposed(b, batch + only_b)
            left = self._reshaped(left.tensor, left.letters + only_b, [*a.shape_of(batch + only_a), *[1] * len(only_b)])
            between = [*a.shape_of(batch), *[1] * len(only_a), *b.shape_of(only_b)]
            right = self._reshaped(right.tensor, batch + only_a + only_b, between)
            return _Term(self._new.add("Mul", [left.tensor, right.tensor], shape), batch + only_a + only_b)
        # Without a batch the rows stay apart, so that Caffe's batch axis does.
        rows = a.shape_of(only_a) if not batch else [prod(a.shape_of(only_a))]
        depth, columns = prod(a.shape_of(inner)), prod(b.shape_of(only_b))
        left = self._reshaped(
            self._transposed(a, batch + only_a + inner).tensor, "", [*a.shape_of(batch), *rows, depth]
        )
        right = self._reshaped(
            self._transposed(b, batch + inner + only_b).tensor, "", [*a.shape_of(batch), depth, columns]
        )
        if not batch and not rows:
            left = self._reshaped(left.tensor, "", [1, depth])
            rows = [1]
        product = self._new.add("MatMul", [left.tensor, right.tensor], [*a.shape_of(batch), *rows, columns])
        return self._reshaped(product, batch + only_a + only_b, shape)

    def _constant_product(self, a: _Term, b: _Term, letters: str) -> _Term:
        number = {letter: index for index, letter in enumerate(sorted({*a.letters, *b.letters}))}
        axes = [[number[letter] for letter in term] for term in (a.letters, b.letters, letters)]
        lengths = dict(zip(a.letters + b.letters, [*a.tensor.shape, *b.tensor.shape], strict=True))
        excess = growth.excess_of_bytes(4 * prod(lengths[letter] for letter in letters))
        if excess:
            node = self._new.node
            raise ConversionError(f"Einsum {node.name or node.outputs[0].name!r} makes a constant of {excess}.")
        return _Term(
            self._new.constant(np.einsum(a.tensor.values, axes[0], b.tensor.values, axes[1], axes[2])), letters
        )

    def _transposed(self, term: _Term, letters: str) -> _Term:
        if letters == term.letters:
            return term
        order = [term.letters.index(letter) for letter in letters]
        if isinstance(term.tensor, gs.Constant):
            return _Term(self._new.constant(term.tensor.values.transpose(order)), letters)
        return _Term(self._new.add("Transpose", [term.tensor], term.shape_of(letters), perm=order), letters)

    def _reshaped(self, tensor: gs.Tensor, letters: str, shape: list[int]) -> _Term:
        return _Term(tensor if list(tensor.shape) == shape else self._new.reshape(tensor, shape), letters)
