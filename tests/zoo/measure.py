"""Convert one net of the zoo, run it on every reader and print what came out, as one JSON object.

`python -m tests.zoo.measure NAME` works in a process of its own, so that the memory of a large net is given back.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from gluon2caffe import to_caffe, verify
from gluon2caffe.bridge.zoo import zoo_input_shape, zoo_net

SEED = 7


def measure(name: str) -> dict[str, Any]:
    """The row of `name`: sizes, and the error on each reader relative to the largest output of MXNet's `net(x)`."""
    shape = zoo_input_shape(name)
    net = zoo_net(name, random=True)
    started = time.perf_counter()
    model = to_caffe(net, shape)
    seconds = time.perf_counter() - started
    sample = np.random.default_rng(SEED).normal(size=shape).astype(np.float32)
    report = verify(model, net, samples=sample)
    with tempfile.TemporaryDirectory() as folder:
        saved = model.save(Path(folder) / "net")
        size = saved.caffemodel.stat().st_size
    return {
        "name": name,
        "input": list(shape),
        "layers": len(model.layers),
        "parameters": model.parameter_count,
        "caffemodel_bytes": size,
        "seconds": round(seconds, 2),
        "errors": {row.reader: row.relative for row in report.rows},
        "failed": dict(report.failed),
        "skipped": dict(report.skipped),
        "passed": report.passed,
        "notes": list(model.notes),
    }


if __name__ == "__main__":
    json.dump(measure(sys.argv[1]), sys.stdout)
