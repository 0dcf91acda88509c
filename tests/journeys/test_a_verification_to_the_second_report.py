"""A verification through the browser: request, missing authorisation, failed source, late reply, explanation, objection."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import account, system_user
from tests.cast import assemble
from tests.contexts.verification.sources import connect, department
from tests.small_county import LI_LI, ZHANG_WEI, write_csv

SCAN = b"%PDF-1.4 signed and thumbprinted "


@pytest.fixture
def staffed(county) -> None:
    assemble()


def reply_file(folder: Path, source: str, rows: list[dict[str, str]]) -> Path:
    spec = chain.rules()[0].feeds[chain.verification_rules().sources[source].feed]
    body = [[row.get(column.name, "") for column in spec.columns] for row in rows]
    return write_csv(folder / f"{source}.csv", [column.label for column in spec.columns], body)


def do(desk, number: str, step: str) -> str:
    desk.press(f"form[action='/verification/{number}/do/{step}/'] button")
    return desk.page.inner_text("#messages")


def authorise(desk, number: str, name: str, folder: Path) -> None:
    paper = folder / f"{name}.pdf"
    paper.write_bytes(SCAN + name.encode())
    desk.page.select_option("#au-person", label=name)
    desk.page.set_input_files("#au-file", str(paper))
    assert "授权书已登记" in do(desk, number, "authorise")


def send_reply(desk, source: str, path: Path) -> str:
    desk.open("/verification/sources/")
    form = f"form[action='/verification/sources/{source}/reply/']"
    desk.page.click(f"details:has({form}) summary")
    desk.page.set_input_files(f"{form} input[type=file]", str(path))
    desk.page.fill(f"{form} input[type=date]", f"{timezone.localdate():%Y-%m-%d}")
    desk.press(f"{form} button")
    return desk.page.inner_text("#messages")


def test_a_request_walks_over_every_stone_to_its_second_report(staffed, sit_down, tmp_path: Path) -> None:
    car = {"name": "李丽", "id_number": LI_LI, "plate": "虚A0001", "vehicle_type": "小型", "use": "非营运",
           "registered_on": "2023-05-01", "status": "正常"}  # fmt: skip

    # the window asks for 张家, who declare wages and no car
    window = sit_down("township")
    window.open("/households/H001/")
    window.press("a[href='/verification/new/H001/']")
    window.page.fill("input[id$='_工资']", "12000")
    window.page.fill("#id_as_of", "2024-11-15")
    window.page.fill("#id_requested_by", "花果园街道")
    window.press("main form button")
    number = re.search(r"HD\d{8}-\d{4}", window.page.url).group()

    # only the husband has signed: the verifier's queries go out for him alone
    authorise(window, number, "张伟", tmp_path)
    verifier = sit_down("verifier")
    verifier.open(f"/verification/{number}/")
    said = do(verifier, number, "query")
    sources = chain.verification_rules().sources
    assert f"发出查询 {len(sources)} 项；未授权、不发出 {len(sources)} 项" in said
    assert "未授权" in verifier.text()

    # the wife signs: the rest goes out
    window.open(f"/verification/{number}/")
    authorise(window, number, "李丽", tmp_path)
    verifier.open(f"/verification/{number}/")
    assert f"发出查询 {len(sources)} 项；未授权、不发出 0 项" in do(verifier, number, "query")

    # a list in the department's layout goes out by hand
    verifier.open("/verification/sources/")
    with verifier.page.expect_download() as download:
        verifier.page.click("form[action='/verification/sources/vehicle/list/'] button")
    assert download.value.suggested_filename.startswith("CX")

    # social insurance answers over its interface, in the department's own server; the bank's does not listen
    with department({"social_insurance": {}}) as (_peer, address):
        connect(
            social_insurance={"way": "http", "address": address},
            deposit={"way": "http", "address": "http://127.0.0.1:9/", "tries": "1", "seconds": "2"},
        )
        verifier.open("/verification/sources/")
        verifier.press("form[action='/verification/sources/social_insurance/ask/'] button")
        assert "询问 2 项：查得 0，查无 2" in verifier.page.inner_text("#messages")
        verifier.press("form[action='/verification/sources/deposit/ask/'] button")
        assert "失败 2" in verifier.page.inner_text("#messages")

    # one source is late, the others answer
    for source in sources:
        if source not in ("deposit", "pension", "social_insurance", "tax_income", "vehicle"):
            chain.take_reply(
                source, reply_file(tmp_path, source, []), as_of=timezone.localdate(), by=account("verifier")
            )
    wages = [
        {"name": "张伟", "id_number": ZHANG_WEI, "kind": "工资薪金", "amount": "12450", "month": "2024-10"}
    ]
    assert "查得 1，查无 1" in send_reply(verifier, "tax_income", reply_file(tmp_path, "tax_income", wages))
    assert "查得 1，查无 1" in send_reply(verifier, "vehicle", reply_file(tmp_path, "vehicle", [car]))
    verifier.open(f"/verification/{number}/")
    assert "连不上" in verifier.text()
    do(verifier, number, "close")

    # the undeclared car is put to the family
    assert "已请申请人说明 1 项" in do(verifier, number, "explain")
    window.open(f"/verification/{number}/")
    window.page.fill(f"form[action='/verification/{number}/do/answer/'] textarea", "车已卖给邻居，没有过户")
    do(window, number, "answer")
    verifier.open(f"/verification/{number}/")
    verifier.press(f"form[action='/verification/{number}/do/judge/'] button[value=no]")
    do(verifier, number, "report")
    verifier.press("#h-reports + ul a")
    first = verifier.text()
    assert "不符合" in first
    assert "有机动车1辆" in first
    assert "失败" in first
    assert "部分结果" in first

    # the family objects; the register of vehicles and the bank are asked again, the late source answers
    window.open(f"/verification/{number}/")
    window.page.check("input[name=sources][value=vehicle]")
    window.page.fill("#ob-g", "车辆上周已经过户，请重查")
    do(window, number, "object")
    verifier.open(f"/verification/{number}/")
    do(verifier, number, "review")
    verifier.page.check("input[name=again][value=vehicle]")
    verifier.page.check("input[name=again][value=deposit]")
    do(verifier, number, "query")
    send_reply(verifier, "vehicle", reply_file(tmp_path, "vehicle", [{**car, "status": "注销"}]))
    send_reply(verifier, "deposit", reply_file(tmp_path, "deposit", []))
    send_reply(verifier, "pension", reply_file(tmp_path, "pension", []))
    verifier.open(f"/verification/{number}/")
    do(verifier, number, "report")
    verifier.press("#h-reports + ul li:last-child a")
    second = verifier.text()
    assert "与前一报告的不同" in second
    assert "意见：符合" in second
    report = re.search(r"BG\d{8}-\d{4}", verifier.page.url).group()
    with verifier.page.expect_download() as download:
        verifier.page.click(f"a[href='/verification/reports/{report}/pdf/']")
    assert Path(download.value.path()).read_bytes().startswith(b"%PDF-")
    assert chain.check_report(report, by=system_user()).equal
    verifier.press("main dd a[href*='/verification/reports/']")
    assert "请以后者为准" in verifier.text()
    assert verifier.troubles == window.troubles == []
