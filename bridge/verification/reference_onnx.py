"""What an ONNX model computes: the reference for the Caffe files made from it, run in onnxruntime."""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from gluon2caffe.bridge.verification.double_sigmoid import has_sigmoids, with_double_sigmoids
from gluon2caffe.bridge.verification.other_size import at_other_size, fixes_other_size
from gluon2caffe.bridge.verification.prerequisites import INSTALL
from gluon2caffe.bridge.verification.run_errors import ReferenceModelError
from gluon2caffe.bridge.verification.samples import FloatArray, join_samples, split_samples
from gluon2caffe.bridge.verification.single_precision import in_single_precision, is_other_precision


def run_onnx(
    model: onnx.ModelProto | str | PathLike[str],
    inputs: Mapping[str, FloatArray],
    fetch: Sequence[str] | None = None,
) -> dict[str, FloatArray]:
    """Run a model, node by node as it stands (no graph optimisation), on the CPU.

    A model in half or double precision is run in float32, the precision of Caffe, and Sigmoid in double (see
    ``double_sigmoid``).

    Args:
        model: the model, which stays as it is, or its file.
        inputs: input -> float32 array; with several samples along axis 0 where the model takes one, they are run one
            by one and the results joined. Where the model fixes another size, it is run at that of the array.
        fetch: the tensors to return, intermediate ones too; None means the outputs of the graph.

    Raises:
        ReferenceModelError: onnxruntime is not installed or refuses the model, the inputs do not fit, or the graph
            has no tensor of a name in ``fetch``.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ReferenceModelError(f"onnxruntime is needed to run an ONNX model: {error}. Try: {INSTALL}") from error
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3  # errors: it warns of every unused initializer
    try:
        given_shapes = {name: array.shape for name, array in inputs.items()}
        source = _source(model, fetch, given_shapes)
        session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        shapes = {item.name: _static(item.shape, inputs.get(item.name)) for item in session.get_inputs()}
        types = {item.name: _dtype(item.type) for item in session.get_inputs()}
        names = [item.name for item in session.get_outputs()] if fetch is None else list(fetch)
        # The converted net has no input that no node reads; onnxruntime asks for it all the same.
        idle = _unread_inputs(model) if shapes.keys() - inputs.keys() else frozenset()
        zeros = {name: np.zeros(np.abs(shapes[name]), np.float32) for name in (idle & shapes.keys()) - inputs.keys()}
        shapes = {name: shape for name, shape in shapes.items() if name not in zeros}
        runs = []
        for sample in split_samples(inputs, shapes):
            given = {name: sample[name] for name in names if name in sample}
            wanted = [name for name in names if name not in given]
            fed = {name: _as_type(name, array, types[name]) for name, array in {**sample, **zeros}.items()}
            found = dict(zip(wanted, session.run(wanted, fed) if wanted else [], strict=True))
            runs.append({name: np.asarray({**given, **found}[name], np.float32) for name in names})
        return join_samples(runs)
    except ReferenceModelError:
        raise
    except Exception as error:  # onnxruntime's exceptions share no base class of their own
        raise ReferenceModelError(f"onnxruntime cannot run the model: {' '.join(str(error).split())}") from error


def input_types(model: onnx.ModelProto | str | PathLike[str]) -> dict[str, np.dtype[Any]]:
    """Return the type that a model declares for each input."""
    if not isinstance(model, onnx.ModelProto):
        model = onnx.load(model, load_external_data=False)
    weights = {tensor.name for tensor in model.graph.initializer}
    return {
        info.name: np.dtype(onnx.helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type))
        for info in model.graph.input
        if info.name not in weights
    }


def declared_precision(model: onnx.ModelProto | str | PathLike[str]) -> str:
    """Return "half" or "double" for a model that is run in float32 although it is of that precision, else empty."""
    if not isinstance(model, onnx.ModelProto):
        model = onnx.load(model, load_external_data=False)
    if not is_other_precision(model):
        return ""
    kinds = {tensor.data_type for tensor in model.graph.initializer}
    kinds |= {info.type.tensor_type.elem_type for info in model.graph.input}
    return "half" if onnx.TensorProto.FLOAT16 in kinds else "double"


def _unread_inputs(model: onnx.ModelProto | str | PathLike[str]) -> frozenset[str]:
    """Return the inputs that no node of the graph reads, neither itself nor in a graph inside it."""
    if not isinstance(model, onnx.ModelProto):
        model = onnx.load(model, load_external_data=False)
    read: set[str] = {output.name for output in model.graph.output}
    graphs = [model.graph]
    while graphs:
        for node in graphs.pop().node:
            read.update(node.input)
            graphs += [attribute.g for attribute in node.attribute if attribute.HasField("g")]
            graphs += [graph for attribute in node.attribute for graph in attribute.graphs]
    return frozenset(info.name for info in model.graph.input if info.name not in read)


def intermediate_tensors(model: onnx.ModelProto) -> tuple[str, ...]:
    """Return the names of all tensors that the nodes of the graph compute, in order."""
    return tuple(dict.fromkeys(name for node in model.graph.node for name in node.output if name))


def node_outputs(model: onnx.ModelProto) -> dict[str, tuple[str, ...]]:
    """Return the name of each named node -> the tensors it makes."""
    return {node.name: tuple(node.output) for node in model.graph.node if node.name}


def _source(
    model: onnx.ModelProto | str | PathLike[str], fetch: Sequence[str] | None, shapes: Mapping[str, tuple[int, ...]]
) -> bytes | str:
    """Return what to start a session from: the model at these shapes, with the tensors to fetch as its outputs."""
    if not isinstance(model, onnx.ModelProto):
        light = onnx.load(model, load_external_data=False)
        as_it_stands = fetch is None and not fixes_other_size(light, shapes)
        if as_it_stands and not is_other_precision(light) and not has_sigmoids(light):
            return str(Path(model))
        onnx.external_data_helper.load_external_data_for_model(light, str(Path(model).parent))
        model = light
    if fixes_other_size(model, shapes):
        model = at_other_size(model, shapes)
    if is_other_precision(model):
        model = in_single_precision(model)
    if has_sigmoids(model):
        model = with_double_sigmoids(model)
    serialised = model.SerializeToString()
    if fetch is None:
        return serialised
    outputs = {item.name for item in (*model.graph.output, *model.graph.input)}
    extra = onnx.ModelProto()
    extra.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(fetch) if name not in outputs)
    # Two serialised messages one after the other are their merger, in which repeated fields are appended
    # (protobuf's encoding, "Last One Wins"): no copy of the model, and the caller's is left alone.
    return serialised + extra.SerializeToString()


def _dtype(kind: str) -> np.dtype[Any]:
    """Of onnxruntime's name of a tensor's type, such as tensor(uint8)."""
    name = kind.removeprefix("tensor(").removesuffix(")")
    return np.dtype({"float": "float32", "double": "float64"}.get(name, name))


def _as_type(name: str, array: FloatArray, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """The array as the model takes it; whole numbers stay what they are, truth is what is not 0."""
    if dtype.kind == "b":
        return np.not_equal(array, 0)
    given = array.astype(dtype)
    if dtype.kind in "iu" and not np.array_equal(given, array):
        raise ReferenceModelError(f"Input {name!r} takes whole numbers ({dtype}); it was given others.")
    return given


def _static(shape: Sequence[int | str | None], given: FloatArray | None) -> tuple[int, ...]:
    """Return a shape with the sizes that the model leaves open taken from the array it is given."""
    if given is None or len(shape) != given.ndim:
        return tuple(size if isinstance(size, int) else -1 for size in shape)
    return tuple(size if isinstance(size, int) else given.shape[axis] for axis, size in enumerate(shape))
