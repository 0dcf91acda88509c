"""Reading a pack's YAML as plain text with the place of every word.

In comes a folder; out come nodes whose scalars are all text (``012345`` stays ``012345``, ``on`` stays
``on``) with file and line. Nothing in a file can name a Python object, another file or a network place:
tags, anchors and aliases are refused, files and nesting are bounded, links out of the folder are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from doudi.engine.packs.problems import Report

MAX_FILE_BYTES = 1 << 20
MAX_FILES = 400
MAX_DEPTH = 16
MAX_NODES = 200_000

# read by engine.feeds, engine.verification and the packs' modules of these names, each with its own shape
ELSEWHERE = frozenset(
    {
        "feeds",
        "handling.yaml",
        "giving.yaml",
        "outreach.yaml",
        "privacy.yaml",
        "benefits.yaml",
        "care_services.yaml",
        "registry.yaml",
        "doubts.yaml",
        "duplicates.yaml",
        "food_safety.yaml",
        "siting.yaml",
        "upward.yaml",
        "volunteers.yaml",
        "linkage.yaml",
        "data_elements.yaml",
        "verification.yaml",
        "procedures.yaml",
        "meal_price.yaml",
        "meal_network.yaml",
    }
)

_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_FULL_WIDTH_KEY = re.compile(r"^\s*(?:- )?\s*[^\s\"'#:{}\[\]|>]+：")


@dataclass(frozen=True)
class Node:
    """A scalar (text), a list or a mapping of a pack file, with its place."""

    value: str | list[Node] | dict[str, Node]
    file: str
    line: int

    @property
    def place(self) -> tuple[str, int]:
        return self.file, self.line

    @property
    def text(self) -> str:
        """The scalar's text; '' where the node is a list or mapping."""
        return self.value.strip() if isinstance(self.value, str) else ""

    def get(self, key: str) -> Node | None:
        return self.value.get(key) if isinstance(self.value, dict) else None

    def text_of(self, key: str, default: str = "") -> str:
        node = self.get(key)
        return node.text if node is not None else default

    def items(self) -> Iterator[tuple[str, Node]]:
        if isinstance(self.value, dict):
            yield from self.value.items()

    def elements(self) -> list[Node]:
        return self.value if isinstance(self.value, list) else []

    def plain(self) -> Any:
        """The node as ordinary text, lists and dicts."""
        if isinstance(self.value, str):
            return self.value.strip()
        if isinstance(self.value, list):
            return [element.plain() for element in self.value]
        return {key: element.plain() for key, element in self.value.items()}


def read_folder(folder: Path, report: Report, *, skip: frozenset[str] = ELSEWHERE) -> list[Node]:
    """Every YAML file of a pack folder as a mapping node, in the order of their paths."""
    root = folder.resolve()
    paths: list[Path] = []
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if relative.parts[0] in skip or any(part.startswith(".") for part in relative.parts):
            continue
        if not path.resolve().is_relative_to(root):
            report.add((str(relative), 1), "link", "文件链接指到包外, 不允许", "a link leads out of the pack")
            continue
        if path.is_file() and path.suffix.lower() in (".yaml", ".yml"):
            paths.append(path)
    if len(paths) > MAX_FILES:
        report.add((".", 1), "too_large", f"文件太多, 至多 {MAX_FILES} 个", f"more than {MAX_FILES} files")
        return []
    nodes = []
    for path in paths:
        node = read_file(path, str(path.relative_to(folder)), report)
        if node is not None:
            nodes.append(node)
    return nodes


def read_file(path: Path, shown: str, report: Report) -> Node | None:
    """One file as a mapping node; None where it is empty or refused (the report says why)."""
    if path.stat().st_size > MAX_FILE_BYTES:
        report.add((shown, 1), "too_large", "文件超过 1 MiB", "the file is larger than 1 MiB")
        return None
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        report.add(
            (shown, 1), "encoding", "文件不是 UTF-8, 请另存为 UTF-8", "the file is not UTF-8: save it so"
        )
        return None
    return parse(text, shown, report)


def parse(text: str, shown: str, report: Report) -> Node | None:
    """The text of one file as a mapping node."""
    if not _harmless(text, shown, report):
        return None
    root = yaml.compose(text, Loader=_LOADER)
    if root is None:
        return None
    node = _convert(root, shown, report)
    if not isinstance(node.value, dict):
        line = _full_width_line(text) or node.line
        report.add(
            (shown, line),
            "not_a_mapping",
            "这里应是“键: 值”; 冒号要用半角, 后面空一格",
            "a mapping is expected here; the colon must be an ASCII one followed by a space",
        )
        return None
    return node


def _harmless(text: str, shown: str, report: Report) -> bool:
    depth = nodes = 0
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            line = event.start_mark.line + 1 if event.start_mark else 1
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
                report.add(
                    (shown, line), "anchor", "不允许锚点和引用(& 和 *)", "anchors and aliases are refused"
                )
                return False
            if getattr(event, "tag", None) is not None:
                report.add((shown, line), "tag", "不允许 YAML 标签(!)", "YAML tags are refused")
                return False
            if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                depth += 1
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                depth -= 1
            nodes += 1
            if depth > MAX_DEPTH or nodes > MAX_NODES:
                report.add((shown, line), "too_large", "嵌套太深或内容太多", "nested too deeply or too much")
                return False
        yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        wide = _full_width_line(text)
        if wide:
            report.add(
                (shown, wide),
                "full_width_colon",
                "键后面的冒号是全角“：”, 请改成半角“:”并空一格",
                "the colon after the key is full-width; use an ASCII colon and a space",
            )
        else:
            report.add(
                (shown, line),
                "yaml",
                f"YAML 写法有误({error.problem}); 检查缩进、引号和冒号",
                f"YAML cannot be read: {error.problem}",
            )
        return False
    except (yaml.YAMLError, RecursionError) as error:
        report.add((shown, 1), "yaml", "YAML 读不出来", f"YAML cannot be read: {type(error).__name__}")
        return False
    return True


def _full_width_line(text: str) -> int | None:
    for number, line in enumerate(text.splitlines(), 1):
        if _FULL_WIDTH_KEY.match(line):
            return number
    return None


def _convert(node: Any, shown: str, report: Report) -> Node:
    line = node.start_mark.line + 1
    if isinstance(node, yaml.ScalarNode):
        return Node(str(node.value), shown, line)
    if isinstance(node, yaml.SequenceNode):
        return Node([_convert(element, shown, report) for element in node.value], shown, line)
    mapping: dict[str, Node] = {}
    for key_node, value_node in node.value:
        key_line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            report.add((shown, key_line), "yaml", "键必须是文字", "a key must be text")
            continue
        key = str(key_node.value).strip()
        if "：" in key:
            report.add(
                (shown, key_line),
                "full_width_colon",
                f"键“{key}”里的冒号是全角“：”, 请改成半角“:”并空一格",
                f"the key {key!r} holds a full-width colon; use an ASCII colon and a space",
            )
        if key in mapping:
            report.add((shown, key_line), "duplicate_key", f"键“{key}”重复", f"the key {key!r} stands twice")
        # what a key holds is shown at the key's line
        mapping[key] = Node(_convert(value_node, shown, report).value, shown, key_line)
    return Node(mapping, shown, line)
