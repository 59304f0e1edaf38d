"""The page docs/input-sizes.md: what is said of input sizes, and what files for any size cost.

`python -m tests.input_sizes.page` writes it from docs/input-sizes.json.
"""

from __future__ import annotations

from typing import Any

from tests.input_sizes.measure import MEASUREMENTS
from tests.zoo.measured import DOCS

PAGE = DOCS / "input-sizes.md"

HEAD = """# Input sizes

People reshape Caffe nets: OpenCV does it in `setInput`, pycaffe by `net.blobs["data"].reshape(...)`, ncnn and MNN take
any picture. A file that was made at one size may compute something else at another: a pooling that rounds down at 224
needs a cut at 225. So every model says where it is exact, in the summary, `--json`, `inspect`, the first line of the
prototxt and `model.sizes`:

    # Exact at: height and width = 0 or 3 (mod 4) (pool0: rounding of the pooled size), any batch.

```python
model.sizes.words  # the line, with the reasons
model.sizes.includes((1, 3, 231, 231))  # whether it is exact there
model.sizes.why_not((1, 3, 225, 225))  # the nodes that are not, and why
```

The statement counts what the source computes at that size. It is taken from the shapes that the layers make of an
input, and from what each translation says it relied on; what nobody has looked at is taken to need its own size.

## Which files to make

| | files | |
|---|---|---|
| default | `sizes="free"` | Forms that hold at every size where they cost nothing: open Reshapes, global poolings |
| any size | `sizes="any"`, `--any-size` | Layers are added so that the files follow every size that the net takes |
| one size | `sizes="fixed"`, `--fixed-size` | A Reshape for each axis lets the files fail at any other size |

For any size, a pooling that rounds down is cut by `Crop` to a blob of the size rounded down, an average that leaves
padding out is the ratio of two poolings, a resize to the size of another map repeats values and is cut to that map, and
channels are shuffled by Reshapes of one axis. What binds the size in the net itself is refused, with its nodes: a
Flatten into a dense layer, a resize to a fixed size or by a matrix, attention, tables of positions.

Verify at the sizes that you will use: `--sizes 225x231,320x416` or `verify(..., sizes=[(225, 231)])`. For files made
with `--any-size` five sizes are drawn without being asked: the smallest that works, even and odd, square and not, one
of them with a batch of two.

## At sizes that are left out

Where a layer can be made to fail, it does. OpenCV, BVLC Caffe and Caffe-SSD all refuse a blob that does not fit an
`InnerProduct`'s weights, a `Scale`'s factors, a sum of blobs, or a `Reshape` whose lengths are written; so a `Flatten`
that would let a wrong length pass is written as such a Reshape. None of them refuses a pooling that rounds the other
way, a `Slice` whose last piece is longer, or a picture with height and width exchanged, which has as many values. A net
that ends in a global pooling has nothing that could fail: look at the statement, or make files with `--fixed-size`.

## Detectors

- A `PriorBox` layer counts in pixels of the picture that the net is fed, and so do GluonCV's anchors: an SSD of
  GluonCV's follows its input, block and files alike. A picture for which it has no more anchors than its grid holds
  is refused by the net itself.
- MXNet's own SSD (`MultiBoxPrior`) has anchors that are parts of the picture: its files hold for their size. So do
  files with `priors="constant"`.
- `DetectionOutput` keeps the best `top_k` and `keep_top_k` boxes. Where the net keeps all of them, their number is
  written, and the files hold up to that number of boxes; with `--any-size` no limit is.
- YOLOv3's decoder adds the places of the cells, which are constants of the size, and `DetectionOutput` takes corners as
  parts of the picture, which divides by the size. Its files hold for their size, with `heads="raw"` too: that ends
  behind the decoder.

## What `--any-size` costs

Layers, and milliseconds of one run at the net's own size: the shortest of {runs}, default files and files for any size
in turns, on one thread. Nets whose default files are as good have the same layers. `python -m
tests.input_sizes.measure` measures, `make docs` writes this page.

"""


def render(rows: list[dict[str, Any]], runs: int) -> str:
    """The page."""
    readers = sorted({reader for row in rows for reader in row["milliseconds"]})
    lines = ["| net | input | layers | " + " | ".join(f"{reader}, ms" for reader in readers) + " |"]
    lines.append("|---|---|--:|" + "--:|" * len(readers))
    for row in rows:
        layers = row["layers"]
        times = [row["milliseconds"].get(reader) for reader in readers]
        cells = ["not run" if each is None else f"{each['free']} → {each['any']}" for each in times]
        size = "×".join(map(str, row["input"][1:]))
        lines.append(f"| {row['name']} | {size} | {layers['free']} → {layers['any']} | {' | '.join(cells)} |")
    return HEAD.replace("{runs}", str(runs)) + "\n".join(lines) + "\n"


if __name__ == "__main__":
    from tests.input_sizes.measure import RUNS

    PAGE.write_text(render(MEASUREMENTS.load(), RUNS))
