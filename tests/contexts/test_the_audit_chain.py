"""The audit log shows every tampering, and an act leaves its entry or nothing at all."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.models import AuditEntry

pytestmark = pytest.mark.django_db


def _three_entries() -> None:
    for number in (1, 2, 3):
        accounts.record(
            by=accounts.system_user(), act="look", subject=f"household:H{number}", detail={"n": number}
        )


def _sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_an_untouched_chain_is_whole(office):
    _three_entries()

    report = accounts.verify_audit()

    assert (report.entries, report.whole, report.first_break) == (3, True, None)


@pytest.mark.parametrize(
    ("tampering", "first_break"),
    [
        ("update accounts_auditentry set reason = 'x' where number = 2", 2),
        ("update accounts_auditentry set actor = 'somebody' where number = 1", 1),
        ("delete from accounts_auditentry where number = 2", 2),
        ("delete from accounts_auditentry where number = 3", 3),
        (
            "insert into accounts_auditentry (number, at, actor, role, act, subject, region_code, reason, detail, "
            "previous, digest) select 4, at, actor, role, act, subject, region_code, reason, detail, digest, digest "
            "from accounts_auditentry where number = 3",
            4,
        ),
    ],
)
def test_a_changed_removed_or_inserted_entry_is_found(office, tampering, first_break):
    _three_entries()

    _sql(tampering)

    report = accounts.verify_audit()
    assert not report.whole
    assert report.first_break == first_break


def test_an_entry_cannot_be_changed_through_the_model(office):
    _three_entries()
    entry = AuditEntry.objects.get(number=2)

    entry.reason = "changed"

    with pytest.raises(TypeError):
        entry.save()
    with pytest.raises(TypeError):
        entry.delete()


def test_an_act_that_fails_leaves_no_entry(office):
    with pytest.raises(RuntimeError), transaction.atomic():
        accounts.record(by=accounts.system_user(), act="look")
        raise RuntimeError

    assert AuditEntry.objects.count() == 0
    assert accounts.verify_audit().whole


def test_what_concerns_the_whole_office_is_not_for_an_auditor_of_one_county(office, make_user):
    accounts.record(by=accounts.system_user(), act="look", subject="everywhere")
    accounts.record(by=accounts.system_user(), act="look", subject="here", region_code="520102")
    accounts.record(by=accounts.system_user(), act="look", subject="there", region_code="610102")

    def seen(region: str) -> list[str]:
        reader = make_user(f"auditor{region}", "auditor", region)
        return [entry.subject for entry in accounts.audit_entries(by=reader, act="look").order_by("number")]

    assert seen("520102") == ["here"]
    assert seen("") == ["everywhere", "here", "there"]
