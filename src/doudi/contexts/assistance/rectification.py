"""The rectification report (整改报告): what was found, what was true, what was stopped, and the money, down to the fen.

One set of figures stands behind the page, the Word file and the PDF. Each number can be counted again from the list in
the annex; names are masked, for the paper travels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date

from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require
from doudi.contexts.assistance.errors import StepRefused
from doudi.contexts.assistance.models import PaymentStop, Recovery
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.engine import identity
from doudi.engine.money import format_yuan
from doudi.engine.packs.doubting import DoubtRules
from doudi.house import documents

FORMATS = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pdf": "application/pdf",
}


@dataclass(frozen=True)
class Figures:
    """One row of the report: doubts and people counted, sums in whole fen (分)."""

    found: int = 0
    checked: int = 0
    true: int = 0
    untrue: int = 0
    waiting: int = 0
    stopped: int = 0
    due_fen: int = 0
    received_fen: int = 0
    written_off_fen: int = 0
    outstanding_fen: int = 0

    def __add__(self, other: Figures) -> Figures:
        return Figures(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True)
class Row:
    """One doubt of the annex with what came of it."""

    doubt: monitoring.Doubt
    figures: Figures
    recovery: Recovery | None


@dataclass(frozen=True)
class Rectification:
    """The report of a period and an area."""

    since: date
    until: date
    region_code: str
    as_of: date
    total: Figures
    by_kind: dict[str, Figures]
    by_township: dict[str, Figures]
    rows: tuple[Row, ...]
    unasked: tuple[str, ...]
    """Kinds that the last search could not ask."""


def rectify(*, since: date, until: date, region_code: str = "", by: User, rules: DoubtRules) -> Rectification:
    """The figures of the doubts found from ``since`` to ``until`` in an area, as they stand today."""
    require(by, Act.VIEW_RECTIFICATION, region_code=region_code or None)
    if since > until:
        raise StepRefused("开始日期晚于结束日期。", "The period begins after it ends.")
    found = list(
        monitoring.doubts(
            by=by, status="all", region_code=region_code or by.region_code, since=since, until=until
        ).order_by("region_code", "kind", "household_no", "pk")
    )
    numbers = [doubt.number for doubt in found]
    recoveries = {
        row.doubt_number: row for row in Recovery.objects.visible_to(by).filter(doubt_number__in=numbers)
    }
    homes = {doubt.household_no for doubt in found}
    stopped = {
        (stop.household_no, stop.person_id) for stop in PaymentStop.objects.filter(household_no__in=homes)
    }
    rows = tuple(
        Row(
            doubt, _figures(doubt, recoveries.get(doubt.number), stopped, rules), recoveries.get(doubt.number)
        )
        for doubt in found
    )
    last = monitoring.latest_round()
    return Rectification(
        since=since,
        until=until,
        region_code=region_code or by.region_code,
        as_of=timezone.localdate(),
        total=sum((row.figures for row in rows), Figures()),
        by_kind=_summed((row.doubt.kind, row.figures) for row in rows),
        by_township=_summed((row.doubt.region_code[:9], row.figures) for row in rows),
        rows=rows,
        unasked=tuple(last.unasked) if last is not None else (),
    )


def _figures(
    doubt: monitoring.Doubt,
    recovery: Recovery | None,
    stopped: set[tuple[str, int | None]],
    rules: DoubtRules,
) -> Figures:
    concluded = doubt.status == monitoring.Doubt.Status.CONCLUDED
    chosen = rules.conclusions.get(doubt.conclusion)
    true = concluded and chosen is not None and (chosen.stop or chosen.recover)
    return Figures(
        found=1,
        checked=int(bool(doubt.conclusion)),
        true=int(true),
        untrue=int(concluded and not true),
        waiting=int(doubt.is_open),
        stopped=int(
            true and bool({(doubt.household_no, doubt.person_id), (doubt.household_no, None)} & stopped)
        ),
        due_fen=recovery.due_fen if recovery else 0,
        received_fen=recovery.received_fen - recovery.refund_fen if recovery else 0,
        written_off_fen=recovery.written_off_fen if recovery else 0,
        outstanding_fen=recovery.outstanding_fen if recovery else 0,
    )


def _summed(parts: Iterable[tuple[str, Figures]]) -> dict[str, Figures]:
    sums: dict[str, Figures] = defaultdict(Figures)
    for name, figures in parts:
        sums[name] += figures
    return dict(sums)


# ---- the paper ----------------------------------------------------------------------------------------------------------

_HEADER = ("发现", "已核查", "属实", "不属实", "在办", "已停发", "应追缴", "已追回", "已核销", "未追回")


def _cells(figures: Figures) -> tuple[str, ...]:
    return tuple(
        format_yuan(getattr(figures, f.name)) if f.name.endswith("_fen") else str(getattr(figures, f.name))
        for f in fields(figures)
    )


def paper_of(report: Rectification, rules: DoubtRules) -> documents.Paper:
    """The report as a paper; the same for Word and PDF."""
    total = report.total
    area = registry.region_name(report.region_code) if report.region_code else "全部辖区"
    numbers = tuple(range(1, len(_HEADER) + 1))

    def listed(name: str, parts: dict[str, str], sums: dict[str, Figures]) -> documents.Block:
        rows = [(parts.get(key, key), *_cells(figures)) for key, figures in sums.items()]
        return documents.table((name, *_HEADER), [*rows, ("合计", *_cells(total))], numbers=numbers)

    kinds = {code: kind.label for code, kind in rules.kinds.items()}
    townships = {code: registry.region_name(code) for code in report.by_township}
    blocks = [
        documents.heading("一、总体情况"),
        documents.text(
            f"{report.since}至{report.until}，{area}共发现疑点{total.found}条，已核查{total.checked}条，"
            f"其中属实{total.true}条、不属实{total.untrue}条，在办{total.waiting}条。属实的已停发{total.stopped}条。"
        ),
        documents.text(
            f"应追缴{format_yuan(total.due_fen)}元，已追回{format_yuan(total.received_fen)}元，"
            f"已核销{format_yuan(total.written_off_fen)}元，未追回{format_yuan(total.outstanding_fen)}元。"
        ),
        documents.heading("二、分种类（金额单位：元）"),
        listed("种类", kinds, report.by_kind),
        documents.heading("三、分乡镇（街道）（金额单位：元）"),
        listed("乡镇（街道）", townships, report.by_township),
    ]
    if report.unasked:
        missing = "、".join(kinds.get(code, code) for code in report.unasked)
        blocks.append(documents.text(f"以下种类因部门数据未到而没有查，不等于没有：{missing}。"))
    blocks.append(documents.heading("附表一 疑点清单（姓名遮蔽）"))
    blocks.append(
        documents.table(
            ("序号", "种类", "户编号", "姓名", "状态", "结论", "多发（元）"),
            [
                (
                    str(place),
                    kinds.get(row.doubt.kind, row.doubt.kind),
                    row.doubt.household_no,
                    identity.mask_name(row.doubt.person_name),
                    str(row.doubt.get_status_display()),
                    _conclusion(row.doubt, rules),
                    "" if row.doubt.overpaid_fen is None else format_yuan(row.doubt.overpaid_fen),
                )
                for place, row in enumerate(report.rows, 1)
            ],
            numbers=(6,),
        )
    )
    money = [row.recovery for row in report.rows if row.recovery is not None]
    if money:
        blocks.append(documents.heading("附表二 追缴清单（金额单位：元）"))
        blocks.append(
            documents.table(
                ("户编号", "退款人", "应追缴", "已追回", "已核销", "未追回"),
                [
                    (
                        found.household_no,
                        identity.mask_name(found.debtor_name),
                        format_yuan(found.due_fen),
                        format_yuan(found.received_fen - found.refund_fen),
                        format_yuan(found.written_off_fen),
                        format_yuan(found.outstanding_fen),
                    )
                    for found in money
                ],
                numbers=(2, 3, 4, 5),
            )
        )
    return documents.Paper(
        title="疑点核查整改报告",
        subtitle=f"{area}　{report.since} 至 {report.until}　截至 {report.as_of}",
        blocks=tuple(blocks),
        foot=("（盖章）", f"{report.as_of.year}年{report.as_of.month}月{report.as_of.day}日"),
    )


def _conclusion(doubt: monitoring.Doubt, rules: DoubtRules) -> str:
    if doubt.status != monitoring.Doubt.Status.CONCLUDED:
        return ""
    found = rules.conclusions.get(doubt.conclusion)
    return found.label if found else doubt.conclusion


@transaction.atomic
def export_rectification(
    *, since: date, until: date, region_code: str = "", form: str, by: User, rules: DoubtRules
) -> tuple[bytes, str]:
    """The report as a file and the hash of its content, which goes into the log."""
    if form not in FORMATS:
        raise StepRefused("只能下载 docx 或 pdf。", "The report comes as docx or pdf.")
    paper = paper_of(rectify(since=since, until=until, region_code=region_code, by=by, rules=rules), rules)
    content = documents.to_word(paper) if form == "docx" else documents.to_pdf(paper)
    record(
        by=by,
        act="export_rectification",
        region_code=region_code or by.region_code,
        detail={"since": since, "until": until, "form": form, "content": paper.digest},
    )
    return content, paper.digest
