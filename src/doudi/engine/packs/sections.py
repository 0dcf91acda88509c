"""A file of a pack with a shape of its own, taken from the nearest layer that has it and held against its schema.

In come a pack's folder, the file's name and its JSON schema; out comes the file as nodes that know their line.
"""

from __future__ import annotations

from pathlib import Path

from doudi.engine.errors import DoudiError
from doudi.engine.packs.layers import layer_folders
from doudi.engine.packs.problems import Report
from doudi.engine.packs.source import Node, read_file
from doudi.engine.packs.structure import check_structure


def read_section(folder: Path, name: str, schema: Path, *, about: str) -> Node:
    """The file ``name`` of a pack, its own or that of the nearest layer below; ``about`` names it for people.

    Raises :class:`PackError` with the line where it is malformed, :class:`DoudiError` where no layer has it.
    """
    for layer in reversed(layer_folders(folder)):
        if not (layer / name).is_file():
            continue
        report = Report()
        node = read_file(layer / name, f"{layer.name}/{name}", report)
        if node is not None:
            check_structure(node, report, schema=schema)
        report.raise_if_any()
        if node is not None:
            return node
    raise DoudiError(
        f"{folder} 和它的上级里都没有 {name}（{about}）。请从 packs/reference 复制一份修改。",
        f"Neither {folder} nor its parents hold a {name}; copy the one of packs/reference and change it.",
        code="section_missing",
    )
