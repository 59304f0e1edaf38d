"""Is a layer one that a target accepts? Asked of every layer when it is made, and of the finished model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import prod

from gluon2caffe.onnx2caffe.caffe_pb2 import EltwiseParameter, LayerParameter
from gluon2caffe.onnx2caffe.targets.profile import Profile
from gluon2caffe.onnx2caffe.targets.quirks import Fault
from gluon2caffe.onnx2caffe.targets.remedy import other_target, target_with
from gluon2caffe.onnx2caffe.unsupported import UnsupportedNodeError

Shapes = Sequence[tuple[int, ...]]
Rule = Callable[[Profile, LayerParameter, Shapes, Shapes], str | None]


def require_accepted(profile: Profile, message: LayerParameter, bottoms: Shapes, tops: Shapes) -> None:
    """Refuse a layer whose type, fields, axes or windows the target does not take.

    Raises:
        UnsupportedNodeError: says which, and names a target that takes it.

    """
    require_fields(profile, message)
    problem = _problem(profile, message, bottoms, tops)
    if problem is not None:
        raise UnsupportedNodeError(
            f"the target {profile.name!r} {problem} (layer {message.name!r})",
            other_target(lambda other: _takes(other, message, bottoms, tops)),
        )


def _problem(profile: Profile, message: LayerParameter, bottoms: Shapes, tops: Shapes) -> str | None:
    problems = (rule(profile, message, bottoms, tops) for rule in RULES)
    return next((problem for problem in problems if problem is not None), None)


def _takes(profile: Profile, message: LayerParameter, bottoms: Shapes, tops: Shapes) -> bool:
    return _knows(profile, message) and _problem(profile, message, bottoms, tops) is None


def _knows(profile: Profile, message: LayerParameter) -> bool:
    accepted = (profile.accepts(message.type, name) for name in _written_fields(message))
    return profile.takes(message.type) and all(accepted)


def require_fields(profile: Profile, message: LayerParameter) -> None:
    """Refuse a layer whose type or fields the target does not know.

    Raises:
        UnsupportedNodeError: says which.

    """
    if not profile.takes(message.type):
        raise UnsupportedNodeError(
            f"the target {profile.name!r} has no {message.type} layer", target_with(message.type)
        )
    refused = [name for name in _written_fields(message) if not profile.accepts(message.type, name)]
    if refused:
        raise UnsupportedNodeError(
            f"the target {profile.name!r} has no field {refused[0]!r} in its {message.type} layer",
            other_target(lambda other: _knows(other, message)),
        )


def _written_fields(message: LayerParameter) -> Iterator[str]:
    for parameter, value in message.ListFields():
        if parameter.name.endswith("_param"):
            yield from (field.name for field, _ in value.ListFields())


def _axes(profile: Profile, message: LayerParameter, bottoms: Shapes, tops: Shapes) -> str | None:
    rank = max((len(shape) for shape in (*bottoms, *tops)), default=0)
    most = profile.limits.axes
    return f"has blobs of at most {most} axes, not of {rank}" if rank > most else None


def _batch(profile: Profile, message: LayerParameter, bottoms: Shapes, tops: Shapes) -> str | None:
    if profile.limits.batch_axis:
        return None
    kind = message.type
    if kind == "Reshape" and list(message.reshape_param.shape.dim[:1]) != [0]:
        return f"cannot reshape {bottoms[0]} to {tops[0]}: the batch axis has to stay"
    moves = kind == "Permute" and message.permute_param.order[0] != 0
    axis = {
        "Slice": message.slice_param.axis,
        "Concat": message.concat_param.axis,
        "Softmax": message.softmax_param.axis,
    }.get(kind, 1)
    return f"cannot work on the batch axis in its {kind} layer" if moves or axis == 0 else None


def _permute(profile: Profile, message: LayerParameter, bottoms: Shapes, tops: Shapes) -> str | None:
    ranks = profile.limits.permute_ranks
    if message.type != "Permute" or ranks is None or len(bottoms[0]) in ranks:
        return None
    return f"permutes blobs of {' or '.join(map(str, sorted(ranks)))} axes only, not {bottoms[0]}"


def _inner_product(profile: Profile, message: LayerParameter, bottoms: Shapes, tops: Shapes) -> str | None:
    axis = message.inner_product_param.axis
    if message.type != "InnerProduct" or axis == 1 or profile.limits.inner_product_axes:
        return None
    return f"has InnerProduct over all axes from 1 on only, not from {axis}"


def _inner_product_of_one(profile: Profile, message: LayerParameter, bottoms: Shapes, tops: Shapes) -> str | None:
    if message.type != "InnerProduct" or not profile.has_quirk(Fault.INNER_PRODUCT_OF_ONE):
        return None
    values = prod(bottoms[0][message.inner_product_param.axis :])
    return f"has no InnerProduct of one value ({bottoms[0]})" if values == 1 else None


def _scale(profile: Profile, message: LayerParameter, bottoms: Shapes, tops: Shapes) -> str | None:
    if message.type != "Scale":
        return None
    limits, parameters = profile.limits, message.scale_param
    if limits.scale_ranks is not None and len(bottoms[0]) not in limits.scale_ranks:
        return f"scales blobs of {' or '.join(map(str, sorted(limits.scale_ranks)))} axes only, not {bottoms[0]}"
    if len(bottoms) == 1:
        per_channel = parameters.axis == 1 and parameters.num_axes == 1
        return None if limits.scale_axes or per_channel else "scales by one value per channel only"
    by_channels = bottoms[1] == bottoms[0][:2] and parameters.axis == 0
    if limits.scale_bottoms == "any" or (limits.scale_bottoms == "channels" and by_channels):
        return None
    return f"cannot multiply {bottoms[0]} by {bottoms[1]} in a Scale layer"


def _eltwise(profile: Profile, message: LayerParameter, bottoms: Shapes, tops: Shapes) -> str | None:
    if message.type != "Eltwise":
        return None
    if len(bottoms) > profile.limits.eltwise_bottoms:
        return f"takes {profile.limits.eltwise_bottoms} blobs in an Eltwise layer, not {len(bottoms)}"
    is_sum = message.eltwise_param.operation == EltwiseParameter.SUM
    if len(bottoms) > 2 and not is_sum and profile.has_quirk(Fault.ELTWISE_MORE_THAN_TWO):
        return "multiplies two blobs in an Eltwise layer, or takes the larger of two, not more"
    coefficients = list(message.eltwise_param.coeff)
    if coefficients and profile.has_quirk(Fault.ELTWISE_COEFFICIENTS):
        return "ignores Eltwise coefficients"
    if coefficients not in ([], [1, -1]) and profile.has_quirk(Fault.ELTWISE_COEFFICIENTS_OF_MANY):
        return f"takes no Eltwise coefficients but 1 and -1, not {coefficients}"
    return None


def _window(profile: Profile, message: LayerParameter, bottoms: Shapes, tops: Shapes) -> str | None:
    limits = profile.limits
    if message.type in ("Convolution", "Deconvolution"):
        convolution = message.convolution_param
        if len(convolution.dilation) > 1 and limits.equal_dilation:
            return f"has one dilation for both axes, not {list(convolution.dilation)}"
        kernel = max([*convolution.kernel_size, convolution.kernel_h, convolution.kernel_w])
        stride = max([*convolution.stride, convolution.stride_h, convolution.stride_w])
    elif message.type == "Pooling":
        pooling = message.pooling_param
        kernel = max(pooling.kernel_size, pooling.kernel_h, pooling.kernel_w)
        stride = max(pooling.stride, pooling.stride_h, pooling.stride_w)
    else:
        return None
    if kernel > limits.kernel:
        return f"has kernels of at most {limits.kernel}, not of {kernel}"
    return f"has strides of at most {limits.stride}, not of {stride}" if stride > limits.stride else None


RULES: tuple[Rule, ...] = (_axes, _batch, _permute, _inner_product, _inner_product_of_one, _scale, _eltwise, _window)
