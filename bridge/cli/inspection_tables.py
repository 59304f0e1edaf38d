"""An inspection as it is printed: the tables for people, or one JSON object for programs."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gluon2caffe.bridge.cli import failures
from gluon2caffe.bridge.cli.options import OutputOptions
from gluon2caffe.bridge.cli.show import grouped, print_lines, print_table, size_text, tensor_text

if TYPE_CHECKING:
    from rich.table import Table

    from gluon2caffe.bridge.inspection.description import Inspection, LayerRow, NodeRow


def show_inspection(seen: Inspection, files: Sequence[Path], output: OutputOptions, *, address: str = "") -> int:
    """Print it as the user asked; the exit status is 1 where something is refused.

    Args:
        seen: what to print.
        files: what was written.
        output: a quiet command prints refusals only, and the address of Netron, on stderr.
        address: where Netron shows the model.
    """
    if output.json:
        sizes = [{"path": str(path), "bytes": path.stat().st_size} for path in files]
        click.echo(json.dumps({**seen.to_dict(), "files": sizes, "netron": address or None}, indent=2))
        return 0 if seen.convertible else failures.FAILED
    if not output.quiet:
        print_table(_node_table(seen.nodes) if seen.nodes else _layer_table(seen.layers))
        click.echo()
        print_lines(_lines(seen, files))
        click.echo()
    if not seen.convertible:
        failures.print_error(failures.with_options(seen.verdict))
    elif not output.quiet:
        click.echo(seen.verdict)
    if address:
        click.echo(f"Netron shows it at {address} until Ctrl-C.", err=output.quiet)
    sys.stdout.flush()
    return 0 if seen.convertible else failures.FAILED


def _lines(seen: Inspection, files: Sequence[Path]) -> list[tuple[str, str]]:
    """Label and text of what is known of the whole."""
    counts = {"Nodes": len(seen.nodes), "Layers": len(seen.layers), "Parameters": seen.parameters, "MACs": seen.macs}
    if not seen.nodes:
        del counts["Nodes"]
    texts = {label: f"{count:,}" for label, count in counts.items()}
    if seen.uncounted_layers:
        texts["MACs"] += f", and unknown for {len(seen.uncounted_layers)} of the layers"
    lines = [
        ("Source", [seen.source]),
        ("Input", [tensor_text(name, shape) for name, shape in seen.inputs.items()]),
        ("Output", [f"{name}  {_shape_text(shape)}" for name, shape in seen.outputs.items()]),
        *((label, [text]) for label, text in texts.items()),
        ("Heads", seen.heads.splitlines()),
        ("Exact at", [] if seen.sizes is None else [seen.sizes["words"]]),
        ("Files", [f"{path}  {size_text(path.stat().st_size)}" for path in files]),
        ("Notes", grouped(seen.notes)),
    ]
    return [(label if index == 0 else "", text) for label, texts in lines for index, text in enumerate(texts)]


def _node_table(nodes: Sequence[NodeRow]) -> Table:
    """A row for each node; the last column stands where some node is not its own source."""
    from rich.text import Text

    with_source = any(source_text(node) for node in nodes)
    table = _table(
        "Node", "Operator", "Output", "Parameters>", "MACs>", "Caffe layers", *(["Source"] if with_source else [])
    )
    for node in nodes:
        cells = [
            Text(node.name),
            Text(node.operator),
            Text("\n".join(_shape_text(shape) for shape in node.outputs.values())),
            Text(f"{node.parameters:,}" if node.parameters else ""),
            Text(f"{node.macs:,}" if node.macs else ""),
            Text("refused", style="bold red") if node.refusal else Text(_layers_text(node)),
        ]
        table.add_row(*cells, *([Text(source_text(node))] if with_source else []))
    return table


def _layers_text(node: NodeRow) -> str:
    """The layers of a node, one on each line; one that is called like the node has its type alone."""
    texts = [layer.type if layer.name == node.name else f"{layer.type} {layer.name}" for layer in node.layers]
    return "\n".join(texts) or "none"


def source_text(node: NodeRow) -> str:
    """The Gluon blocks of a node, or the layers of its source where they say more than that it is in the net."""
    blocks = [block for block in node.blocks if block.path]
    if blocks:
        return "\n".join(map(str, blocks))
    return "" if node.source == (node.name,) else "\n".join(node.source)


def _layer_table(layers: Sequence[LayerRow]) -> Table:
    from rich.text import Text

    table = _table("Layer", "Type", "Bottom", "Top", "Output", "Weights", "Parameters>", "MACs>")
    for layer in layers:
        count = sum(map(math.prod, layer.weights))
        table.add_row(
            Text(layer.name),
            Text(layer.type),
            Text(", ".join(layer.bottoms)),
            Text(", ".join(layer.tops)),
            Text("\n".join(map(_shape_text, layer.shapes))),
            Text(", ".join(map(_shape_text, layer.weights))),
            Text(f"{count:,}" if count else ""),
            Text("unknown" if layer.macs is None else f"{layer.macs:,}" if layer.macs else ""),
        )
    return table


def _table(*titles: str) -> Table:
    """A table with these columns; one whose title ends in > is flush right.

    Where the terminal is narrow, names are broken, and numbers, shapes and operators are not.
    """
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for title in titles:
        table.add_column(
            title.rstrip(">"),
            justify="right" if title.endswith(">") else "left",
            overflow="fold",
            no_wrap=title.endswith(">") or title in ("Operator", "Output", "Type"),
        )
    return table


def _shape_text(shape: Sequence[object] | None) -> str:
    if shape is None:
        return "unknown"
    return "×".join(map(str, shape)) or "scalar"
