# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs
"""pycaffe, of any age or fork, on the CPU."""

import importlib

import numpy as np


class Program(object):
    """One net in pycaffe."""

    def __init__(self, options):
        self.caffe = importlib.import_module("caffe")
        self.caffe.set_mode_cpu()

    def hello(self):
        """Return the version and the layer types."""
        types = self.caffe.layer_type_list() if hasattr(self.caffe, "layer_type_list") else []
        version = getattr(self.caffe, "__version__", "of unknown version")
        return {"version": version, "layer_types": list(types), "where": self.caffe.__file__}

    def load(self, prototxt, caffemodel, inputs, outputs):
        """Load a net."""
        self.net = self.caffe.Net(str(prototxt), str(caffemodel), self.caffe.TEST)

    def run(self, inputs):
        """Run the net and return its outputs: the blobs of ``net.outputs``, as ``net.forward()`` gives them."""
        self._forward(inputs)
        return [(name, self.net.blobs[name].data) for name in self.net.outputs]

    def probe(self, inputs, places):
        """Run the net and return any of its blobs, as they are at the end."""
        self._forward(inputs)
        return [(name, np.array(self.net.blobs[name].data)) for name, _, _ in places]

    def _forward(self, inputs):
        for name, array in inputs.items():
            blob = self.net.blobs[name]
            if tuple(blob.data.shape) != array.shape:
                blob.reshape(*array.shape)
            blob.data[...] = array
        self.net.forward()
