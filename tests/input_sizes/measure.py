"""What files for any size cost: layers, and milliseconds on each reader, against the default files of the same net.

`python -m tests.input_sizes.measure` measures all of `NETS` and stores docs/input-sizes.json; names measure some.
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from gluon2caffe import to_caffe
from gluon2caffe.bridge.verification.readers import installed_readers
from gluon2caffe.bridge.zoo import zoo_input_shape, zoo_net
from tests.zoo.measured import DOCS, Measurements

MEASUREMENTS = Measurements(DOCS / "input-sizes.json")
NETS = (
    "densenet121",
    "mobilenet1.0",
    "mobilenetv2_1.0",
    "mobilenetv3_large",
    "resnet18_v1",
    "resnet50_v1",
    "shufflenet_v1",
    "simple_pose_resnet18_v1b",
    "squeezenet1.1",
)
RUNS = 12


def measure(name: str) -> dict[str, Any]:
    """The row of `name`: the layers of both files, and the shortest of some runs of each, in turns."""
    shape = zoo_input_shape(name)
    net = zoo_net(name, random=True)
    models = {how: to_caffe(net, shape, sizes=how) for how in ("free", "any")}
    sample = np.random.default_rng(7).normal(size=shape).astype(np.float32)
    milliseconds: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        saved = {how: model.save(Path(folder) / how) for how, model in models.items()}
        for reader in installed_readers(("opencv", "caffe")):
            sessions = {how: stack.enter_context(reader.load(*files)) for how, files in saved.items()}
            times: dict[str, list[float]] = {how: [] for how in sessions}
            for _ in range(RUNS):
                for how, session in sessions.items():
                    (blob,) = models[how].inputs
                    started = time.perf_counter()
                    session.run({blob: sample})
                    times[how].append(time.perf_counter() - started)
            milliseconds[reader.name] = {how: round(1000 * min(each), 1) for how, each in times.items()}
    layers = {how: len(model.layers) for how, model in models.items()}
    return {"name": name, "input": list(shape), "layers": layers, "milliseconds": milliseconds}


if __name__ == "__main__":
    for name in sys.argv[1:] or NETS:
        MEASUREMENTS.store(measure(name))
