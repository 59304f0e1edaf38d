# mypy: allow-untyped-defs, allow-untyped-calls
"""Runs in tpu-mlir's environment, in the interpreter for its models: MODEL.mlir INPUTS.npy OUTPUTS.npz.

A quantised model is computed in integers, as on the chip. The simulator of the chip itself takes many times as long.
"""

import sys

import numpy as np
import pymlir  # type: ignore[import-not-found]

model, inputs, outputs = sys.argv[1:]
pymlir.set_mem_mode("value_mem")
net = pymlir.module()
net.load(model)
found: dict[str, list] = {name: [] for name in net.output_names}
for sample in np.load(inputs):
    net.set_tensor(net.input_names[0], sample[None], sample[None].shape)
    net.invoke(True)
    tensors = net.get_all_tensor()
    for name, values in found.items():
        values.append(np.array(tensors[name], np.float32))
# The last cast to float is a layer of its own: blob_f32.
np.savez(outputs, **{name.removesuffix("_f32"): np.concatenate(values) for name, values in found.items()})
