# mypy: allow-untyped-defs, allow-untyped-calls
"""Runs in rknn-toolkit2's environment: PREFIX DATASET.txt INPUTS.npy OUTPUTS.npz, in the simulator.

Without a dataset ("-") nothing is quantised. The outputs, which have no names, are called 0, 1, ...
"""

import sys

import numpy as np
from rknn.api import RKNN  # type: ignore[import-not-found]

prefix, dataset, inputs, outputs = sys.argv[1:]
samples = np.load(inputs)
channels = samples.shape[1]
rknn = RKNN(verbose=False)
assert rknn.config(mean_values=[[0] * channels], std_values=[[1] * channels], target_platform="rk3588") == 0
assert rknn.load_caffe(model=prefix + ".prototxt", blobs=prefix + ".caffemodel") == 0
if dataset == "-":
    assert rknn.build(do_quantization=False) == 0
else:
    assert rknn.build(do_quantization=True, dataset=dataset) == 0
assert rknn.init_runtime() == 0
found = [rknn.inference(inputs=[sample[None]], data_format=["nchw"]) for sample in samples]
count = len(found[0])
np.savez(outputs, **{str(place): np.concatenate([each[place] for each in found]) for place in range(count)})
