# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs
"""ncnn: its converter caffe2ncnn, a program of its own, and its runtime from the wheel."""

import subprocess
from typing import Any

import ncnn  # type: ignore[import-not-found]
import numpy as np

PARAM, BIN = "net.param", "net.bin"
# In float32, and without Winograd's rounding.
OPTIONS = ("use_winograd_convolution", "use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage")


class Program:
    """One net in ncnn. It has no batch axis: the images of a batch are run one by one."""

    def __init__(self, options):
        (self.converter,) = options
        self.net: Any = None
        self.outputs = []

    def hello(self):
        """Return the version."""
        return {"version": ncnn.__version__, "where": ncnn.__file__}

    def load(self, prototxt, caffemodel, inputs, outputs):
        """Convert a net and load it."""
        self.outputs = [blob for blob, _, _ in outputs]
        command = [self.converter, prototxt, caffemodel, PARAM, BIN]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            words = done.stdout.decode("utf-8", "replace").strip()[-300:]
            raise ValueError(f"caffe2ncnn ended with status {done.returncode}: {words}")
        self.net = ncnn.Net()
        for option in OPTIONS:
            setattr(self.net.opt, option, False)
        self.net.opt.num_threads = 1
        if self.net.load_param(PARAM) or self.net.load_model(BIN):
            raise ValueError("ncnn cannot load what caffe2ncnn wrote")

    def run(self, inputs):
        """Run the net and return its outputs by their names, with the batch axis put back."""
        counts = {array.shape[0] for array in inputs.values()}
        if len(counts) != 1:
            raise ValueError(f"the inputs hold different numbers of images: {sorted(counts)}")
        known = set(self.net.input_names())
        images = [self._image({name: inputs[name][i] for name in inputs if name in known}) for i in range(counts.pop())]
        return [(name, np.stack([image[name] for image in images])) for name in self.outputs]

    def _image(self, inputs):
        extractor = self.net.create_extractor()
        for name, array in inputs.items():
            # A copy: ncnn's own rows are aligned.
            status = extractor.input(name, ncnn.Mat(np.ascontiguousarray(array)).clone())
            if status:
                raise ValueError(f"input {name}: ncnn returned {status}")
        found = {}
        for name in self.outputs:
            status, values = extractor.extract(name)
            if status:
                raise ValueError(f"output {name}: ncnn returned {status}")
            found[name] = np.array(values)
        return found
