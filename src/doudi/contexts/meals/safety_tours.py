"""Inspections and what they lead to (检查与整改): the operator's own tours, the county's, and faults put right in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, take_turn
from doudi.contexts.meals.numbers import next_number
from doudi.contexts.meals.safety_models import Mending, SafetyPhoto, Tour
from doudi.contexts.meals.safety_papers import SafetyNotFound, kept_paper, seen
from doudi.contexts.meals.site_models import Site
from doudi.contexts.meals.sites import StepRefused, require_at
from doudi.engine.packs.food_safety import FoodSafety
from doudi.house.attachments import open_attachment

SUPERVISION = "supervision"
MOST_PHOTOS = 6


@transaction.atomic
def make_tour(
    place: Site,
    *,
    token: str,
    kind: str,
    on: date,
    inspector: str,
    faults: Mapping[str, str],
    rules: FoodSafety,
    by: User,
    photos: Sequence[bytes] = (),
    note: str = "",
) -> Tour:
    """Record an inspection over the pack's items; each fault (item code → what is wrong) has to be put right in time.

    The daily, weekly and monthly tours are the operator's own; supervision is the county's. ``token`` names the form.
    """
    found = rules.tours.get(kind)
    if found is None:
        raise StepRefused("请选择检查种类。", "Choose the kind of inspection.")
    require_at(by, Act.SUPERVISE_SAFETY if kind == SUPERVISION else Act.KEEP_SAFETY, place)
    take_turn()
    again = Tour.objects.filter(token=token).first()
    if again is not None:
        return again
    known = {item.code for item in found.items}
    said = {code: words.strip() for code, words in faults.items() if words.strip()}
    if strange := set(said) - known:
        raise StepRefused(
            f"没有检查项 {'、'.join(sorted(strange))}。", f"No such item: {', '.join(sorted(strange))}."
        )
    if not inspector.strip() or on > timezone.localdate() or len(photos) > MOST_PHOTOS:
        raise StepRefused(
            f"请填写检查人；日期不能在今天之后；照片最多 {MOST_PHOTOS} 张。",
            f"Name the inspector, on no later day than today, with at most {MOST_PHOTOS} photos.",
        )
    tour = Tour.objects.create(
        number=next_number(Tour, "JC", on),
        token=token,
        site=place,
        kind=kind,
        on=on,
        inspector=inspector.strip(),
        findings=[
            {"code": item.code, "ok": item.code not in said, "note": said.get(item.code, "")}
            for item in found.items
        ],
        note=note.strip(),
        recorded_by=by.username,
    )
    for code, words in said.items():
        Mending.objects.create(
            tour=tour, site=place, item=code, fault=words, due_on=on + timedelta(days=found.mend_days)
        )
    _keep_photos(tour, None, photos, by)
    record(
        by=by,
        act="make_tour",
        subject=f"tour:{tour.number}",
        region_code=place.region_code,
        detail={"site": place.code, "kind": kind, "faults": sorted(said), "photos": len(photos)},
    )
    return tour


def _keep_photos(tour: Tour, mending: Mending | None, photos: Sequence[bytes], by: User) -> None:
    for content in photos:
        digest, media_type = kept_paper(content)
        if digest:
            SafetyPhoto.objects.create(
                site=tour.site,
                tour=tour,
                mending=mending,
                digest=digest,
                media_type=media_type,
                recorded_by=by.username,
            )


@transaction.atomic
def mend(pk: int, *, how: str, by: User, photos: Sequence[bytes] = (), on: date | None = None) -> Mending:
    """Say that a fault was put right; somebody else accepts it. Said twice it is once."""
    take_turn()
    mending = _mending(pk, by)
    require_at(by, Act.KEEP_SAFETY, mending.site)
    if mending.state != Mending.State.OPEN:
        return mending
    if len(how.strip()) < 4 or len(photos) > MOST_PHOTOS:
        raise StepRefused(
            "请写明怎样整改（至少四个字），照片最多六张。", "Say how, in four characters or more."
        )
    mending.state, mending.done_on = Mending.State.DONE, on or timezone.localdate()
    mending.done_by, mending.done_how = by.username, how.strip()
    mending.save(update_fields=["state", "done_on", "done_by", "done_how"])
    _keep_photos(mending.tour, mending, photos, by)
    _note(mending, "mend", by)
    return mending


@transaction.atomic
def accept_mending(pk: int, *, accept: bool, by: User, why: str = "") -> Mending:
    """Accept a rectification, or send it back with the reason; never by who did it (验收人不是整改人)."""
    take_turn()
    mending = _mending(pk, by)
    require_at(by, Act.SUPERVISE_SAFETY, mending.site)
    if mending.state != Mending.State.DONE:
        raise StepRefused("这一项还没有整改，或已验收。", "It is not put right yet, or accepted already.")
    if mending.done_by == by.username:
        raise StepRefused(
            "整改人不能验收自己的整改。", "Who put it right does not accept it.", code="same_person"
        )
    if accept:
        mending.state, mending.accepted_on = Mending.State.ACCEPTED, timezone.localdate()
        mending.accepted_by = by.username
    else:
        if len(why.strip()) < 2:
            raise StepRefused("退回请写明原因。", "Say why it is sent back.")
        mending.state, mending.returned = Mending.State.OPEN, mending.returned + 1
    mending.save(update_fields=["state", "accepted_on", "accepted_by", "returned"])
    _note(mending, "accept_mending" if accept else "return_mending", by, why)
    return mending


def _note(mending: Mending, act: str, by: User, why: str = "") -> None:
    record(
        by=by,
        act=act,
        subject=f"tour:{mending.tour.number}",
        region_code=mending.site.region_code,
        reason=why,
        detail={"item": mending.item},
    )


def _mending(pk: int, by: User) -> Mending:
    found: Mending | None = seen(Mending, by).select_related("site", "tour").filter(pk=pk).first()
    if found is None:
        raise SafetyNotFound("没有找到这项整改。", "No such rectification for you.")
    return found


def tours(*, by: User, kind: str = "") -> QuerySet[Tour]:
    """Inspections, newest first."""
    found = seen(Tour, by).select_related("site").prefetch_related("mendings", "photos")
    return found.filter(kind=kind) if kind else found


def mendings(*, by: User, state: str = "open") -> QuerySet[Mending]:
    """Faults: ``open``, ``done`` (wait to be accepted), ``late`` (past their day), else all."""
    found = seen(Mending, by).select_related("site", "tour").prefetch_related("photos")
    if state == "late":
        return found.filter(state=Mending.State.OPEN, due_on__lt=timezone.localdate())
    return found.filter(state=state) if state in Mending.State.values else found


@dataclass(frozen=True)
class DueTour:
    """An inspection that a place owes: the kind, the last one, and since when it is due."""

    site: Site
    kind: str
    last_on: date | None
    due_on: date


def tours_due(places: Sequence[Site], *, rules: FoodSafety, on: date) -> list[DueTour]:
    """Own inspections that should have been made by a day, of places that are open."""
    last = {
        (row["site"], row["kind"]): row["last"]
        for row in Tour.objects.filter(site__in=places, on__lte=on)
        .values("site", "kind")
        .annotate(last=Max("on"))
    }
    owed = []
    for place in places:
        for kind in rules.tours.values():
            if kind.every_days is None:
                continue
            before = last.get((place.pk, kind.code))
            begun = place.opened_on or on
            due = before + timedelta(days=kind.every_days) if before is not None else begun
            if due <= on:
                owed.append(DueTour(place, kind.code, before, due))
    return owed


def look_at_photo(pk: int, *, by: User) -> tuple[bytes, str]:
    """A photo of an inspection with its media type; the look is in the audit log."""
    photo: SafetyPhoto | None = seen(SafetyPhoto, by).select_related("site", "tour").filter(pk=pk).first()
    if photo is None:
        raise SafetyNotFound("没有这张照片。", "No such photo.")
    record(
        by=by, act="look_at_photo", subject=f"tour:{photo.tour.number}", region_code=photo.site.region_code
    )
    return open_attachment(photo.digest)
