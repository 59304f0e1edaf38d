"""Grafting PriorBox and DetectionOutput nodes onto the raw predictions of an SSD."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_graphsurgeon as gs

from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.onnx2caffe.sizes.marks import bind, bind_axes
from gluon2caffe.ssd_heads.corner_heads import best_class_only
from gluon2caffe.ssd_heads.description import Head, SSDDescription
from gluon2caffe.ssd_heads.functions import ALL, DOMAIN, add_functions
from gluon2caffe.ssd_heads.picture import picture
from gluon2caffe.ssd_heads.prior_boxes import Doubles, PriorBox, PriorPlan, constant_priors, plan_prior_box

PRIOR_CHOICES = ("box", "constant")


def check_predictors(graph: gs.Graph, description: SSDDescription) -> None:
    """Compare the widths of the predictors with the boxes and classes that they serve.

    Raises:
        SourceError: a predictor has another width; the message names it.
    """
    classes, boxes = (_predictions(output, description) for output in graph.outputs)
    for head, class_output, box_output in zip(description.heads, classes, boxes, strict=True):
        head.require_widths(len(description.classes), class_output.shape[1], box_output.shape[1])


def graft(graph: gs.Graph, description: SSDDescription, *, priors: str = "box") -> None:
    """End `graph`, whose outputs are the raw class and box predictions, in a DetectionOutput node.

    Args:
        graph: outputs (N, boxes, classes + 1) and (N, boxes, 4), from `gluon.raw_heads`.
        description: of the same net and input size.
        priors: "box" for PriorBox nodes; "constant" for priors as constants, where the anchors are no regular grid.

    Raises:
        SourceError: the anchors cannot be expressed by PriorBox layers, or the decoder by DetectionOutput.
    """
    if priors not in PRIOR_CHOICES:
        raise SourceError(f"priors is {priors!r}; it can be {' or '.join(map(repr, PRIOR_CHOICES))}.")
    if description.box_clip is not None:
        raise SourceError(
            f"{description.name}'s box decoder clips its sizes (clip={description.box_clip:g}), which Caffe's "
            "DetectionOutput does not do. heads='raw' ends the net before the decoder."
        )
    class_output, box_output = graph.outputs
    classes, boxes = (_predictions(output, description) for output in graph.outputs)
    if priors == "box":
        plans = [plan_prior_box(head, description.image_size, description.variances) for head in description.heads]
        for head, plan, class_tensor, box_tensor in zip(description.heads, plans, classes, boxes, strict=True):
            _absorb(graph, class_tensor, box_tensor, plan, description, head)
        prior_tensor = _prior_boxes(graph, description, plans, boxes)
    else:
        values = constant_priors(description.heads, description.image_size, description.variances)
        prior_tensor = gs.Constant("mbox_priorbox", values)
    _detection_output(graph, description, class_output, box_output, prior_tensor)
    add_functions(graph)
    graph.toposort()


def predictions(output: gs.Tensor) -> list[gs.Tensor]:
    """The (N, channels, H, W) predictions of each feature map that end in one raw output (N, boxes, width).

    They are joined by Transpose to (N, H, W, channels), Flatten, Concat and Reshape.

    Raises:
        SourceError: they are joined in another way.
    """
    reshape = output.inputs[0]
    concat = reshape.inputs[0].inputs[0] if reshape.op == "Reshape" else reshape
    flats = concat.inputs if concat.op == "Concat" else [reshape.inputs[0]]
    found = []
    for flat in flats:
        node = flat.inputs[0]
        while node.op in ("Flatten", "Reshape"):
            node = node.inputs[0].inputs[0]
        if node.op != "Transpose" or list(node.attrs.get("perm", [])) != [0, 2, 3, 1]:
            raise SourceError(f"The predictions of {output.name} are not joined as an SSD's are ({node.name}).")
        found.append(node.inputs[0])
    return found


def _predictions(output: gs.Tensor, description: SSDDescription) -> list[gs.Tensor]:
    """`predictions`, on the maps that the description has."""
    found = predictions(output)
    sizes = [tuple(tensor.shape[2:]) for tensor in found]
    expected = [head.feature_shape for head in description.heads]
    if sizes != expected:
        raise SourceError(f"{description.name} predicts on maps of {sizes}, but its anchors are for {expected}.")
    return found


def _absorb(
    graph: gs.Graph, classes: gs.Tensor, boxes: gs.Tensor, plan: PriorPlan, description: SSDDescription, head: Head
) -> None:
    """Let the predictors of one map predict for the layer's boxes instead of the net's own."""
    order = np.array(plan.order)
    box_channels = (order[:, None] * 4 + np.arange(4)).reshape(-1)
    width = len(description.classes) + 1
    class_channels = (order[:, None] * width + np.arange(width)).reshape(-1)
    _rearrange(graph, boxes, box_channels, plan.scale.reshape(-1), plan.bias.reshape(-1))
    _rearrange(graph, classes, class_channels, np.ones(len(class_channels)), np.zeros(len(class_channels)))


def _rearrange(graph: gs.Graph, tensor: gs.Tensor, channels: Any, scale: Doubles, bias: Doubles) -> None:
    """Make channel i of `tensor` scale[i] times its channel channels[i], plus bias[i]."""
    if np.array_equal(channels, np.arange(len(channels))) and np.all(scale == 1) and not bias.any():
        return
    maker = tensor.inputs[0]
    if not _is_own_conv(maker, tensor, graph):
        _insert_mixer(graph, tensor, channels, scale, bias)
        return
    weight = maker.inputs[1].values[channels] * scale[:, None, None, None]
    old_bias = maker.inputs[2].values.astype(np.float64)[channels] if len(maker.inputs) > 2 else 0.0
    maker.inputs[1] = gs.Constant(f"{tensor.name}/weight_for_priors", weight.astype(np.float32))
    new_bias = gs.Constant(f"{tensor.name}/bias_for_priors", (old_bias * scale + bias).astype(np.float32))
    if len(maker.inputs) > 2:
        maker.inputs[2] = new_bias
    else:
        maker.inputs.append(new_bias)


def _is_own_conv(maker: gs.Node, tensor: gs.Tensor, graph: gs.Graph) -> bool:
    return (
        maker.op == "Conv"
        and maker.attrs.get("group", 1) == 1
        and len(tensor.outputs) == 1
        and not any(tensor is output for output in graph.outputs)
        and all(isinstance(part, gs.Constant) for part in maker.inputs[1:])
    )


def _insert_mixer(graph: gs.Graph, tensor: gs.Tensor, channels: Any, scale: Doubles, bias: Doubles) -> None:
    """A 1×1 convolution, for predictors that are no plain convolutions."""
    weight = np.zeros((len(channels), len(channels), 1, 1), np.float32)
    weight[np.arange(len(channels)), channels, 0, 0] = scale
    _insert(
        graph,
        tensor,
        "Conv",
        "for_priors",
        [gs.Constant(f"{tensor.name}/mixer", weight), gs.Constant(f"{tensor.name}/shift", bias.astype(np.float32))],
        {"kernel_shape": [1, 1]},
    )


def _insert(
    graph: gs.Graph, tensor: gs.Tensor, op: str, part: str, constants: list[gs.Constant], attrs: dict[str, Any]
) -> None:
    """Put a node between `tensor` and all that read it."""
    readers = list(tensor.outputs)
    made = gs.Variable(f"{tensor.name}/{part}", np.float32, tensor.shape)
    graph.layer(op=op, name=made.name, inputs=[tensor, *constants], outputs=[made], attrs=attrs)
    for reader in readers:
        reader.inputs = [made if each is tensor else each for each in reader.inputs]


def _prior_boxes(
    graph: gs.Graph, description: SSDDescription, plans: list[PriorPlan], boxes: list[gs.Tensor]
) -> gs.Tensor:
    """One PriorBox node per feature map, joined."""
    data = picture(graph)
    made = []
    why = "anchors of one row or column" if description.in_pixels else "anchors that are parts of the picture"
    for head, plan, tensor in zip(description.heads, plans, boxes, strict=True):
        maker = tensor.inputs[0]
        feature = maker.inputs[0] if maker.op == "Conv" and maker.inputs[0].shape[2:] == tensor.shape[2:] else tensor
        name = f"{feature.name}_mbox_priorbox"
        shape = [1, 2, head.box_count * 4]
        prior_boxes = gs.Node(
            op="PriorBox",
            domain=DOMAIN,
            name=name,
            inputs=[feature, data],
            outputs=[gs.Variable(name, np.float32, shape)],
            attrs=prior_box_attributes(plan.layer),
        )
        if not description.in_pixels:
            bind(prior_boxes, why)
        elif plan.bound:
            bind_axes(prior_boxes, plan.bound, why)
        graph.nodes.append(prior_boxes)
        made += prior_boxes.outputs
    if len(made) == 1:
        return made[0]
    total = gs.Variable("mbox_priorbox", np.float32, [1, 2, description.box_count * 4])
    graph.layer(op="Concat", name=total.name, inputs=made, outputs=[total], attrs={"axis": 2})
    return total


def prior_box_attributes(layer: PriorBox) -> dict[str, Any]:
    """The attributes of the ONNX node, every field of the Caffe layer written out."""
    return {
        "min_size": float(layer.min_size),
        "max_size": float(layer.max_size or 0),
        "aspect_ratio": [1.0, *layer.aspect_ratios],
        "flip": 0,
        "clip": 0,
        "variance": list(layer.variances),
        "step_h": layer.step[0],
        "step_w": layer.step[1],
        "offset": layer.offset,
    }


def _detection_output(
    graph: gs.Graph, description: SSDDescription, class_output: gs.Tensor, box_output: gs.Tensor, priors: gs.Tensor
) -> None:
    """Softmax over the classes, the two flattened predictions, and the DetectionOutput node."""
    boxes, batch = description.box_count, class_output.shape[0]
    width = len(description.classes) + 1
    scores = gs.Variable("mbox_conf_softmax", np.float32, class_output.shape)
    graph.layer(op="Softmax", name=scores.name, inputs=[class_output], outputs=[scores], attrs={"axis": 2})
    if description.best_class and width > 2:
        scores = best_class_only(graph, scores)
    conf = gs.Variable("mbox_conf_flatten", np.float32, [batch, boxes * width])
    graph.layer(op="Flatten", name=conf.name, inputs=[scores], outputs=[conf], attrs={"axis": 1})
    loc = gs.Variable("mbox_loc", np.float32, [batch, boxes * 4])
    graph.layer(op="Flatten", name=loc.name, inputs=[box_output], outputs=[loc], attrs={"axis": 1})
    result = gs.Variable("detection_out", np.float32, [1, 1, "detections", 7])
    graph.layer(
        op="DetectionOutput",
        domain=DOMAIN,
        name=result.name,
        inputs=[loc, conf, priors],
        outputs=[result],
        attrs=detection_attributes(description),
    )
    graph.outputs = [result]


def detection_attributes(description: SSDDescription) -> dict[str, Any]:
    """The attributes of the ONNX node, every field of the Caffe layer written out.

    Suppression that is switched off is an overlap of 1, which no two boxes exceed.
    """
    return {
        "num_classes": len(description.classes) + 1,
        "share_location": 1,
        "background_label_id": 0,
        "code_type": "CENTER_SIZE",
        "nms_threshold": 1.0 if description.nms_threshold is None else description.nms_threshold,
        "top_k": description.nms_topk if description.nms_topk > 0 else ALL,
        "keep_top_k": description.post_nms if description.post_nms > 0 else ALL,
        "confidence_threshold": description.score_threshold,
    }
