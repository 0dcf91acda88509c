"""Looks by night, far too many, or at one's own file raise a warning, once; somebody else finds out."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.models import AuditEntry
from doudi.contexts.accounts.services import (
    NotAllowed,
    OwnFile,
    flag_own_file,
    note_own_person,
    record,
    system_user,
)
from doudi.contexts.monitoring.models import Notice
from doudi.contexts.verification import services as verification
from doudi.contexts.verification.models import SecurityWarning
from doudi.contexts.verification.services import StepRefused
from tests.contexts.verification.desk import answer_all, started
from tests.small_county import LI_LI

NOON = timezone.make_aware(datetime(2024, 11, 15, 12, 0))


def looks(by, count: int, *, at: datetime = NOON, act: str = "view_verification") -> None:
    """So many looks of an account at a moment; the log's own dates are set back, which only a test can do."""
    for _look in range(count):
        entry = record(by=by, act=act, subject="verification:HD1", region_code="520102")
        AuditEntry.objects.filter(pk=entry.pk).update(at=at)


def raised() -> set[tuple[str, str, int]]:
    return set(SecurityWarning.objects.values_list("account", "kind", "count"))


@pytest.fixture
def officer(office, make_user):
    return make_user("officer1", "verifier", "520102")


def test_a_look_by_night_is_told_once(officer, make_user, rules):
    make_user("county1", "county", "520102")
    admin = make_user("admin1", "admin", "")
    looks(officer, 2, at=NOON.replace(hour=23))
    looks(officer, 5)
    looks(system_user(), 50, at=NOON.replace(hour=23))
    evening = NOON.replace(hour=23, minute=30)
    assert len(verification.watch(rules, now=evening)) == 1
    assert raised() == {("officer1", "night", 2)}
    assert verification.watch(rules, now=evening) == []
    # a worker that was down at midnight still sees the evening before
    SecurityWarning.objects.all().delete()
    assert len(verification.watch(rules, now=evening + timedelta(hours=10))) == 1

    [warning] = verification.security_warnings(by=admin)
    with pytest.raises(NotAllowed):
        verification.handle_warning(warning.pk, finding="值班处理急难救助", by=officer)
    with pytest.raises(StepRefused):
        verification.handle_warning(warning.pk, finding="好", by=admin)
    verification.handle_warning(warning.pk, finding="值班处理急难救助", by=admin)
    with pytest.raises(StepRefused, match="已处置"):
        verification.handle_warning(warning.pk, finding="再写一遍", by=admin)
    assert not verification.security_warnings(by=admin).exists()


def test_too_many_and_a_sudden_jump(officer, make_user, rules):
    busy = make_user("busy1", "verifier", "520102")
    for day in range(1, 11):
        looks(officer, 3, at=NOON - timedelta(days=day))
    looks(officer, 40)
    looks(busy, rules.watch.most_a_day + 1)
    verification.watch(rules, now=NOON)
    assert raised() == {("officer1", "jump", 40), ("busy1", "most", 301)}
    assert SecurityWarning.objects.get(kind="jump").usual == 3


def test_who_is_concerned_does_not_handle_it_and_another_county_does_not_see_it(office, make_user, rules):
    county = make_user("county1", "county", "520102")
    looks(county, 1, at=NOON.replace(hour=2))
    [warning] = verification.watch(rules, now=NOON)
    with pytest.raises(StepRefused, match="本人"):
        verification.handle_warning(warning.pk, finding="我自己看的", by=county)
    stranger = make_user("far", "county", "610102")
    assert not verification.security_warnings(by=stranger).exists()
    with pytest.raises(StepRefused):
        verification.handle_warning(warning.pk, finding="外县来处置", by=stranger)


def test_ones_own_kin_is_closed_everywhere_and_flagged(
    opened, sign, clerk, verifier, rules, pack, tmp_path, make_user
):
    request = started(opened, sign, rules, verifier, clerk)
    answer_all(pack, rules, tmp_path, verifier, besides=("deposit",))
    verification.close_queries(request.number, by=verifier)
    report = verification.issue_report(request.number, pack=pack, rules=rules, by=verifier)
    other = make_user("cousin", "verifier", "520102")
    note_own_person(other, id_number=LI_LI, relation="配偶", by=make_user("admin1", "admin", ""))
    roads = (
        lambda: verification.look_at_request(request.number, by=other),
        lambda: verification.look_at_report(report.number, by=other),
        lambda: verification.export_report(report.number, rules=rules, by=other),
        lambda: verification.report_paper(report.number, form="docx", address="", rules=rules, by=other),
        lambda: verification.start_queries(request.number, rules=rules, by=other, again=["deposit"]),
    )
    for road in roads:
        with pytest.raises(OwnFile) as problem:
            road()
    assert {query.person.name for query in verification.open_queries("deposit", by=other)} == {"张伟"}
    flag_own_file(problem.value, by=other)
    verification.watch(rules)
    assert "own" in SecurityWarning.objects.filter(account="cousin").values_list("kind", flat=True)


def test_the_worker_tells_the_county_and_the_administrator(county, make_user):
    make_user("county1", "county", "520102")
    make_user("admin1", "admin", "")
    officer = make_user("officer1", "verifier", "520102")
    looks(officer, 1, at=timezone.localtime().replace(hour=3, minute=0) - timedelta(days=1))
    assert chain.watch_security() >= 1
    told = Notice.objects.filter(kind="security", text__contains="officer1")
    assert set(told.values_list("account", flat=True)) == {"county1", "admin1"}
    assert chain.watch_security() == 0
