"""Reading the files that MXNet saves, `-symbol.json` and `.params`, without MXNet.

`read_params` and `read_symbol` check every size and reference against the file itself before they rely on it.
Formats and the upgrade of old symbols are those of MXNet 1.9.1, which reads files of every version since 0.7.
"""

from gluon2caffe.bridge.mxnet_files.params import Parameters, read_params
from gluon2caffe.bridge.mxnet_files.symbol import read_symbol

__all__ = ["Parameters", "read_params", "read_symbol"]
