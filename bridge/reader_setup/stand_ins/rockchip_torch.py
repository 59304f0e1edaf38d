# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs
"""Stands in for torch, which rknn-toolkit2 imports and needs for PyTorch models alone: any name exists, none works."""

import importlib.abc
import importlib.machinery
import sys
import types

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
