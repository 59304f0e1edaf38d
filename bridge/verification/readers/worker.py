# ruff: noqa: UP004, UP010, UP031, PTH100, PTH120, B905, C401
# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs
"""The program a reader runs in a child process: it loads a Caffe net and answers requests about it.

It stands alone (numpy and the reader's own module are all it imports, and it runs on Python 2.7 and 3.6 up), because
the interpreter that has a working ``import caffe`` is rarely the one that runs the rest of this package.

Requests come on standard input and answers go to standard output. A message is a 4-byte little-endian length, that many
bytes of JSON, then the float32 arrays listed under its key ``arrays`` as ``[name, shape]``, one after the other in C
order.

    hello   (sent once by the worker)   -> version, layer_types, where
    load    prototxt, caffemodel        -> nothing
    run     arrays = the input blobs, fetch = [[blob, layer that writes it last, index of that layer's top], ...]
                                        -> arrays = the fetched blobs

An answer with the key ``error`` says in one line why the request failed; a failed check in Caffe ends this process
instead, with its last words on standard error.
"""

from __future__ import print_function

import importlib
import json
import os
import re
import struct
import sys

# The folder of this file is first on the path when it is run as a script; nothing in it may hide a module of the
# reader.
sys.path = [folder for folder in sys.path if os.path.abspath(folder) != os.path.dirname(os.path.abspath(__file__))]

import numpy as np  # noqa: E402


class Channel(object):
    """The two pipes to the parent."""

    def __init__(self):
        # The real standard output is kept for messages alone: whatever else prints there goes to standard error.
        self.source = os.fdopen(os.dup(0), "rb")
        self.sink = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)

    def receive(self):
        """Return (header, arrays), or None when the parent has closed its end."""
        prefix = self.source.read(4)
        if len(prefix) < 4:
            return None
        header = json.loads(self.source.read(struct.unpack("<I", prefix)[0]).decode("utf-8"))
        arrays = {}
        for name, shape in header.get("arrays", []):
            count = int(np.prod(shape, dtype=np.int64))
            arrays[name] = np.frombuffer(self.source.read(4 * count), dtype=np.float32).reshape(shape)
        return header, arrays

    def send(self, header, arrays=()):
        """Send a header (dict) and arrays (list of (name, float32 array))."""
        header["arrays"] = [(name, array.shape) for name, array in arrays]
        text = json.dumps(header).encode("utf-8")
        self.sink.write(struct.pack("<I", len(text)) + text)
        for _, array in arrays:
            self.sink.write(array.tobytes())
        self.sink.flush()


class Caffe(object):
    """pycaffe, of any age or fork, on the CPU."""

    def __init__(self):
        self.caffe = importlib.import_module("caffe")
        self.caffe.set_mode_cpu()

    def hello(self):
        """Return the version and the layer types."""
        types = self.caffe.layer_type_list() if hasattr(self.caffe, "layer_type_list") else []
        version = getattr(self.caffe, "__version__", "of unknown version")
        return {"version": version, "layer_types": list(types), "where": self.caffe.__file__}

    def load(self, prototxt, caffemodel):
        """Load a net."""
        self.net = self.caffe.Net(str(prototxt), str(caffemodel), self.caffe.TEST)

    def run(self, inputs, fetch):
        """Run the net on inputs (dict of arrays) and return [(blob, float32 array), ...]."""
        for name, array in inputs.items():
            blob = self.net.blobs[name]
            if tuple(blob.data.shape) != array.shape:
                raise ValueError("input %s is %s in the net, not %s" % (name, tuple(blob.data.shape), array.shape))
            blob.data[...] = array
        self.net.forward()
        return [(name, np.array(self.net.blobs[name].data, dtype=np.float32, order="C")) for name, _, _ in fetch]


class OpenCV(object):
    """cv2.dnn. It knows layers, not blobs: outputs are fetched by layer name and index."""

    def __init__(self, options):
        self.cv2 = importlib.import_module("cv2")
        self.fusion = "no-fusion" not in options
        self.winograd = "no-winograd" not in options

    def hello(self):
        """Return the version; ImportError when this OpenCV cannot read Caffe files."""
        if not hasattr(self.cv2, "dnn") or not hasattr(self.cv2.dnn, "readNetFromCaffe"):
            raise ImportError("OpenCV %s has no Caffe importer: 4.x is needed" % self.cv2.__version__)
        return {"version": self.cv2.__version__, "layer_types": [], "where": self.cv2.__file__}

    def load(self, prototxt, caffemodel):
        """Load a net."""
        self.net = self.cv2.dnn.readNetFromCaffe(prototxt, caffemodel)
        self.net.setPreferableBackend(self.cv2.dnn.DNN_BACKEND_OPENCV)
        self.net.setPreferableTarget(self.cv2.dnn.DNN_TARGET_CPU)
        self.net.enableFusion(self.fusion)
        if hasattr(self.net, "enableWinograd"):
            self.net.enableWinograd(self.winograd)

    def run(self, inputs, fetch):
        """Run the net on inputs (dict of arrays) and return [(blob, float32 array), ...]."""
        for name, array in inputs.items():
            self.net.setInput(array, name)
        # OpenCV 4.x keeps a Convolution by the name of its top instead of its own.
        names = set(self.net.getLayerNames())
        places = [(blob, layer if layer in names else blob, top) for blob, layer, top in fetch]
        layers = sorted(set(layer for _, layer, _ in places))
        tops = dict(zip(layers, self.net.forwardAndRetrieve(layers)))
        return [(blob, np.array(tops[layer][top], dtype=np.float32, order="C")) for blob, layer, top in places]


def one_line(error):
    """Return an exception as one line of text, without the source line in OpenCV's build."""
    text = " ".join(str(error).split())
    name = type(error).__name__
    return re.sub(r"^error: OpenCV\(\S+ \S+ error: ", "", "%s: %s" % (name, text))


def serve(arguments):
    """Answer requests until the parent closes its end."""
    channel = Channel()
    try:
        reader = Caffe() if arguments[0] == "caffe" else OpenCV(arguments[1:])
        channel.send(reader.hello())
    except Exception as error:
        channel.send({"error": one_line(error)})
        return
    while True:
        message = channel.receive()
        if message is None:
            return
        request, arrays = message
        try:
            if request["do"] == "load":
                reader.load(request["prototxt"], request["caffemodel"])
                channel.send({})
            else:
                channel.send({}, reader.run(arrays, request["fetch"]))
        except Exception as error:
            channel.send({"error": one_line(error)})


if __name__ == "__main__":
    serve(sys.argv[1:])
    # Some Caffe builds crash while their static objects are destroyed; all answers are out by now.
    os._exit(0)
