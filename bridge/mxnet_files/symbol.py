"""Reading `-symbol.json` files of MXNet 0.7 to 2.0: structure and references checked, then MXNet's own upgrade."""

import json
from os import PathLike
from pathlib import Path
from typing import Any, Final

from gluon2caffe.bridge.mxnet_files.content import mistaken_for
from gluon2caffe.bridge.mxnet_files.graph import VARIABLE, SymbolGraph, SymbolNode
from gluon2caffe.bridge.mxnet_files.upgrade import OLDEST_VERSION, upgrade
from gluon2caffe.onnx2caffe.errors import SourceError

_PARTS: Final = ("nodes", "arg_nodes", "heads")
# The places in which the versions of MXNet kept a node's attributes; the first that has a key counts.
_ATTRIBUTE_KEYS: Final = ("attrs", "attr", "param")


class _DamagedSymbolError(Exception):
    """Something in the JSON cannot be so; the message says what."""


def read_symbol(path: str | PathLike[str]) -> SymbolGraph:
    """Read a symbol file as the graph that MXNet 1.9.1 makes of it: upgraded, in MXNet's order of nodes.

    Raises:
        SourceError: the file is missing, damaged or of another kind, or holds loops or conditions.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SourceError(f"{path}: the symbol file cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: the symbol file cannot be read (not a text file).") from error
    try:
        if what := mistaken_for(text[:32].encode()):
            raise _DamagedSymbolError(what)
        return parse_symbol(json.loads(text), path.name)
    except (_DamagedSymbolError, ValueError, RecursionError) as error:
        raise SourceError(
            f"{path} is not a complete MXNet symbol file ({error}). Try: save it again with net.export."
        ) from error


def parse_symbol(content: Any, title: str) -> SymbolGraph:
    """Make a graph of the parsed JSON of a symbol.

    Raises:
        ValueError: a part is missing, of the wrong type, or refers to something that is not there.
        SourceError: the symbol holds loops or conditions.
    """
    try:
        nodes, heads = _checked(content)
    except _DamagedSymbolError as error:
        raise ValueError(str(error)) from error
    looping = [node["name"] for node in content["nodes"] if node.get("subgraphs")]
    if looping:
        raise SourceError(
            f"{title}: loops and conditions cannot be converted, Caffe has none (found {', '.join(looping[:3])})."
        )
    graph = SymbolGraph(nodes, heads).with_heads(heads)
    return upgrade(graph, _version(content))


def _checked(content: Any) -> tuple[list[SymbolNode], list[tuple[int, int]]]:
    if not isinstance(content, dict) or any(not isinstance(content.get(part), list) for part in _PARTS):
        raise _DamagedSymbolError("no nodes, arg_nodes and heads in it")
    nodes = [_node(index, node) for index, node in enumerate(content["nodes"])]
    heads = [_entry(entry, "an output") for entry in content["heads"]]
    if not heads:
        raise _DamagedSymbolError("it has no outputs")
    if any(source >= len(nodes) for source, _ in heads):
        raise _DamagedSymbolError("an output refers to a node that is not there")
    if any(not _is_index(entry) or entry >= len(nodes) for entry in content["arg_nodes"]):
        raise _DamagedSymbolError("an argument refers to a node that is not there")
    return nodes, heads


def _node(index: int, node: Any) -> SymbolNode:
    if not isinstance(node, dict):
        raise _DamagedSymbolError(f"node {index} is not an object")
    name, op, inputs = node.get("name"), node.get("op"), node.get("inputs")
    if not isinstance(name, str) or not isinstance(op, str) or not isinstance(inputs, list):
        raise _DamagedSymbolError(f"node {index} lacks its name, op or inputs")
    read = [_entry(entry, f"node {name}") for entry in inputs]
    if any(source >= index for source, _ in read):
        raise _DamagedSymbolError(f"node {name} refers to a node that does not come before it")
    if op == VARIABLE and read:
        raise _DamagedSymbolError(f"variable {name} has inputs")
    return SymbolNode(name, op, _attributes(name, node), read)


def _attributes(name: str, node: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key in _ATTRIBUTE_KEYS:
        stored = node.get(key)
        if stored is None:
            continue
        if not isinstance(stored, dict) or not all(isinstance(value, str) for value in stored.values()):
            raise _DamagedSymbolError(f"the attributes of node {name} are not strings")
        found = {**stored, **found}
    return found


def _entry(entry: Any, reader: str) -> tuple[int, int]:
    """Read [node, output] or [node, output, version]."""
    if not isinstance(entry, list) or len(entry) not in (2, 3) or not all(map(_is_index, entry[:2])):
        raise _DamagedSymbolError(f"{reader} refers to {str(entry)[:40]}, expected [node, output]")
    return entry[0], entry[1]


def _is_index(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _version(content: dict[str, Any]) -> int:
    """MXNet's version as it saves it: 10901 is 1.9.1; before 0.9 nothing is saved."""
    attrs = content.get("attrs")
    saved = attrs.get("mxnet_version") if isinstance(attrs, dict) else None
    if isinstance(saved, list) and len(saved) == 2 and _is_index(saved[1]):
        return int(saved[1])
    return OLDEST_VERSION
