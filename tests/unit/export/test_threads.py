"""Conversions in threads: no failure, and the files of those made alone."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import onnx
import pytest
from agreement import model
from small_nets import SHAPE, tiny

import gluon2caffe

THREADS, NETS = 8, 40

# The first conversions of a process, all at once: MXNet is imported by whichever comes first.
FRESH = """
import sys
from concurrent.futures import ThreadPoolExecutor
from gluon2caffe import load_mxnet

with ThreadPoolExecutor(8) as pool:
    found = [future.result() for future in [pool.submit(load_mxnet) for _ in range(8)]]
assert len(set(map(id, found))) == 1
found[0].nd.zeros((1,)).asnumpy()
import numpy
print("int" in vars(numpy))
"""


def _sources(mx: Any, folder: Path) -> list[Any]:
    """Live nets, pairs of files and ONNX models in turn; the ONNX models are of a newer opset than mxnet.onnx knows."""
    sources: list[Any] = []
    for number in range(NETS):
        if number % 2:
            text = "(float[1,3,8,8] x) => (float[] y) <float[4,3,3,3] w> { c = Conv(x, w)\n y = HardSwish(c) }"
            sources.append(model(text, opset=17, seed=number))
            continue
        net = tiny(mx)
        if number % 4:
            net(mx.nd.zeros(SHAPE))
            net.hybridize()
            net(mx.nd.zeros(SHAPE))
            prefix = folder / f"net{number}"
            net.export(str(prefix))
            sources.append((f"{prefix}-symbol.json", f"{prefix}-0000.params"))
        else:
            sources.append(net)
    return sources


def _files(source: Any, folder: Path, number: int) -> tuple[bytes, bytes]:
    shape = None if isinstance(source, onnx.ModelProto) else SHAPE
    saved = gluon2caffe.to_caffe(source, shape).save(folder / f"{number}")
    return saved.prototxt.read_bytes(), saved.caffemodel.read_bytes()


def test_eight_threads_give_what_one_gives(mx: Any, tmp_path: Path) -> None:
    sources = _sources(mx, tmp_path)
    alone, together = tmp_path / "alone", tmp_path / "together"
    alone.mkdir()
    together.mkdir()
    expected = [_files(source, alone, number) for number, source in enumerate(sources)]
    with ThreadPoolExecutor(THREADS) as pool:
        futures = [pool.submit(_files, source, together, number) for number, source in enumerate(sources)]
        futures += [pool.submit(_files, source, together, NETS + number) for number, source in enumerate(sources)]
    assert [future.result() for future in futures] == expected * 2


@pytest.mark.usefixtures("mx")
def test_a_fresh_process_imports_mxnet_once() -> None:
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", FRESH], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout.split()[-1:]) == (0, [str("int" in _numpy_names())]), result.stderr[-2000:]


def _numpy_names() -> set[str]:
    import numpy as np

    return set(vars(np))
