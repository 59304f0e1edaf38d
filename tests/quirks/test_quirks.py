"""Every quirk is still needed, and what is written instead is right: its minimal net on its reader, in both forms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from agreement import agrees, isolated_workers, layer_types, random_inputs, workers
from minimal_nets import NETS, MinimalNet

import gluon2caffe
from gluon2caffe.bridge.verification.reference_onnx import run_onnx
from gluon2caffe.onnx2caffe.model import CaffeModel
from gluon2caffe.onnx2caffe.targets import PROFILES, Fault, Quirk

# Rockchip's simulator computes in half precision.
TOLERANCES = {"OpenCV": 1e-5, "Rockchip": 1e-2}
# Each reader's own profile; others repeat its quirks.
QUIRKS = [
    (target, quirk)
    for target, profile in PROFILES.items()
    for quirk in profile.quirks
    if not (target == "ssd" and quirk in PROFILES["opencv"].quirks)
]


def _pieces(net: MinimalNet, target: str) -> tuple[CaffeModel, dict[str, Any], dict[str, Any]]:
    """The model, its input and what ONNX makes of it."""
    source = net.case.model()
    converted = gluon2caffe.to_caffe(net.case.model(), target=target, **net.case.options)
    fed = net.inputs or random_inputs(converted.inputs, 0, net.case.span)
    return converted, fed, run_onnx(source, fed, list(converted.outputs))


def _reader(quirk: Quirk) -> str:
    found = (*workers(), *isolated_workers())
    name = next((worker.name for worker in found if worker.name.startswith(quirk.reader)), None)
    if name is None:
        pytest.skip(f"{quirk.reader} is not here: whether {quirk.name} is still needed was not tried")
    return name


@pytest.mark.parametrize(("target", "quirk"), QUIRKS, ids=[f"{target}-{quirk.name}" for target, quirk in QUIRKS])
def test_plain_form_is_still_wrong(target: str, quirk: Quirk, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = _reader(quirk)
    others = tuple(other for other in PROFILES[target].quirks if other.fault is not quirk.fault)
    monkeypatch.setitem(PROFILES, target, replace(PROFILES[target], quirks=others))
    converted, fed, expected = _pieces(NETS[quirk.fault], target)
    with pytest.raises(AssertionError):
        agrees(converted, fed, expected, TOLERANCES.get(reader, 1e-4), target=target, readers=[reader])
        pytest.fail(f"{reader} computes the plain form right: {quirk.name} (seen in {quirk.versions}) can go")


@pytest.mark.parametrize(("target", "quirk"), QUIRKS, ids=[f"{target}-{quirk.name}" for target, quirk in QUIRKS])
def test_other_form_is_right(target: str, quirk: Quirk) -> None:
    reader = _reader(quirk)
    converted, fed, expected = _pieces(NETS[quirk.fault], target)
    agrees(converted, fed, expected, TOLERANCES.get(reader, 1e-4), target=target, readers=[reader])


def test_every_fault_has_a_minimal_net_and_a_reader() -> None:
    assert set(NETS) == set(Fault) == {quirk.fault for _, quirk in QUIRKS}
    assert all(quirk.versions and quirk.source for _, quirk in QUIRKS)


def test_default_target_avoids_the_faults_of_the_readers_that_it_is_meant_for() -> None:
    assert PROFILES["ssd"].quirks == PROFILES["opencv"].quirks
    assert PROFILES["bvlc"].quirks == ()


def test_nothing_works_around_opencv_for_other_targets() -> None:
    """No idle pooling of single values stands in files that OpenCV does not read."""
    case = NETS[Fault.SCALE_INTO_GROUPED_DECONVOLUTION].case
    for target, profile in PROFILES.items():
        types = layer_types(gluon2caffe.to_caffe(case.model(), target=target, merge_bn=False))
        assert ("Pooling" in types) == profile.has_quirk(Fault.SCALE_INTO_GROUPED_DECONVOLUTION), target
    assert np.all([quirk.reader == "OpenCV" for quirk in PROFILES["ssd"].quirks])
