# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs
"""Rockchip's rknn-toolkit2: its converter and its simulator, which computes in half precision as the chips do."""

import os
import re
from importlib import metadata
from typing import Any

import rknn  # type: ignore[import-not-found]
from rknn.api import RKNN  # type: ignore[import-not-found]

CHIP = "rk3588"
# It goes on without the layers it does not have, and returns 0.
_MISSING = re.compile(rb"load_caffe:\s*([^\n\x1b]*not support[^\n\x1b]*)")


class Program:
    """One net in rknn-toolkit2."""

    def __init__(self, options):
        self.net: Any = None
        self.inputs, self.outputs = [], []

    def hello(self):
        """Return the version."""
        return {"version": metadata.version("rknn-toolkit2"), "where": rknn.__path__[0]}

    def load(self, prototxt, caffemodel, inputs, outputs):
        """Convert a net and load it in the simulator."""
        if self.net is not None:
            self.net.release()
        self.inputs, self.outputs = [name for name, _ in inputs], [blob for blob, _, _ in outputs]
        self.net = RKNN(verbose=False)
        start = os.fstat(2).st_size
        self._check(self.net.config(target_platform=CHIP), "config")
        self._check(self.net.load_caffe(model=prototxt, blobs=caffemodel), "load_caffe")
        missing = _MISSING.search(os.pread(2, 1 << 20, start))
        if missing:
            raise ValueError("load_caffe: " + missing[1].decode("utf-8", "replace").strip())
        self._check(self.net.build(do_quantization=False), "build")
        self._check(self.net.init_runtime(), "init_runtime")

    def run(self, inputs):
        """Run the net and return its outputs, which have no names, in the order of the prototxt."""
        arrays = [inputs[name] for name in self.inputs]
        found = self.net.inference(inputs=arrays, data_format=["nchw"] * len(arrays))
        if found is None or len(found) != len(self.outputs):
            count = "none" if found is None else len(found)
            raise ValueError(f"inference gave {count} of {len(self.outputs)} outputs")
        return list(zip(self.outputs, found))

    @staticmethod
    def _check(status, what):
        if status:
            raise ValueError(f"{what} returned {status}")
