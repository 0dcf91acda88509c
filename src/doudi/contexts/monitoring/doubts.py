"""The doubt list (疑点核查): found by the pack's rules, checked in the village, reviewed by a second person.

A doubt is a lead. Nothing is stopped or reclaimed by it: a checker hears the family and brings papers, a reviewer who
is somebody else lets the conclusion stand, and only then does the chain open what follows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import Count, Q, Sum
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.monitoring.cases import Outrun, StepRefused
from doudi.contexts.monitoring.doubt_models import DoubtQuerySet
from doudi.contexts.monitoring.models import Doubt, DoubtEvent, DoubtRound
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.engine.packs.doubting import DoubtRules
from doudi.engine.screening.doubting import Finding, Found, find_doubts


class DoubtNotFound(DoudiError):
    """No such doubt in the asker's area."""

    code = "doubt_not_found"


# ---- from rule to list --------------------------------------------------------------------------------------------


def find(rules: DoubtRules, *, as_of: date, by: User, household_no: str | None = None) -> DoubtRound:
    """Search for doubts on a date and bring the list up to it; ``household_no`` searches one household alone."""
    require(by, Act.FIND_DOUBTS)
    if household_no is None:
        registry.require_whole_office(by)
    evidence = registry.evidence_on(rules.pack.feeds, as_of)
    snapshots = registry.snapshots_of(rules.pack.feeds, evidence)
    found = find_doubts(rules, snapshots, household_no=household_no)
    return _take_in(rules, found, as_of, snapshots.digest, household_no, by)


@transaction.atomic
def _take_in(
    rules: DoubtRules, found: Found, as_of: date, digest: str, household_no: str | None, by: User
) -> DoubtRound:
    record(
        by=by,
        act=Act.FIND_DOUBTS,
        subject=f"household:{household_no}" if household_no else f"doubts:{as_of}",
        region_code=by.region_code,
        detail={"pack_hash": rules.pack.hash, "found": len(found.findings), "unasked": list(found.unasked)},
    )
    counts = {"opened": 0, "updated": 0, "gone": 0, "standing": 0}
    scope = Doubt.objects.open()
    if household_no is not None:
        scope = scope.filter(household_no=household_no)
    standing = {doubt.subject: doubt for doubt in scope}
    newer = household_no is None and DoubtRound.objects.filter(household_no="", as_of__gt=as_of).exists()
    numbers = {finding.household_no for finding in found.findings}
    people = registry.people_by_place(numbers, as_of)
    homes = registry.household_briefs(sorted(numbers))
    for finding in found.findings if not newer else ():
        person = None if finding.member is None else people[finding.household_no][finding.member - 1]
        subject = f"{finding.kind}:{finding.household_no}:{person.pk if person else ''}"
        content = _content(rules, finding, [p.name for p in people[finding.household_no]])
        facts = {
            "as_of": as_of,
            "since": finding.since,
            "until": finding.until,
            "content": content,
            "digest": hashlib.sha256(content.encode()).hexdigest(),
            "how": finding.how,
            "counted_fen": finding.overpaid_fen,
        }
        doubt = standing.pop(subject, None)
        if doubt is not None:
            counts["updated" if _renew(doubt, facts, by) else "standing"] += 1
        elif Doubt.objects.filter(
            subject=subject, digest=facts["digest"], status=Doubt.Status.CONCLUDED
        ).exists():
            counts["standing"] += 1  # the same facts were judged already
        else:
            brief = homes[finding.household_no]
            _open(finding.kind, subject, brief, person, facts, rules, by)
            counts["opened"] += 1
    for doubt in standing.values() if not newer else ():
        kind = doubt.kind
        if (
            kind in rules.kinds
            and kind not in found.unasked
            and (household_no is None or not rules.kinds[kind].comparison)
        ):
            counts["gone"] += _fade(doubt, as_of, by)
    return DoubtRound.objects.create(
        as_of=as_of,
        household_no=household_no or "",
        pack_hash=rules.pack.hash,
        snapshots=digest,
        unasked={
            code: {feed: str(status) for feed, status in missing.items()}
            for code, missing in found.unasked.items()
        },
        counts=counts,
        by=by.username,
    )


def _content(rules: DoubtRules, finding: Finding, names: list[str]) -> str:
    """Facts and payments as written for people, to be sealed."""
    feeds = rules.pack.feeds
    facts = [
        {
            "feed": feeds[feed].label,
            "who": names[member - 1],
            "cells": [
                [column.label, registry.shown_cell(column, row[column.name])]
                for column in feeds[feed].columns
                if row.get(column.name) is not None
            ],
        }
        for feed, member, row in finding.facts
    ]
    payments = [
        {
            "on": paid.paid_on.isoformat(),
            "programme": paid.programme,
            "fen": paid.amount_fen,
            "who": names[paid.member - 1],
            "counted": paid.counted,
            "why": paid.why,
        }
        for paid in finding.payments
    ]
    return json.dumps({"facts": facts, "payments": payments}, ensure_ascii=False, sort_keys=True)


def _open(
    kind: str,
    subject: str,
    home: registry.Household,
    person: Any,
    facts: dict[str, Any],
    rules: DoubtRules,
    by: User,
) -> Doubt:
    number = f"YD{facts['as_of']:%Y%m%d}-{kind}-{home.household_no}" + (f"-{person.pk}" if person else "")
    same = Doubt.objects.filter(number__startswith=number).count()
    doubt = Doubt.objects.create(
        number=f"{number}-{same + 1}" if same else number,
        kind=kind,
        subject=subject,
        household_no=home.household_no,
        person_id=person.pk if person else None,
        person_name=person.name if person else home.head_name,
        region_code=home.responsible_region,
        due_on=rules.assign_due(timezone.localdate()),
        **facts,
    )
    _note(doubt, by, "open", f"{facts['as_of']} 数据发现：{rules.kinds[kind].label}。{facts['how']}")
    return doubt


def _renew(doubt: Doubt, facts: dict[str, Any], by: User) -> bool:
    """Bring an open doubt to the later facts; a check that was made on other facts goes back to the checker."""
    if doubt.digest == facts["digest"]:
        Doubt.objects.filter(pk=doubt.pk).update(as_of=facts["as_of"])
        return False
    changes = dict(facts)
    if doubt.status == Doubt.Status.CHECKED:
        changes["status"] = Doubt.Status.ASSIGNED
    for name, value in changes.items():
        setattr(doubt, name, value)
    doubt.version += 1
    doubt.save(update_fields=[*changes, "version"])
    again = "；核查须按新数据重做" if "status" in changes else ""
    _note(doubt, by, "update", f"{facts['as_of']} 数据更新：{facts['how']}{again}")
    return True


def _fade(doubt: Doubt, as_of: date, by: User) -> int:
    text = f"{as_of} 数据里已没有这条疑点"
    if doubt.status == Doubt.Status.FOUND:
        Doubt.objects.filter(pk=doubt.pk).update(
            status=Doubt.Status.GONE, due_on=None, version=doubt.version + 1
        )
        _note(doubt, by, "gone", text)
        return 1
    last = doubt.events.order_by("-pk").first()
    if last is None or not last.text.startswith(text):
        _note(doubt, by, "update", f"{text}，请核查人说明")
    return 0


def _note(doubt: Doubt, by: User, kind: str, text: str) -> None:
    DoubtEvent.write(doubt=doubt, by=by, kind=kind, text=text)


# ---- looking ------------------------------------------------------------------------------------------------------


def doubts(
    *,
    by: User,
    kind: str = "",
    status: str = "",
    conclusion: str = "",
    region_code: str = "",
    text: str = "",
    overdue: bool = False,
    since: date | None = None,
    until: date | None = None,
) -> DoubtQuerySet:
    """Doubts that ``by`` may see; ``status`` is a status, ``open`` or ``all``; ``since``/``until`` bound the finding."""
    require(by, Act.VIEW_DOUBTS)
    found = registry.but_own(Doubt.objects.visible_to(by), by=by, household="household_no")
    if status in ("", "open"):
        found = found.open()
    elif status != "all":
        found = found.filter(status=status)
    if kind:
        found = found.filter(kind=kind)
    if conclusion:
        found = found.filter(conclusion=conclusion)
    if region_code:
        found = found.filter(region_code__startswith=region_code)
    if text.strip():
        typed = text.strip()
        found = found.filter(
            Q(household_no__icontains=typed) | Q(person_name__startswith=typed) | Q(number__icontains=typed)
        )
    if overdue:
        found = found.overdue(timezone.localdate())
    if since is not None:
        found = found.filter(found_at__date__gte=since)
    if until is not None:
        found = found.filter(found_at__date__lte=until)
    return found.order_by("due_on", "pk")


def doubt_of(number: str, *, by: User) -> Doubt:
    """One doubt within the asker's area, or :class:`DoubtNotFound`."""
    require(by, Act.VIEW_DOUBTS)
    found = Doubt.objects.visible_to(by).filter(number=number).first()
    if found is None:
        raise DoubtNotFound(
            f"没有找到疑点 {number}，或不在您的辖区。请核对编号。",
            f"No doubt {number} in your area; check the number.",
        )
    registry.refuse_own_file(found.household_no, by=by)
    return found


@transaction.atomic
def look_at_doubt(number: str, *, by: User) -> Doubt:
    """:func:`doubt_of`, with the look in the audit log."""
    found = doubt_of(number, by=by)
    record(
        by=by,
        act=Act.VIEW_DOUBTS,
        subject=f"household:{found.household_no}",
        region_code=found.region_code,
        detail={"doubt": number},
    )
    return found


def content_of(doubt: Doubt, *, by: User) -> dict[str, Any]:
    """The facts and payments a doubt stands on, for who may see a family's finances."""
    require(by, Act.VIEW_FINANCES, region_code=doubt.region_code)
    return dict(json.loads(doubt.content))


def latest_round() -> DoubtRound | None:
    """The newest search of everyone."""
    return DoubtRound.objects.filter(household_no="").order_by("-as_of", "-pk").first()


def count_doubts(found: DoubtQuerySet) -> list[dict[str, Any]]:
    """Doubts counted by kind and township, with what was checked, true, and found overpaid."""
    rows = (
        found.order_by()
        .values("kind", "region_code")
        .annotate(
            found=Count("pk"),
            checked=Count("pk", filter=~Q(conclusion="")),
            concluded=Count("pk", filter=Q(status=Doubt.Status.CONCLUDED)),
            overpaid_fen=Sum("overpaid_fen", filter=Q(status=Doubt.Status.CONCLUDED)),
        )
    )
    return [dict(row) for row in rows]


# ---- from list to conclusion ----------------------------------------------------------------------------------------


def _advance(
    doubt: Doubt, *, from_status: Iterable[str], what: str, seen: int | None, **changes: Any
) -> None:
    """Change a doubt only if nobody changed it since the actor saw it: one wins, the other is told."""
    version = doubt.version if seen is None else seen
    done = Doubt.objects.filter(pk=doubt.pk, version=version, status__in=list(from_status)).update(
        version=version + 1, **changes
    )
    if not done:
        now = Doubt.objects.get(pk=doubt.pk)
        if now.version == version:
            raise StepRefused(
                f"疑点现为“{now.get_status_display()}”，不能{what}。",
                f"The doubt is {now.status}; the step does not fit.",
            )
        raise Outrun(
            f"疑点 {doubt.number} 刚被他人处理，现为“{now.get_status_display()}”。请刷新后再办。",
            f"Doubt {doubt.number} was just handled by somebody else and is now {now.status}; reload the page.",
        )
    doubt.refresh_from_db()


def _record(doubt: Doubt, act: Act, by: User, **detail: Any) -> None:
    record(
        by=by,
        act=act,
        subject=f"household:{doubt.household_no}",
        region_code=doubt.region_code,
        detail={"doubt": doubt.number, **detail},
    )


@transaction.atomic
def assign_doubt(number: str, *, to: str, by: User, rules: DoubtRules, seen: int | None = None) -> Doubt:
    """Give a doubt to a township or village worker by name, who has the pack's limit to check it (派核)."""
    take_turn()
    doubt = doubt_of(number, by=by)
    require(by, Act.ASSIGN_DOUBT, region_code=doubt.region_code)
    if len(to.strip()) < 2:
        raise StepRefused("请写明由谁核查（姓名）。", "Name who is to check it.")
    due = rules.check_due(timezone.localdate())
    _advance(
        doubt,
        from_status=(Doubt.Status.FOUND, Doubt.Status.ASSIGNED),
        what="派核",
        seen=seen,
        status=Doubt.Status.ASSIGNED,
        assigned_to=to.strip()[:80],
        assigned_by=by.username,
        due_on=due,
    )
    _note(doubt, by, "assign", f"派 {doubt.assigned_to} 核查，期限 {due}")
    _record(doubt, Act.ASSIGN_DOUBT, by, due_on=due)
    return doubt


@transaction.atomic
def check_doubt(
    number: str,
    *,
    checked_on: date,
    checkers: list[str],
    finding: str,
    conclusion: str,
    overpaid_fen: int | None,
    heard: str,
    by: User,
    rules: DoubtRules,
    seen: int | None = None,
) -> Doubt:
    """Record what the check found and what it comes to; a second person reviews it.

    A conclusion that stops or reclaims needs two checkers, the family's own words and at least one paper.
    """
    take_turn()
    doubt = doubt_of(number, by=by)
    require(by, Act.CHECK_DOUBT, region_code=doubt.region_code)
    chosen = rules.conclusions.get(conclusion)
    people = list(dict.fromkeys(name.strip() for name in checkers if name.strip()))
    if chosen is None:
        raise StepRefused("请选择核查结论。", f"Choose a conclusion: {', '.join(rules.conclusions)}.")
    if len(people) < chosen.checkers:
        raise StepRefused(
            f"“{chosen.label}”须由 {chosen.checkers} 人共同核查，现只填了 {len(people)} 人。",
            f"Conclusion {chosen.code} needs {chosen.checkers} checkers; {len(people)} given.",
        )
    if len(finding.strip()) < 10:
        raise StepRefused(
            "请写明核查情况和理由（至少十个字）。",
            "Write down what was found and why (10 characters or more).",
        )
    if checked_on > timezone.localdate():
        raise StepRefused("核查日期不能晚于今天。", "The check cannot lie in the future.")
    if chosen.hearing and len(heard.strip()) < 4:
        raise StepRefused(
            "停发、追缴之前须听取家庭陈述。请写明家庭怎么说；拒绝陈述的也要写明。",
            "The family is heard before anything is stopped or reclaimed: write down what it says.",
        )
    if chosen.recover:
        overpaid_fen = doubt.counted_fen if overpaid_fen is None else overpaid_fen
        if not overpaid_fen or overpaid_fen <= 0:
            raise StepRefused("应退的须写明多发金额。", "A sum to be recovered must be given.")
    else:
        overpaid_fen = None
    if (chosen.recover or chosen.stop) and not doubt.evidence.exists():
        raise StepRefused(
            "属实的疑点须有证据。请先上传证明、流水或现场照片。",
            "A true doubt needs a paper: add evidence first.",
        )
    _advance(
        doubt,
        from_status=(Doubt.Status.ASSIGNED, Doubt.Status.CHECKED),
        what="核查",
        seen=seen,
        status=Doubt.Status.CHECKED,
        checked_on=checked_on,
        checkers="、".join(people),
        finding=finding.strip(),
        heard=heard.strip(),
        conclusion=chosen.code,
        overpaid_fen=overpaid_fen,
        checked_by=by.username,
        due_on=rules.review_due(timezone.localdate()),
    )
    _note(
        doubt,
        by,
        "check",
        f"{checked_on} 由{doubt.checkers}核查：{chosen.label}{_sum(overpaid_fen)}。{doubt.finding}",
    )
    _record(doubt, Act.CHECK_DOUBT, by, conclusion=chosen.code, overpaid_fen=overpaid_fen)
    return doubt


@transaction.atomic
def review_doubt(
    number: str, *, approve: bool, note: str, by: User, rules: DoubtRules, seen: int | None = None
) -> Doubt:
    """A second person lets the conclusion stand, or sends the check back with the reason (复核)."""
    take_turn()
    doubt = doubt_of(number, by=by)
    require(by, Act.REVIEW_DOUBT, region_code=doubt.region_code)
    if by.username == doubt.checked_by or (by.display_name and by.display_name in doubt.checkers.split("、")):
        raise StepRefused(
            "核查人不能复核自己的核查。请由另一人复核。", "Who checked may not review: another person does."
        )
    if len(note.strip()) < 4:
        raise StepRefused("请写明复核意见（至少四个字）。", "State the review (four characters or more).")
    if approve:
        changes: dict[str, Any] = {
            "status": Doubt.Status.CONCLUDED,
            "concluded_at": timezone.now(),
            "due_on": None,
        }
    else:
        changes = {"status": Doubt.Status.ASSIGNED, "due_on": rules.check_due(timezone.localdate())}
    _advance(
        doubt,
        from_status=(Doubt.Status.CHECKED,),
        what="复核",
        seen=seen,
        reviewed_by=by.username,
        review_note=note.strip(),
        **changes,
    )
    chosen = rules.conclusions[doubt.conclusion]
    word = f"复核通过，定性为{chosen.label}{_sum(doubt.overpaid_fen)}" if approve else "退回重核"
    _note(doubt, by, "review", f"{word}。{doubt.review_note}")
    _record(doubt, Act.REVIEW_DOUBT, by, approve=approve, conclusion=doubt.conclusion)
    return doubt


def note_on_doubt(doubt: Doubt, *, by: User, kind: str, text: str) -> None:
    """One line on the timeline, from a step of the chain."""
    _note(doubt, by, kind, text)


def _sum(fen: int | None) -> str:
    return "" if fen is None else f"，多发 {fen // 100}.{fen % 100:02d}元"
