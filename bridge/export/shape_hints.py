"""Finding the input shape that a net wants, where the one it was given does not fit."""

from collections.abc import Iterator, Mapping
from typing import Final

from gluon2caffe.bridge.export.shapes import add_shapes
from gluon2caffe.bridge.mxnet_files.graph import Shape, SymbolGraph
from gluon2caffe.onnx2caffe.errors import SourceError

# Sizes that nets are trained at, the most usual first.
_SIZES: Final = (224, 112, 299, 128, 256, 96, 64, 32, 28, 48, 24, 12, 40, 80, 160, 192, 227, 300, 320, 331, 384, 416)
_LARGER_SIZES: Final = (448, 480, 512, 608, 640, 768, 1024)
_OBLONG: Final = ((112, 96), (256, 128), (256, 192), (384, 128), (384, 288), (128, 64), (48, 192), (32, 100), (32, 128))
_WINDOWS: Final = ("Convolution", "Convolution_v1")


def working_shape(graph: SymbolGraph, params: Mapping[str, Shape], inputs: Mapping[str, Shape]) -> str | None:
    """Return a usual shape of the one four-axis input that fits the parameters, as ``1,3,112,112``."""
    if len(inputs) != 1:
        return None
    ((name, given),) = inputs.items()
    for shape in _candidates(graph, params, name, given):
        try:
            add_shapes(graph, {**params, name: shape})
        except SourceError:
            continue
        if all(graph.nodes[source].shapes for source, _ in graph.heads):
            return ",".join(map(str, shape))
    return None


def _candidates(graph: SymbolGraph, params: Mapping[str, Shape], name: str, given: Shape) -> Iterator[Shape]:
    count = given[0]
    channels = _channels(graph, params) or (given[1] if len(given) == 4 else 3)
    if len(given) == 4:
        yield (count, channels, *given[2:])
    squares = ((size, size) for size in (*_SIZES, *_LARGER_SIZES))
    for size in (*squares, *_OBLONG):
        yield (count, channels, *size)
    for width in _widths(graph, params):
        yield (count, width)


def _channels(graph: SymbolGraph, params: Mapping[str, Shape]) -> int | None:
    """Return how many channels the first convolution takes."""
    for node in graph.nodes:
        if node.op in _WINDOWS and len(node.inputs) > 1:
            weight = params.get(graph.nodes[node.inputs[1][0]].name)
            if weight and len(weight) == 4 and node.attrs.get("num_group", "1") == "1":
                return weight[1]
    return None


def _widths(graph: SymbolGraph, params: Mapping[str, Shape]) -> Iterator[int]:
    """Yield how many numbers the first fully connected layers take."""
    for node in graph.nodes:
        if node.op == "FullyConnected" and len(node.inputs) > 1:
            weight = params.get(graph.nodes[node.inputs[1][0]].name)
            if weight and len(weight) == 2:
                yield weight[1]
                return
