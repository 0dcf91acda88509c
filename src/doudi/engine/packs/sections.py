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


def nearest_file(folder: Path, name: str, *, about: str, code: str = "section_missing") -> Path:
    """The file ``name`` of a pack, its own or that of the nearest layer below; ``about`` names it for people.

    Raises :class:`DoudiError` with ``code`` where no layer has it.
    """
    for layer in reversed(layer_folders(folder)):
        if (layer / name).is_file():
            return layer / name
    raise DoudiError(
        f"{folder} 和它的上级里都没有 {name}（{about}）。请从 packs/reference 复制一份修改。",
        f"Neither {folder} nor its parents hold a {name}; copy the one of packs/reference and change it.",
        code=code,
    )


def read_section(folder: Path, name: str, schema: Path, *, about: str) -> Node:
    """The file of :func:`nearest_file` as nodes; :class:`PackError` with the line where it is malformed."""
    path = nearest_file(folder, name, about=about)
    report = Report()
    node = read_file(path, f"{path.parent.name}/{name}", report)
    if node is not None:
        check_structure(node, report, schema=schema)
    report.raise_if_any()
    assert node is not None, "a file that cannot be read is reported"
    return node
