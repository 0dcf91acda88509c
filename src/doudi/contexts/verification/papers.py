"""A report as a paper to sign and seal (核对报告 PDF、Word): the same content, read from its canonical form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import User, record
from doudi.contexts.verification.marks import Sight, content_shown, sight_of
from doudi.contexts.verification.models import Report
from doudi.contexts.verification.reporting import report_of
from doudi.contexts.verification.requests import StepRefused
from doudi.engine import money
from doudi.engine.verification import HIDDEN, Rules
from doudi.house import documents
from doudi.house.documents import Block, Paper, heading, table, text

FORMS = {
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}


@transaction.atomic
def report_paper(number: str, *, form: str, address: str, rules: Rules, by: User) -> bytes:
    """A report as ``pdf`` or ``docx``; ``address`` is where a reader checks it. The export is in the audit log.

    Each value is shown or masked by the mark of its data element. Raises :class:`FontMissing` where a PDF cannot be set.
    """
    report = report_of(number, by=by)
    if form not in FORMS:
        raise StepRefused("只有 PDF 和 Word 两种。", "A report comes as pdf or docx.", code="form_unknown")
    paper = _paper(report, address, sight_of(rules, by), by)
    content = documents.to_pdf(paper) if form == "pdf" else documents.to_word(paper)
    record(by=by, act="export_report", subject=f"verification:{report.request.number}",
           region_code=report.request.region_code,
           detail={"report": number, "form": form, "content": paper.digest})  # fmt: skip
    return content


def _paper(report: Report, address: str, sight: Sight, by: User) -> Paper:
    content = content_shown(json.loads(report.content), sight)
    recorded, computed = content["recorded"], content["computed"]
    names = {p["position"]: p["name"] for p in computed["people"]}
    today = timezone.localdate()
    standing = _standing(report, today)
    blocks = [
        table(
            ("项目", "内容"),
            [
                ("委托单位", recorded["requested_by"]),
                ("委托单", f"{recorded['request']}（{recorded['kind']}，{recorded['purpose']}）"),
                ("授权书编号", "、".join(recorded["authorisations"]) or "—"),
                ("核对基准日", recorded["as_of"]),
                ("出具日期与有效期", f"{recorded['issued_on']} 出具，有效至 {recorded['valid_to']}{standing}"),
                *([("接前一报告", recorded["follows"])] if recorded["follows"] else []),
            ],
        ),
        *_advice(recorded, computed),
        heading("人员"),
        table(
            ("姓名", "证件号", "与户主关系", "共同生活"),
            [
                (names[p["position"]], p["id_number"], p["relation"], "是" if p["living_together"] else "否")
                for p in computed["people"]
            ],
        ),
        heading("申报与查得"),
        table(
            ("申报项", "申报", "查得", "差异"),
            [
                (d["item"], _amount(d["declared"], d["measure"]), _amount(d["found"], d["measure"]), d["grade"])
                for d in computed["differences"]
            ],
            numbers=(1, 2),
        ),
        *_supported(computed, names),
        *_explained(recorded),
        heading("家庭经济状况"),
        text(computed["situation"]["paragraph"]),
        table(
            ("项目", "金额（元）", "单位", "依据"),
            [
                (v["name"], _money(v["value"]), v["unit"], v["clause"])
                for v in computed["situation"]["variables"]
                if v["person"] is None and v["kind"] == "金额" and (v["value"] == HIDDEN or isinstance(v["value"], int))
            ],
            numbers=(1,),
        ),
        heading("各来源"),
        text("“查无”是来源答复没有记录；“未到”“失败”“未授权”“未查”都不是没有。"),
        table(
            ("数据来源", *[names[p["position"]] for p in computed["people"]]),
            [(s["label"], *[_said(row) for row in s["people"]]) for s in computed["sources"]],
        ),
        *_unsettled(recorded, computed),
        text("本报告只反映所列日期各来源的数据，是审核确认的参考依据，不是决定（社会救助暂行办法第五十八条）。"),
        text(f"SHA-256：{report.sha256}"),
        text(f"SM3：{report.sm3}"),
        text(f"政策包：{computed['pack']['name']} {computed['pack']['version']}"),
    ]  # fmt: skip
    return Paper(
        title="居民家庭经济状况核对报告",
        subtitle=f"编号 {report.number}",
        blocks=tuple(blocks),
        foot=(f"出具人：{recorded['issued_by']}", f"出具日期：{recorded['issued_on']}"),
        seal="（核对机构盖章处）",
        code=f"{address.rstrip('/')}/check/{report.check_code}/"
        if address
        else f"{report.number} {report.check_code}",
        code_words=(f"查验码 {report.check_code}", "扫码查验本报告是否有效、是否被后一份取代"),
        watermark=f"{by.display_name or by.username} {today} 仅供审核使用",
    )


def _standing(report: Report, today: Any) -> str:
    later = report.followers.order_by("-pk").first()
    if later is not None:
        return f"；已有复核报告 {later.number}，请以后者为准"
    return "；已过期，不能作为审核依据" if today > report.valid_to else ""


def _advice(recorded: Mapping[str, Any], computed: Mapping[str, Any]) -> list[Block]:
    partial = "（部分结果：有来源未返回、失败或未授权）" if recorded["partial"] else ""
    told = [heading(f"意见：{computed['advice']['advice']}{partial}")]
    told += [text(reason) for reason in computed["advice"]["reasons"]]
    told.append(text("依据：" + "；".join(computed["advice"]["clauses"])))
    if recorded["changed_since"]:
        told.append(heading("与前一报告的不同"))
        lines: list[tuple[str, ...]] = [
            (line["what"], str(line["before"]), str(line["now"])) for line in recorded["changed_since"]
        ]
        told.append(table(("事项", "前一报告", "本报告"), lines))
    return told


def _supported(computed: Mapping[str, Any], names: Mapping[int, str]) -> list[Block]:
    """What supporters who live apart owe, with the evidence and the parameters."""
    told = computed.get("support")
    if told is None:
        return []
    lines: list[tuple[str, ...]] = [
        (
            f"{line['name']}（{line['relation'] or '—'}）",
            line["evidence"],
            "—" if line["amount"] is None else money.format_yuan(line["amount"]),
            line["category"] or "—",
            "—" if line["persons"] is None else str(line["persons"]),
            "—" if line["income"] is None else money.format_yuan(line["income"]),
            "—" if line["parents"] is None else str(line["parents"]),
        )
        for line in told["lines"]
    ]
    owed = "；".join(f"{names[line['person']]} {_monthly(line['amount'])}" for line in told["owed"])
    return [
        heading("赡养费核算"),
        table(("赡养人", "依据方式", "约定月额", "类别", "家庭人口", "家庭月收入", "赡养老人数"), lines)
        if lines
        else text("没有不共同生活的法定赡养人。"),
        text(f"应付：{owed or '无'}。其中计入家庭收入：{_monthly(told['counted'])}。"),
        text(f"{told['reason']}。参数：{'；'.join(told['parameters'])}"),
    ]


def _monthly(fen: int | None) -> str:
    return "待核" if fen is None else f"{money.format_yuan(fen)}元／月"


def _explained(recorded: Mapping[str, Any]) -> list[Block]:
    if not recorded["explanations"]:
        return []
    return [
        heading("差异说明"),
        *[
            text(f"{e['item']}（{e['grade']}）：{e['answer'] or '未在期限内说明'}")
            for e in recorded["explanations"]
        ],
    ]


def _unsettled(recorded: Mapping[str, Any], computed: Mapping[str, Any]) -> list[Block]:
    told = [
        f"有 {rows} 条记录证件号相同而姓名不同（{feed}），未计入合计，须人工核对。"
        for feed, rows in computed["situation"]["held"].items()
    ]
    told += [
        f"异地协查 {check['number']}（{check['peer']}：{'、'.join(check['sources'])}）："
        + (f"{check['due_on']} 到期未答复" if check["overdue"] else check["state"])
        for check in recorded.get("entrusted", [])
    ]
    return [heading("未了事项"), *[text(line) for line in told]] if told else []


def _said(row: Mapping[str, Any]) -> str:
    more = f" {row['rows']} 条" if row["rows"] else ""
    return f"{row['label']}{more}" + (f"（{row['as_of']}）" if row["as_of"] else "")


def _money(value: int | str) -> str:
    return value if isinstance(value, str) else money.format_yuan(value)


def _amount(value: int | str | None, measure: str) -> str:
    if value is None:
        return "待核"
    if isinstance(value, str):
        return value
    return (
        str(value) if measure == "数" else f"{money.format_yuan(value)}元{'／年' if measure == '年' else ''}"
    )
