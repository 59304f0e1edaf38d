"""Time and memory of one conversion, as ratios to copying every parameter out of MXNet and writing it to disk once.

`python -m tests.benchmarks.measure NET` works in a process of its own and prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gluon2caffe import to_caffe
from gluon2caffe.bridge.zoo import zoo_input_shape, zoo_net

ROUNDS = 5


def _floor(net: Any, path: Path) -> None:
    with path.open("wb") as file:
        for parameter in net.collect_params().values():
            file.write(parameter.data().asnumpy())


def _convert(net: Any, shape: tuple[int, ...], prefix: Path) -> None:
    to_caffe(net, shape).save(prefix)


def seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _resident() -> int:
    """Bytes of this process in memory (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def peak_added(work: Callable[[], None]) -> int:
    """Most bytes that `work` added to this process, looked at every millisecond."""
    before, peak, done = _resident(), 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.001):
            peak = max(peak, _resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return peak - before


def compared(
    convert: Callable[[], None], floor: Callable[[], None], size: int, before: Callable[[], None] = lambda: None
) -> dict[str, float]:
    """Ratios of the best of several alternating rounds, so that a slow moment of the machine harms neither side.

    Args:
        convert: the conversion; its memory is that of its first run.
        floor: what its time is compared with.
        size: bytes that its memory is compared with.
        before: done before each of the two, and not measured.
    """
    added = peak_added(convert)
    floors, conversions = [], []
    for _ in range(ROUNDS):
        before()
        floors.append(seconds(floor))
        before()
        conversions.append(seconds(convert))
    return {
        "floor_seconds": round(min(floors), 3),
        "conversion_seconds": round(min(conversions), 3),
        "time_ratio": round(min(conversions) / min(floors), 2),
        "memory_ratio": round(added / size, 2),
    }


def measure(name: str) -> dict[str, Any]:
    """The row of a net of the zoo."""
    net, shape = zoo_net(name, random=True), zoo_input_shape(name)
    weights = sum(parameter.data().size * 4 for parameter in net.collect_params().values())
    with tempfile.TemporaryDirectory() as folder:
        floor, prefix = Path(folder) / "floor", Path(folder) / "net"
        ratios = compared(lambda: _convert(net, shape, prefix), lambda: _floor(net, floor), weights)
    return {"name": name, "weights_bytes": weights, **ratios}


if __name__ == "__main__":
    json.dump(measure(sys.argv[1]), sys.stdout)
