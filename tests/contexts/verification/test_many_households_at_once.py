"""A workbook of households, and a re-check of everyone on a programme that passes only the changed ones to people."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone
from python_calamine import CalamineWorkbook

from doudi import chain
from doudi.chain import batches
from doudi.contexts.accounts.services import NotAllowed
from doudi.contexts.verification import services as verification
from doudi.contexts.verification.models import RequestBatch, VerificationRequest
from doudi.contexts.verification.services import StepRefused
from doudi.engine.verification import State
from tests.cast import assemble
from tests.contexts.verification.desk import feed_file
from tests.small_county import LI_LI, WANG_QIANG, ZHANG_WEI, ZHAO_GUO, ZHAO_MIN, write_csv

AS_OF = date(2024, 11, 15)


@pytest.fixture
def cast(county):
    return assemble()


def sheet(folder: Path, *rows: list[str]) -> Path:
    header = ["户编号", "用途", "委托种类", "核对基准日", "身份证号", "工资", "存款", "车辆", "房产"]
    return write_csv(folder / "批量.csv", header, [row + [""] * (len(header) - len(row)) for row in rows])


def written(content: bytes, folder: Path) -> list[list[object]]:
    (folder / "marked.xlsx").write_bytes(content)
    return CalamineWorkbook.from_path(folder / "marked.xlsx").get_sheet_by_index(0).to_python()


def sign_all(cast, purpose: str = "dibao") -> None:
    """Everybody of 张家 and 赵家 signs."""
    for name, number, who in (
        ("张伟", ZHANG_WEI, cast.township), ("李丽", LI_LI, cast.township),
        ("赵敏", ZHAO_MIN, cast.other_township), ("赵国", ZHAO_GUO, cast.other_township),
    ):  # fmt: skip
        chain.authorise_verification(
            name=name, id_number=number, region_code=who.region_code, purposes=[purpose],
            sources=list(chain.verification_rules().sources), signed_on=timezone.localdate(), way="paper", signer=name,
            evidence=b"%PDF-1.4 " + name.encode(), evidence_name="a.pdf", by=who,
        )  # fmt: skip


def answer(cast, folder: Path, pack, rules, **rows) -> None:
    for source in rules.sources:
        chain.take_reply(
            source, feed_file(pack, folder, source, rows.get(source, [])), as_of=AS_OF, by=cast.verifier
        )


def test_a_workbook_opens_a_request_for_each_household_and_comes_back_marked(cast, tmp_path):
    path = sheet(
        tmp_path,
        ["H001", "最低生活保障", "新申请", "2024-11-15", ZHANG_WEI, "12000", "500.50"],
        ["H001", "", "", "", LI_LI, "", "", "1"],
        ["H002", "rigid"],
        ["H003", "dibao"],
        ["H002x", "dibao"],
        ["H001b", "没有的用途"],
    )
    made = chain.request_batch(path, file_name="批量.csv", requested_by="街道", by=cast.township)
    assert (made.opened, made.refused) == (2, 3)
    ours = VerificationRequest.objects.get(household_no="H001")
    assert (ours.state, ours.batch, ours.as_of) == (State.ACCEPTED, made, AS_OF)
    declared = {p.name: {d.item: d.amount for d in p.declared.all()} for p in ours.people.all()}
    assert declared == {"张伟": {"工资": 12000_00, "存款": 500_50}, "李丽": {"车辆": 1}}
    lines = written(verification.marked_of(made.number, by=cast.township), tmp_path)
    assert lines[0][-1] == "办理结果"
    assert lines[1][-1] == lines[2][-1] == f"已受理 {ours.number}"
    assert lines[1][4] == ZHANG_WEI  # an ID stays text
    assert "不在您的辖区" in lines[4][-1]  # another township's household
    assert "没有这种用途" in lines[6][-1]

    # the same workbook again opens nothing twice
    again = chain.request_batch(path, file_name="批量.csv", requested_by="街道", by=cast.township)
    assert again.opened == 0
    assert "已有同一用途" in written(verification.marked_of(again.number, by=cast.township), tmp_path)[1][-1]
    with pytest.raises(StepRefused):
        verification.batch_of(made.number, by=cast.stranger)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (["H001", "dibao", "", "2024-13-40"], "日期读不懂"),
        (["H001", "dibao", "", "", ZHANG_WEI, "很多"], "工资的金额读不懂"),
        (["H001", "dibao", "", "", "110105194912310021", "12000"], "身份证号却不对"),
        (["H001", "dibao", "", "", WANG_QIANG, "12000"], "不是户 H001 的成员"),
        (["H001", "dibao", "", "", ZHANG_WEI, "", "", "两辆"], "件数"),
        (["H001", ""], "没有填用途"),
    ],
)
def test_a_wrong_row_is_said_and_opens_nothing(row, said, cast, tmp_path):
    made = chain.request_batch(sheet(tmp_path, row), file_name="a.csv", requested_by="街道", by=cast.township)
    assert made.opened == 0
    assert said in written(verification.marked_of(made.number, by=cast.township), tmp_path)[1][-1]


def test_a_file_of_something_else_is_refused_and_leaves_nothing(cast, tmp_path):
    for path in (
        write_csv(tmp_path / "x.csv", ["姓名"], [["张伟"]]),
        write_csv(tmp_path / "y.csv", ["户编号"], [["H001"]]),
    ):
        with pytest.raises(StepRefused, match="表头"):
            chain.request_batch(path, file_name="x.csv", requested_by="街道", by=cast.township)
    assert not RequestBatch.objects.exists()
    with pytest.raises(NotAllowed):
        chain.request_batch(
            sheet(tmp_path, ["H001", "dibao"]), file_name="a", requested_by="x", by=cast.verifier
        )


def test_a_recheck_files_the_unchanged_and_leaves_the_changed_to_people(cast, tmp_path, pack, rules):
    sign_all(cast)
    # last year's reports of both households on dibao
    for number in ("H001", "H003"):
        opened = chain.verify_household(
            number, declared={}, kind="new", purpose="dibao", as_of=AS_OF, requested_by="县", by=cast.county
        )
        chain.query_sources(opened.number, by=cast.verifier)
    answer(cast, tmp_path, pack, rules)
    for request in VerificationRequest.objects.all():
        chain.issue_report(request.number, by=cast.verifier)

    batch = chain.begin_recheck("dibao", as_of=AS_OF, requested_by="县民政局", by=cast.county)
    assert (batch.opened, batch.refused) == (2, 0)  # 王家 is on no programme
    assert chain.begin_recheck("dibao", as_of=AS_OF, requested_by="县民政局", by=cast.county).opened == 0
    asked = chain.ask_batch(batch.number, by=cast.verifier)
    assert asked == {"asked": 4 * len(rules.sources), "unauthorised": 0}
    car = {"name": "李丽", "id_number": LI_LI, "plate": "虚A0001", "vehicle_type": "小型", "use": "非营运",
           "registered_on": "2023-05-01", "status": "正常"}  # fmt: skip
    answer(cast, tmp_path, pack, rules, vehicle=[car])
    assert chain.sift_batch(batch.number, by=cast.verifier) == {
        "unchanged": 1,
        "changed": 1,
        "first": 0,
        "incomplete": 0,
    }
    assert chain.sift_batch(batch.number, by=cast.verifier) == dict.fromkeys(
        ("unchanged", "changed", "first", "incomplete"), 0
    )

    same, other = (
        VerificationRequest.objects.get(batch=batch, household_no=number) for number in ("H003", "H001")
    )
    assert (same.state, same.sifted) == (State.ARCHIVED, "unchanged")
    assert (other.state, other.sifted) == (State.COMPARING, "changed")
    assert "车辆" in other.events.get(kind="sift").text
    assert [r.household_no for r in verification.requests_in(batch, by=cast.verifier, show="people")] == [
        "H001"
    ]
    # the changed one goes the way of all requests
    report = chain.issue_report(other.number, by=cast.verifier)
    assert json.loads(report.content)["computed"]["advice"]["advice"] == "不符合"


def test_a_recheck_without_authorisation_asks_nobody_and_files_nobody(cast, tmp_path, pack, rules):
    batch = chain.begin_recheck("dibao", as_of=AS_OF, requested_by="县民政局", by=cast.county)
    assert chain.ask_batch(batch.number, by=cast.verifier)["asked"] == 0
    assert chain.sift_batch(batch.number, by=cast.verifier)["incomplete"] == batch.opened == 2
    assert not VerificationRequest.objects.filter(state=State.ARCHIVED).exists()
    with pytest.raises(NotAllowed):
        chain.ask_batch(batch.number, by=cast.county)
    with pytest.raises(NotAllowed):
        chain.begin_recheck("dibao", as_of=AS_OF, requested_by="x", by=cast.verifier)


def test_a_first_recheck_is_for_people(cast, tmp_path, pack, rules):
    sign_all(cast)
    batch = chain.begin_recheck("dibao", as_of=AS_OF, requested_by="县民政局", by=cast.county)
    chain.ask_batch(batch.number, by=cast.verifier)
    answer(cast, tmp_path, pack, rules)
    assert chain.sift_batch(batch.number, by=cast.verifier)["first"] == 2


def test_the_pages(cast, tmp_path):
    desk = {}
    for who in (cast.township, cast.verifier, cast.auditor):
        desk[who] = Client()
        desk[who].force_login(who, backend="django.contrib.auth.backends.ModelBackend")
    window = desk[cast.township]
    assert window.get("/verification/batches/template.xlsx").status_code == 200
    with sheet(tmp_path, ["H001", "dibao"], ["H009", "dibao"]).open("rb") as file:
        page = window.post(
            "/verification/batches/upload/", {"file": file, "requested_by": "街道"}, follow=True
        )
    assert "受理 1 户，未受理 1 户" in page.content.decode()
    number = RequestBatch.objects.get().number
    assert window.get(f"/verification/batches/{number}/marked.xlsx").status_code == 200
    page = desk[cast.verifier].post(f"/verification/batches/{number}/ask/", follow=True)
    assert "未授权" in page.content.decode()
    reader = desk[cast.auditor].get(f"/verification/batches/{number}/?show=all")
    assert "批量查询并比对" not in reader.content.decode()
    assert desk[cast.auditor].post(f"/verification/batches/{number}/ask/").status_code == 403
    refused = window.post(
        "/verification/batches/recheck/", {"purpose": "dibao", "as_of": "去年", "requested_by": "街道"}
    )
    assert refused.status_code == 422


def broken_off_after(monkeypatch, households: int) -> None:
    """The process is killed when so many households have their request."""
    real, opened = batches.verifying.verify_household, []

    def killed(*told, **more):
        if len(opened) == households:
            raise KeyboardInterrupt
        opened.append(told)
        return real(*told, **more)

    monkeypatch.setattr(batches.verifying, "verify_household", killed)


def test_a_recheck_that_broke_off_goes_on_as_the_same_batch(cast, monkeypatch):
    with monkeypatch.context() as patch:
        broken_off_after(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            chain.begin_recheck("dibao", as_of=AS_OF, requested_by="县民政局", by=cast.county)
    assert RequestBatch.objects.get().opened == 0

    batch = chain.begin_recheck("dibao", as_of=AS_OF, requested_by="县民政局", by=cast.county)

    assert batch == RequestBatch.objects.get()
    assert (batch.opened, batch.refused) == (2, 0)
    another = chain.begin_recheck("dibao", as_of=AS_OF, requested_by="县民政局", by=cast.county)
    assert another != batch, "one that was closed is not opened again"


def test_a_workbook_that_broke_off_comes_back_with_every_number(cast, tmp_path, monkeypatch):
    path = sheet(tmp_path, ["H001", "dibao"], ["H003", "dibao"], ["H002x", "dibao"])
    with monkeypatch.context() as patch:
        broken_off_after(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            chain.request_batch(path, file_name="批量.csv", requested_by="街道", by=cast.county)

    made = chain.request_batch(path, file_name="批量.csv", requested_by="街道", by=cast.county)

    assert made == RequestBatch.objects.get() and (made.opened, made.refused) == (2, 1)
    lines = written(verification.marked_of(made.number, by=cast.county), tmp_path)
    numbers = {one.household_no: one.number for one in VerificationRequest.objects.all()}
    assert [line[-1] for line in lines[1:3]] == [f"已受理 {numbers[number]}" for number in ("H001", "H003")]
