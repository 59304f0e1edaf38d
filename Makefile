# Two commands do everything: `make demo` and `make test`. Each sets up its own .venv first.
#
#   make demo        convert the trained classifier and compare it with MXNet
#   make test        style, types and tests; sets up a real Caffe in .caffe and keeps it
#   make zoo         measure every classifier of GluonCV's zoo and write docs/zoo.md (hours)
#   make benchmark   speed and memory, as ratios to copying and writing the weights once
#   make docs        write the generated pages again from what was measured
#   make proto       generate onnx2caffe/caffe_pb2.py again

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= $(shell .ci/find-python)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready

.PHONY: demo test zoo benchmark docs proto check-python caffe clean

demo: $(READY)
	$(BIN)/python -m examples.digits.demo

test: $(READY) caffe
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q

caffe: $(READY)
	$(BIN)/python -m bridge.verification.caffe_setup || echo "No real Caffe could be set up: tests on it will be skipped."

zoo: $(READY) caffe
	$(BIN)/python -m pytest -q tests/zoo --full-zoo

benchmark: $(READY)
	$(BIN)/python -m pytest -q tests/benchmarks --benchmarks

docs: $(READY)
	$(BIN)/python -m tests.zoo.page

proto: $(READY)
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
	touch $@

clean:
	rm -rf $(VENV) .caffe demo-output build *.egg-info
