"""Verification by program: marks and rows as the caller may see them, supporters stated by the API and the command line."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from doudi import chain
from doudi.cli.verify import app
from doudi.contexts.verification.models import SupportStatement
from tests.cast import Cast
from tests.contexts.verification.desk import feed_file
from tests.small_county import LI_LI, ZHANG_WEI

CN = Path(__file__).resolve().parents[2] / "packs" / "cn"
DAUGHTER = {
    "name": "张小红", "relation": "女", "supported": [1, 2], "category": "其他", "persons": 3, "income": 480000, "parents": 2,
}  # fmt: skip


@pytest.fixture
def number(county: Cast) -> str:
    opened = chain.verify_household(
        "H001", declared={}, kind="new", purpose="dibao", as_of=date(2024, 11, 15), requested_by="窗口", by=county.township
    )  # fmt: skip
    return opened.number


def test_supporters_are_stated_by_program_once(county: Cast, desk: Any, number: str, settings) -> None:
    path = f"/verification/requests/{number}/support"
    refused = desk(county.township).post(path, {"obligors": [DAUGHTER]})
    assert (
        refused.status_code == 422 and "赡养" in refused.content.decode()
    )  # the reference pack declares none

    settings.PACK = CN
    for _again in range(2):
        assert desk(county.township).post(path, {"obligors": [DAUGHTER]}).status_code == 200
    assert SupportStatement.objects.count() == 1
    assert "张小红" in SupportStatement.objects.get().lines
    assert desk(county.verifier).post(path, {"obligors": []}).status_code == 403
    assert desk(county.stranger).post(path, {"obligors": []}).status_code in (403, 404)
    short = desk(county.township).post(path, {"obligors": [{**DAUGHTER, "persons": 0}]})
    assert short.status_code == 422 and "张小红" in short.content.decode()


def test_supporters_are_stated_at_the_command_line(
    county: Cast, number: str, settings, tmp_path: Path, monkeypatch
) -> None:
    settings.PACK = CN
    monkeypatch.setattr("doudi.cli.verify.open_office", lambda **_more: None)
    table = tmp_path / "赡养人.csv"
    headers = "姓名,与被赡养人关系,赡养成员次序,判决协议,实际支付,义务人类别,家庭人口,家庭月收入,赡养老人数"
    table.write_text(
        f"{headers}\n张小红,女,1;2,,,其他,3,4800.00,2\n张小明,子,1,250,,,,,\n", encoding="utf-8-sig"
    )

    def run(*arguments: str):
        return CliRunner().invoke(app, ["support", number, "--as", county.township.username, *arguments])

    done = run("--file", str(table), "--json")
    assert done.exit_code == 0, done.output
    kept = json.loads(SupportStatement.objects.get().lines)
    assert [(one["name"], one["supported"], one["judged"], one["income"]) for one in kept] == [
        ("张小红", [1, 2], None, 480000), ("张小明", [1], 25000, 0),
    ]  # fmt: skip
    table.write_text(f"{headers}\n张小红,女,1,好多,,其他,3,,2\n", encoding="utf-8-sig")
    assert "第 2 行" in str(run("--file", str(table)).exception)
    assert run().exit_code == 2
    assert run("--none").exit_code == 0
    assert json.loads(SupportStatement.objects.latest("pk").lines) == []


def test_marks_and_rows_are_told_as_the_caller_may_see_them(
    county: Cast, desk: Any, number: str, tmp_path: Path
) -> None:
    signed = {
        "signed_on": date.today().isoformat(),
        "way": "paper",
        "evidence": "JVBERi0xLjQ=",
        "evidence_name": "a.pdf",
    }
    for position, name in ((1, "张伟"), (2, "李丽")):
        told = desk(county.township).post(
            f"/verification/requests/{number}/authorisations",
            {**signed, "position": position, "signer": name},
        )
        assert told.status_code == 200, told.content
    assert desk(county.verifier).post(f"/verification/requests/{number}/queries").status_code == 200
    saved = [
        {
            "name": "张伟",
            "id_number": ZHANG_WEI,
            "institution": "甲银行",
            "balance": "9000",
            "balance_on": "2024-11-01",
        }
    ]
    pack = chain.rules()[0]
    chain.take_reply(
        "deposit", feed_file(pack, tmp_path, "deposit", saved), as_of=date(2024, 11, 10), by=county.verifier
    )

    def rows(by):
        [entry] = desk(by).get(f"/verification/requests/{number}/rows").json()
        return entry["rows"][0]["name"], entry["rows"][0]["cells"]

    assert rows(county.verifier) == ("张伟", ["甲银行", "9000.00", "2024-11-01"])
    assert rows(county.auditor) == ("张*", ["＊＊＊", "有", "2024-11-01"])
    assert LI_LI not in desk(county.verifier).get(f"/verification/requests/{number}/rows").content.decode()
    assert desk(county.stranger).get(f"/verification/requests/{number}/rows").status_code == 404
    elements = {one["column"]: one for one in desk(county.auditor).get("/verification/elements").json()}
    assert elements["deposit.balance"]["days"] == 90 and elements["deposit.balance"]["left"] == "合计"
    assert elements["deposit.balance"]["roles"] == ["county", "verifier"]
