"""Every value by the mark of its data element: change a mark, and what a role sees, how it is masked and when it goes change."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from doudi.contexts.accounts.services import Role, audit_entries
from doudi.contexts.verification import services as verification
from doudi.contexts.verification.models import Erasure, Reply
from doudi.contexts.verification.services import StepRefused
from doudi.engine.errors import DoudiError
from doudi.engine.packs import load_pack
from doudi.engine.verification import HIDDEN, Elements, load_rules
from doudi.engine.verification.elements import load_elements
from tests.contexts.verification.desk import answer_all, started
from tests.small_county import LI_LI, ZHANG_WEI

PACKS = Path(__file__).resolve().parents[3] / "packs"
ROWS = {
    "deposit": [
        {"name": "张伟", "id_number": ZHANG_WEI, "institution": "甲银行", "balance": "9000.00", "balance_on": "2024-11-01"}
    ],
    "disability": [
        {"name": "李丽", "id_number": LI_LI, "kind": "精神", "grade": "2", "issued_on": "2020-01-01", "status": "有效"}
    ],
}  # fmt: skip


def marked(rules, code: str, **change):
    """The rules with one element marked otherwise."""
    told = tuple(replace(one, **change) if one.code == code else one for one in rules.elements.all)
    return replace(rules, elements=Elements(told, rules.elements.mark))


@pytest.fixture
def reported(opened, sign, rules, verifier, clerk, pack, tmp_path):
    request = started(opened, sign, rules, verifier, clerk)
    answer_all(pack, rules, tmp_path, verifier, rows=ROWS)
    return verification.issue_report(request.number, pack=pack, rules=rules, by=verifier)


def cells(reported, rules, pack, by) -> dict[str, dict[str, str]]:
    """Source → column label → cell of its one row."""
    found = verification.found_rows(reported.request.number, rules=rules, specs=pack.feeds, by=by)
    return {
        entry["source"]: dict(
            zip([label for label, _mark in entry["columns"]], entry["rows"][0]["cells"], strict=True)
        )
        for entry in found
    }


def test_a_page_says_what_each_number_counts(reported, rules, pack, verifier) -> None:
    found = verification.found_rows(reported.request.number, rules=rules, specs=pack.feeds, by=verifier)
    headings = {entry["source"]: set(entry["headings"]) for entry in found}
    money = {
        source: {
            f"{column.label}（元）"
            for column in pack.feeds[rules.sources[source].feed].columns
            if column.type == "money"
        }
        for source in headings
    }

    assert any(money.values())
    assert all(money[source] <= headings[source] for source in headings)


@pytest.mark.parametrize("pack_name", ["cn", "reference"])
def test_every_column_that_is_asked_has_one_mark_and_every_mark_is_of_something(pack_name) -> None:
    pack, rules = load_pack(PACKS / pack_name), load_rules(PACKS / pack_name)
    asked = {source.feed: pack.feeds[source.feed] for source in rules.sources.values()}
    unmarked = [
        f"{feed}.{column.name}"
        for feed, spec in asked.items()
        for column in spec.columns
        if not rules.elements.of_column(feed, column.name).code
    ]
    assert unmarked == []
    columns = {f"{feed}.{column.name}" for feed, spec in asked.items() for column in spec.columns}
    named = {name for one in rules.elements.all for name in one.columns if not name.startswith("*")}
    assert named <= columns
    values = {name for one in rules.elements.all for name in one.values}
    assert values <= {*pack.variables, *rules.items}
    assert {role for one in rules.elements.all for role in one.roles} <= {str(role) for role in Role}
    assert rules.elements.mark == "假定"  # the standard's own codes are not known here
    for one in rules.elements.all:
        if one.left == "合计":
            for name in one.columns:
                feed, column = name.split(".")
                assert asked[feed].column(column).type == "money"


def test_each_role_sees_what_the_marks_let_it(reported, rules, pack, verifier, clerk, make_user) -> None:
    auditor = make_user("auditor1", "auditor", "520102")
    assert cells(reported, rules, pack, verifier)["deposit"] == {
        "机构": "甲银行", "余额": "9000.00", "余额日期": "2024-11-01",
    }  # fmt: skip
    assert cells(reported, rules, pack, verifier)["disability"]["类别"] == "精神"
    assert cells(reported, rules, pack, auditor)["deposit"] == {
        "机构": HIDDEN, "余额": "有", "余额日期": "2024-11-01",
    }  # fmt: skip
    assert cells(reported, rules, pack, clerk)["disability"]["类别"] == HIDDEN
    entry = audit_entries(by=auditor, act="view_verification").filter(actor="auditor1").first()
    assert entry.detail["fields"] == []


def test_a_changed_mark_changes_what_a_role_sees_and_how_it_is_masked(
    reported, rules, pack, verifier, make_user
) -> None:
    auditor = make_user("auditor1", "auditor", "520102")
    open_to_all = marked(rules, "C02", roles=frozenset({"auditor"}))
    assert cells(reported, open_to_all, pack, auditor)["deposit"]["余额"] == "9000.00"
    assert cells(reported, open_to_all, pack, verifier)["deposit"]["余额"] == "有"
    assert cells(reported, marked(rules, "C02", mask="隐去"), pack, auditor)["deposit"]["余额"] == HIDDEN
    assert cells(reported, marked(rules, "C01", mask="后四位"), pack, auditor)["deposit"]["机构"] == HIDDEN

    content = json.loads(reported.content)

    def said(with_rules, by):
        shown = verification.content_shown(content, verification.sight_of(with_rules, by))
        [saved] = [d for d in shown["computed"]["differences"] if d["item"] == "存款"]
        return saved["found"], shown["masked"], shown["computed"]["situation"]["paragraph"] == HIDDEN

    assert said(rules, verifier) == (9000_00, False, False)
    # the sentences name amounts: they go with them
    assert said(rules, auditor) == (HIDDEN, True, True)
    assert said(marked(marked(rules, "C09", grade="低", roles=frozenset({"auditor"})), "Z04", roles=frozenset({"auditor"})),
                auditor)[0] == 9000_00  # fmt: skip


def test_the_papers_and_the_canonical_form_keep_to_the_marks(
    reported, rules, verifier, make_user, monkeypatch
) -> None:
    auditor = make_user("auditor1", "auditor", "520102")
    written = []
    monkeypatch.setattr(
        "doudi.contexts.verification.papers.documents.to_word",
        lambda paper: written.append(str(paper).replace(",", "")) or b"PK",
    )
    for by in (verifier, auditor):
        verification.report_paper(reported.number, form="docx", address="", rules=rules, by=by)
    assert "9000.00" in written[0] and "张伟" in written[0]
    assert "9000.00" not in written[1] and "张伟" not in written[1]
    assert verification.export_report(reported.number, rules=rules, by=verifier) == reported.content.encode()
    with pytest.raises(StepRefused, match="数据元"):
        verification.export_report(reported.number, rules=rules, by=auditor)


def test_a_changed_mark_changes_when_it_is_deleted_and_what_is_left(reported, rules, pack) -> None:
    Reply.objects.update(received_at=timezone.now() - timedelta(days=1))
    in_thirty = timezone.localdate() + timedelta(days=30)
    assert verification.erase_raw(rules, pack.feeds, today=in_thirty) == 0
    sooner = marked(rules, "P09", days=30, left="无")
    assert verification.erase_raw(sooner, pack.feeds, today=in_thirty) == 1
    gone = Erasure.objects.get()
    assert (gone.reply.query.source, gone.days) == ("disability", 30)
    never = rules
    for code in ("C01", "C02", "C03", "C04", "C05", "C06", "C07"):
        never = marked(never, code, days=None, left="")
    assert verification.erase_raw(never, pack.feeds, today=in_thirty + timedelta(days=400)) == 0
    assert verification.erase_raw(rules, pack.feeds, today=in_thirty + timedelta(days=60)) == 1
    assert verification.check_report(reported, pack=pack, rules=rules).equal


def test_what_has_no_mark_is_hidden_from_everybody(reported, rules, pack, verifier) -> None:
    bare = replace(rules, elements=Elements((), ""))
    assert set(cells(reported, bare, pack, verifier)["deposit"].values()) == {HIDDEN}


def test_a_broken_table_says_where(tmp_path: Path) -> None:
    good = (PACKS / "reference" / "data_elements.yaml").read_text(encoding="utf-8")
    for right, wrong in (
        ("遮: 姓", "遮: 半个"), ("级: 低, ", "级: 绝密, "), ("留: 合计", "留: 一半"),
        ('列: ["*.name"]', "列: [deposit.balance]"),
    ):  # fmt: skip
        path = tmp_path / "data_elements.yaml"
        path.write_text(good.replace(right, wrong, 1), encoding="utf-8")
        with pytest.raises(DoudiError, match=r"data_elements\.yaml"):
            load_elements(path)
