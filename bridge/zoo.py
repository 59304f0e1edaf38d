"""Nets of GluonCV's model zoo by name."""

from __future__ import annotations

import difflib
import re
from typing import Any
from urllib.parse import urlsplit

from gluon2caffe.bridge.random_weights import initialise
from gluon2caffe.bridge.zoo_table import family_of
from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.ssd_heads import kind_of_block

# Everything in the zoo that is not a float classifier of pictures: other tasks, their datasets, int8 and video.
_NOT_CLASSIFIERS = re.compile(
    r"int8|rcnn|coco|voc|citys|ade$|mhp|kitti|_custom$|hrnet_.*_s$"
    r"|kinetics|sthsth|ucf101|hmdb51"
    r"|^(ssd|yolo3|center_net|simple_pose|mobile_pose|alpha_pose|siamrpn|monodepth2)"
    r"|^(i3d|slowfast|c3d|p3d|r2plus1d)"
)

_DETECTORS = re.compile(r"^(ssd_\d|yolo3_)")

_OTHER_WEIGHTS = "Give a .params file instead, or ask for random weights (--random)."


def zoo_names() -> list[str]:
    """All names in the zoo, sorted."""
    return sorted(_gluoncv().model_zoo.get_model_list())


def classifier_names() -> list[str]:
    """The float classifiers of pictures, sorted."""
    return [name for name in zoo_names() if not _NOT_CLASSIFIERS.search(name)]


def is_zoo_name(text: str) -> bool:
    """Whether `text` names a net of the zoo, in any case of letters."""
    return text.lower() in zoo_names()


def zoo_input_shape(name: str) -> tuple[int, ...]:
    """(1, C, H, W) that the net was trained on; (1, 3, 224, 224) where only the net itself knows."""
    return family_of(name).shape or (1, 3, 224, 224)


def zoo_net(name: str, *, random: bool = False, input_shape: tuple[int, ...] | None = None, **options: Any) -> Any:
    """A net of the zoo as a HybridBlock: with its pretrained weights, or with random ones.

    Args:
        name: as in `gluoncv.model_zoo.get_model`.
        random: initialise it at random, as `bridge.random_weights` does, instead of downloading weights.
        input_shape: of the input that the net is built for; what it was trained on where left out.
        options: for the zoo's constructor. `classes` is the number of classes; the detectors called `_custom` need it,
            and take a list of names too: a number gives class0, class1, ...; detectors of a data set do not take it.

    Raises:
        SourceError: there is no such net, its weights cannot be had, or GluonCV cannot build it for these classes.
    """
    name = name.lower()
    if name not in zoo_names():
        near = ", ".join(difflib.get_close_matches(name, zoo_names(), n=3)) or "none"
        raise SourceError(f"GluonCV's zoo has no net {name!r}. Near names: {near}.")
    if "int8" in name:
        raise SourceError(f"{name} is quantised to int8; convert the float net {name.replace('_int8', '')} instead.")
    if _DETECTORS.match(name):
        options = _with_class_names(name, options)
    family = family_of(name)
    if family.has_base:
        # The constructors of other tasks would download the weights of the classifier they grow on.
        options.setdefault("pretrained_base", False)
    shape = tuple(input_shape or zoo_input_shape(name))
    if family.has_size:
        options = {**_picture_size(name, shape), **options}
    try:
        net = _gluoncv().model_zoo.get_model(name, pretrained=not random, **options)
    except Exception as error:  # the zoo raises whatever its constructor or the download raised
        hint = "" if random else f" {_OTHER_WEIGHTS}"
        raise SourceError(f"GluonCV cannot give {name}: {_reason(error)}.{hint}") from error
    if not random and all(parameter._data is None for parameter in net.collect_params().values()):
        raise SourceError(f"GluonCV has no pretrained weights of {name}. {_OTHER_WEIGHTS}")
    if random:
        kind = kind_of_block(net)
        _initialise(name, net, shape if kind is None or input_shape is not None else kind.input_shape(net))
    return net


def _picture_size(name: str, shape: tuple[int, ...]) -> dict[str, int]:
    """The size of the picture as a segmentation net's constructor takes it."""
    if len(shape) != 4:
        raise SourceError(f"{name} takes pictures (N, 3, H, W), not an input of shape {shape}.")
    height, width = shape[2:]
    return {"crop_size": height} if height == width else {"height": height, "width": width}


def _initialise(name: str, net: Any, shape: tuple[int, ...]) -> None:
    try:
        initialise(net, shape)
    except Exception as error:  # MXNet raises MXNetError, the block's own code anything
        usual = family_of(name).shape
        hint = f" Try: --input-shape {','.join(map(str, usual))}" if usual is not None and usual != shape else ""
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise SourceError(
            f"{name} does not take an input of shape {tuple(shape)}: {reason[-1].strip()}.{hint}"
        ) from error


def _with_class_names(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """The options of a detector's constructor: one for own classes takes their names, the others take none."""
    classes = options.get("classes")
    if name.endswith("_custom"):
        if classes is None:
            raise SourceError(f"{name} is for classes of your own: say how many with classes=.")
        return {**options, "classes": [f"class{i}" for i in range(classes)]} if isinstance(classes, int) else options
    if classes is None:
        return options
    custom = re.sub("_[a-z]+$", "_custom", name)
    other = f"; {custom} can be built for others" if custom in zoo_names() else ""
    raise SourceError(f"{name} is built for the classes of its data set{other}.")


def _gluoncv() -> Any:
    from gluon2caffe.bridge.export import load_gluoncv

    return load_gluoncv()


def _reason(error: Exception) -> str:
    request = getattr(error, "request", None)
    if request is not None:
        # An error of the library requests prints all those that it came from, one inside the other: the first tells.
        cause = _first(error)
        host = urlsplit(request.url).hostname
        return f"its weights cannot be downloaded from {host} ({getattr(cause, 'strerror', None) or cause})"
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def _first(error: BaseException) -> BaseException:
    """The error that all the others came from."""
    before = error.__cause__ or error.__context__
    return error if before is None else _first(before)
