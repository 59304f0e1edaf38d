"""Caffe with the SSD layers, built from a source package for the Python that Debian's Boost.Python is made for.

The package's own build wants conda and builds its tests; ours compiles the same sources straight into the Python
module. A few sources at a time go through the compiler as one, since most of the time goes into the headers they share.
Two checks of BVLC Caffe that this fork has turned into comments are put back: without them it reads beyond a blob where
Caffe refuses the net.
"""

import os
import re
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gluon2caffe.bridge.reader_setup.pythons import Version, find_python
from gluon2caffe.bridge.reader_setup.recipe import pins
from gluon2caffe.bridge.reader_setup.steps import SetupError, Steps
from gluon2caffe.bridge.reader_setup.trial import what_is_wrong
from gluon2caffe.bridge.verification.readers.caffe_reader import reader_of
from gluon2caffe.bridge.verification.readers.environment import ReadyEnvironment
from gluon2caffe.bridge.verification.readers.reader import WorkerReader
from tools.caffe_from_source.debian import install_packages, missing_packages

VERSIONS: tuple[Version, ...] = ((3, 10), (3, 11), (3, 12))
PINS = {"numpy": "1.26.4", "protobuf": "3.20.3", "scikit-image": "0.22.0", "six": "1.17.0"}
SOURCE = {"brocolli-caffe": "9.0.2"}

_SMALL_LIMIT = "SetTotalBytesLimit(536870912)"
_UNCHECKED = ("eltwise_layer.cpp", "scale_layer.cpp")

_CMAKE = """\
cmake_minimum_required(VERSION 3.16)
project(caffe C CXX)
set(CMAKE_CXX_STANDARD 14)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
find_package(Threads REQUIRED)
find_package(Boost REQUIRED COMPONENTS system thread filesystem regex ${BOOST_PYTHON})
find_package(HDF5 REQUIRED COMPONENTS C HL)
find_program(PROTOC protoc REQUIRED)
find_path(CBLAS cblas.h PATH_SUFFIXES openblas)

set(GENERATED ${CMAKE_BINARY_DIR}/generated)
file(MAKE_DIRECTORY ${GENERATED})
add_custom_command(
  OUTPUT ${GENERATED}/caffe/proto/caffe.pb.cc
  COMMAND ${PROTOC} --cpp_out=${GENERATED} --python_out=${GENERATED} -I ${CAFFE}/src caffe/proto/caffe.proto
  DEPENDS ${CAFFE}/src/caffe/proto/caffe.proto)

file(GLOB SOURCES
  ${CAFFE}/src/caffe/*.cpp ${CAFFE}/src/caffe/layers/*.cpp
  ${CAFFE}/src/caffe/solvers/*.cpp ${CAFFE}/src/caffe/util/*.cpp)
add_library(_caffe MODULE ${SOURCES} ${CAFFE}/python/caffe/_caffe.cpp ${GENERATED}/caffe/proto/caffe.pb.cc)
set_target_properties(_caffe PROPERTIES PREFIX "" SUFFIX ".so" UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
target_compile_definitions(_caffe PRIVATE CPU_ONLY CAFFE_VERSION=1.0.0 BOOST_BIND_GLOBAL_PLACEHOLDERS)
target_compile_options(_caffe PRIVATE -w)
target_include_directories(_caffe PRIVATE
  ${GENERATED} ${CAFFE}/include ${PYTHON_INCLUDE} ${NUMPY_INCLUDE} ${HDF5_INCLUDE_DIRS} ${CBLAS})
target_link_libraries(_caffe PRIVATE
  Boost::system Boost::thread Boost::filesystem Boost::regex Boost::${BOOST_PYTHON}
  ${HDF5_C_HL_LIBRARIES} ${HDF5_C_LIBRARIES} glog gflags protobuf openblas Threads::Threads)
"""


@dataclass(frozen=True)
class SourceRecipe:
    """The recipe.

    Attributes:
        may_install_packages: whether Debian packages that are missing may be installed with apt-get.
        jobs: how many compilers to run at once; 0 means one per core.
    """

    may_install_packages: bool = False
    jobs: int = 0
    name: str = "source"
    megabytes: int = 400

    def expected(self) -> dict[str, str]:
        """Return the packages and versions that a finished set-up has."""
        return {**PINS, **SOURCE}

    def install(self, steps: Steps) -> ReadyEnvironment:
        """Set it up.

        Raises:
            SetupError: Debian packages are missing, there is no Python for this Boost, or a step fails.
        """
        missing = missing_packages()
        if missing and self.may_install_packages:
            install_packages(steps, missing)
            missing = missing_packages()
        if missing:
            raise SetupError(f"these Debian packages are missing: {' '.join(missing)}")
        version, python = _python_of_boost()
        interpreter = steps.make_environment(python, pins(PINS))
        (package,) = pins(SOURCE)
        archive = steps.download(interpreter, package, "--no-binary", ":all:")
        source = _unpack(archive, steps.folder / "build")
        _build(steps, source, interpreter, version, self.jobs or os.cpu_count() or 1)
        _put_together(source, steps.folder / "python" / "caffe")
        shutil.rmtree(source.parent)
        shutil.rmtree(archive.parent)
        return ReadyEnvironment(self.name, "Caffe-SSD (built here)", "venv/bin/python", ("python",), self.expected())

    def reader(self, folder: Path, ready: ReadyEnvironment) -> WorkerReader:
        """Return the reader in a folder that was set up."""
        return reader_of(folder, ready)

    def what_is_wrong(self, reader: WorkerReader) -> str:
        """Run the trial net on the reader."""
        return what_is_wrong(reader)


def _python_of_boost() -> tuple[Version, Path]:
    here = [version for version in VERSIONS if any(_boost_python(version))]
    if not here:
        raise SetupError("Boost.Python is here for none of Python 3.10, 3.11 and 3.12")
    for version in here:
        python = find_python([version], headers=True)
        if python:
            return version, python
    names = " or ".join(f"{major}.{minor}" for major, minor in here)
    raise SetupError(f"Boost.Python is made for Python {names}, which is not here with its headers (Python.h) and venv")


def _boost_python(version: Version) -> Iterator[Path]:
    name = f"libboost_python{version[0]}{version[1]}.so"
    for folder in ("/usr/lib", "/usr/lib64", "/usr/local/lib"):
        yield from Path(folder).glob(name)
        yield from Path(folder).glob(f"*-linux-*/{name}")


def _unpack(archive: Path, folder: Path) -> Path:
    """Unpack the source package and return its folder."""
    with tarfile.open(archive) as tar:
        if hasattr(tarfile, "data_filter"):
            tar.extractall(folder, filter="data")
        else:
            tar.extractall(folder)
    source = next(path for path in folder.iterdir() if path.is_dir())
    # Left over from an older protobuf; it would be found before the one that is generated.
    (source / "include/caffe/proto/caffe.pb.h").unlink(missing_ok=True)
    for name in _UNCHECKED:
        _put_checks_back(source / "src/caffe/layers" / name)
    _lift_limit(source / "src/caffe/util/io.cpp")
    return source


def _lift_limit(file: Path) -> None:
    """Read models up to protobuf's own 2 GB, as stock Caffe does, instead of 512 MiB."""
    text = file.read_text(encoding="utf-8")
    if text.count(_SMALL_LIMIT) != 2:
        raise SetupError(f"{file.name} sets its limit {text.count(_SMALL_LIMIT)} times, two were expected")
    file.write_text(text.replace(_SMALL_LIMIT, "SetTotalBytesLimit(2147483647)"), encoding="utf-8")


def _put_checks_back(file: Path) -> None:
    """Uncomment the loop over the bottoms' shapes."""
    text = file.read_text(encoding="utf-8")
    loop = re.compile(r"^ +// for \(int i = .*\n(?: +// .*\n)*? +// *CHECK.*\n(?: +// .*\n)*? +// \}\n", re.MULTILINE)
    text, count = loop.subn(lambda match: re.sub(r"^ +//", " ", match[0], flags=re.MULTILINE), text)
    if count != 1:
        raise SetupError(f"{file.name} has {count} loops of checks in comments, one was expected")
    file.write_text(text, encoding="utf-8")


def _build(steps: Steps, source: Path, interpreter: Path, version: Version, jobs: int) -> None:
    project = source.parent / "project"
    project.mkdir()
    (project / "CMakeLists.txt").write_text(_CMAKE, encoding="utf-8")
    paths = source.parent / "paths.cmake"
    # Asked of the interpreter itself: it knows where its headers and those of its numpy are.
    question = (
        "import sys, sysconfig, numpy;"
        'line = \'set({} "{}" CACHE PATH "")\\n\';'
        "text = line.format('PYTHON_INCLUDE', sysconfig.get_paths()['include']);"
        "text += line.format('NUMPY_INCLUDE', numpy.get_include());"
        "open(sys.argv[1], 'w').write(text)"
    )
    steps.run("asking Python for its headers", [interpreter, "-c", question, paths])
    build = source.parent / "cmake"
    options = (f"-DCAFFE={source}", f"-DBOOST_PYTHON=python{version[0]}{version[1]}", "-DCMAKE_BUILD_TYPE=Release")
    steps.run("configuring", ["cmake", "-C", paths, "-S", project, "-B", build, *options])
    what = f"compiling with {jobs} {'jobs' if jobs > 1 else 'job'} (3 to 15 minutes)"
    steps.run(what, ["cmake", "--build", build, "--parallel", str(jobs)], progress="[")


def _put_together(source: Path, package: Path) -> None:
    build = source.parent / "cmake"
    unneeded = shutil.ignore_patterns("test", "imagenet", "*.cpp", "__pycache__")
    shutil.copytree(source / "python/caffe", package, ignore=unneeded)
    shutil.copy(build / "_caffe.so", package / "_caffe.so")
    shutil.copy(build / "generated/caffe/proto/caffe_pb2.py", package / "proto/caffe_pb2.py")
    shutil.copy(source / "LICENSE", package / "LICENSE")
