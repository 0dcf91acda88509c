"""What a charity owes the public (信息公开): duties with their days, tables made from the ledger, yearly ratios, reminders.

What was published stays as it stood; a correction is published beside it. No table names a donor without consent or anybody
who was helped (慈善法第十三、六十一、七十八至八十二条).
"""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from datetime import date, timedelta
from typing import Any

import xlsxwriter
from django.db import transaction
from django.db.models import QuerySet, Sum
from django.utils import timezone

from doudi.contexts.accounts.services import Act, Role, User, record, require, take_turn, users_of
from doudi.contexts.charity import ledger
from doudi.contexts.charity.errors import StepRefused
from doudi.contexts.charity.fund_models import (
    Account,
    Allocation,
    Donation,
    Fund,
    FundEntry,
    Grant,
    PartUse,
    visible,
)
from doudi.contexts.charity.fundraising_models import Disclosure, DisclosureDuty, YearFigures
from doudi.contexts.charity.funds import FundNotFound, numbered
from doudi.contexts.charity.organisation_models import Organisation, Project
from doudi.contexts.charity.organisations import own_organisation
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.engine.charity import Verdict, Year, due_disclosures, judge_year
from doudi.engine.money import format_yuan
from doudi.engine.packs.giving import GivingRules

Table = dict[str, Any]
"""``title``, ``header``, ``rows`` of text, ``numbers``: the columns set to the right."""


def duties(*, by: User, state: str = "open") -> QuerySet[DisclosureDuty]:
    """What is owed, the nearest first; ``state`` is ``open``, ``late`` or ``done``."""
    found = visible(DisclosureDuty.objects.all(), by, Act.VIEW_FUNDS).select_related(
        "organisation", "campaign", "project"
    )
    found = found.filter(dropped=False)
    if state == "done":
        return found.exclude(published=None).order_by("-due_on")
    found = found.filter(published=None)
    return found.filter(due_on__lt=timezone.localdate()) if state == "late" else found


def duty_of(pk: int, *, by: User) -> DisclosureDuty:
    """One duty, or :class:`FundNotFound`."""
    found = visible(DisclosureDuty.objects.all(), by, Act.VIEW_FUNDS).filter(pk=pk, dropped=False).first()
    if found is None:
        raise FundNotFound("没有找到这项公开事项。", "No such disclosure for you.")
    return found


# ---- the tables -------------------------------------------------------------------------------------------------


def content_of(duty: DisclosureDuty, rules: GivingRules) -> dict[str, Any]:
    """The tables of a disclosure as the ledger has them now: title, period, tables; sums in 元 as text."""
    if duty.part == DisclosureDuty.Part.ANNUAL:
        return _annual(duty, rules)
    if duty.campaign is not None:
        return _of_campaign(duty, rules)
    return _of_project(duty, rules)


def _content(duty: DisclosureDuty, title: str, tables: list[Table]) -> dict[str, Any]:
    return {
        "title": title,
        "organisation": duty.organisation.name,
        "code": duty.organisation.code,
        "from": f"{duty.from_on}",
        "until": f"{duty.until_on}",
        "tables": tables,
    }


def _of_campaign(duty: DisclosureDuty, rules: GivingRules) -> dict[str, Any]:
    campaign = duty.campaign
    assert campaign is not None
    gifts = campaign.donations.exclude(entry__reversed_by__kind=FundEntry.Kind.REVERSAL)
    within = gifts.filter(received_on__gte=duty.from_on, received_on__lte=duty.until_on)
    uses = PartUse.objects.filter(part__donation__campaign=campaign, entry__on__lte=_as_of(duty))
    return _content(
        duty,
        f"“{campaign.title}”募捐{duty.get_part_display()}",
        [
            _table(
                "募得款物",
                ("项目", "本期", "自开始以来"),
                [
                    ("捐赠笔数", str(within.count()), str(gifts.count())),
                    ("资金（元）", _yuan(_worth(within, "money")), _yuan(_worth(gifts, "money"))),
                    ("物资公允价值（元）", _yuan(_worth(within, "goods")), _yuan(_worth(gifts, "goods"))),
                ],
            ),
            _uses_table(uses, rules),
            _table(
                "募捐方案",
                ("项目", "内容"),
                [
                    ("备案编号", campaign.record_no),
                    ("募捐目的", campaign.purpose),
                    ("起止日期", f"{campaign.starts_on} 至 {campaign.ends_on}"),
                    ("募捐成本（元）", _yuan(campaign.cost_fen)),
                    ("剩余财产的处理", campaign.remainder),
                ],
                numbers=(),
            ),
        ],
    )


def _of_project(duty: DisclosureDuty, rules: GivingRules) -> dict[str, Any]:
    project = duty.project
    assert project is not None
    found = Allocation.objects.filter(project=project)
    grants = Grant.objects.filter(allocation__in=found, paid_on__lte=duty.until_on)
    within = grants.filter(paid_on__gte=duty.from_on)
    return _content(
        duty,
        f"“{project.name}”项目{duty.get_part_display()}",
        [
            _table(
                "支出",
                ("项目", "本期（元）", "自开始以来（元）"),
                [("拨付", _yuan(_paid(within)), _yuan(_paid(grants)))],
            ),
            _served_table(found, rules),
        ],
    )


def _annual(duty: DisclosureDuty, rules: GivingRules) -> dict[str, Any]:
    body, year = duty.organisation, duty.until_on.year
    figures = year_of(body, year)
    sums = _year_sums(body, year)
    funds = Fund.objects.filter(organisation=body)
    tables = [
        _table(
            "收入和支出",
            ("项目", "金额（元）"),
            [
                ("捐赠收入", _yuan(sums["income"])),
                ("慈善活动支出", _yuan(sums["spent"] + figures.other_spent_fen)),
                ("管理费用", _yuan(sums["admin"] + figures.other_admin_fen)),
            ],
        ),
        _table(
            "各项资金年末余额",
            ("资金", "种类", "余额（元）"),
            [
                (fund.name, fund.get_kind_display(), _yuan(_balance_at(fund, duty.until_on)))
                for fund in funds.filter(opened_on__lte=duty.until_on)
            ],
        ),
    ]
    rule = rules.classes.get(figures.class_code)
    if rule is not None:
        verdict = _judged(figures, sums, rules)
        tables.append(
            _table(
                "年度支出和管理费用",
                ("项目", "核算", "结论"),
                [
                    ("慈善活动支出", verdict.spending_why, _said(verdict.spending)),
                    ("管理费用", verdict.administration_why, _said(verdict.administration)),
                    ("依据", f"{rule.label}：{rule.basis}", ""),
                    *([("说明", figures.explanation, "")] if figures.explanation else []),
                ],
                numbers=(),
            )
        )
    return _content(duty, f"{body.name} {year} 年度工作报告和财务会计报告（捐赠收支部分）", tables)


def _said(verdict: bool | None) -> str:
    return "待核" if verdict is None else "符合" if verdict else "不符合"


def _uses_table(uses: Any, rules: GivingRules) -> Table:
    """What became of gifts: by purpose for arrangements, and administration."""
    rows: dict[str, int] = defaultdict(int)
    for use in uses.select_related("entry__of", "entry__reverses"):
        entry = use.entry
        kind = entry.reverses.kind if entry.reverses else entry.kind
        if kind in (FundEntry.Kind.ALLOT, FundEntry.Kind.RELEASE):
            allotted = Allocation.objects.get(entry_id=entry.of_id or entry.pk)
            rows[_purpose(allotted.purpose, rules)] += use.amount_fen
        elif kind == FundEntry.Kind.ADMIN:
            rows["管理费用"] += use.amount_fen
        elif kind == FundEntry.Kind.EXPIRY:
            rows["过期报废"] += use.amount_fen
    return _table(
        "使用情况", ("用途", "金额（元）"), [(name, _yuan(fen)) for name, fen in sorted(rows.items()) if fen]
    )


def _served_table(found: Any, rules: GivingRules) -> Table:
    """Paid by purpose and township, how many were helped; a cell of few families is told for the county."""
    cells: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    families: Counter[tuple[str, str]] = Counter()
    for row in found.filter(paid_fen__gt=0).prefetch_related("outcomes"):
        families[(_purpose(row.purpose, rules), row.region_code[:9])] += 1
        cell = cells[(_purpose(row.purpose, rules), row.region_code[:9])]
        outcomes = list(row.outcomes.all())
        cell[0] += row.paid_fen
        cell[1] += outcomes[-1].people if outcomes else 0
    told: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for (purpose, place), (fen, people) in cells.items():
        wide = place if families[(purpose, place)] >= rules.smallest_cell else place[:6]
        told[(purpose, wide)][0] += fen
        told[(purpose, wide)][1] += people
    return _table(
        "帮扶情况",
        ("用途", "地区", "金额（元）", "受益人数"),
        [
            (purpose, registry.region_name(place), _yuan(fen), str(people))
            for (purpose, place), (fen, people) in sorted(told.items())
        ],
        numbers=(2, 3),
    )


def _table(
    title: str, header: tuple[str, ...], rows: list[tuple[str, ...]], numbers: tuple[int, ...] | None = None
) -> Table:
    columns = tuple(range(1, len(header))) if numbers is None else numbers
    return {
        "title": title,
        "header": list(header),
        "rows": [list(row) for row in rows],
        "numbers": list(columns),
    }


def _as_of(duty: DisclosureDuty) -> date:
    """Until when uses are told: the period's end, for a full account the day it is made."""
    return timezone.localdate() if duty.part == DisclosureDuty.Part.FINAL else duty.until_on


def _purpose(code: str, rules: GivingRules) -> str:
    return rules.purposes[code].label if code in rules.purposes else code


def _yuan(fen: int) -> str:
    return format_yuan(fen)


def _worth(gifts: Any, asset: str) -> int:
    return int(gifts.filter(asset=asset).aggregate(total=Sum("amount_fen"))["total"] or 0)


def _paid(grants: Any) -> int:
    return int(grants.aggregate(total=Sum("amount_fen"))["total"] or 0)


def _balance_at(fund: Fund, day: date) -> int:
    return sum(ledger.balance_on(fund, account, day) for account in (Account.MONEY, Account.GOODS))


# ---- publishing -------------------------------------------------------------------------------------------------


@transaction.atomic
def publish(pk: int, *, rules: GivingRules, by: User, note: str = "") -> Disclosure:
    """Publish what is owed with the tables as they stand (公开); again, where something was corrected."""
    take_turn()
    duty = duty_of(pk, by=by)
    body = duty.organisation
    require(by, Act.FILE_FUNDRAISING, region_code=body.region_code, organisation=body.code)
    today = timezone.localdate()
    if today <= duty.until_on:
        raise StepRefused(
            f"这一期到 {duty.until_on} 才结束，请在次日以后公开。",
            f"The period ends on {duty.until_on}; publish after it.",
        )
    if duty.part == DisclosureDuty.Part.ANNUAL:
        figures = year_of(body, duty.until_on.year)
        if not figures.class_code:
            raise StepRefused("请先填报年度数据（组织类别、上年收入等）。", "Give the year's figures first.")
        verdict = _judged(figures, _year_sums(body, duty.until_on.year), rules)
        if verdict.must_explain and len(figures.explanation.strip()) < 10:
            raise StepRefused(
                "年度支出或管理费用不符合标准，须向登记机关报告并公开说明情况（慈善法第六十一条）。请先填写说明。",
                "Spending or administration is outside the limits: explain it first (Charity Law art. 61).",
                code="explanation_missing",
            )
    content = content_of(duty, rules)
    last = duty.published.first()
    if last is not None and last.content == content and last.note == note.strip():
        return last
    made = Disclosure.objects.create(
        duty=duty,
        organisation=body,
        number=numbered(Disclosure, "GK", today),
        content=content,
        note=note.strip(),
        published_on=today,
        published_by=by.username,
        late=last is None and today > duty.due_on,
    )
    record(
        by=by,
        act=Act.FILE_FUNDRAISING,
        subject=f"disclosure:{made.number}",
        region_code=body.region_code,
        detail={"step": "publish", "duty": duty.pk, "late": made.late},
    )
    return made


def public_disclosures(*, organisation_code: str = "") -> QuerySet[Disclosure]:
    """Everything published, newest first, for everybody."""
    found = Disclosure.objects.select_related("organisation", "duty").order_by("-pk")
    return found.filter(organisation__code=organisation_code) if organisation_code else found


def public_disclosure(number: str) -> Disclosure:
    """One publication, for everybody."""
    found = public_disclosures().filter(number=number).first()
    if found is None:
        raise FundNotFound("没有找到这份公开。", "No such disclosure.")
    return found


def to_workbook(content: dict[str, Any], note: str = "") -> bytes:
    """The tables of a disclosure as an Excel workbook, one sheet."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(
        out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    )
    sheet = book.add_worksheet("信息公开")
    bold, head = (
        book.add_format({"bold": True, "font_size": 14}),
        book.add_format({"bold": True, "border": 1}),
    )
    cell = book.add_format({"border": 1, "text_wrap": True, "valign": "top"})
    money = book.add_format({"border": 1, "num_format": "#,##0.00"})
    sheet.set_column(0, 0, 28)
    sheet.set_column(1, 4, 24)
    sheet.write_string(0, 0, content["title"], bold)
    sheet.write_string(
        1, 0, f"{content['organisation']}（{content['code']}）  {content['from']} 至 {content['until']}"
    )
    row = 3
    for table in content["tables"]:
        sheet.write_string(row, 0, table["title"], book.add_format({"bold": True}))
        for column, words in enumerate(table["header"]):
            sheet.write_string(row + 1, column, words, head)
        row += 2
        for words_of_row in table["rows"]:
            for column, words in enumerate(words_of_row):
                if column in table["numbers"] and words.replace(".", "").replace("-", "").isdigit():
                    sheet.write_number(row, column, float(words), money if "." in words else cell)
                else:
                    sheet.write_string(row, column, words, cell)
            row += 1
        row += 1
    if note:
        sheet.write_string(row, 0, f"说明：{note}", cell)
    book.close()
    return out.getvalue()


# ---- the year ---------------------------------------------------------------------------------------------------


def year_of(body: Organisation, year: int) -> YearFigures:
    """What a charity said of its year; an unsaved empty row where it said nothing."""
    found = YearFigures.objects.filter(organisation=body, year=year).first()
    return found or YearFigures(organisation=body, year=year)


@transaction.atomic
def tell_year(
    *,
    year: int,
    class_code: str,
    last_income_fen: int | None,
    mean_income_fen: int | None,
    net_fen: int | None,
    rules: GivingRules,
    by: User,
    other_spent_fen: int = 0,
    other_admin_fen: int = 0,
    explanation: str = "",
) -> YearFigures:
    """Give what the ledger does not know of a year (填报年度数据)."""
    take_turn()
    body = own_organisation(by)
    require(by, Act.FILE_FUNDRAISING, region_code=body.region_code, organisation=body.code)
    if class_code not in rules.classes:
        raise StepRefused("请选择组织类别。", "Choose the class of the charity.")
    given = (last_income_fen, mean_income_fen, other_spent_fen, other_admin_fen)
    if any(fen is not None and fen < 0 for fen in given) or not 2000 <= year <= timezone.localdate().year:
        raise StepRefused("年度或金额不对。", "The year or a sum is not right.")
    found = year_of(body, year)
    found.class_code, found.last_income_fen, found.mean_income_fen = (
        class_code,
        last_income_fen,
        mean_income_fen,
    )
    found.net_fen, found.other_spent_fen, found.other_admin_fen = net_fen, other_spent_fen, other_admin_fen
    found.explanation, found.told_by = explanation.strip(), by.username
    found.save()
    record(
        by=by,
        act=Act.FILE_FUNDRAISING,
        subject=f"organisation:{body.code}",
        region_code=body.region_code,
        detail={"step": "tell_year", "year": year, "class": class_code},
    )
    return found


def year_verdict(
    code: str, year: int, *, rules: GivingRules, by: User
) -> tuple[YearFigures, dict[str, int], Verdict | None]:
    """A charity's year: what it said, what the ledger says, and the verdict where its class is known."""
    require(by, Act.VIEW_FUNDS, organisation=code)
    body = Organisation.objects.filter(code=code, region_code__startswith=by.region_code).first()
    if body is None:
        raise FundNotFound(f"没有找到组织 {code}。", f"No organisation {code} for you.")
    figures, sums = year_of(body, year), _year_sums(body, year)
    return figures, sums, _judged(figures, sums, rules) if figures.class_code in rules.classes else None


def _judged(figures: YearFigures, sums: dict[str, int], rules: GivingRules) -> Verdict:
    spent, admin = sums["spent"] + figures.other_spent_fen, sums["admin"] + figures.other_admin_fen
    return judge_year(
        Year(
            spent_fen=spent,
            admin_fen=admin,
            total_fen=spent + admin,
            last_income_fen=figures.last_income_fen,
            mean_income_fen=figures.mean_income_fen,
            net_fen=figures.net_fen,
        ),
        rules.classes[figures.class_code],
    )


def _year_sums(body: Organisation, year: int) -> dict[str, int]:
    """Income, spending and administration of a calendar year by the ledger, reversals taken off; fen."""
    found = FundEntry.objects.filter(organisation=body, on__year=year)
    totals: dict[str, int] = defaultdict(int)
    for kind, turned, total in (
        found.order_by().values_list("kind", "reverses__kind").annotate(total=Sum("amount_fen"))
    ):
        totals[turned or kind] += int(total)
    return {
        "income": totals[FundEntry.Kind.GIFT],
        "spent": totals[FundEntry.Kind.GRANT] + totals[FundEntry.Kind.RETURN],
        "admin": totals[FundEntry.Kind.ADMIN],
    }


# ---- what is due by itself --------------------------------------------------------------------------------------


@transaction.atomic
def owe_and_remind(rules: GivingRules, today: date | None = None) -> int:
    """Enter the duties of projects and years, and remind whose day is near or past (公开提醒); gives how many were told."""
    today = today or timezone.localdate()
    for project in (
        Project.objects.exclude(organisation__kind=Organisation.Kind.MEMBER)
        .filter(allocations__isnull=False)
        .distinct()
    ):
        for due in due_disclosures(project.starts_on, project.ends_on, rules.disclosure):
            DisclosureDuty.objects.get_or_create(
                project=project,
                part=due.part.value,
                place=due.place,
                dropped=False,
                defaults={
                    "organisation": project.organisation,
                    "from_on": due.from_on,
                    "until_on": due.until_on,
                    "due_on": due.due_on,
                },
            )
    month, day = rules.annual_due
    for body in Organisation.objects.filter(donations__received_on__year=today.year - 1).distinct():
        DisclosureDuty.objects.get_or_create(
            organisation=body,
            part=DisclosureDuty.Part.ANNUAL,
            until_on=date(today.year - 1, 12, 31),
            defaults={
                "from_on": date(today.year - 1, 1, 1),
                "due_on": date(today.year, month, day),
                "place": 1,
            },
        )
    told = 0
    nearest = today + timedelta(days=max(rules.remind_days, default=0))
    for duty in DisclosureDuty.objects.filter(
        published=None, dropped=False, due_on__lte=nearest
    ).select_related("organisation"):
        told += _remind(duty, rules, today)
    return told


def _remind(duty: DisclosureDuty, rules: GivingRules, today: date) -> int:
    left = (duty.due_on - today).days
    stage = "late" if left < 0 else str(min(days for days in (*rules.remind_days, 10**6) if left <= days))
    body = duty.organisation
    what = (
        duty.campaign.title
        if duty.campaign
        else duty.project.name
        if duty.project
        else f"{duty.until_on.year}年度"
    )
    word = monitoring.Word(
        "disclosure",
        f"“{what}”的{duty.get_part_display()}须在 {duty.due_on} 前公开"
        + ("，已逾期。" if left < 0 else "。"),
        f"A disclosure of {body.code} is due on {duty.due_on}" + (" and is late." if left < 0 else "."),
        f"/funds/disclosures/{duty.pk}/",
    )
    people = [user for user in users_of(body.region_code, Role.CHARITY) if user.organisation == body.code]
    if left < 0:
        people += monitoring.people(Role.COUNTY, body.region_code)
    return monitoring.tell(people, word, key=f"disclosure:{duty.pk}:{stage}")


def donation_wall(limit: int = 50) -> list[Donation]:
    """The latest gifts whose donors agreed to be named, for the public page (第八十二条)."""
    return list(
        Donation.objects.filter(show_name=True, anonymous=False)
        .exclude(entry__reversed_by__kind=FundEntry.Kind.REVERSAL)
        .select_related("organisation", "fund")[:limit]
    )
