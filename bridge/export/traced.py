"""A net as MXNet sees it, ready to be exported and, later, to be run beside what was made of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gluon2caffe.bridge.mxnet_files.graph import Shape, SymbolGraph
from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.onnx2caffe.names import Names

InputShapes = tuple[int, ...] | Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class TracedNet:
    """The MXNet side of a conversion.

    Attributes:
        graph: the symbol of the net with the shapes of all tensors; every node has a name of its own, loss layers and
            their labels are replaced by what they compute in inference.
        params: the parameters the symbol uses, by name, as MXNet holds them (``NDArray``, not copied) or as numpy
            arrays.
        input_shapes: shape of each data input, NCHW for images.
        outputs: names of the outputs in the order ``net(x)`` returns them, as they stand in the exported graph.
        name: what the net is called.
        from_files: whether it was read from files, without MXNet; ``params`` are then views of the file, and writing
            to them changes nothing else.
        notes: what was changed or left out on the way in.

    """

    graph: SymbolGraph
    params: dict[str, Any]
    input_shapes: dict[str, Shape]
    outputs: tuple[str, ...]
    name: str
    from_files: bool = False
    notes: tuple[str, ...] = ()


def output_names(graph: SymbolGraph) -> tuple[str, ...]:
    """Name the outputs of a graph with shapes: MXNet's names without ``_output``, each once.

    An output that is also an input, or was already listed, gets a name of its own: ``<tensor>/copy``.
    """
    names = Names()
    given: list[str] = []
    for source, index in graph.heads:
        node = graph.nodes[source]
        name = node.tensors[index] if index < len(node.tensors) else node.name
        given.append(names.new(f"{name}/copy" if node.is_variable or name in given else name))
    return tuple(given)


def checked_shape(name: str, shape: Any) -> Shape:
    """Return an input shape as a tuple of positive integers.

    Raises:
        SourceError: it is something else.

    """
    try:
        sizes = tuple(shape)
        whole = tuple(int(size) for size in sizes)
    except (TypeError, ValueError):
        sizes, whole = (), ()
    if not whole or whole != sizes or min(whole) <= 0:
        raise SourceError(
            f"input shape of {name}: expected positive whole numbers such as (1, 3, 224, 224), got {shape}"
        )
    return whole
