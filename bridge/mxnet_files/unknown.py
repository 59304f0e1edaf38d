"""Operators that people meet in symbol files and that MXNet 1.9.1 does not have, and whose they are."""

from typing import Final

_OWNERS: Final = {
    "QConvolution": "it is BMXNet's",
    "QFullyConnected": "it is BMXNet's",
    "QActivation": "it is BMXNet's",
    "WarpCTC": "it is from MXNet's warp-ctc plug-in",
    "CaffeOp": "it is from MXNet's Caffe plug-in",
    "CaffeLoss": "it is from MXNet's Caffe plug-in",
    "TorchModule": "it is from MXNet's Torch plug-in",
}
_ELSEWHERE: Final = "it is from a plug-in or a changed MXNet"


def why_unknown(operator: str) -> str:
    """Say whose an operator is that MXNet 1.9.1 does not have."""
    return f"MXNet 1.9.1 has no such operator, {_OWNERS.get(operator, _ELSEWHERE)}; the file itself is intact"
