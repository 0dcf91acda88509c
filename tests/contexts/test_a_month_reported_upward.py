"""Entered once: a month in the layout of a system above, its return file, and what is worked off until nothing is open."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from doudi import chain
from doudi.contexts.accounts.models import AuditEntry
from doudi.contexts.accounts.services import NotAllowed
from doudi.contexts.assistance import services as assistance
from doudi.contexts.assistance import upward
from doudi.contexts.assistance.errors import StepRefused
from doudi.contexts.assistance.upward_models import UpwardBatch, UpwardRow
from doudi.contexts.registry.models import Household, Membership
from doudi.engine.errors import DoudiError
from doudi.engine.feeds.containers import open_file
from doudi.engine.packs.upward import load_upward
from tests import small_county as sc
from tests.payday import COUNTY, NOV, PayOffice, open_office

MONTH = {"code": "pay", "region_code": COUNTY, "month": NOV}


@pytest.fixture
def pay(county: Path) -> PayOffice:
    from tests.cast import assemble

    made = open_office(assemble())
    for number in ("H001", "H002", "H003"):
        made.decide(number)
    made.frozen()
    return made


def made(pay: PayOffice) -> UpwardBatch:
    return chain.make_upward(**MONTH, by=pay.cast.county)


def standing(pay: PayOffice) -> upward.UpwardStanding:
    return chain.upward_standing(**MONTH, by=pay.cast.auditor)


def answered(folder: Path, rows: list[tuple[str, str, str]], name: str = "回执.csv") -> Path:
    out = io.StringIO()
    csv.writer(out).writerows([("业务编号", "校验结果", "失败原因"), *rows])
    path = folder / name
    path.write_bytes(out.getvalue().encode("gb18030"))
    return path


def keys(batch: UpwardBatch) -> list[str]:
    return list(batch.rows.exclude(serial=0).values_list("key", flat=True))


def take(pay: PayOffice, batch: UpwardBatch, path: Path) -> Any:
    return chain.take_upward_return(batch.number, path, file_name=path.name, by=pay.cast.county)


def test_a_month_goes_out_in_the_layout_and_what_came_back_ties_out(pay: PayOffice, tmp_path: Path) -> None:
    batch = made(pay)
    content, name = chain.upward_file(batch.number, by=pay.cast.county)
    (tmp_path / name).write_bytes(content)
    table = next(iter(open_file(tmp_path / name).tables))
    header, first = [list(row) for row in table.top[:2]]

    assert header[:4] == ["业务编号", "行政区划代码", "救助类型", "户编号"]
    line = dict(zip(header, map(str, first), strict=True))
    assert line["救助类型"] == "01" and line["发放月份"] == "202411" and line["发放类别"] == "1"
    assert line["户主身份证号"] in (sc.ZHANG_WEI, sc.WANG_QIANG, sc.ZHAO_GUO)
    assert batch.count == 3 and standing(pay).whole and not standing(pay).settled
    assert chain.upward_file(batch.number, by=pay.cast.county)[0] == content
    assert AuditEntry.objects.filter(act="take_upward_file").count() == 2
    assert f"upward:{batch.number}" in assistance.traces_of(["H002"], []), "the family may ask who took it"

    one, two, three = keys(batch)
    returned = take(
        pay,
        batch,
        answered(tmp_path, [(one, "通过", ""), (two, "不通过", "身份证号校验失败"), (three, "1", "")]),
    )
    figures = upward.upward_figures(batch)

    assert (returned.accepted_count, returned.rejected_count) == (2, 1)
    assert (figures["accepted"][0], figures["rejected"][0], figures["sent"][0]) == (2, 1, 0)
    assert sum(fen for _n, fen in figures.values()) == batch.total_fen
    rejected = upward.upward_rows(batch, by=pay.cast.county, state="rejected").get()
    assert (rejected.key, rejected.reason) == (two, "身份证号校验失败")


def test_the_same_return_again_changes_nothing_and_a_wrong_one_is_refused_whole(
    pay: PayOffice, tmp_path: Path
) -> None:
    batch = made(pay)
    one, two, _three = keys(batch)
    path = answered(tmp_path, [(one, "通过", "")])
    first = take(pay, batch, path)

    assert take(pay, batch, path).pk == first.pk
    assert batch.returns.count() == 1 and batch.rows.get(key=one).answers.count() == 1
    for wrong, said in (
        ([(two, "通过", ""), ("别处-1", "通过", "")], "不在这次上报里"),
        ([(two, "通过", ""), (two, "不通过", "x")], "重复"),
        ([(two, "", "")], "没有结果"),
        ([(two, "通过", ""), (one, "不通过", "改口")], "相反"),
        ([], "没有一行结果"),
    ):
        with pytest.raises(StepRefused) as refused:
            take(pay, batch, answered(tmp_path, wrong, "错.csv"))
        assert said in refused.value.zh
    assert batch.rows.get(key=two).state == "sent", "nothing of a refused file was taken"


def test_a_rejected_row_is_mended_where_it_is_kept_and_goes_out_again(pay: PayOffice, tmp_path: Path) -> None:
    first = made(pay)
    one, two, three = keys(first)
    take(
        pay, first, answered(tmp_path, [(one, "通过", ""), (two, "不通过", "姓名不符"), (three, "通过", "")])
    )
    with pytest.raises(StepRefused):
        upward.settle_upward(first.number, one, state="dropped", reason="不再上报", by=pay.cast.county)

    second = made(pay)

    assert keys(second) == [two] and second.number != first.number
    assert first.rows.get(key=two).state == "resent"
    with pytest.raises(StepRefused, match="reported"):
        made(pay)
    take(pay, second, answered(tmp_path, [(two, "通过", "")], "第二次.csv"))
    assert standing(pay).settled
    upward.settle_upward(second.number, two, state="rejected", reason="上级复核又退回", by=pay.cast.county)
    third = upward.settle_upward(
        second.number, two, state="dropped", reason="该户已迁出，上级不收", by=pay.cast.county
    )
    assert third.state == "dropped" and standing(pay).settled
    assert [a.state for a in third.answers.all()] == ["accepted", "rejected", "dropped"]


def test_a_row_that_lacks_something_holds_up_no_other(pay: PayOffice, tmp_path: Path) -> None:
    home = Household.objects.get(household_no="H002")
    Membership.objects.filter(household=home, relation="户主").update(relation="其他")
    batch = made(pay)
    held = upward.upward_rows(batch, by=pay.cast.county, state="held").get()

    assert (batch.count, batch.held_count) == (2, 1)
    assert held.household_no == "H002" and "户主身份证号" in held.reason
    assert standing(pay).whole
    with pytest.raises(StepRefused) as refused:
        made(pay)
    assert "H002" in refused.value.zh and refused.value.code == "upward_lacking"
    Membership.objects.filter(household=home, relation="其他").update(relation="户主")
    assert [row.household_no for row in made(pay).rows.all()] == ["H002"]


def test_a_row_not_in_the_source_any_more_is_told(pay: PayOffice) -> None:
    batch = made(pay)
    assert standing(pay).whole
    row = batch.rows.first()
    UpwardRow.objects.filter(pk=row.pk).update(key="ghost")
    found = standing(pay)
    assert found.strays == ("ghost",) and not found.whole and found.states[""][0] == 1


def test_decisions_go_out_too_and_silence_is_acceptance_where_the_layout_says_so(
    pay: PayOffice, tmp_path: Path
) -> None:
    from django.utils import timezone

    from tests.applying import applied

    found = applied(pay.cast.township, kind="JN", name="王强", id_number=sc.WANG_QIANG, household_no="H002")
    chain.aid_first(found.number, amount_fen=50000, ground="火灾，当晚无处住", by=pay.cast.county)
    month = timezone.localdate().replace(day=1)
    batch = chain.make_upward(code="decided", region_code=COUNTY, month=month, by=pay.cast.county)
    content, name = chain.upward_file(batch.number, by=pay.cast.county)
    text = content.decode("gb18030")

    assert name.endswith(".csv") and "linshi" in text and "50000" in text and "县级民政部门" in text
    path = tmp_path / "x.csv"
    path.write_text("业务流水号,状态,说明\r\n,,\r\n", encoding="utf-8")
    with pytest.raises(DoudiError):
        take(pay, batch, path)
    (key,) = keys(batch)
    path.write_text(f"业务流水号,状态,说明\r\n{key},失败,区划不存在\r\n", encoding="utf-8")
    assert take(pay, batch, path).rejected_count == 1


def test_who_may_and_who_sees(pay: PayOffice) -> None:
    with pytest.raises(NotAllowed):
        chain.make_upward(**MONTH, by=pay.cast.township)
    with pytest.raises(NotAllowed):
        chain.make_upward(**MONTH, by=pay.cast.stranger)
    batch = made(pay)
    with pytest.raises(upward.UpwardNotFound):
        upward.upward_of(batch.number, by=pay.cast.stranger)
    with pytest.raises(NotAllowed):
        chain.upward_file(batch.number, by=pay.cast.auditor)
    assert not any(
        sc.WANG_QIANG in str(row.__dict__) for row in upward.upward_rows(batch, by=pay.cast.auditor)
    )


def test_every_shipped_pack_has_layouts_marked_as_assumed_and_wrong_ones_are_refused(tmp_path: Path) -> None:
    packs = Path(settings.PROJECT) / "packs"
    for name in ("cn", "reference"):
        assert set(load_upward(packs / name).packs) == {"pay", "decided"}
    text = (packs / "reference" / "upward.yaml").read_text("utf-8")
    (tmp_path / "pack.yaml").write_text((packs / "reference" / "pack.yaml").read_text("utf-8"), "utf-8")
    for old, new in (
        ("取: 户编号", "取: 银行卡"),
        ("格式: xlsx", "格式: pdf"),
        ("{名: 业务编号, 取: 业务编号}", "{名: 业务编号, 固定: x}"),
        ("写法: YYYYMM}", "写法: 年月}"),
        ("未列的: 接受", "未列的: 随便"),
        ("回执: {业务编号", "回执: {编号"),
    ):
        (tmp_path / "upward.yaml").write_text(text.replace(old, new), "utf-8")
        with pytest.raises(DoudiError) as refused:
            load_upward(tmp_path)
        assert refused.value.code == "upward_invalid"
    assert date(2024, 11, 1) == NOV
