# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs
"""Sophgo's tpu-mlir: its tool model_transform, and the interpreter for what that writes, in float32."""

import os
from importlib import metadata
from typing import Any

import pymlir  # type: ignore[import-not-found]
import tpu_mlir  # type: ignore[import-not-found]
from tools.model_transform import CaffeTransformer  # type: ignore[import-not-found]

FILE = "net.mlir"


class Program:
    """One net in tpu-mlir."""

    def __init__(self, options):
        self.net: Any = None

    def hello(self):
        """Return the version."""
        return {"version": metadata.version("tpu-mlir"), "where": tpu_mlir.__file__}

    def load(self, prototxt, caffemodel, inputs, outputs):
        """Convert a net and load it."""
        for name in os.listdir("."):
            os.remove(name)
        CaffeTransformer("net", prototxt, caffemodel, []).model_transform(FILE)
        if not os.path.exists(FILE):
            raise ValueError("model_transform wrote no model")
        pymlir.set_mem_mode("value_mem")
        self.net = pymlir.module()
        self.net.load(FILE)

    def run(self, inputs):
        """Run the net and return its outputs by their names."""
        for name in self.net.input_names:
            self.net.set_tensor(name, inputs[name], inputs[name].shape)
        self.net.invoke(True)
        tensors = self.net.get_all_tensor()
        return [(name, tensors[name]) for name in self.net.output_names if name in tensors]
