"""What Debian and Ubuntu must have installed for Caffe to be built, and how to get it."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from gluon2caffe.bridge.reader_setup.steps import SetupError, Steps

# Package -> a file of it, below /usr or /usr/local; headers and libraries may lie in a folder of the architecture.
_FILES = {
    "cmake": "bin/cmake",
    "g++": "bin/g++",
    "libboost-filesystem-dev": "lib/**/libboost_filesystem.so",
    "libboost-python-dev": "lib/**/libboost_python3*.so",
    "libboost-regex-dev": "lib/**/libboost_regex.so",
    "libboost-system-dev": "lib/**/libboost_system.so",
    "libboost-thread-dev": "lib/**/libboost_thread.so",
    "libgflags-dev": "include/gflags/gflags.h",
    "libgoogle-glog-dev": "include/glog/logging.h",
    "libhdf5-dev": "include/**/H5public.h",
    "libopenblas-dev": "include/**/cblas.h",
    "libprotobuf-dev": "include/google/protobuf/message.h",
    "make": "bin/make",
    "protobuf-compiler": "bin/protoc",
}


def missing_packages() -> list[str]:
    """Return the Debian packages that the build needs and whose files are not here."""
    return [package for package, pattern in _FILES.items() if not _found(pattern)]


def install_packages(steps: Steps, packages: Sequence[str]) -> None:
    """Install Debian packages.

    Raises:
        SetupError: this is not Debian, or not the root user, or apt-get fails.
    """
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise SetupError(f"only root on Debian or Ubuntu can install the missing packages: {' '.join(packages)}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    steps.run("updating the package lists", ["apt-get", "update", "-qq"], **quiet)
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    steps.run(f"installing {', '.join(packages)}", command, **quiet)


def _found(pattern: str) -> bool:
    return any(next(Path(root).glob(pattern), None) for root in ("/usr", "/usr/local"))
