"""Laying a county's pack over its city's, its province's and the national base.

A layer adds, or says ``改自: 上级`` and replaces what it names: a value's row, a comparator, a sentence or a
whole rule. What the child does not write stays as the parent has it, with the parent's place.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from doudi.engine.packs.problems import PackError, Problem, Report
from doudi.engine.packs.source import Node, read_file, read_folder
from doudi.engine.packs.structure import check_structure
from doudi.engine.packs.worksheets import SUFFIXES, read_worksheet

SHIPPED = Path(__file__).resolve().parents[4] / "packs"
MEAL_FILES = ("meal_price.yaml", "meal_network.yaml")
MAX_LAYERS = 8
HEADER = ("名称", "版本", "上级", "地区", "说明", "虚构")
_HASHED = (
    "handling.yaml",
    "doubts.yaml",
    "data_elements.yaml",
    "verification.yaml",
    "procedures.yaml",
    "linkage.yaml",
    "benefits.yaml",
    "care_services.yaml",
    "food_safety.yaml",
    "siting.yaml",
    "volunteers.yaml",
    *MEAL_FILES,
)
"""Files with a shape of their own that a decision may rest on."""
_MAPS = ("输出", "文件", "参数", "变量", "指标", "措施", "标签")


@dataclass(frozen=True)
class Layer:
    """One pack folder as it is written."""

    name: str
    version: str
    folder: Path
    header: Node
    files: tuple[Node, ...]


@dataclass
class Stack:
    """All layers, base first, and their sections laid over one another."""

    layers: list[Layer]
    maps: dict[str, dict[str, Node]] = field(default_factory=dict)
    categories: dict[str, Node] = field(default_factory=dict)
    merge_rules: list[Node] = field(default_factory=list)
    cases: list[Node] = field(default_factory=list)
    replaced: set[str] = field(default_factory=set)

    @property
    def top(self) -> Layer:
        return self.layers[-1]

    def layer_of(self, node: Node) -> str:
        """The layer a node was written in; a parent's files are shown as ``name:file``."""
        return node.file.split(":", 1)[0] if ":" in node.file else self.top.name

    def hash(self, report: Report) -> str:
        """SHA-256 over the content of every layer, blind to order of files, comments and layout."""
        content: list[Any] = []
        for layer in self.layers:
            parts = sorted(
                json.dumps(node.plain(), ensure_ascii=False, sort_keys=True) for node in layer.files
            )
            others = []
            own = (layer.folder / name for name in _HASHED)
            for path in (*sorted((layer.folder / "feeds").glob("*.y*ml")), *own):
                if path.is_file():
                    node = read_file(path, str(path.relative_to(layer.folder)), report)
                    others.append(node.plain() if node is not None else None)
            content.append([layer.name, layer.version, parts, others])
        text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def read_stack(folder: Path, report: Report, roots: tuple[Path, ...] = ()) -> Stack:
    """The layers of a pack folder, base first; a missing or circular parent is a :class:`PackError`."""
    layers: list[Layer] = []
    seen: set[Path] = set()
    current = folder
    while True:
        own = not layers
        layer, parent, place = _read_layer(current, report, own=own)
        layers.insert(0, layer)
        seen.add(current.resolve())
        if not parent:
            break
        current = _find_parent(parent, current, roots, place)
        if current.resolve() in seen or len(layers) >= MAX_LAYERS:
            raise PackError(
                [
                    Problem(
                        *place,
                        "circle",
                        "上级绕成了圈或层数太多",
                        "the parents form a circle or too many layers",
                    )
                ]
            )
    stack = Stack(layers)
    for layer in layers:
        _lay(stack, layer, report, own=layer is layers[-1])
    return stack


def layer_folders(folder: Path, roots: tuple[Path, ...] = ()) -> list[Path]:
    """The folders of a pack's layers, base first: all that the pack is made of."""
    return [layer.folder for layer in read_stack(folder, Report(), roots).layers]


def _read_layer(folder: Path, report: Report, *, own: bool) -> tuple[Layer, str, tuple[str, int]]:
    if not (folder / "pack.yaml").is_file():
        raise PackError(
            [
                Problem(
                    "pack.yaml",
                    1,
                    "no_pack",
                    f"{folder} 不是政策包: 没有 pack.yaml",
                    f"{folder} is not a policy pack: it has no pack.yaml",
                )
            ]
        )
    nodes = [*read_folder(folder, report), *_worksheets(folder, report)]
    header = next((node for node in nodes if node.file == "pack.yaml"), None)
    if header is None:
        raise PackError(report.problems)
    name = header.text_of("名称") or folder.name
    if not own:
        nodes = [_shown_as(node, name) for node in nodes]
        header = next(node for node in nodes if node.file.endswith("pack.yaml"))
    good = []
    for node in nodes:
        if check_structure(node, report):
            good.append(node)
        for key, value in node.items():
            if key in HEADER and node is not header:
                report.add(
                    value.place, "structure", f"“{key}”只写在 pack.yaml", f"{key!r} belongs in pack.yaml"
                )
    for key in ("名称", "版本"):
        if header.get(key) is None:
            report.add(header.place, "structure", f"pack.yaml 缺少“{key}”", f"pack.yaml lacks {key!r}")
    parent = header.get("上级")
    layer = Layer(name, header.text_of("版本"), folder, header, tuple(good))
    return layer, parent.text if parent is not None else "", (parent or header).place


def _worksheets(folder: Path, report: Report) -> list[Node]:
    """The cases of a layer that are written as tables."""
    tables = []
    for path in sorted((folder / "cases").glob("*")):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith((".", "~$")):
            continue
        shown = str(path.relative_to(folder))
        if not path.resolve().is_relative_to(folder.resolve()):
            report.add((shown, 1), "link", "文件链接指到包外, 不允许", "a link leads out of the pack")
            continue
        node = read_worksheet(path, shown, report)
        if node is not None:
            tables.append(node)
    return tables


def _shown_as(node: Node, layer: str) -> Node:
    value: Any = node.value
    if isinstance(value, list):
        value = [_shown_as(element, layer) for element in value]
    elif isinstance(value, dict):
        value = {key: _shown_as(element, layer) for key, element in value.items()}
    return Node(value, f"{layer}:{node.file}", node.line)


def _find_parent(name: str, child: Path, roots: tuple[Path, ...], place: tuple[str, int]) -> Path:
    if not name.replace("-", "").replace("_", "").isalnum():
        raise PackError(
            [Problem(*place, "parent", "上级只写包的名称, 不写路径", "name the parent pack, not a path")]
        )
    for root in (child.absolute().parent, *roots, SHIPPED):
        if (root / name / "pack.yaml").is_file():
            return root / name
    raise PackError(
        [
            Problem(
                *place,
                "parent",
                f"找不到上级包“{name}”; 请放在同一文件夹下",
                f"the parent pack {name!r} was not found; put it beside this one",
            )
        ]
    )


def _lay(stack: Stack, layer: Layer, report: Report, *, own: bool) -> None:
    seen: dict[tuple[str, str], Node] = {}
    rules: list[Node] = []
    for node in layer.files:
        for section in _MAPS:
            body = node.get(section)
            for key, item in body.items() if body is not None else ():
                _once(seen, section, key, item, report)
                _lay_one(stack.maps.setdefault(section, {}), section, key, item, stack, report, own)
        categories = node.get("类别")
        for item in categories.elements() if categories is not None else ():
            key = item.text_of("名")
            _once(seen, "类别", key, item, report)
            _lay_one(stack.categories, "类别", key, item, stack, report, own)
        merging = node.get("等级合并")
        rules.extend(merging.elements() if merging is not None else [])
        cases = node.get("例")
        stack.cases.extend(cases.elements() if cases is not None else [])
    if rules:
        if stack.merge_rules and own:
            stack.replaced.add("等级合并")
        stack.merge_rules = rules


def _once(seen: dict[tuple[str, str], Node], section: str, key: str, item: Node, report: Report) -> None:
    first = seen.get((section, key.casefold()))
    if first is not None:
        report.add(
            item.place,
            "duplicate",
            f"{section}“{key}”重复, 前一处在 {first.file} 第{first.line}行",
            f"{key!r} stands twice, first at {first.file}:{first.line}",
        )
    seen[(section, key.casefold())] = item


def _lay_one(
    into: dict[str, Node], section: str, key: str, item: Node, stack: Stack, report: Report, own: bool
) -> None:
    below = into.get(key)
    changes = item.get("改自") is not None
    if below is None:
        if changes:
            report.add(item.place, "no_parent_rule", f"上级没有“{key}”可改", f"no parent layer holds {key!r}")
        if section == "类别" and item.get("条件") is not None:
            _before_the_rest(into, key, item, stack)
            if own and len(stack.layers) > 1:
                stack.replaced.add(key)
        else:
            into[key] = item
        return
    if section == "参数":
        into[key] = _more_values(below, item, report)
    elif changes and isinstance(item.value, dict) and isinstance(below.value, dict):
        merged = {**below.value, **{k: v for k, v in item.value.items() if k != "改自"}}
        if "公式" in item.value:
            merged.pop("比较", None)
        into[key] = Node(merged, item.file, item.line)
    elif section == "输出":
        into[key] = item
    else:
        if stack.layer_of(below) != stack.layer_of(item):
            report.add(
                item.place,
                "exists_in_parent",
                f"上级已有{section}“{key}”; 要改请写“改自: 上级”",
                f"a parent layer already holds {key!r}; write 改自: 上级 to change it",
            )
        return
    if own and len(stack.layers) > 1:
        stack.replaced.add(key)


def _before_the_rest(into: dict[str, Node], key: str, item: Node, stack: Stack) -> None:
    """A category that a child layer adds stands before the parent's last one, which takes the rest."""
    kept = list(into.items())
    into.clear()
    for name, node in kept:
        parents = stack.layer_of(node) != stack.layer_of(item)
        if parents and node.get("条件") is None and key not in into:
            into[key] = item
        into[name] = node
    into.setdefault(key, item)


def _more_values(below: Node, item: Node, report: Report) -> Node:
    for key in ("单位", "按"):
        mine, theirs = item.get(key), below.get(key)
        if mine is not None and theirs is not None and mine.plain() != theirs.plain():
            report.add(mine.place, "unit", f"“{key}”与上级不同", f"{key!r} differs from the parent's")
    own_rows = item.get("值")
    rows = list(own_rows.elements()) if own_rows is not None else []
    taken = {_row_key(row) for row in rows}
    parent_rows = below.get("值")
    kept = [
        row
        for row in (parent_rows.elements() if parent_rows is not None else [])
        if _row_key(row) not in taken
    ]
    merged = dict(below.value) if isinstance(below.value, dict) else {}
    merged["值"] = Node([*kept, *rows], item.file, item.line)
    return Node(merged, item.file, item.line)


def _row_key(row: Node) -> tuple[str, str, str]:
    begin = row.text_of("自")
    return row.text_of("地区"), row.text_of("城乡"), "" if begin == "始终" else begin
