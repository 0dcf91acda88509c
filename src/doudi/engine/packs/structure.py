"""The shape of a pack's files, held against ``pack.schema.json`` and told with the line."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from doudi.engine.packs.problems import Report
from doudi.engine.packs.source import Node

SCHEMA = Path(__file__).with_name("pack.schema.json")


@cache
def _validator(schema: Path) -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema.read_text("utf-8")))


def check_structure(node: Node, report: Report, *, schema: Path = SCHEMA) -> bool:
    """Whether the file has the shape of a pack's file, or of a section with a schema of its own; faults with their line."""
    found = _validator(schema).iter_errors(node.plain())
    errors = sorted(found, key=lambda error: [str(p) for p in error.path])
    for error in errors:
        place = _place(node, list(error.absolute_path), error)
        zh, en = _say(error)
        report.add(place, "structure", zh, en)
    return not errors


def _place(node: Node, path: list[Any], error: ValidationError) -> tuple[str, int]:
    found = node
    for step in path:
        inner = found.value[step] if isinstance(found.value, list) else found.get(str(step))
        if inner is None:
            break
        found = inner
    if error.validator == "additionalProperties" and isinstance(found.value, dict):
        for name, value in found.items():
            if name not in error.schema.get("properties", {}):
                return value.place
    if error.validator in ("pattern", "maxLength") and isinstance(error.instance, str):
        inner = found.get(error.instance)
        if inner is not None:
            return inner.place
    return found.place


def _say(error: ValidationError) -> tuple[str, str]:
    where = " → ".join(str(step) for step in error.absolute_path) or "文件顶层"
    shown = str(error.instance)[:40]
    rule = error.validator
    if rule == "additionalProperties":
        known = error.schema.get("properties", {})
        strange = "、".join(str(name) for name in error.instance if name not in known)
        return (
            f"{where}: 不认识的键“{strange}”, 可用: {'、'.join(known)}",
            f"{where}: unknown key {strange!r}",
        )
    if rule == "required":
        missing = "、".join(str(name) for name in error.validator_value if name not in error.instance)
        return f"{where}: 缺少“{missing}”", f"{where}: {missing!r} is missing"
    if rule == "type":
        words = {"object": "一组“键: 值”", "array": "一列(每行以 - 开头)", "string": "一个文字或数"}
        want = words.get(str(error.validator_value), str(error.validator_value))
        return f"{where}: 这里应是{want}", f"{where}: expected {error.validator_value}"
    if rule in ("enum", "const"):
        allowed = (
            error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
        )
        listed = "、".join(map(str, allowed))
        return f"{where}: “{shown}”不对, 只能是 {listed}", f"{where}: {shown!r} is not one of {listed}"
    if rule == "pattern":
        return f"{where}: “{shown}”的写法不对", f"{where}: {shown!r} is not written as it should be"
    return f"{where}: “{shown}”不合要求({rule})", f"{where}: {shown!r} fails {rule}"
