"""Looks that are unusual (异常查询): by night, far more than usual, at one's own file; each is told and looked into.

The audit log is the witness; it is counted, and what a look was about is not read. A warning accuses nobody: it asks a
person, who is not the one it is about, to find out (网络数据安全管理条例, 安全事件预案).
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import (
    Act,
    User,
    account,
    moments_of,
    record,
    require,
    system_user,
    take_turn,
)
from doudi.contexts.verification.models import SecurityWarning
from doudi.contexts.verification.requests import StepRefused
from doudi.engine.errors import DoudiError
from doudi.engine.verification import Rules

WATCHED = (
    Act.VIEW_VERIFICATION, Act.VIEW_HOUSEHOLDS, Act.REVEAL_IDENTITY, "export_report", "export_query_list",
    "view_source_password",
)  # fmt: skip
OWN = "own_file"
DAYS = 30
"""Days before, over which an account's usual day is taken."""


def watch(rules: Rules, *, now: datetime | None = None) -> list[SecurityWarning]:
    """Count the looks of this day and the one before, and raise what is unusual, once a day, kind and account.

    Gives the warnings that are new. Run again it changes the counts of what it raised and raises nothing twice.
    """
    if rules.watch is None:
        return []
    moment = timezone.localtime(now)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    fresh: list[SecurityWarning] = []
    # a worker that was down at midnight still sees the end of the day before
    for begin in (midnight - timedelta(days=1), midnight):
        fresh += _day(rules, begin)
    return fresh


def _day(rules: Rules, begin: datetime) -> list[SecurityWarning]:
    assert rules.watch is not None
    end = begin + timedelta(days=1)
    looks = [
        look for look in moments_of([*map(str, WATCHED), OWN], since=begin, until=end) if _counts(look[0])
    ]
    today = Counter(actor for actor, act, _region, _at in looks if act != OWN)
    night = Counter(
        actor
        for actor, act, _region, at in looks
        if act != OWN and rules.watch.by_night(timezone.localtime(at).time())
    )
    own = Counter(actor for actor, act, _region, _at in looks if act == OWN)
    usual: dict[str, int] = {}
    if any(count >= rules.watch.least for count in today.values()):
        before = moments_of(map(str, WATCHED), since=begin - timedelta(days=DAYS), until=begin)
        days: dict[str, Counter[object]] = {}
        for actor, _act, _region, at in before:
            days.setdefault(actor, Counter())[timezone.localdate(at)] += 1
        usual = {actor: round(sum(counted.values()) / len(counted)) for actor, counted in days.items()}
    found: list[tuple[str, SecurityWarning.Kind, int]] = []
    kinds = SecurityWarning.Kind
    found += [(actor, kinds.NIGHT, count) for actor, count in night.items()]
    found += [(actor, kinds.OWN, count) for actor, count in own.items()]
    found += [(actor, kinds.MOST, count) for actor, count in today.items() if count > rules.watch.most_a_day]
    found += [
        (actor, kinds.JUMP, count)
        for actor, count in today.items()
        if count >= rules.watch.least
        and actor in usual
        and count > rules.watch.times_usual * max(usual[actor], 1)
    ]
    return _raise(found, begin, usual) if found else []


def _counts(actor: str) -> bool:
    """The office's own jobs and who uses a public page are no officers."""
    return actor != system_user().username and not actor.startswith("（")


@transaction.atomic
def _raise(
    found: list[tuple[str, SecurityWarning.Kind, int]], begin: datetime, usual: dict[str, int]
) -> list[SecurityWarning]:
    take_turn()
    fresh = []
    for actor, kind, count in found:
        try:
            whose = account(actor)
        except DoudiError:
            continue
        warning, new = SecurityWarning.objects.get_or_create(
            account=actor,
            kind=kind,
            day=timezone.localdate(begin),
            defaults={"count": count, "usual": usual.get(actor, 0), "region_code": whose.region_code},
        )
        if new:
            fresh.append(warning)
        elif warning.count != count:
            SecurityWarning.objects.filter(pk=warning.pk).update(count=count)
    return fresh


def security_warnings(*, by: User, open_only: bool = True) -> QuerySet[SecurityWarning]:
    """Warnings about accounts of the asker's area, newest first."""
    require(by, Act.VIEW_SECURITY)
    found = SecurityWarning.objects.filter(region_code__startswith=by.region_code)
    return found.filter(handled_at=None) if open_only else found


@transaction.atomic
def handle_warning(pk: int, *, finding: str, by: User) -> SecurityWarning:
    """Write down what was found out (核实情况); nobody looks into what is about himself, and nothing is written twice."""
    require(by, Act.HANDLE_SECURITY)
    take_turn()
    warning = SecurityWarning.objects.filter(pk=pk, region_code__startswith=by.region_code).first()
    if warning is None:
        raise StepRefused("没有这条安全预警。", "No such warning.", code="security_warning_not_found")
    if warning.account == by.username:
        raise StepRefused(
            "这条预警是关于您本人的，请由他人核实处置。", "The warning is about you: somebody else handles it.",
            code="same_person",
        )  # fmt: skip
    if len(finding.strip()) < 4:
        raise StepRefused("请写明核实情况（至少四个字）。", "Write what was found (four characters or more).")
    if warning.handled_at is not None:
        raise StepRefused("这条预警已处置。", "The warning was handled already.", code="outrun")
    warning.handled_at, warning.handled_by, warning.finding = (
        timezone.now(),
        by.username,
        finding.strip()[:300],
    )
    warning.save(update_fields=["handled_at", "handled_by", "finding"])
    record(by=by, act=Act.HANDLE_SECURITY, subject=f"account:{warning.account}", region_code=warning.region_code,
           reason=finding, detail={"kind": warning.kind, "day": warning.day, "count": warning.count})  # fmt: skip
    return warning
