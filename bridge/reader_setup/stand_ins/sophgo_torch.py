# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs
"""Stands in for torch, of which tpu-mlir's Caffe importer uses one thing: ``torch.tensor(value).permute(order)``."""

import numpy


class _Tensor(numpy.ndarray):  # type: ignore[type-arg]
    def permute(self, *order):
        """Transpose."""
        return self.transpose(*order)


def tensor(value):
    """Return the values as an array."""
    return numpy.array(value).view(_Tensor)
