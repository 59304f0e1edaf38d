"""Serving Netron, without a browser."""

import importlib
import socket
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from gluon2caffe.bridge.inspection.netron_view import NetronView
from gluon2caffe.onnx2caffe.errors import ConversionError


def test_without_netron_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "netron", None)
    with pytest.raises(ConversionError) as caught:
        NetronView(Path("net.onnx"))
    assert str(caught.value) == (
        "Netron is not installed: pip install 'gluon2caffe[netron]' brings it (or pip install netron)."
    )


def test_the_model_is_served_on_loopback_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("netron", reason="Netron was NOT tested: pip install netron")
    opened: list[str] = []
    monkeypatch.setattr(importlib.import_module("webbrowser"), "open", opened.append)
    (tmp_path / "net.prototxt").write_text('name: "net"')
    (tmp_path / "net.caffemodel").write_bytes(b"weights")
    with NetronView(tmp_path / "net.prototxt", 0, browse=True) as view:
        assert opened == [view.url]
        assert view.url.startswith("http://127.0.0.1:")
        contents = [_read(f"{view.url}/data/net{ending}") for ending in (".prototxt", ".caffemodel")]
        assert contents == [b'name: "net"', b"weights"]
        assert b'content="/data/net.prototxt"' in _read(view.url)


def test_the_server_ends_with_the_view(tmp_path: Path) -> None:
    netron = pytest.importorskip("netron", reason="Netron was NOT tested: pip install netron")
    (tmp_path / "net.onnx").write_bytes(b"content")
    with NetronView(tmp_path / "net.onnx", 0) as view:
        assert _read(f"{view.url}/data/net.onnx") == b"content"
        port = int(view.url.rsplit(":", 1)[1])
        assert netron.status(("127.0.0.1", port))
    end = time.monotonic() + 10
    while netron.status(("127.0.0.1", port)) and time.monotonic() < end:
        time.sleep(0.05)
    with pytest.raises(OSError, match="refused"):
        _read(view.url)


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    pytest.importorskip("netron", reason="Netron was NOT tested: pip install netron")
    (tmp_path / "net.onnx").write_bytes(b"content")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConversionError, match=rf"Netron cannot be served on port {port} \(.*\): choose another"):
            NetronView(tmp_path / "net.onnx", port).__enter__()


def _read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        content: bytes = answer.read()
    return content
