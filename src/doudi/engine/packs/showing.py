"""Showing a pack's rule as it stands somewhere on a day, comparing two packs, and starting a county's own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from doudi.engine.errors import DoudiError
from doudi.engine.packs.layers import SHIPPED
from doudi.engine.packs.model import (
    Category,
    Indicator,
    Pack,
    Parameter,
    ParameterValue,
    UnknownName,
    Variable,
)
from doudi.engine.packs.worksheets import write_template


@dataclass(frozen=True)
class Shown:
    """A rule as it stands: its text and where each part comes from."""

    name: str
    kind: str
    region: str
    on: date
    content: dict[str, Any]
    text: str

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": self.kind,
            "region": self.region,
            "on": self.on.isoformat(),
            **self.content,
        }

    def __str__(self) -> str:
        return self.text


def show_rule(pack: Pack, name: str, region: str = "", on: date | None = None) -> Shown:
    """The effective text of a variable, parameter, indicator or category for a region on a day.

    Each part says the layer, file and line it comes from; a number shows every value it overrides.
    """
    day = on or date.max
    if name in pack.parameters:
        return _show_parameter(pack.parameters[name], region, day)
    if name in pack.variables:
        return _show(pack, "变量", pack.variables[name], region, day)
    if name in pack.indicators:
        return _show(pack, "指标", pack.indicators[name], region, day)
    category = next((c for c in pack.categories if name in (c.name, c.code)), None)
    if category is not None:
        return _show(pack, "类别", category, region, day)
    raise UnknownName(f"政策包里没有“{name}”", f"the pack has nothing called {name!r}")


def _show_parameter(parameter: Parameter, region: str, on: date) -> Shown:
    lines = [f"参数 {parameter.name}({parameter.unit})  {parameter.note}".rstrip()]
    chains: dict[str, list[dict[str, Any]]] = {}
    for side in ("城镇", "农村") if parameter.by else ("",):
        chain = parameter.chain(region=region, urban_rural=side, on=on)
        chains[side] = [_value(value) for value in chain]
        if not chain:
            lines.append(f"  {side or '值'}: {region or '全国'} 在 {on} 没有值")
        for i, value in enumerate(chain):
            mark = "→" if i == 0 else "  被覆盖:"
            lines.append(
                f"  {mark} {side} {value.text}  地区 {value.region or '全国'}  自 {value.valid_from or '始终'}"
                f"  文件 {value.document} {value.clause} {value.mark}  [{value.place}]"
            )
    content = {"unit": parameter.unit, "values": chains, "place": str(parameter.place)}
    return Shown(parameter.name, "参数", region, on, content, "\n".join(lines))


def _value(value: ParameterValue) -> dict[str, Any]:
    return {
        "value": value.text,
        "region": value.region,
        "valid_from": value.valid_from.isoformat() if value.valid_from else "",
        "valid_to": value.valid_to.isoformat() if value.valid_to else "",
        "document": value.document,
        "clause": value.clause,
        "mark": value.mark,
        "place": str(value.place),
    }


def _show(pack: Pack, kind: str, rule: Variable | Indicator | Category, region: str, on: date) -> Shown:
    name = rule.code if isinstance(rule, Indicator) else rule.name
    facts = _facts(rule)
    lines = [f"{kind} {name}  [{rule.place}]"]
    lines += [f"  {key}: {text}" for key, text in facts.items() if text]
    parts = _parts(rule)
    parameters = sorted({p for part in parts for p in part.parameters()})
    uses = sorted({v for part in parts for v in part.variables()})
    shown = {p: show_rule(pack, p, region, on) for p in parameters}
    for other in uses:
        where = pack.variables[other].place if other in pack.variables else pack.indicators[other].place
        lines.append(f"  用到 {other}  [{where}]")
    for part in shown.values():
        lines += [f"  {line}" for line in part.text.splitlines()]
    content = {
        "rule": facts,
        "place": str(rule.place),
        "uses": uses,
        "parameters": {p: found.to_json() for p, found in shown.items()},
    }
    return Shown(name, kind, region, on, content, "\n".join(lines))


def _parts(rule: Variable | Indicator | Category) -> list[Any]:
    if isinstance(rule, Variable):
        return list(rule.parts())
    if isinstance(rule, Indicator):
        return list(rule.levels.values())
    return [rule.condition] if rule.condition is not None else []


def _facts(rule: Variable | Indicator | Category) -> dict[str, str]:
    if isinstance(rule, Variable):
        facts = {
            "对象": rule.entity, "类型": rule.kind.value, "单位": rule.unit, "公式": rule.formula,
            "依据": rule.clause, "标": rule.mark, "理由": rule.reason, "满足句": rule.met, "不满足句": rule.missed,
        }  # fmt: skip
        for exception in rule.exceptions:
            when, value = exception.text
            facts[f"例外 {exception.name}"] = f"当 {when} 为 {value} ({exception.clause})"
        return facts
    if isinstance(rule, Indicator):
        facts = {
            "名": rule.name, "方向": rule.direction, "依据": rule.clause, "标": rule.mark, "句": rule.sentence,
            "数据": "、".join(rule.feeds),
        }  # fmt: skip
        return facts | {f"等级 {level}": text for level, text in rule.formulas.items()}
    return {
        "代码": rule.code, "次序": str(rule.rank), "条件": rule.formula, "依据": rule.clause, "标": rule.mark,
        "未定时": "跳过" if rule.skip_undecided else "待核",
    }  # fmt: skip


@dataclass(frozen=True)
class Difference:
    """One thing in which two packs differ."""

    kind: str
    name: str
    change: str
    before: str
    after: str

    def to_json(self) -> dict[str, str]:
        return {
            "kind": self.kind, "name": self.name, "change": self.change, "before": self.before,
            "after": self.after,
        }  # fmt: skip

    def __str__(self) -> str:
        if self.change == "added":
            return f"+ {self.kind} {self.name}: {self.after}"
        if self.change == "removed":
            return f"- {self.kind} {self.name}: {self.before}"
        return f"~ {self.kind} {self.name}: {self.before} → {self.after}"


def diff_packs(a: Pack, b: Pack) -> list[Difference]:
    """What pack ``b`` has otherwise than pack ``a``: rules by their text, numbers by region, 城乡 and day."""
    before, after = _flat(a), _flat(b)
    found = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if old != new:
            change = "added" if old is None else "removed" if new is None else "changed"
            found.append(Difference(key[0], key[1], change, old or "", new or ""))
    return found


def _flat(pack: Pack) -> dict[tuple[str, str], str]:
    flat: dict[tuple[str, str], str] = {}
    for parameter in pack.parameters.values():
        for value in parameter.values:
            where = f"{value.region or '全国'} {value.urban_rural} 自{value.valid_from or '始终'}".replace(
                "  ", " "
            )
            flat["参数", f"{parameter.name} {where}"] = (
                f"{value.text} ({value.document} {value.clause})".replace(" )", ")")
            )
    rules: list[tuple[str, str, Any]] = [("变量", name, v) for name, v in pack.variables.items()]
    rules += [("指标", code, i) for code, i in pack.indicators.items()]
    rules += [("类别", c.name, c) for c in pack.categories]
    for kind, name, rule in rules:
        for fact, text in _facts(rule).items():
            if text:
                flat[kind, f"{name}.{fact}"] = text
    for label in pack.labels:
        flat["标签", label.code] = f"{label.name}: {label.formula} ({label.clause})"
    for code, measure in pack.measures.items():
        flat["措施", code] = f"{measure.name} {measure.department} {measure.amount} {measure.clause}"
    for name, spec in pack.feeds.items():
        flat["部门数据", name] = f"{spec.label} {spec.kind} " + "、".join(c.label for c in spec.columns)
    return flat


def new_pack(parent: Pack | str, region: str, folder: Path) -> Path:
    """Start a county's pack over a parent in an empty or new folder; it passes ``pack check`` as it stands."""
    name = parent if isinstance(parent, str) else parent.name
    if not (region.isdigit() and len(region) in (2, 4, 6, 9, 12)):
        raise DoudiError(
            f"地区“{region}”应是 2、4、6、9 或 12 位行政区划代码",
            f"{region!r} is not a region code of 2, 4, 6, 9 or 12 digits",
            code="region_refused",
        )
    if folder.exists() and any(folder.iterdir()):
        raise DoudiError(
            f"{folder} 不是空文件夹, 请换一个",
            f"{folder} is not empty: choose another folder",
            code="not_empty",
        )
    if not any((root / name / "pack.yaml").is_file() for root in (folder.absolute().parent, SHIPPED)):
        raise DoudiError(
            f"找不到上级包“{name}”: 它要和新包放在同一个文件夹下",
            f"the parent pack {name!r} was not found: it must lie beside the new pack",
            code="no_parent",
        )
    (folder / "parameters").mkdir(parents=True)
    (folder / "cases").mkdir()
    (folder / "pack.yaml").write_text(
        _PACK.format(name=_name_of(folder, region), parent=name, region=region), "utf-8"
    )
    (folder / "parameters" / "standards.yaml").write_text(_PARAMETERS.format(region=region), "utf-8")
    (folder / "cases" / "own.yaml").write_text(_CASES.format(region=region), "utf-8")
    write_template(folder / "cases" / "own.xlsx", region)
    return folder


def _name_of(folder: Path, region: str) -> str:
    plain = "".join(char for char in folder.name if char.isascii() and (char.isalnum() or char in "-_"))
    return plain or f"county-{region}"


_PACK = """\
名称: {name}
版本: "0.1"
上级: {parent}
地区: "{region}"
说明: 请写明本包由谁维护、依据哪些文件。
文件: {{}}
#  县标准: {{全称: 关于调整某县城乡低保标准的通知, 文号: 某民发〔2024〕1号, 施行: "2024-07-01"}}
"""
_PARAMETERS = """\
# 本地的数: 去掉井号改成自己的; 每个数要有日期、文件
参数: {{}}
#  低保标准:
#    值:
#      - {{地区: "{region}", 城乡: 城镇, 自: 2024-07-01, 为: 700.00元, 文件: 县标准}}
#      - {{地区: "{region}", 城乡: 农村, 自: 2024-07-01, 为: 560.00元, 文件: 县标准}}
"""
_CASES = """\
# 本地的例: 改一个数或一条规则, 就写一个刚好在线上的例
例: []
#  - {{名: 刚好到线不算低, 地区: "{region}", 城乡: 城镇, 日: 2024-07-01, 家庭人口: 2人, 家庭月收入: 1400元, 应为: {{收入低于标准: 否}}}}
"""
