"""Converts damaged copies of small models, one after the other, in a process of its own.

`python -m tests.unit.onnx_door.mutations MODEL SEED COUNT` prints a line for each: the seed, and "converted" or the
error. A line "..." stands before each, so that whoever reads along knows which one a crash or a hang came from. It ends
with status 1 where there was an exception that is no ConversionError, and where one took longer than LONGEST_SECONDS.
"""

from __future__ import annotations

import faulthandler
import random
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
from onnx import numpy_helper

import gluon2caffe
from gluon2caffe.onnx2caffe.errors import ConversionError

HEADER = '<ir_version: 8, opset_import: ["" : 13]> net '
TEXTS = {
    "classifier": """(float[1,3,8,8] x) => (float[1,5] y) <
        float[6,3,3,3] w, float[6] b, float[6] g, float[6] h, float[6] u,
        float[6] v, float[5,6] m, float[5] n> {
        a = Conv<pads=[1,1,1,1], strides=[2,2]>(x, w, b)
        c = BatchNormalization<epsilon=0.001>(a, g, h, u, v)
        d = Relu(c)
        p = MaxPool<kernel_shape=[2,2], strides=[2,2]>(d)
        q = GlobalAveragePool(p)
        f = Flatten(q)
        s = Gemm<transB=1>(f, m, n)
        y = Softmax<axis=1>(s) }""",
    "shapes": """(float[N,4,6,6] x) => (float[N,K] y) <int64 zero = {0}, int64[1] minus = {-1}, int64[1] front = {0},
        float[4] scale = {1.0, 1.0, 2.0, 2.0}> {
        s = Shape(x)
        n = Gather<axis=0>(s, zero)
        r = Unsqueeze(n, front)
        t = Concat<axis=0>(r, minus)
        o = ConstantOfShape<value = float[1] {2.0}>(s)
        e = Expand(o, s)
        k = Mul(x, e)
        z = Resize<mode="nearest">(k, , scale)
        c = Cast<to=1>(z)
        y = Reshape(c, t) }""",
    "branches": """(float[1,4,5,5] x) => (float[1,8,5,5] y) <bool yes = {1}, int64[8] pads = {0,0,1,1,0,0,0,0},
        float[4] slope, float[1,4,1,1] k> {
        a = PRelu(x, k)
        b = If(yes) <then_branch = one () => (float[1,4,5,5] i) { i = Neg(a) },
                     else_branch = two () => (float[1,4,5,5] j) { j = Abs(a) }>
        t = Transpose<perm=[0,2,3,1]>(b)
        u = Mul(t, slope)
        v = Transpose<perm=[0,3,1,2]>(u)
        q = Pad(v, pads)
        r = AveragePool<kernel_shape=[2,2]>(q)
        l, m = Split<axis=1>(r)
        w = Concat<axis=1>(m, l)
        z = Clip(w)
        y = Concat<axis=1>(z, a) }""",
}


def small_model(name: str) -> bytes:
    """The model of that name as the content of a file, weights filled in."""
    made = onnx.parser.parse_model(HEADER + TEXTS[name])
    rng = np.random.default_rng(0)
    computed = {output for node in made.graph.node for output in node.output}
    for info in [info for info in made.graph.value_info if info.name not in computed]:
        shape = [dim.dim_value for dim in info.type.tensor_type.shape.dim]
        values = rng.uniform(0.5, 1.5, shape).astype(np.float32)
        made.graph.initializer.append(numpy_helper.from_array(values, info.name))
        made.graph.value_info.remove(info)
    return made.SerializeToString()


def damaged(content: bytes, seed: int) -> bytes:
    """The content with some bytes changed, left out, doubled or swapped, or cut off."""
    rng = random.Random(seed)
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 5, 20))):
        place, length = rng.randrange(len(data)), rng.choice((1, 1, 2, 4, 16, 64))
        kind = rng.choice(("flip", "flip", "flip", "set", "cut", "remove", "double", "swap"))
        if kind == "flip":
            data[place] ^= 1 << rng.randrange(8)
        elif kind == "set":
            data[place] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif kind == "cut":
            del data[max(place, 1) :]
        elif kind == "remove":
            del data[place : place + length]
        elif kind == "double":
            data[place:place] = data[place : place + length]
        else:
            other = rng.randrange(len(data))
            data[place], data[other] = data[other], data[place]
        if not data:
            break
    return bytes(data)


LONGEST_SECONDS = 20
NUMBERS = (-(2**63), -(2**31), -3, -1, 0, 1, 2, 3, 7, 100, 2**20, 2**31, 2**40, 2**63 - 1)
# fmt: off
OPERATORS = (
    "Add", "Clip", "Concat", "Conv", "ConvTranspose", "Div", "DepthToSpace", "Expand", "Flatten", "Gather",
    "Gemm", "Identity", "If", "InstanceNormalization", "LRN", "Loop", "MatMul", "MaxPool", "Pad", "Range",
    "ReduceMean", "Reshape", "Resize", "Scan", "Shape", "Slice", "Softmax", "Split", "Squeeze", "Tile",
    "TopK", "Transpose", "Unsqueeze", "Where",
)
# fmt: on


def altered(content: bytes, seed: int) -> bytes:
    """The content with some values of the model replaced by others of the same type, so that it still parses."""
    rng = random.Random(seed)
    made = onnx.ModelProto.FromString(content)
    for _ in range(rng.choice((1, 1, 2, 4))):
        places = list(_places(made))
        message, field, index = rng.choice(places)
        held = getattr(message, field.name)
        old = held if index is None else held[index]
        if isinstance(old, float):
            new = rng.choice((0.0, -1.0, 1e-30, 1e30, float("nan"), float("inf")))
        elif isinstance(old, int):
            new = rng.choice(NUMBERS if field.cpp_type != field.CPPTYPE_INT32 else NUMBERS[1:11])
        elif isinstance(old, bytes):
            new = rng.choice((b"", old[:-1], old + b"\0", b"SAME_UPPER", bytes(len(old)), b"\xff" * len(old)))
        else:
            same = [getattr(m, f.name) if i is None else getattr(m, f.name)[i] for m, f, i in places]
            new = rng.choice((*(value for value in same if isinstance(value, str)), *OPERATORS, "", "a b"))
        try:
            if index is None:
                setattr(message, field.name, new)
            elif rng.random() < 0.2:
                del held[index]
            else:
                held[index] = new
        except ValueError:  # an enumeration that does not have this number
            continue
    return made.SerializeToString()


def _places(message: Any) -> Iterator[tuple[Any, Any, int | None]]:
    """Every value of the message and of those in it: the message that holds it, the field, its place in a list."""
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in value if _is_list(value) else [value]:
                yield from _places(inner)
        elif _is_list(value):
            yield from ((message, field, index) for index in range(len(value)))
        else:
            yield message, field, None


def _is_list(value: Any) -> bool:
    return hasattr(value, "append") or hasattr(value, "add")


def main(name: str, first: int, count: int) -> int:
    """Convert `count` damaged copies; return the exit status."""
    content, status = small_model(name), 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.onnx"
        for seed in range(first, first + count):
            path.write_bytes((damaged if seed % 2 else altered)(content, seed))
            print("...", seed, flush=True)
            faulthandler.dump_traceback_later(LONGEST_SECONDS, exit=True)
            try:
                gluon2caffe.to_caffe(path, (1, 4, 6, 6) if name == "shapes" else None)
                print(seed, "converted", flush=True)
            except ConversionError as error:
                print(seed, "refused:", " ".join(str(error).split())[:150], flush=True)
            except Exception:
                status = 1
                print(seed, "FAILED:", traceback.format_exc(), flush=True)
    faulthandler.cancel_dump_traceback_later()
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
