"""What `make fuzz` has found, at its smallest."""

import json
from pathlib import Path

import numpy as np
import pytest

import gluon2caffe
from gluon2caffe.onnx2caffe.errors import SourceError
from tests.unit.mxnet_files.wild import save_params

SHAPE = (1, 2, 3, 3)


def test_a_batch_norm_that_has_lost_an_input(tmp_path: Path) -> None:
    names = ["data", "gamma", "beta", "mean"]
    nodes = [{"op": "null", "name": name, "inputs": []} for name in names]
    norm = {"op": "BatchNorm", "name": "bn", "attrs": {"fix_gamma": "False"}, "inputs": [[i, 0, 0] for i in range(4)]}
    graph = {"nodes": [*nodes, norm], "arg_nodes": [0, 1, 2, 3], "heads": [[4, 0, 0]]}
    graph["attrs"] = {"mxnet_version": ["int", 10901]}
    symbol = tmp_path / "net-symbol.json"
    symbol.write_text(json.dumps(graph))
    params = tmp_path / "net-0000.params"
    save_params(params, {f"arg:{name}": np.ones(2, np.float32) for name in names[1:]})
    with pytest.raises(SourceError, match="bn"):
        gluon2caffe.to_caffe((symbol, params), SHAPE)
