"""How a warning is handled, as the pack says: limits by level, results of a visit, departments (处置规则).

All of it is the county's to set (handbook 02 §2.5, marked assumed); the code knows no limit and no department.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import yaml

from doudi.engine.errors import DoudiError
from doudi.engine.packs.layers import read_stack
from doudi.engine.packs.problems import Report
from doudi.engine.packs.units import parse_quantity
from doudi.engine.workdays import add_workdays


@dataclass(frozen=True)
class Limits:
    """Limits of one level, in working days; ``revisit`` in calendar days, None where no revisit is asked."""

    dispatch: int
    visit: int
    dispose: int
    revisit: int | None

    def dispatch_due(self, opened: date) -> date:
        return add_workdays(opened, self.dispatch)

    def visit_due(self, dispatched: date) -> date:
        return add_workdays(dispatched, self.visit)

    def dispose_due(self, dispatched: date) -> date:
        return add_workdays(dispatched, self.dispose)

    def revisit_on(self, closed: date) -> date | None:
        return None if self.revisit is None else closed + timedelta(days=self.revisit)


@dataclass(frozen=True)
class VisitResult:
    """A disposal code (处置代码) with what it asks for."""

    code: str
    label: str
    label_en: str
    visitors: int
    ground: bool
    follow_up: str
    """What comes next: ``measure``, ``referral``, ``charity`` or ``none``."""
    tries: int = 0
    """Visits on so many different days, this one among them, before nobody counts as found (寻访次数)."""
    signature: bool = False
    """The person's signature, or two witnesses (须签字或见证)."""
    consent: bool = False
    """The person's consent, on record (须同意)."""
    tell_supplier: bool = False
    """The department whose data were wrong is told (告知来源)."""


@dataclass(frozen=True)
class Reminders:
    """At which part of a limit, in %, who is told: the one responsible, the supervisor, the county leader."""

    responsible: int
    supervisor: int
    leader: int

    @property
    def stages(self) -> tuple[int, ...]:
        return tuple(sorted({self.responsible, self.supervisor, self.leader}))


@dataclass(frozen=True)
class ExportRules:
    """When a list leaves the system only with a second person's consent, and for how long it may be taken (导出)."""

    free_rows: int = 1000
    """Up to so many rows nobody else is asked."""
    valid_days: int = 7
    """Calendar days from the consent on in which the file can be taken."""
    kept_days: int = 90
    """Calendar days after that for which the sealed workbook is kept, so that a filled one can still come back."""
    whole_ids_need_approval: bool = True
    """Whole identity numbers are never taken without a second person's consent."""


@dataclass(frozen=True)
class Handling:
    """The handling rules of a pack."""

    limits: Mapping[str, Limits]
    mute_days: int
    """For how many days after a case was closed the same signal of the same person raises nothing new."""
    results: Mapping[str, VisitResult]
    departments: Mapping[str, str]
    """Department → what is pushed to it (需求推送)."""
    feedback_workdays: int
    reminders: Reminders
    closing: time
    """The end of an office day (下班时间)."""
    safety_codes: frozenset[str]
    """Signals of danger to a person: a red warning with one of them is visited within ``safety_hours``."""
    safety_hours: int
    longest_pause: int
    """A clock stands still for at most so many days at a time (中止最长)."""
    merge_days: int = 90
    """Within how many days different signals of one colour make the next colour."""
    wake_growth: Fraction = Fraction(30, 100)
    """By how much a muted signal must grow to raise a new case."""
    late_periods: int = 2
    """A file older than so many of its periods says nothing any more: its indicators are unknown."""

    exports: ExportRules = ExportRules()

    def limits_of(self, level: str) -> Limits:
        """The limits of a level; a household without one is handled in the monthly batch (蓝)."""
        return self.limits.get(level, self.limits["blue"])


def load_handling(folder: Path) -> Handling:
    """The handling rules of a pack folder: its own ``handling.yaml``, or that of the nearest layer below it."""
    for layer in reversed(read_stack(folder, Report()).layers):
        if (layer.folder / "handling.yaml").is_file():
            return _read(layer.folder / "handling.yaml")
    raise DoudiError(
        f"{folder} 和它的上级里都没有 handling.yaml（处置时限、核实结果、推送部门）。请从 packs/reference 复制一份修改。",
        f"Neither {folder} nor its parents hold a handling.yaml; copy the one of packs/reference and change it.",
        code="handling_missing",
    )


def _percent(text: str) -> int:
    return int(text.strip().removesuffix("%"))


def _number(raw: Any) -> str:
    """A figure, alone or with its mark: ``90`` or ``{为: 90, 标: 假定}``."""
    return str(raw["为"] if isinstance(raw, dict) else raw)


def _share(raw: Any) -> Fraction:
    found = parse_quantity(_number(raw), "%")
    if found is None or found < 0:
        raise ValueError(f"唤醒增幅 {_number(raw)}")
    return found


def _export_rules(raw: Mapping[str, str]) -> ExportRules:
    return ExportRules(
        free_rows=int(raw.get("免审批行数", "1000")),
        valid_days=int(raw.get("有效天数", "7")),
        kept_days=int(raw.get("回传天数", "90")),
        whole_ids_need_approval=raw.get("完整证件号须审批", "是") == "是",
    )


def _read(path: Path) -> Handling:
    """Every scalar is text and converted here, with the place in the message."""
    raw = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 — BaseLoader builds text only
    try:
        return Handling(
            limits={
                row["级"]: Limits(
                    dispatch=int(row["派单"]),
                    visit=int(row["入户"]),
                    dispose=int(row["处置"]),
                    revisit=int(row["回访"]) if row.get("回访") else None,
                )
                for row in raw["时限"]
            },
            mute_days=int(_number(raw["静默天数"])),
            merge_days=int(_number(raw.get("合并天数", "90"))),
            wake_growth=_share(raw.get("唤醒增幅", "30%")),
            late_periods=int(_number(raw.get("迟到倍数", "2"))),
            results={
                row["码"]: VisitResult(
                    code=row["码"],
                    label=row["名"],
                    label_en=row["英"],
                    visitors=int(row["入户人数"]),
                    ground=row["须写理由"] == "是",
                    follow_up={"措施": "measure", "推送": "referral", "慈善": "charity", "无": "none"}[
                        row["下一步"]
                    ],
                    tries=int(row.get("寻访次数", "0")),
                    signature=row.get("须签字或见证") == "是",
                    consent=row.get("须同意") == "是",
                    tell_supplier=row.get("告知来源") == "是",
                )
                for row in raw["核实结果"]
            },
            departments={row["部门"]: row["需求"] for row in raw["推送部门"]},
            feedback_workdays=int(raw["反馈时限"]),
            exports=_export_rules(raw.get("导出", {})),
            reminders=Reminders(
                responsible=_percent(raw["提醒"]["经办"]),
                supervisor=_percent(raw["提醒"]["主管"]),
                leader=_percent(raw["提醒"]["县领导"]),
            ),
            closing=datetime.strptime(raw["提醒"]["下班"], "%H:%M").time(),  # noqa: DTZ007 — a time of day has no zone
            safety_codes=frozenset(raw["安全"]["信号"]),
            safety_hours=int(raw["安全"]["入户小时"]),
            longest_pause=int(raw["中止最长"]["天数"]),
        )
    except (KeyError, TypeError, ValueError) as problem:
        raise DoudiError(
            f"{path}：处置规则缺项或写法不对（{problem}）。请对照 packs/reference/handling.yaml。",
            f"{path}: a handling rule is missing or malformed ({problem}); compare packs/reference/handling.yaml.",
            code="handling_invalid",
        ) from None
