"""What the public is shown and says (公开): scores without a name in them, stars by a paper code, complaints."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Avg, Count, Q, QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, take_turn
from doudi.contexts.meals.door import knock
from doudi.contexts.meals.numbers import next_number
from doudi.contexts.meals.order_models import MealServed
from doudi.contexts.meals.safety_models import (
    FoodSample,
    FoodStop,
    Incident,
    KitchenWorker,
    Mending,
    MorningCheck,
    PublicWord,
    RatingCode,
    Reading,
    Tour,
)
from doudi.contexts.meals.safety_papers import SafetyNotFound, certificate_of, seen
from doudi.contexts.meals.safety_tours import tours_due
from doudi.contexts.meals.site_models import Site
from doudi.contexts.meals.sites import StepRefused, require_at, sites
from doudi.contexts.monitoring import services as monitoring
from doudi.engine.packs.food_safety import FoodSafety, Grade
from doudi.engine.packs.volunteers import VolunteerRules
from doudi.house.keyring import keyring

MOST_CODES = 200
MAX_TEXT = 1000
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_LENGTH = 10
"""31^10 ≈ 2^49.5 codes: they cannot be guessed within the limit of an address."""


# ---- scores ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Score:
    """What the public reads of a place: points of 100, the grade, red lines, shares done ÷ due, the last supervision."""

    site: Site
    points: int
    grade: Grade
    red_lines: list[tuple[str, str]]
    shares: Mapping[str, tuple[int, int]]
    last_tour: date | None
    stars: float | None
    replies: int


def score_of(place: Site, *, rules: FoodSafety, on: date) -> Score:
    """The open score of a place over the pack's last days; no person is in it."""
    since = on - timedelta(days=rules.score_days)
    kitchen = place.kitchen
    workers = list(
        KitchenWorker.objects.filter(site=kitchen, ready_food=True, joined_on__lte=on).filter(
            Q(left_on=None) | Q(left_on__gt=on)
        )
    )
    valid = sum(1 for w in workers if (c := certificate_of(w, on)) is not None and c.valid_until >= on)
    days = (
        MealServed.objects.filter(kitchen=kitchen, day__range=(since, on))
        .order_by()
        .values_list("day", flat=True)
        .distinct()
    )
    cooked = set(days)
    checked = set(
        MorningCheck.objects.filter(site=kitchen, on__in=cooked)
        .order_by()
        .values_list("on", flat=True)
        .distinct()
    )
    readings = Reading.objects.filter(site=kitchen, at__date__range=(since, on)).aggregate(
        all=Count("pk"), good=Count("pk", filter=Q(passed=True))
    )
    samples = FoodSample.objects.filter(site=kitchen, day__range=(since, on)).aggregate(
        all=Count("pk"), bad=Count("pk", filter=Q(passed=False))
    )
    mendings = Mending.objects.filter(site=kitchen, due_on__range=(since, on))
    late = mendings.filter(Q(done_on__isnull=True, due_on__lt=on)).count()
    owed = {due.kind for due in tours_due([kitchen], rules=rules, on=on)}
    own = [kind for kind in rules.tours.values() if kind.every_days is not None]
    shares = {
        "健康证": (valid, len(workers)),
        "晨检": (len(checked), len(cooked)),
        "温度": (readings["good"], readings["all"]),
        "留样": (samples["all"] - samples["bad"], samples["all"]),
        "检查": (len(own) - len(owed), len(own)),
        "整改": (mendings.count() - late, mendings.count()),
    }
    red = _red_lines(place, kitchen, on)
    points = rules.score(shares, red_lines=[code for code, _words in red])
    last = Tour.objects.filter(site=kitchen, kind="supervision", on__lte=on).order_by("-on").first()
    words = PublicWord.objects.filter(
        site=place, kind=PublicWord.Kind.RATING, channel__in=("code", "phone"), on__gte=since
    ).aggregate(stars=Avg("stars"), replies=Count("pk"))
    return Score(
        place,
        points,
        rules.grade(points),
        red,
        shares,
        last.on if last else None,
        words["stars"],
        words["replies"],
    )


def _red_lines(place: Site, kitchen: Site, on: date) -> list[tuple[str, str]]:
    found = []
    if not kitchen.licensed(on):
        found.append(("licence", "食品经营许可证过期或未登记"))
    if Incident.objects.filter(site__in=[place, kitchen]).exclude(state=Incident.State.CLOSED).exists():
        found.append(("incident", "有未结案的食品安全事件"))
    if FoodStop.objects.filter(site__in=[place, kitchen], dish=None, batch=None, lifted_at=None).exists():
        found.append(("stopped", "已暂停供餐"))
    return found


def _public() -> QuerySet[Site]:
    return Site.objects.filter(state__in=(Site.State.OPEN, Site.State.SUSPENDED)).select_related(
        "supplied_by"
    )


def open_scores(*, rules: FoodSafety, region_code: str = "") -> list[Score]:
    """The scores of every place that is open, for anybody (公示), best first; by county where given."""
    today = timezone.localdate()
    places = _public().filter(region_code__startswith=region_code)[:300]
    scored = [score_of(place, rules=rules, on=today) for place in places]
    return sorted(scored, key=lambda score: (-score.points, score.site.name))


def open_place(code: str) -> Site:
    """A place that the public may speak of."""
    found = _public().filter(code=code).first()
    if found is None:
        raise SafetyNotFound("没有找到这个助餐点。", "No such meal place.")
    return found


# ---- stars and complaints ----------------------------------------------------------------------------------------


@transaction.atomic
def issue_rating_codes(place: Site, *, count: int, by: User) -> list[str]:
    """Fresh codes to print, each for one meal's stars (评价码); only their digests stay here."""
    require_at(by, Act.ISSUE_RATING_CODES, place)
    take_turn()
    if not 1 <= count <= MOST_CODES:
        raise StepRefused(
            f"每次发放 1 到 {MOST_CODES} 个评价码。", f"Between 1 and {MOST_CODES} codes at a time."
        )
    codes = ["".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH)) for _ in range(count)]
    today = timezone.localdate()
    RatingCode.objects.bulk_create(
        [RatingCode(site=place, digest=_digest(c), issued_on=today, issued_by=by.username) for c in codes]
    )
    record(
        by=by,
        act="issue_rating_codes",
        subject=f"site:{place.code}",
        region_code=place.region_code,
        detail={"count": count},
    )
    return codes


def _digest(code: str) -> bytes:
    return keyring().digest(code, purpose="meals.rating_code")


def rate_by_code(
    code: str, *, stars: int, rules: FoodSafety, scale: VolunteerRules, text: str = "", address: str = ""
) -> PublicWord:
    """Stars of somebody who ate, by the code on the paper; a code counts once."""
    knock("rate", address, rules.per_address, minutes=rules.window_minutes)
    return _rate_by_code(code, stars=stars, scale=scale, text=text)


@transaction.atomic
def _rate_by_code(code: str, *, stars: int, scale: VolunteerRules, text: str) -> PublicWord:
    take_turn()
    plain = code.upper().replace("-", "").replace(" ", "")
    found = RatingCode.objects.filter(digest=_digest(plain)).select_related("site").first()
    if found is None:
        raise StepRefused("没有这个评价码，请对照小票重新输入。", "No such code; look at the slip again.")
    _refuse_stars(stars, scale)
    if not RatingCode.objects.filter(pk=found.pk, used_at=None).update(used_at=timezone.now()):
        raise StepRefused("这个评价码已经用过了，谢谢您的评价。", "This code was used already; thank you.")
    return _keep(
        found.site,
        kind=PublicWord.Kind.RATING,
        channel=PublicWord.Channel.CODE,
        stars=stars,
        text=text,
        on=found.issued_on,
        token=f"code:{found.pk}",
        by=monitoring.passer_by(),
    )


def _refuse_stars(stars: int, scale: VolunteerRules) -> None:
    low, high = scale.stars
    if not low <= stars <= high:
        raise StepRefused(f"请给 {low} 到 {high} 星。", f"Give {low} to {high} stars.")


@transaction.atomic
def record_rating(
    place: Site,
    *,
    token: str,
    channel: str,
    stars: int,
    on: date,
    scale: VolunteerRules,
    by: User,
    text: str = "",
) -> PublicWord:
    """Stars told on the telephone or on a paper form, entered by the township or county and never by the place itself."""
    require_at(by, Act.RECORD_RATING, place)
    take_turn()
    again = PublicWord.objects.filter(token=token).first()
    if again is not None:
        return again
    if channel not in (PublicWord.Channel.PHONE, PublicWord.Channel.PAPER) or on > timezone.localdate():
        raise StepRefused(
            "请选择电话或纸质问卷，日期不能在今天之后。", "By telephone or on paper, not after today."
        )
    _refuse_stars(stars, scale)
    return _keep(
        place, kind=PublicWord.Kind.RATING, channel=channel, stars=stars, text=text, on=on, token=token, by=by
    )


def complain(
    place: Site, *, token: str, text: str, rules: FoodSafety, contact: str = "", address: str = ""
) -> PublicWord:
    """A complaint of the public's page; the same form sent again is the same complaint."""
    again = PublicWord.objects.filter(token=token).first()
    if again is not None:
        return again
    knock("complain", address, rules.per_address, minutes=rules.window_minutes)
    return _complain(place, token=token, text=text, contact=contact)


@transaction.atomic
def _complain(place: Site, *, token: str, text: str, contact: str) -> PublicWord:
    take_turn()
    again = PublicWord.objects.filter(token=token).first()
    if again is not None:
        return again
    if not 4 <= len(text.strip()) <= MAX_TEXT:
        raise StepRefused(
            f"请用 4 到 {MAX_TEXT} 个字说明情况。", f"Describe it in 4 to {MAX_TEXT} characters."
        )
    return _keep(
        place,
        kind=PublicWord.Kind.COMPLAINT,
        channel=PublicWord.Channel.WEB,
        text=text,
        contact=contact,
        on=timezone.localdate(),
        token=token,
        by=monitoring.passer_by(),
    )


def _keep(place: Site, *, by: User, text: str = "", contact: str = "", **facts: Any) -> PublicWord:
    kept = PublicWord.objects.create(
        number=next_number(PublicWord, "PJ", timezone.localdate()),
        site=place,
        text=text.strip()[:MAX_TEXT],
        contact=contact.strip()[:80],
        recorded_by=by.username if by.role else "",
        **facts,
    )
    record(
        by=by,
        act="take_word",
        subject=f"word:{kept.number}",
        region_code=place.region_code,
        detail={"site": place.code, "kind": kept.kind},
    )
    return kept


def words(*, by: User, kind: str = "", open_only: bool = False) -> QuerySet[PublicWord]:
    """Ratings and complaints, newest first; ``open_only`` leaves what was answered."""
    found = seen(PublicWord, by).select_related("site")
    if open_only:
        found = found.filter(answered_at=None)
    return found.filter(kind=kind) if kind else found


@transaction.atomic
def answer_word(number: str, *, answer: str, by: User) -> PublicWord:
    """Answer a complaint after looking into it; the place it is about does not answer for the supervisor."""
    take_turn()
    found: PublicWord | None = seen(PublicWord, by).select_related("site").filter(number=number).first()
    if found is None:
        raise SafetyNotFound(f"没有找到 {number}。", f"Nothing found under {number}.")
    require_at(by, Act.SUPERVISE_SAFETY, found.site)
    if found.answered_at is not None:
        return found
    if len(answer.strip()) < 4:
        raise StepRefused("请写明核查情况和处理结果（至少四个字）。", "Say what was found and done.")
    found.answer, found.answered_at, found.answered_by = answer.strip(), timezone.now(), by.username
    found.save(update_fields=["answer", "answered_at", "answered_by"])
    record(by=by, act="answer_word", subject=f"word:{number}", region_code=found.site.region_code)
    return found


# ---- the supervisor's desk ---------------------------------------------------------------------------------------


def scores(*, by: User, rules: FoodSafety) -> list[Score]:
    """The scores of the account's places, worst first."""
    places = (
        sites(by=by).exclude(state__in=(Site.State.CLOSED, Site.State.PLANNED)).select_related("supplied_by")
    )
    today = timezone.localdate()
    return sorted((score_of(p, rules=rules, on=today) for p in places), key=lambda s: (s.points, s.site.name))


def expired_workers(
    places: Sequence[Site], *, within_days: int, on: date
) -> list[tuple[KitchenWorker, date | None]]:
    """Workers without a certificate in force, or whose certificate ends within so many days."""
    found = []
    for worker in KitchenWorker.objects.filter(site__in=places, left_on=None, ready_food=True).select_related(
        "site"
    ):
        certificate = certificate_of(worker, on)
        until = certificate.valid_until if certificate is not None else None
        if until is None or until <= on + timedelta(days=within_days):
            found.append((worker, until))
    return sorted(found, key=lambda row: (row[1] is not None, row[1] or on))
