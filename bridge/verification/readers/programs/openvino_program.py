# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs
"""OpenVINO 2022.3: its Model Optimizer and its CPU plug-in."""

from functools import lru_cache
from typing import Any

import openvino  # type: ignore[import-not-found]
from openvino.runtime import Core, get_version  # type: ignore[import-not-found]
from openvino.tools.mo import convert_impl, convert_model  # type: ignore[import-not-found]

# In float32: where the processor has bfloat16, it is used unless forbidden, and costs 3e-3.
CONFIGURATION = {"ENFORCE_BF16": "NO", "INFERENCE_NUM_THREADS": "1"}
# Each conversion would look for the runtime anew, in a child process: most of the time that a small net takes.
convert_impl.find_ie_version = lru_cache(maxsize=None)(convert_impl.find_ie_version)


class Program:
    """One net in OpenVINO."""

    def __init__(self, options):
        self.core = Core()
        self.net: Any = None

    def hello(self):
        """Return the version."""
        return {"version": get_version().split("-")[0], "where": openvino.__path__[0]}

    def load(self, prototxt, caffemodel, inputs, outputs):
        """Convert a net, as the command `mo` does, and load it."""
        model = convert_model(input_model=caffemodel, input_proto=prototxt, compress_to_fp16=False)
        self.net = self.core.compile_model(model, "CPU", CONFIGURATION)

    def run(self, inputs):
        """Run the net and return its outputs by the names of their tensors."""
        known = {name for port in self.net.inputs for name in port.names}
        fed = {name: array for name, array in inputs.items() if name in known}
        results = self.net.create_infer_request().infer(fed)
        return [(name, value) for port, value in results.items() for name in port.names]
