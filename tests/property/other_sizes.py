"""The statement of `CaffeModel.sizes`, held against converting at other sizes.

A model is exact at a size if converting there makes the same layers with the same weights. So wherever the statement
includes a size, the source, declared at that size, must convert to the same net but for the shapes of its inputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx
from agreement import random_inputs, run

import gluon2caffe
from gluon2caffe.bridge.conversion import Conversion
from gluon2caffe.bridge.verification.reference_onnx import run_onnx
from gluon2caffe.onnx2caffe.errors import ConversionError

Shape = tuple[int, ...]


class WrongSizesError(AssertionError):
    """The statement includes a size at which the model is not what a conversion makes."""


def check_sizes(source: onnx.ModelProto, converted: Conversion, options: Mapping[str, Any]) -> tuple[int, int]:
    """Compare with conversions at other sizes: how many were included and agreed, and how many were left out.

    Raises:
        WrongSizesError: a conversion at an included size differs.

    """
    agreed = left_out = 0
    assert converted.sizes is not None
    for shapes in other_shapes(converted.inputs):
        if not converted.sizes.includes(shapes):
            left_out += 1
            continue
        resized = at_shapes(source, shapes)
        if resized is None:
            continue
        try:
            fresh = gluon2caffe.to_caffe(resized, **options)
        except ConversionError as error:
            raise WrongSizesError(f"{converted.sizes.words}, but at {shapes} it is refused: {error}") from error
        difference = _difference(converted, fresh)
        if difference and not _computes_the_same(resized, converted, shapes, options):
            raise WrongSizesError(f"{converted.sizes.words}, but at {shapes}: {difference}")
        agreed += 1
    return agreed, left_out


def other_shapes(inputs: Mapping[str, Shape]) -> Iterator[dict[str, Shape]]:
    """Other batches, and other lengths of all axes from the third on: one longer, twice, by axis and together."""
    yield {name: (2 * shape[0], *shape[1:]) for name, shape in inputs.items() if shape}
    yield {name: (shape[0] + 1, *shape[1:]) for name, shape in inputs.items() if shape}
    for step in (1, 2, 3, 4, -1):
        yield {name: (*shape[:2], *(max(1, n + step) for n in shape[2:])) for name, shape in inputs.items()}
    for axis in (2, 3):
        yield {name: tuple(n + 1 if i == axis else n for i, n in enumerate(shape)) for name, shape in inputs.items()}
    yield {name: (*shape[:2], *(2 * n for n in shape[2:])) for name, shape in inputs.items()}
    if len(inputs) > 1:
        first = next(iter(inputs))
        yield {name: (*s[:2], *(n + (name == first) for n in s[2:])) for name, s in inputs.items()}


def at_shapes(source: onnx.ModelProto, shapes: Mapping[str, Shape]) -> onnx.ModelProto | None:
    """The model declared with other input shapes; None where onnx finds that it does not take them."""
    if all(shapes.get(info.name) == _shape(info) for info in source.graph.input if info.name in shapes):
        return None
    if _fixes_batch(source, shapes):
        return None
    model = onnx.ModelProto()
    model.CopyFrom(source)
    for info in model.graph.input:
        if info.name in shapes:
            for dim, length in zip(info.type.tensor_type.shape.dim, shapes[info.name], strict=True):
                dim.dim_value = length
    del model.graph.value_info[:]
    for info in model.graph.output:
        info.type.tensor_type.ClearField("shape")
    try:
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        onnx.checker.check_model(inferred, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        return None
    for info in (*inferred.graph.value_info, *inferred.graph.output):
        if any(dim.HasField("dim_value") and dim.dim_value < 1 for dim in info.type.tensor_type.shape.dim):
            return None
    return inferred


def _fixes_batch(source: onnx.ModelProto, shapes: Mapping[str, Shape]) -> bool:
    """Whether another batch is asked for, and a Reshape of the source names the one it has.

    The files then take each sample by itself, which is what users of such a source mean and not what it says.
    """
    batches = {_shape(info)[:1] for info in source.graph.input if info.name in shapes}
    if batches == {shape[:1] for shape in shapes.values()}:
        return False
    named = {value.name: onnx.numpy_helper.to_array(value) for value in source.graph.initializer}
    for node in source.graph.node:
        if node.op_type == "Constant":
            named.update((node.output[0], onnx.numpy_helper.to_array(a.t)) for a in node.attribute if a.name == "value")
        if node.op_type == "Reshape" and len(node.input) > 1:
            target = named.get(node.input[1])
            if target is None or (target.size and (int(target.reshape(-1)[0]),) in batches):
                return True
    return False


def _shape(info: onnx.ValueInfoProto) -> Shape:
    return tuple(dim.dim_value for dim in info.type.tensor_type.shape.dim)


def _computes_the_same(
    resized: onnx.ModelProto, model: Conversion, shapes: Mapping[str, Shape], options: Mapping[str, Any]
) -> bool:
    """Whether the model, reshaped, computes what the source does; other layers may be as right as those it has."""
    fed = random_inputs(shapes)
    expected = run_onnx(resized, fed, list(model.outputs))
    if options.keys() - {"target", "merge_bn", "relu6"}:
        return False
    for found in run(model, fed, reshape=True).values():
        for output, values in expected.items():
            got = found[model.outputs[output]]
            if got.size != values.size or not np.allclose(
                got.reshape(values.shape), values, rtol=0, atol=1e-4 * float(np.abs(values).max()), equal_nan=True
            ):
                return False
    return True


def _difference(model: Conversion, fresh: Conversion) -> str:
    """What differs between the layers of two models, their Input layers aside; empty where nothing does."""
    if len(model.layers) != len(fresh.layers):
        return f"{len(fresh.layers)} layers instead of {len(model.layers)}"
    for one, other in zip(model.layers, fresh.layers, strict=True):
        if one.message != other.message:
            return f"{one.message}\ninstead of\n{other.message}"
        if [blob.shape for blob in one.blobs] != [blob.shape for blob in other.blobs] or not all(
            np.array_equal(a, b, equal_nan=True) for a, b in zip(one.blobs, other.blobs, strict=True)
        ):
            return f"other weights in {one.message.name}"
    return ""
