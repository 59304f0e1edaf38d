"""Showing a model file in Netron, served on this machine alone."""

from __future__ import annotations

import importlib
import logging
import threading
import webbrowser
from pathlib import Path
from types import TracebackType
from typing import Any

from gluon2caffe.onnx2caffe.errors import ConversionError

HOST = "127.0.0.1"
USUAL_PORT = 8080

MISSING = "Netron is not installed: pip install 'gluon2caffe[netron]' brings it (or pip install netron)."


class NetronView:
    """Netron with a model file open, from entering the ``with`` block to leaving it.

    While it is served, programs on this machine can read the files in the folder of the model through it: Netron
    fetches the weights beside a .prototxt from there. One view at a time: Netron has one model for all its servers.
    """

    def __init__(self, file: Path, port: int = USUAL_PORT, *, browse: bool = False) -> None:
        """Prepare to show a file.

        Args:
            file: an .onnx file or a .prototxt.
            port: where to serve; 0 for any that is free.
            browse: open the user's web browser on it.

        Raises:
            ConversionError: Netron is not installed.
        """
        self._netron = require_netron()
        self._file = file
        self._port = port
        self._browse = browse
        self._address: tuple[str, int] | None = None

    def __enter__(self) -> NetronView:
        """Start to serve.

        Raises:
            ConversionError: the port is taken.
        """
        # Its own words on stderr would come between ours.
        logging.getLogger("netron.server").setLevel(logging.WARNING)
        try:
            self._address = self._netron.start(str(self._file), address=(HOST, self._port), browse=False)
        except OSError as error:
            reason = error.strerror or error
            raise ConversionError(
                f"Netron cannot be served on port {self._port} ({reason}): choose another port, or 0 for any free one."
            ) from error
        if self._browse:
            webbrowser.open(self.url)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving."""
        self._netron.stop(self._address)

    @property
    def url(self) -> str:
        """Where Netron shows the model."""
        host, port = self._address or (HOST, self._port)
        return f"http://{host}:{port}"

    def wait(self) -> None:
        """Serve until KeyboardInterrupt, which is raised on."""
        threading.Event().wait()


def require_netron() -> Any:
    """The module netron; ConversionError with how to install it where there is none."""
    try:
        return importlib.import_module("netron")
    except ImportError as error:
        raise ConversionError(MISSING) from error
