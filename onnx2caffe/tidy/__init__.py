"""Cleaning up the layers of a model: the values of its outputs stay what they are.

The passes run once, in this order: chains first, since they leave layers that nothing reads; then those go;
then no piece of a Slice is left unread, and what several layers read is copied where a reader confuses it;
layers are put in place last, when it is known who reads what.
"""

from __future__ import annotations

from gluon2caffe.onnx2caffe.model import CaffeModel
from gluon2caffe.onnx2caffe.targets import Profile
from gluon2caffe.onnx2caffe.tidy.chains import merge_powers, merge_scales, skip_reshapes
from gluon2caffe.onnx2caffe.tidy.dead import remove_unread_inputs, remove_unread_layers
from gluon2caffe.onnx2caffe.tidy.in_place import put_in_place
from gluon2caffe.onnx2caffe.tidy.pieces import read_all_pieces
from gluon2caffe.onnx2caffe.tidy.shared_pieces import copy_shared_pieces
from gluon2caffe.onnx2caffe.tidy.shared_rows import flatten_once


def tidy(model: CaffeModel, profile: Profile) -> None:
    """Clean up `model` where it stands."""
    merge_powers(model)
    merge_scales(model)
    skip_reshapes(model)
    remove_unread_layers(model)
    read_all_pieces(model, profile)
    copy_shared_pieces(model, profile)
    flatten_once(model, profile)
    remove_unread_inputs(model)
    put_in_place(model)
    _forget_lost_tensors(model)


def _forget_lost_tensors(model: CaffeModel) -> None:
    """Keep in `tensors` only blobs that still hold their tensor's values."""
    made: dict[str, int] = dict.fromkeys(model.inputs, 1)
    for layer in model.layers:
        for top in layer.message.top:
            made[top] = made.get(top, 0) + 1
    model.tensors = {tensor: blob for tensor, blob in model.tensors.items() if blob in made}


__all__ = ["tidy"]
