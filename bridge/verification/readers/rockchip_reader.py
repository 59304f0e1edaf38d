"""Rockchip's rknn-toolkit2, for the NPUs of RK35xx and RV11xx."""

from gluon2caffe.bridge.verification.readers.isolated import IsolatedKind

# Its simulator computes in half precision, as the chips do.
KIND = IsolatedKind("rockchip", "Rockchip", tolerance=1e-2)
