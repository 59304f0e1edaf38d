"""Convert one SSD of the zoo, run it on every reader and print what came out, as one JSON object.

`python -m tests.zoo.detectors NAME` works in a process of its own, so that the memory of a large net is given back.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from gluon2caffe import load_mxnet, ssd_heads, to_caffe, to_onnx, verify
from gluon2caffe.bridge.export import load_gluoncv
from gluon2caffe.ssd_heads.kinds.gluon_ssd.block import built_for, describe
from tests.telling_detector import initialise_detector

SEED = 7
CUSTOM_CLASSES = ("a", "b", "c")


def detector_names() -> list[str]:
    """The float SSDs of the zoo, sorted."""
    names = load_gluoncv().model_zoo.get_model_list()
    return sorted(name for name in names if re.match(r"ssd_\d+_", name) and "int8" not in name)


def build(name: str) -> tuple[Any, np.ndarray]:
    """The net with telling weights, and the input that they were made for."""
    options = {"classes": list(CUSTOM_CLASSES)} if name.endswith("custom") else {}
    net = load_gluoncv().model_zoo.get_model(name, pretrained=False, pretrained_base=False, **options)
    return net, initialise_detector(net, built_for(net), SEED)


def measure_detector(name: str) -> dict[str, Any]:
    """The row of `name`: sizes, and the largest differences of scores and corners (pixels) on each reader."""
    net, sample = build(name)
    started = time.perf_counter()
    model = to_caffe(net)
    seconds = time.perf_counter() - started
    report = verify(model, net, samples=sample)
    with tempfile.TemporaryDirectory() as folder:
        size = model.save(Path(folder) / "net").caffemodel.stat().st_size
    description = describe(net)
    reference = ssd_heads.from_gluon(*(part.asnumpy() for part in net(load_mxnet().nd.array(sample))))
    intermediate = _in_onnxruntime(to_onnx(net), sample, reference, net.post_nms)
    return {
        "name": name,
        "input": list(sample.shape),
        "boxes": description.box_count,
        "classes": len(description.classes),
        "layers": len(model.layers),
        "parameters": model.parameter_count,
        "caffemodel_bytes": size,
        "seconds": round(seconds, 2),
        "detections": len(reference.ids),
        "detected_classes": len(set(reference.ids.tolist())),
        "scores": {row.reader: row.absolute for row in report.rows if row.output.endswith("scores")} | intermediate[0],
        "corners": {row.reader: row.absolute for row in report.rows if "corners" in row.output} | intermediate[1],
        "problems": {row.reader: row.problem for row in report.rows if row.problem} | intermediate[2],
        "failed": dict(report.failed),
        "skipped": dict(report.skipped),
        "passed": report.passed and not intermediate[2],
    }


def _in_onnxruntime(
    model: onnx.ModelProto, sample: np.ndarray, reference: ssd_heads.Detections, post_nms: int
) -> tuple[dict[str, float], dict[str, float], dict[str, str]]:
    """Differences of scores and of corners, and problems, as the intermediate gives them."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (rows,) = session.run(None, {session.get_inputs()[0].name: sample})
    found = ssd_heads.detections(rows, sample.shape[2:])
    difference = ssd_heads.compare_detections(reference, found, post_nms)
    reader = "onnxruntime"
    problem = difference.problem or ("" if difference.agrees else "not within tolerance")
    return {reader: difference.score}, {reader: difference.corner}, {reader: problem} if problem else {}


if __name__ == "__main__":
    json.dump(measure_detector(sys.argv[1]), sys.stdout)
