"""Two old parents, a daughter who lives apart: what she owes by judgment, by what she pays, else by the pack's formula.

Worked case 7 of handbook 01: 3 persons, 1,600 a head, k = 2, r = 0.5, two parents → 300 for each.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from doudi.contexts.accounts.services import audit_entries
from doudi.contexts.verification import services as verification
from doudi.contexts.verification.models import SupportStatement
from doudi.contexts.verification.services import StepRefused
from doudi.engine.packs import load_pack
from doudi.engine.verification import Obligor, load_rules
from tests.contexts.verification.desk import answer_all, started

DAUGHTER = Obligor("张小红", "女", (1, 2), category="其他", persons=3, income=4800_00, parents=2)
COUNTY_PACK = """名称: county
版本: "1.0"
说明: 测试用县的数，虚构
上级: cn
地区: "520102"
虚构: 是
文件:
  测试用文件: {全称: 虚构的县文件}
"""
COUNTY_VALUES = """参数:
  低保标准:
    值:
      - {城乡: 城镇, 自: 2024-01-01, 为: 600元, 文件: 测试用文件}
  赡养费计入档:
    值:
      - {自: 2024-01-01, 为: 1档, 文件: 测试用文件}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The national rules, and over them a fictitious county's figures."""
    packs = tmp_path_factory.mktemp("packs")
    shutil.copytree(Path(__file__).resolve().parents[3] / "packs" / "cn", packs / "cn")
    (packs / "county" / "parameters").mkdir(parents=True)
    (packs / "county" / "pack.yaml").write_text(COUNTY_PACK, encoding="utf-8")
    (packs / "county" / "parameters" / "local.yaml").write_text(COUNTY_VALUES, encoding="utf-8")
    return packs / "county"


@pytest.fixture(scope="module")
def pack(folder):
    return load_pack(folder)


@pytest.fixture(scope="module")
def rules(folder):
    return load_rules(folder)


@pytest.fixture
def asked(opened, sign, rules, verifier, clerk):
    return started(opened, sign, rules, verifier, clerk)


def state(asked, obligors, pack, rules, by, **more):
    return verification.state_support(asked.number, obligors, pack=pack, rules=rules, by=by, **more)


def owed(told) -> list[int | None]:
    return [line["amount"] for line in told["support"]["owed"]]


def preview(asked, pack, rules, verifier):
    return verification.preview(asked.number, pack=pack, rules=rules, by=verifier)


def test_by_formula_where_there_is_no_fact(asked, pack, rules, clerk, verifier, tmp_path):
    answer_all(pack, rules, tmp_path, verifier)
    before = preview(asked, pack, rules, verifier)
    assert "support" not in before

    state(asked, [DAUGHTER], pack, rules, clerk)
    told = preview(asked, pack, rules, verifier)

    assert owed(told) == [300_00, 300_00]
    assert told["support"]["counted"] == 600_00
    assert [text.partition("（")[0] for text in told["support"]["parameters"]] == [
        "低保标准=600元", "赡养线倍数=2倍", "赡养费比例=50%",
    ]  # fmt: skip
    assert told["support"]["lines"][0]["name"] == "张**"
    values = {v["name"]: v["value"] for v in told["situation"]["variables"] if v["person"] is None}
    assert values["家庭月收入"] == 600_00


@pytest.mark.parametrize(
    ("obligors", "expected"),
    [
        ([replace(DAUGHTER, judged=250_00, paid=100_00)], [250_00, 250_00]),
        ([replace(DAUGHTER, paid=100_00)], [100_00, 100_00]),
        ([replace(DAUGHTER, paid=0)], [0, 0]),
        ([Obligor("张小红", "女", (1,), judged=250_00)], [250_00, 0]),
        ([replace(DAUGHTER, category="特困")], [0, 0]),
        ([replace(DAUGHTER, category="低保")], [0, 0]),
        ([replace(DAUGHTER, category="低保边缘")], [0, 0]),
        ([replace(DAUGHTER, income=3600_00)], [0, 0]),
        # a sister in the very same circumstances owes as much again
        ([DAUGHTER, replace(DAUGHTER, name="张小兰")], [600_00, 600_00]),
        ([], [0, 0]),
    ],
    ids=["judgment", "payments", "pays nothing", "judgment alone", "TK", "DB", "BY", "at the line", "two alike", "nobody"],
)  # fmt: skip
def test_the_order_of_evidence_and_who_owes_nothing(
    obligors, expected, asked, pack, rules, clerk, verifier, tmp_path
):
    answer_all(pack, rules, tmp_path, verifier)
    state(asked, obligors, pack, rules, clerk)

    assert owed(preview(asked, pack, rules, verifier)) == expected


def test_it_is_shown_while_every_source_is_out(asked, pack, rules, clerk, verifier):
    state(asked, [DAUGHTER], pack, rules, clerk)

    told = preview(asked, pack, rules, verifier)

    assert owed(told) == [300_00, 300_00]
    assert told["situation"]["category"] == "UNKNOWN"


def test_a_report_stands_on_the_statement_of_then(asked, pack, rules, clerk, verifier, tmp_path):
    state(asked, [DAUGHTER], pack, rules, clerk)
    answer_all(pack, rules, tmp_path, verifier)
    first = verification.issue_report(asked.number, pack=pack, rules=rules, by=verifier)
    assert owed(json.loads(first.content)["computed"]) == [300_00, 300_00]
    with pytest.raises(StepRefused, match="异议"):
        state(asked, [], pack, rules, clerk)

    verification.object_to(first.number, sources=["deposit"], ground="女儿已失业", rules=rules, by=clerk)
    state(asked, [replace(DAUGHTER, income=3600_00)], pack, rules, clerk)
    verification.begin_review(asked.number, by=verifier)
    second = verification.issue_report(asked.number, pack=pack, rules=rules, by=verifier)

    content = json.loads(second.content)
    assert owed(content["computed"]) == [0, 0]
    assert {"what": "应付赡养费", "before": "600.00元／月", "now": "0.00元／月"} in content["recorded"][
        "changed_since"
    ]
    for report in (first, second):
        assert verification.check_report(report, pack=pack, rules=rules).equal


def test_a_statement_is_written_once_and_never_over(asked, pack, rules, clerk, make_user):
    one = state(asked, [DAUGHTER], pack, rules, clerk)
    assert state(asked, [DAUGHTER], pack, rules, clerk) == one
    other = state(asked, [replace(DAUGHTER, paid=100_00)], pack, rules, clerk)

    assert [s.pk for s in SupportStatement.objects.all()] == [one.pk, other.pk]
    assert verification.obligors_of(verification.latest_statement(asked)) == [replace(DAUGHTER, paid=100_00)]
    assert [
        e.act for e in audit_entries(by=make_user("reader", "auditor", "520102")) if e.act == "state_support"
    ] == ["state_support"] * 2


@pytest.mark.parametrize("role", ["verifier", "director", "auditor", "admin"])
def test_only_who_collects_states_it(role, asked, pack, rules, make_user):
    with pytest.raises(Exception, match="无权"):
        state(asked, [DAUGHTER], pack, rules, make_user(f"some_{role}", role, "520102"))
    assert not SupportStatement.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "}, {"supported": ()}, {"supported": (9,)}, {"category": ""}, {"category": "富裕"}, {"persons": 0},
        {"parents": 0}, {"parents": 9}, {"parents": 1}, {"income": -1}, {"judged": -1},
    ],
)  # fmt: skip
def test_a_line_that_is_not_whole_is_refused(wrong, asked, pack, rules, clerk):
    with pytest.raises(StepRefused, match="第 1 名赡养人"):
        state(asked, [replace(DAUGHTER, **wrong)], pack, rules, clerk)
    assert not SupportStatement.objects.exists()
