# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs
"""cv2.dnn. It knows layers, not blobs: outputs are fetched by the names of layers."""

import importlib


class Program(object):
    """One net in cv2.dnn."""

    def __init__(self, options):
        self.cv2 = importlib.import_module("cv2")
        self.fusion = "no-fusion" not in options
        self.winograd = "no-winograd" not in options

    def hello(self):
        """Return the version; ImportError when this OpenCV cannot read Caffe files."""
        if not hasattr(self.cv2, "dnn") or not hasattr(self.cv2.dnn, "readNetFromCaffe"):
            raise ImportError("OpenCV %s has no Caffe importer: 4.x is needed" % self.cv2.__version__)
        return {"version": self.cv2.__version__, "layer_types": [], "where": self.cv2.__file__}

    def load(self, prototxt, caffemodel, inputs, outputs):
        """Load a net."""
        self.outputs = outputs
        self.net = self.cv2.dnn.readNetFromCaffe(prototxt, caffemodel)
        self.net.setPreferableBackend(self.cv2.dnn.DNN_BACKEND_OPENCV)
        self.net.setPreferableTarget(self.cv2.dnn.DNN_TARGET_CPU)
        self.net.enableFusion(self.fusion)
        if hasattr(self.net, "enableWinograd"):
            self.net.enableWinograd(self.winograd)

    def run(self, inputs):
        """Run the net and return its outputs: ``forward()`` gives the only one, else ``forward(names)``.

        ValueError when the layers that OpenCV takes for the outputs are others, or an output is not the only top of its
        layer: a user who asks OpenCV for the outputs would be given something else.
        """
        known = self._known(self.outputs)
        names = [layer for _, layer, _ in known]
        unconnected = list(self.net.getUnconnectedOutLayersNames())
        if sorted(unconnected) != sorted(names):
            text = "getUnconnectedOutLayersNames() gives %s; the outputs are of %s"
            raise ValueError(text % (", ".join(unconnected), ", ".join(names)))
        self._feed(inputs)
        found = [self.net.forward()] if len(names) == 1 else self.net.forward(names)
        return [(blob, values) for (blob, _, _), values in zip(known, found)]

    def probe(self, inputs, places):
        """Run the net and return any of its blobs, each by its layer and the index of the layer's top."""
        self._feed(inputs)
        known = self._known(places)
        layers = sorted(set(layer for _, layer, _ in known))
        tops = dict(zip(layers, self.net.forwardAndRetrieve(layers)))
        return [(blob, tops[layer][top]) for blob, layer, top in known]

    def _known(self, places):
        # OpenCV 4.x keeps a Convolution by the name of its top instead of its own.
        names = set(self.net.getLayerNames())
        return [(blob, layer if layer in names else blob, top) for blob, layer, top in places]

    def _feed(self, inputs):
        for name, array in inputs.items():
            self.net.setInput(array, name)
