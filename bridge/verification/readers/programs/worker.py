# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs
"""The program in a reader's child process: it loads a Caffe net and answers requests about it.

``worker.py NAME [OPTION ...]`` runs the class ``Program`` of ``NAME_program.py`` beside it. These files stand alone
(numpy and the reader's own modules are all they import, and those for Caffe and OpenCV run on Python 2.7 and 3.6 up),
because the interpreter that has a reader is rarely the one that runs the rest of this package.

Requests come on standard input and answers go to standard output. A message is a 4-byte little-endian length, that many
bytes of JSON, then the float32 arrays listed under its key ``arrays`` as ``[name, shape]``, one after the other in C
order.

    hello   (sent once by the worker)   -> version, layer_types, where
    load    prototxt, caffemodel, inputs = [[blob, shape], ...] and outputs = [place, ...], in the order of the prototxt
                                        -> nothing
    run     arrays = the input blobs    -> arrays = the outputs that the reader gives, as its users fetch them
    probe   arrays = the input blobs, places = [place, ...]
                                        -> arrays = these blobs

A place is ``[blob, layer that writes it last, index of that layer's top]``.

An answer with the key ``error`` says in one line why the request failed. A reader that ends this process instead, as a
failed check in Caffe does, leaves its last words on standard error. The current folder is the worker's own; it is
removed when the process has ended.
"""

from __future__ import print_function

import json
import os
import re
import struct
import sys

import numpy as np


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
        """Send a header (dict) and arrays (list of (name, array))."""
        arrays = [(name, np.array(array, dtype=np.float32, order="C")) for name, array in arrays]
        header["arrays"] = [(name, array.shape) for name, array in arrays]
        text = json.dumps(header).encode("utf-8")
        self.sink.write(struct.pack("<I", len(text)) + text)
        for _, array in arrays:
            self.sink.write(array.tobytes())
        self.sink.flush()


def one_line(error):
    """Return an exception as one line of text, without the source line in OpenCV's build."""
    text = " ".join(str(error).split())
    name = type(error).__name__
    return re.sub(r"^error: OpenCV\(\S+ \S+ error: ", "", "%s: %s" % (name, text))


def program(name, options):
    """Return the reader's program, started."""
    module = __import__(name + "_program")
    # This folder comes first on the path of a script; nothing in it may hide a module of the reader.
    folder = os.path.dirname(os.path.abspath(__file__))
    sys.path = [path for path in sys.path if os.path.abspath(path) != folder]
    return module.Program(options)


def answer(reader, request, arrays):
    """Return the arrays that answer a request, as a list of (name, array)."""
    if request["do"] == "load":
        reader.load(request["prototxt"], request["caffemodel"], request["inputs"], request["outputs"])
        return []
    if request["do"] == "probe":
        return reader.probe(arrays, request["places"])
    return reader.run(arrays)


def serve(arguments):
    """Answer requests until the parent closes its end."""
    channel = Channel()
    try:
        reader = program(arguments[0], arguments[1:])
        channel.send(reader.hello())
    except Exception as error:
        channel.send({"error": one_line(error)})
        return
    while True:
        message = channel.receive()
        if message is None:
            return
        try:
            found = answer(reader, *message)
        except (Exception, SystemExit) as error:
            channel.send({"error": one_line(error)})
        else:
            channel.send({}, found)


if __name__ == "__main__":
    serve(sys.argv[1:])
    # Some Caffe builds crash while their static objects are destroyed; all answers are out by now.
    os._exit(0)
