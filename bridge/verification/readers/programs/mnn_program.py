# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs
"""MNN: its converter MNNConvert and its runtime, both in the wheel."""

import os
from typing import Any

import _tools  # type: ignore[import-not-found]
import MNN  # type: ignore[import-not-found]
import numpy as np

FILE = "net.mnn"
WINOGRAD_MEMORY_LEVEL = 0  # Interpreter's hint mode WINOGRAD_MEMORY_LEVEL is 3; level 0 turns Winograd off.


class Program:
    """One net in MNN."""

    def __init__(self, options):
        self.net: Any = None
        self.session: Any = None

    def hello(self):
        """Return the version."""
        return {"version": MNN.version(), "where": MNN.__file__}

    def load(self, prototxt, caffemodel, inputs, outputs):
        """Convert a net and load it."""
        if os.path.exists(FILE):
            os.remove(FILE)
        words = [
            "-f",
            "CAFFE",
            "--prototxt",
            prototxt,
            "--modelFile",
            caffemodel,
            "--MNNModel",
            FILE,
            "--bizCode",
            "net",
        ]
        _tools.mnnconvert(["MNNConvert", *words])
        if not os.path.exists(FILE):
            raise ValueError("MNNConvert wrote no model")
        self.net = MNN.Interpreter(FILE)
        self.net.setSessionHint(3, WINOGRAD_MEMORY_LEVEL)
        self.session = self.net.createSession({"backend": "CPU", "numThread": 1})

    def run(self, inputs):
        """Run the net and return all outputs of the session."""
        # An input that nothing reads is not in the converted net.
        for name in self.net.getSessionInputAll(self.session):
            self._feed(name, inputs[name])
        status = self.net.runSession(self.session)
        if status:
            raise ValueError(f"runSession returned the error code {status}")
        return [(name, self._values(tensor)) for name, tensor in self.net.getSessionOutputAll(self.session).items()]

    def _feed(self, name, array):
        tensor = self.net.getSessionInput(self.session, name)
        if tuple(tensor.getShape()) != array.shape:
            raise ValueError(f"input {name} is {tuple(tensor.getShape())} in the net, not {array.shape}")
        tensor.copyFrom(MNN.Tensor(array.shape, MNN.Halide_Type_Float, array, MNN.Tensor_DimensionType_Caffe))

    def _values(self, tensor):
        shape = tensor.getShape()
        zeros = np.zeros(shape, np.float32)
        host = MNN.Tensor(shape, MNN.Halide_Type_Float, zeros, MNN.Tensor_DimensionType_Caffe)
        tensor.copyToHostTensor(host)
        return np.array(host.getNumpyData()).reshape(shape)
