"""Small Gluon nets for the tests of tracing and exporting."""

from typing import Any

SHAPE = (1, 3, 8, 8)


def tiny(mx: Any, prefix: str = "tiny_") -> Any:
    """Convolution, BatchNorm, ReLU and Dense, initialised; shapes are still unknown (deferred)."""
    nn = mx.gluon.nn
    net = nn.HybridSequential(prefix=prefix)
    with net.name_scope():
        net.add(nn.Conv2D(4, 3), nn.BatchNorm(), nn.Activation("relu"), nn.Dense(5))
    net.initialize(mx.init.Xavier())
    return net


def hybrid(mx: Any, forward: Any, prefix: str = "block_") -> Any:
    """A HybridBlock without parameters that computes ``forward(F, *inputs)``."""

    class Block(mx.gluon.HybridBlock):  # type: ignore[misc]
        def hybrid_forward(self, F: Any, *inputs: Any) -> Any:  # noqa: N803 - MXNet's name
            return forward(F, *inputs)

    return Block(prefix=prefix)
