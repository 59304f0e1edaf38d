"""Which packages are installed: the rooms at the top of the repository, inside `gluon2caffe`.

Inside, so that nobody's own `bridge` or `onnx2caffe` shadows them. All else stands in pyproject.toml, which has no form
for packages that are found below a mapped folder.
"""

from setuptools import find_packages, setup

ROOMS = ("bridge", "onnx2caffe", "ssd_heads")
INSIDE = [package for room in ROOMS for package in (room, *(f"{room}.{found}" for found in find_packages(room)))]

setup(
    packages=["gluon2caffe", *(f"gluon2caffe.{package}" for package in INSIDE)],
    package_dir={"gluon2caffe": "gluon2caffe", **{f"gluon2caffe.{room}": room for room in ROOMS}},
)
