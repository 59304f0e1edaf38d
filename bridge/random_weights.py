"""Random weights that tell: nothing is 0 or 1 that a converter could forget, and the activations stay in range.

MXNet's own initialisers leave BatchNorm at mean 0, variance 1, gamma 1 and beta 0, and biases at 0; a converter that
drops any of them then still gets the right numbers. Purely random statistics, on the other hand, make deep nets
explode or forget their input. Here every BatchNorm gets statistics near those of the values that really reach it,
measured in one forward pass, and moved away from them by random amounts.
"""

import zlib
from typing import Any

import numpy as np

from gluon2caffe.bridge.export import load_mxnet

# Ranges of what is drawn without looking at the data.
GAMMA = (0.5, 1.5)
BETA = (-0.3, 0.3)
SLOPE = (0.1, 0.4)  # PReLU
# Relative to the root mean square of the values that reach a BatchNorm.
RUNNING_MEAN = (-0.3, 0.3)
RUNNING_VAR = (0.5, 2.0)


def initialise(net: Any, input_shape: tuple[int, ...], seed: int = 0) -> None:
    """Give all parameters of a Gluon net random but telling float32 values; the same ones for the same seed.

    Args:
        net: a HybridBlock, initialised or not, not hybridised.
        input_shape: shape of its input, used for one forward pass (two where the shapes of the parameters are not
            known before the first).
        seed: of all random numbers; a parameter's values depend on it and on the parameter's place in the net.

    """
    mx = load_mxnet()

    data = mx.nd.array(generator(seed, "data").standard_normal(input_shape, dtype=np.float32))
    net.initialize(mx.init.One(), force_reinit=True)
    _finish_shapes(net, data)
    draw_parameters(net, seed)
    _calibrate(mx, net, data, seed)


def draw_parameters(net: Any, seed: int) -> None:
    """Give the parameters whose values need not fit the data, such as weights and biases, random ones.

    Args:
        net: initialised, so that the shapes are known.
        seed: a parameter's values depend on it, on the parameter's kind and on its place in the net.
    """
    mx = load_mxnet()
    for index, parameter in enumerate(net.collect_params().values()):
        if isinstance(parameter, mx.gluon.Constant):
            continue
        values = _drawn(parameter.name, parameter.shape, generator(seed, str(index)))
        if values is not None:
            parameter.set_data(mx.nd.array(values))


def generator(seed: int, purpose: str) -> np.random.Generator:
    """Random numbers for one purpose: drawing more for another does not change them."""
    return np.random.default_rng((seed, zlib.crc32(purpose.encode())))


def _finish_shapes(net: Any, data: Any) -> None:
    if any(parameter._deferred_init for parameter in net.collect_params().values()):
        net(data)


def _drawn(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    """Draw a parameter's values by its kind, which Gluon writes at the end of its name."""
    if len(shape) >= 2 and name.endswith("weight"):
        # Uniform with He's variance, 2 / fan-in.
        reach = np.sqrt(6.0 / np.prod(shape[1:]), dtype=np.float32)
        values = rng.random(shape, dtype=np.float32)
        values -= 0.5
        values *= 2 * reach
        return values
    for ending, (low, high) in {"gamma": GAMMA, "beta": BETA, "bias": BETA, "alpha": SLOPE}.items():
        if name.endswith(ending):
            return rng.uniform(low, high, shape).astype(np.float32)
    return None


def _calibrate(mx: Any, net: Any, data: Any, seed: int) -> None:
    """Run the net once; every BatchNorm is given its statistics just before it is used."""
    hooks = []

    def give_statistics(block: Any, inputs: Any) -> None:
        rng = generator(seed, f"statistics {len(done)}")
        if block not in done:
            done.append(block)
            power = max(float((inputs[0] ** 2).mean().asscalar()), 1e-6)
            shape = block.running_mean.shape
            mean = rng.uniform(*RUNNING_MEAN, shape) * np.sqrt(power)
            block.running_mean.set_data(mx.nd.array(mean.astype(np.float32)))
            block.running_var.set_data(mx.nd.array((rng.uniform(*RUNNING_VAR, shape) * power).astype(np.float32)))

    done: list[Any] = []

    def attach(block: Any) -> None:
        if isinstance(block, mx.gluon.nn.BatchNorm):
            hooks.append(block.register_forward_pre_hook(give_statistics))

    net.apply(attach)
    try:
        net(data)
        mx.nd.waitall()
    finally:
        for hook in hooks:
            hook.detach()
