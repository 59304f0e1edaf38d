"""Random weights that tell, for SSDs: every layer stays in range, and non-maximum suppression has work to do.

GluonCV's SSDs keep most BatchNorms inside a SymbolBlock, where no hook reaches them. So the symbol is run operator by
operator: a BatchNorm gets its statistics, and a predictor its weights, when the values that really reach it are known.
"""

import json
import re
from collections import Counter
from typing import Any

import numpy as np

from gluon2caffe.bridge.random_weights import RUNNING_MEAN, RUNNING_VAR, draw_parameters, generator

# Of the class predictions before softmax, and of the box predictions, on every feature map.
CLASS_STD = 1.5
BOX_STD = 0.5
# How many pairs of a box and a class pass the threshold of 0.01: fewer than the 400 that enter suppression.
CANDIDATES = 300
THRESHOLD = 0.01


def initialise_detector(
    net: Any, input_shape: tuple[int, ...], seed: int = 0, *, candidates: int = CANDIDATES
) -> np.ndarray:
    """Give all parameters of a GluonCV SSD random but telling float32 values, the same ones for the same seed.

    Args:
        net: a gluoncv.model_zoo.SSD, initialised or not.
        input_shape: (N, 3, H, W) of the input that the values are made for.
        seed: of all random numbers.
        candidates: number of pairs of a box and a class whose score for the returned input passes 0.01, or half of all
            pairs where that is less.

    Returns:
        The input, normally distributed, of `input_shape`.

    """
    import mxnet as mx

    data = generator(seed, "data").standard_normal(input_shape, dtype=np.float32)
    with mx.autograd.train_mode():
        symbol = mx.sym.Group(net(mx.sym.var("data"))[:2])
    _allocate(mx, net, symbol, input_shape)
    draw_parameters(net, seed)
    scores, _ = _Calibration(mx, net, seed).run(symbol, data)
    _spread(mx, net, scores.asnumpy(), candidates)
    return data


def _allocate(mx: Any, net: Any, symbol: Any, input_shape: tuple[int, ...]) -> None:
    arguments, _, auxiliary = symbol.infer_shape(data=input_shape)
    shapes = dict(zip(symbol.list_arguments(), arguments, strict=True))
    shapes |= dict(zip(symbol.list_auxiliary_states(), auxiliary, strict=True))
    for parameter in net.collect_params().values():
        if parameter.name in shapes:
            parameter.shape = shapes[parameter.name]
    net.initialize(mx.init.One(), force_reinit=True)


class _Calibration:
    """Runs a symbol of the net's parameters, operator by operator."""

    def __init__(self, mx: Any, net: Any, seed: int) -> None:
        self._mx, self._seed = mx, seed
        self._parameters = net.collect_params()
        self._spread = {
            predictor.predictor.weight.name: std
            for group, std in ((net.class_predictors, CLASS_STD), (net.box_predictors, BOX_STD))
            for predictor in group
        }

    def run(self, symbol: Any, data: np.ndarray) -> list[Any]:
        """Calibrate on `data` and return the symbol's outputs."""
        graph = json.loads(symbol.tojson())
        values: dict[int, list[Any]] = {}
        waiting = Counter(source for node in graph["nodes"] for source, *_ in node["inputs"])
        waiting.update(source for source, *_ in graph["heads"])
        for place, node in enumerate(graph["nodes"]):
            if node["op"] == "null":
                name = node["name"]
                values[place] = [self._mx.nd.array(data) if name == "data" else self._parameters[name].data()]
                continue
            inputs = [values[source][output] for source, output, *_ in node["inputs"]]
            values[place] = self._compute(
                node, [graph["nodes"][source]["name"] for source, *_ in node["inputs"]], inputs
            )
            for source, *_ in node["inputs"]:
                waiting[source] -= 1
                if not waiting[source]:
                    del values[source]
        return [values[source][output] for source, output, *_ in graph["heads"]]

    def _compute(self, node: dict[str, Any], names: list[str], inputs: list[Any]) -> list[Any]:
        if node["op"] == "BatchNorm":
            self._give_statistics(names, inputs)
        if len(names) > 1 and names[1] in self._spread:
            self._give_spread(node, names, inputs)
        return self._invoke(node, inputs)

    def _invoke(self, node: dict[str, Any], inputs: list[Any]) -> list[Any]:
        nd, kind = self._mx.nd, node["op"]
        operator = getattr(nd, kind, None) or getattr(nd._internal, kind)
        attributes = {key: value for key, value in node.get("attrs", {}).items() if not key.startswith("__")}
        made = operator(*inputs, **attributes)
        return list(made) if isinstance(made, (list, tuple)) else [made]

    def _generator(self, name: str) -> np.random.Generator:
        """For a parameter, whatever number the net got in its process."""
        return generator(self._seed, re.sub(r"^ssd\d+_", "ssd0_", name))

    def _give_statistics(self, names: list[str], inputs: list[Any]) -> None:
        """Mean and variance near those of the values, and moved away from them by random amounts."""
        rng = self._generator(names[3])
        power = max(float((inputs[0] ** 2).mean().asscalar()), 1e-6)
        shape = inputs[3].shape
        mean, variance = rng.uniform(*RUNNING_MEAN, shape) * np.sqrt(power), rng.uniform(*RUNNING_VAR, shape) * power
        for place, drawn in ((3, mean), (4, variance)):
            self._set(names, inputs, place, drawn)

    def _give_spread(self, node: dict[str, Any], names: list[str], inputs: list[Any]) -> None:
        """Predictions of the wanted spread, from place to place as well as from channel to channel."""
        rng, std = self._generator(names[1]), self._spread[names[1]]
        self._set(names, inputs, 2, np.zeros(inputs[2].shape))
        made = self._invoke(node, inputs)[0].asnumpy()
        # Deep random nets answer nearly the same everywhere: most of that goes, unless there is only one place.
        level = made.mean(axis=(0, 2, 3)) * (0.8 if made[0, 0].size > 1 else 0.0)
        scale = std / max(float((made - level[:, None, None]).std()), 1e-6)
        self._set(names, inputs, 1, inputs[1].asnumpy() * scale)
        self._set(names, inputs, 2, rng.uniform(-0.3, 0.3, level.shape) * std - level * scale)

    def _set(self, names: list[str], inputs: list[Any], place: int, values: np.ndarray) -> None:
        self._parameters[names[place]].set_data(self._mx.nd.array(values.astype(np.float32)))
        inputs[place] = self._parameters[names[place]].data()


def _spread(mx: Any, net: Any, scores: np.ndarray, candidates: int) -> None:
    """Raise or lower the background's bias of all class predictors until as many pairs as wanted pass the threshold.

    A pair's score passes when its logit lies above that of all others, summed, by log(0.01 / 0.99); what the
    background may be at most for that is solved for each pair, and the bias put between two of them.
    """
    logits = scores.reshape(-1, scores.shape[-1]).astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    weights = np.exp(logits)
    foreground = weights[:, 1:].sum(axis=1, keepdims=True)
    # exp(t) / (foreground + exp(background + b)) > 0.01, solved for b.
    room = weights[:, 1:] / THRESHOLD - foreground
    most = np.where(room > 0, np.log(np.maximum(room, 1e-300)), -np.inf) - logits[:, :1]
    ordered = np.sort(most.reshape(-1))[::-1]
    wanted = min(candidates, ordered.size // 2)
    # A little gap to both neighbours, so that no score lies on the threshold.
    places = np.arange(max(1, wanted - 10), min(ordered.size - 1, wanted + 10) + 1)
    place = int(places[np.argmax(ordered[places - 1] - ordered[places])])
    shift = float((ordered[place - 1] + ordered[place]) / 2)
    for predictor in net.class_predictors:
        bias = predictor.predictor.bias
        values = bias.data().asnumpy()
        values[:: scores.shape[-1]] += shift
        bias.set_data(mx.nd.array(values))
