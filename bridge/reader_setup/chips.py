"""The compilers for chips: Sophgo's and Rockchip's, made to run without the framework they would bring along."""

from pathlib import Path

from gluon2caffe.bridge.reader_setup.recipe import PinnedRecipe, stand_in
from gluon2caffe.bridge.verification.readers.rockchip_reader import KIND as ROCKCHIP
from gluon2caffe.bridge.verification.readers.sophgo_reader import KIND as SOPHGO

# tpu-mlir 1.30.2 brings a C library of Ubuntu 22.04, which must be of one piece with the running system's.
_C_LIBRARY = ("libc.so.6", "libm.so.6", "libpthread.so.0")


def _finish_sophgo(packages: Path) -> None:
    for name in _C_LIBRARY:
        (packages / "tpu_mlir" / "lib" / "third_party" / name).unlink()
    stand_in("sophgo_torch", packages, "torch")


SOPHGO_RECIPE = PinnedRecipe(SOPHGO, ((3, 10),), 1700, _finish_sophgo)
ROCKCHIP_RECIPE = PinnedRecipe(
    ROCKCHIP, ((3, 11),), 700, lambda packages: stand_in("rockchip_torch", packages, "torch")
)
