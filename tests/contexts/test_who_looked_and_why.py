"""A citizen is told who looked and why; the log's end is signed; uses are assessed and requests answered by two people."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.models import AuditAnchor, AuditEntry
from doudi.contexts.registry import services as registry
from doudi.contexts.registry.services import ID_PURPOSE
from doudi.engine.errors import DoudiError
from doudi.engine.packs.privacy import load_privacy
from doudi.engine.workdays import workdays_between
from doudi.house.keyring import keyring
from tests import small_county as sc
from tests.rows import made

pytestmark = pytest.mark.django_db


@pytest.fixture
def people(county, make_user):
    return {
        "county": make_user("chen", "county", "520102"),
        "second": make_user("lin", "county", "520102"),
        "township": make_user("li", "township", sc.TOWNSHIP_A),
        "elsewhere": make_user("wu", "township", sc.TOWNSHIP_B),
        "director": make_user("zhao", "director", "520102"),
        "stranger": make_user("zheng", "county", "610102"),
    }


# ---- who looked --------------------------------------------------------------------------------------------------


def test_a_person_is_told_who_looked_when_and_why(people):
    household = registry.look_at_household("H002", by=people["county"], reason="核对低保材料")
    member = registry.members(household, by=people["county"])[0]
    registry.reveal_identity(household, member.person_id, by=people["township"], reason="入户前确认身份")

    person, looks, _consents = chain.who_looked(sc.WANG_QIANG, reason="本人持证到窗口", by=people["township"])

    assert person.name == "王强"
    told = [(look.who, look.reason, look.fields) for look in looks]
    assert ("县级民政经办 c***", "核对低保材料", "经济状况") in [(w[:6] + " c***", r, f) for w, r, f in told]
    assert any(reason == "入户前确认身份" and "完整证件号" in fields for _who, reason, fields in told)
    entry = AuditEntry.objects.filter(act="tell_looks").get()
    assert (entry.actor, entry.subject, entry.reason) == ("li", "household:H002", "本人持证到窗口")


def test_what_was_revealed_of_another_member_is_not_told(people):
    household = registry.household("H001", by=people["county"])
    members = registry.members(household, by=people["county"])
    registry.reveal_identity(household, members[0].person_id, by=people["county"], reason="看户主的号码")
    registry.reveal_identity(household, members[1].person_id, by=people["county"], reason="看配偶的号码")

    _person, looks, _consents = chain.who_looked(sc.ZHANG_WEI, reason="本人持证到窗口", by=people["county"])

    reasons = [look.reason for look in looks]
    assert "看户主的号码" in reasons and "看配偶的号码" not in reasons


def test_nobody_is_told_of_a_person_of_another_area(people):
    for who in ("elsewhere", "stranger"):
        with pytest.raises(DoudiError) as refused:
            chain.who_looked(sc.WANG_QIANG, reason="本人持证到窗口", by=people[who])
        assert refused.value.code == "person_not_found"
    with pytest.raises(DoudiError) as unknown:
        chain.who_looked("11010519491231002X", reason="本人持证到窗口", by=people["county"])
    assert unknown.value.code == "person_not_found", "the same words, so that nothing is given away"
    with pytest.raises(DoudiError):
        chain.who_looked(sc.WANG_QIANG, reason="", by=people["county"])
    with pytest.raises(DoudiError):
        chain.who_looked(sc.WANG_QIANG, reason="本人持证到窗口", by=people["director"])


def test_looks_in_every_room_are_told_and_the_consents_given_there(people):
    number, area = registry.person_by_id(sc.WANG_QIANG).id_blind, sc.TOWNSHIP_A
    site = made(apps.get_model("meals", "Site"), region_code=area)
    own = {"household_no": "H002", "id_blind": number, "region_code": area}
    rows = {
        name: made(apps.get_model(label), **own, **more)
        for name, label, more in (
            ("application", "assistance.Application", {}),
            ("decision", "assistance.Decision", {}),
            ("roster", "assistance.RosterRow", {}),
            ("batch", "assistance.PayItem", {}),
            ("need", "charity.Need", {"code": "XQ1"}),
            ("filing", "charity.AidFiling", {}),
            ("diner", "meals.Diner", {"site": site, "consent_on": date(2026, 3, 1), "consent_how": "书面"}),
            ("volunteer", "meals.Volunteer", {"site": site}),
        )
    }
    made(apps.get_model("charity", "Consent"), need=rows["need"], kind="publish", given="paper",
         given_on=date(2026, 4, 1), expires_on=date(2027, 3, 31))  # fmt: skip
    numbers = {name: getattr(row, "number", "") for name, row in rows.items()}
    numbers |= {"need": "XQ1", "roster": rows["roster"].roster.number, "batch": rows["batch"].batch.number}
    for name, of in numbers.items():
        accounts.record(by=people["county"], act="look", subject=f"{name}:{of}", reason=f"看{name}")
        accounts.record(by=people["county"], act="look", subject=f"{name}:another", reason="看别人")

    _person, looks, consents = chain.who_looked(sc.WANG_QIANG, reason="本人持证到窗口", by=people["township"])

    reasons = {look.reason for look in looks}
    assert {f"看{name}" for name in numbers} <= reasons and "看别人" not in reasons
    assert [(one.kind, one.number, one.given_on, one.valid_to) for one in consents] == [
        ("帮扶需求", "XQ1", date(2026, 4, 1), date(2027, 3, 31)),
        ("助餐登记", numbers["diner"], date(2026, 3, 1), None),
    ]


def test_who_eats_but_is_not_registered_is_told_too_in_the_own_area_alone(people):
    number = sc.make_id("19400101", 77)
    blind = keyring().digest(number, purpose=ID_PURPOSE)
    diner = made(apps.get_model("meals", "Diner"), id_blind=blind, region_code=sc.TOWNSHIP_A, name="孙奶奶")
    accounts.record(by=people["county"], act="look", subject=f"diner:{diner.number}", reason="核对饮食")

    person, looks, _consents = chain.who_looked(number, reason="本人持证到窗口", by=people["township"])

    assert (person.name, [look.reason for look in looks]) == ("孙奶奶", ["核对饮食"])
    with pytest.raises(DoudiError) as refused:
        chain.who_looked(number, reason="本人持证到窗口", by=people["elsewhere"])
    assert refused.value.code == "person_not_found"


# ---- anchors -----------------------------------------------------------------------------------------------------


def _anchor(by) -> str:
    return json.dumps(accounts.told(accounts.anchor_audit(by=by)))


def test_an_anchor_holds_while_the_log_grows(office, by):
    accounts.record(by=by, act="look", subject="household:H1")
    kept = _anchor(by)
    accounts.record(by=by, act="look", subject="household:H2")

    report = accounts.compare_anchor(kept, by=by)

    assert report.whole and report.entries == 1
    assert _anchor(by) == kept, "one a day"
    assert accounts.anchor_if_due(by=by) == 0
    assert accounts.verify_audit().whole
    accounts.anchor_audit(by=by, today=timezone.localdate() + timedelta(days=1))
    assert AuditAnchor.objects.count() == 2


def test_a_log_written_anew_by_who_has_the_keys_is_found(office, by):
    """The chain of the forged log is whole; only the paper in the other drawer tells."""
    for number in (1, 2, 3):
        accounts.record(by=by, act="look", subject=f"household:H{number}", reason="真实的事由")
    kept = _anchor(by)
    entries = list(AuditEntry.objects.filter(number__lte=3).order_by("number").values("act", "subject"))
    with connection.cursor() as cursor:
        for table in ("accounts_auditentry", "accounts_audithead", "accounts_auditanchor"):
            cursor.execute(f"delete from {table}")
    for entry in entries:
        accounts.record(by=by, act=entry["act"], subject=entry["subject"], reason="编造的事由")
    assert accounts.verify_audit().whole

    report = accounts.compare_anchor(kept, by=by)

    assert report.signed and report.own_key and not report.in_the_log


@pytest.mark.parametrize("field", ["on", "entries", "head", "made_at", "signature", "public_key"])
def test_a_changed_anchor_does_not_hold(office, by, field):
    accounts.record(by=by, act="look")
    said = json.loads(_anchor(by))
    said[field] = (
        7
        if field == "entries"
        else "f" * len(str(said[field]))
        if field in ("head", "signature", "public_key")
        else "2020-01-01"
    )

    try:
        report = accounts.compare_anchor(json.dumps(said), by=by)
    except DoudiError as refused:
        assert refused.code == "anchor_unreadable"
    else:
        assert not report.whole


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"on": 1}', "\x00"])
def test_what_is_no_anchor_is_told(office, by, text):
    with pytest.raises(DoudiError) as refused:
        accounts.compare_anchor(text, by=by)

    assert refused.value.code == "anchor_unreadable"


# ---- requests and assessments ------------------------------------------------------------------------------------


def _ask(people, who="township", **changed):
    asked = {
        "kind": "更正", "name": "王强", "id_number": sc.WANG_QIANG, "asked": "电话号码写错了，请更正",
        "received_on": date(2024, 11, 15),
    }  # fmt: skip
    return accounts.receive_request(**{**asked, **changed}, by=people[who], rules=chain.privacy_rules())


def test_a_request_is_answered_within_the_limit_by_somebody_else(people):
    made = _ask(people)
    assert workdays_between(made.received_on, made.due_on) == chain.privacy_rules().limits["更正"]
    assert _ask(people).pk == made.pk, "the same request twice is one"

    with pytest.raises(DoudiError):
        accounts.decide_request(made.number, grant=True, answer="已在登记中更正电话", by=people["township"])
    with pytest.raises(DoudiError, match="理由"):
        accounts.decide_request(made.number, grant=False, answer="不行", by=people["director"])
    done = accounts.decide_request(
        made.number, grant=True, answer="已在登记中更正电话", by=people["director"]
    )

    assert (done.status, done.answer) == ("granted", "已在登记中更正电话")
    with pytest.raises(DoudiError) as late:
        accounts.decide_request(made.number, grant=False, answer="已有他人办理过了", by=people["second"])
    assert late.value.code == "outrun"


def test_who_took_a_request_does_not_decide_it(people):
    made = _ask(people, "county")

    with pytest.raises(DoudiError, match="两个人"):
        accounts.decide_request(made.number, grant=True, answer="已在登记中更正电话", by=people["county"])


def test_requests_are_sealed_and_of_the_area_alone(people):
    made = _ask(people)

    assert not accounts.data_requests(by=people["elsewhere"]).exists()
    with pytest.raises(DoudiError) as refused:
        accounts.data_request(made.number, by=people["stranger"])
    assert refused.value.code == "data_request_not_found"
    with connection.cursor() as cursor:
        cursor.execute("select person_name, id_number, asked, answer from accounts_datarequest")
        raw = b"".join(bytes(cell) for row in cursor.fetchall() for cell in row)
    assert "王强".encode() not in raw and sc.WANG_QIANG.encode() not in raw
    assert not any(
        "王强" in str(entry.detail) + entry.subject + entry.reason for entry in AuditEntry.objects.all()
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": "别的"},
        {"id_number": "110105194912310021"},
        {"name": " "},
        {"asked": "改"},
        {"received_on": date(2999, 1, 1)},
    ],
)
def test_a_request_that_says_too_little_is_not_taken(people, changed):
    with pytest.raises(DoudiError):
        _ask(people, **changed)


def _assess(people, **changed):
    told = {
        "purpose": "VERIFY",
        "necessity": "法律规定申请人应如实申报，核对是作出决定的依据。",
        "risks": "涉及银行存款等敏感信息，泄露会伤害家庭。",
        "measures": "本人授权后才查询，加密保存，明细九十天后删除。",
    }
    return accounts.write_assessment(**{**told, **changed}, by=people["county"], rules=chain.privacy_rules())


def test_a_sensitive_use_without_an_assessment_in_force_is_shown(people):
    def missing() -> set[str]:
        return {
            state.purpose.code
            for state in accounts.purposes(by=people["county"], rules=chain.privacy_rules())
            if state.missing
        }

    assert "VERIFY" in missing() and "STAFF" not in missing()
    made = _assess(people)
    assert "VERIFY" in missing(), "written is not approved"
    with pytest.raises(DoudiError, match="自己写的"):
        accounts.decide_assessment(
            made.number, approve=True, note="", by=people["county"], rules=chain.privacy_rules()
        )

    done = accounts.decide_assessment(
        made.number, approve=True, note="", by=people["director"], rules=chain.privacy_rules()
    )

    assert "VERIFY" not in missing()
    assert done.keep_until >= done.valid_to + timedelta(days=3 * 365), "kept three years (art.56)"
    type(done).objects.filter(pk=done.pk).update(valid_to=timezone.localdate() - timedelta(days=1))
    assert "VERIFY" in missing(), "run out"


def test_an_assessment_answers_all_three_questions(people):
    for part in ("necessity", "risks", "measures"):
        with pytest.raises(DoudiError, match="第五十六条"):
            _assess(people, **{part: "没有"})


def test_a_pack_that_keeps_assessments_less_than_three_years_is_refused(tmp_path):
    from pathlib import Path

    source = Path("packs/reference/privacy.yaml").read_text(encoding="utf-8")
    (tmp_path / "pack.yaml").write_text(
        Path("packs/reference/pack.yaml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    for right, wrong in (("保存年数: 3", "保存年数: 2"), ("敏感: 是", "敏感: 也许"), ("  删除: 15\n", "")):
        assert right in source
        (tmp_path / "privacy.yaml").write_text(source.replace(right, wrong, 1), encoding="utf-8")
        with pytest.raises(DoudiError) as refused:
            load_privacy(tmp_path)
        assert refused.value.code == "privacy_invalid"
