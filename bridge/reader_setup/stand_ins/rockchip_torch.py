# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs
"""Stands in for torch, which rknn-toolkit2 imports: any name exists, and what its own optimiser calls works.

It needs torch for PyTorch models, but also follows places through a Reshape behind a Concat with it.
"""

import importlib.abc
import importlib.machinery
import sys
import types

import numpy

__version__ = "2.4.0"


class _Absent:
    """What any name of the stand-in gives: it can be called and subclassed, and does nothing."""

    def __init__(self, *_args, **_words):
        pass

    def __call__(self, *args, **_words):
        return args[0] if args else self

    def __getattr__(self, name):
        return _absent(name)


def _absent(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return type(name, (_Absent,), {})


class _Module(types.ModuleType):
    def __getattr__(self, name):
        return _absent(name)


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds any submodule."""

    def find_spec(self, name, path=None, target=None):
        if name.startswith("torch."):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        return _Module(spec.name)

    def exec_module(self, module):
        pass


sys.meta_path.append(_Finder())


def __getattr__(name):
    return _absent(name)


class Tensor(numpy.ndarray):  # type: ignore[type-arg]
    """An array with the methods of a tensor that arrays have not, or have otherwise."""

    def permute(self, *order):
        """Return it with its axes in this order."""
        return self.transpose(*order)

    def view(self, *shape):
        """Return it in another shape."""
        return self.reshape(*shape)

    def contiguous(self):
        """Return itself."""
        return self

    def numpy(self):
        """Return a plain array."""
        return numpy.asarray(self)


def tensor(value, **_words):
    """Return an array as a tensor."""
    return numpy.ndarray.view(numpy.asarray(value), Tensor)


from_numpy = as_tensor = tensor


def arange(*ends, **_words):
    """Return whole numbers in a row."""
    return tensor(numpy.arange(*ends))


def reshape(value, shape):
    """Return a tensor in another shape."""
    return tensor(value).reshape(tuple(shape))


def split(value, size, dim=0):
    """Pieces of one length, or of these lengths, along an axis."""
    points = numpy.cumsum(size)[:-1] if isinstance(size, (list, tuple)) else range(size, value.shape[dim], size)
    return tuple(tensor(piece) for piece in numpy.split(value, list(points), dim))


def cat(values, dim=0):
    """Join tensors along an axis."""
    return tensor(numpy.concatenate(values, dim))
