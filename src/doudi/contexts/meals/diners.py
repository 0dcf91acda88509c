"""Old people of the network: enrolment, consent, needs, what they may not eat, when nothing is subsidised (助餐对象)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, Scope, User, record, require, take_turn
from doudi.contexts.meals.diner_models import Diner, DinerEvent, NeedAssessment
from doudi.contexts.meals.site_models import Site
from doudi.contexts.meals.sites import SiteNotFound, StepRefused, reach, require_at, site, sites
from doudi.contexts.registry import services as registry
from doudi.engine import identity
from doudi.engine.errors import DoudiError
from doudi.engine.packs.meals import NetworkRules
from doudi.house.attachments import open_attachment
from doudi.house.keyring import keyring

LEAST_AGE = 60
"""老年人权益保障法 第二条."""
LIVING = ("独居", "空巢", "留守", "与家人同住", "其他")
MOBILITY = ("自如", "需搀扶", "不能出门")
COOKING = ("能做饭", "做饭困难", "不能做饭")
WAYS = ("堂食", "送餐", "不需要")
CONSENT_WAYS = ("本人签字", "本人口头同意并由见证人签字", "监护人签字")
CONSENT_ONLINE = "网上勾选同意"
"""What the public's page takes; the township asks the old person before it confirms."""
_ID, _CARD, _PHONE = "diner.id", "diner.card", "diner.phone"


class DinerNotFound(DoudiError):
    """No such diner that the asker may see."""

    code = "diner_not_found"


@dataclass(frozen=True)
class Enrolment:
    """What is told of an old person at enrolment; texts as typed, codes of divisions of six digits or more."""

    name: str
    id_number: str
    region_code: str
    site_code: str
    channel: str
    consent_on: date | None
    consent_by: str
    consent_how: str
    registered_region: str = ""
    phone: str = ""
    address: str = ""
    card: str = ""
    living: str = ""
    disability: int | None = None
    texture: str = Diner.Texture.ORDINARY
    diets: tuple[str, ...] = ()
    allergies: tuple[str, ...] = ()
    illness: str = ""
    halal: bool = False
    delivered: bool = False
    carer_name: str = ""
    carer_phone: str = ""
    worker_name: str = ""
    worker_phone: str = ""
    remark: str = ""
    longitude: float | None = None
    latitude: float | None = None
    proof: str = Diner.Proof.CODE
    """By what the person is handed meals."""
    signature: str = ""
    """The digest of a drawn signature that was kept."""


@transaction.atomic
def enrol_diner(told: Enrolment, *, rules: NetworkRules, by: User) -> Diner:
    """Enrol an old person (登记): in force at once from an office, waiting for a township's word from a canteen.

    The same person told again is the same diner. The category comes from the register, never from the form.
    """
    place = site(told.site_code, by=by)
    scope = require_at(by, Act.ENROL_DINER, place)
    require(by, Act.ENROL_DINER, region_code=told.region_code)
    return keep_enrolment(told, place, rules=rules, by=by, waits=scope is Scope.ORGANISATION)


def keep_enrolment(
    told: Enrolment, place: Site, *, rules: NetworkRules, by: User, waits: bool, public: bool = False
) -> Diner:
    """Keep an enrolment whose caller settled that it may be made; ``waits`` for a township's word.

    From the ``public`` nothing of the register may come back: death and registration are the township's to look at.
    """
    number = _checked(told, rules, (CONSENT_ONLINE,) if public else CONSENT_WAYS)
    take_turn()
    blind = keyring().digest(number, purpose=_ID)
    before = Diner.objects.filter(id_blind=blind).first()
    if before is not None and before.status != Diner.Status.LEFT:
        return before
    standing = registry.standing_of([number]).get(number)
    today = timezone.localdate()
    born = identity.birth_date_of(number)
    if not public:
        _alive(standing)
    fields: dict[str, Any] = {
        "name": told.name.strip(),
        "id_number": number,
        "born_on": born,
        "sex": identity.sex_of(number),
        "channel": told.channel,
        "status": Diner.Status.APPLIED if waits else Diner.Status.ACTIVE,
        "region_code": told.region_code,
        "registered_region": _registered(told, standing, may_miss=public),
        "household_no": standing.household_no if standing is not None else "",
        "category": standing.category if standing is not None else "",
        "category_on": today,
        "site": place,
        "phone": told.phone.strip(),
        "phone_blind": keyring().digest(told.phone.strip(), purpose=_PHONE) if told.phone.strip() else None,
        "address": told.address.strip(),
        "living": told.living,
        "disability": told.disability,
        "texture": told.texture,
        "diets": list(told.diets),
        "allergies": list(told.allergies),
        "illness": told.illness.strip(),
        "halal": told.halal,
        "delivered": told.delivered,
        "carer_name": told.carer_name.strip(),
        "carer_phone": told.carer_phone.strip(),
        "worker_name": told.worker_name.strip(),
        "worker_phone": told.worker_phone.strip(),
        "remark": told.remark.strip(),
        "longitude": told.longitude,
        "latitude": told.latitude,
        "consent_on": told.consent_on,
        "consent_by": told.consent_by.strip(),
        "consent_how": told.consent_how,
        "proof": told.proof,
        "signature": told.signature,
        "enrolled_on": today,
        "enrolled_by": by.username,
        "left_on": None,
    }
    if before is None:
        kept = Diner.objects.create(
            id_blind=blind, number=_next_number(told.region_code), code=_fresh_code(), **fields
        )
    else:
        Diner.objects.filter(pk=before.pk).update(**fields)
        kept = Diner.objects.get(pk=before.pk)
    if told.card.strip():
        _give_card(kept, told.card)
    DinerEvent.write(by=by, kind="enrol", text=f"登记助餐（{kept.get_channel_display()}）", diner=kept)
    record(
        by=by,
        act=Act.ENROL_DINER,
        subject=f"diner:{kept.number}",
        region_code=kept.region_code,
        detail={"site": place.code, "status": kept.status},
    )
    return kept


def _alive(standing: registry.Standing | None) -> None:
    if standing is not None and standing.died_on is not None:
        raise StepRefused(
            f"登记显示此人已于 {standing.died_on} 去世，不能登记助餐。如有误，请先更正人员登记。",
            f"The register says this person died on {standing.died_on}; correct the register first if that is wrong.",
        )


def _checked(told: Enrolment, rules: NetworkRules, ways: tuple[str, ...]) -> str:
    today = timezone.localdate()
    number = identity.mend_id(told.id_number, today=today)
    if number is None:
        raise StepRefused(
            "身份证号不对，请核对后重填。", "The ID number is not valid; check it.", code="id_invalid"
        )
    born = identity.birth_date_of(number)
    if age_on(born, today) < LEAST_AGE:
        raise StepRefused(
            f"助餐服务面向 {LEAST_AGE} 周岁及以上老年人，此人生于 {born}。",
            f"Meals are for people of {LEAST_AGE} and over; this person was born on {born}.",
        )
    if not told.name.strip() or told.channel not in Diner.Channel.values:
        raise StepRefused("请填写姓名和登记方式。", "Give the name and who enrols.")
    if (
        told.consent_on is None
        or told.consent_on > today
        or not told.consent_by.strip()
        or told.consent_how not in ways
    ):
        raise StepRefused(
            "请登记同意：哪天、谁同意、怎样同意（不能晚于今天）。没有同意不能保存健康和饮食信息。",
            "Record the consent: when, by whom, how. Without it nothing on health or diet may be kept.",
            code="consent_missing",
        )
    strange = [code for code in told.diets if code not in rules.diets]
    if strange or told.texture not in Diner.Texture.values:
        raise StepRefused("请从列表选择膳食要求和质地。", "Choose diet and texture from the list.")
    if told.proof not in Diner.Proof.values or (told.proof == Diner.Proof.CARD and not told.card.strip()):
        raise StepRefused(
            "凭卡领餐的请填写就餐卡号，没有卡请改选取餐码。", "Give the card's number, or choose the meal code.",
            code="card_missing",
        )  # fmt: skip
    if told.proof == Diner.Proof.SIGNATURE and not told.signature:
        raise StepRefused(
            "凭签字领餐的，请老人在签名框里签一次，以后好核对。", "Let the old person sign in the box, to compare with later.",
            code="signature_missing",
        )  # fmt: skip
    if told.living and told.living not in LIVING:
        raise StepRefused("请从列表选择居住情况。", "Choose how the person lives from the list.")
    return number


def _registered(told: Enrolment, standing: registry.Standing | None, *, may_miss: bool) -> str:
    """Where the person is registered: the register's word, else what was told; empty counts as elsewhere."""
    if standing is not None and standing.registered_region:
        return standing.registered_region
    if not told.registered_region and not may_miss:
        raise StepRefused(
            "此人不在低收入人口登记里，请填写户籍地（县级区划代码），补贴要看户籍。",
            "This person is not on the register: give the county of registration, subsidies depend on it.",
            code="registration_missing",
        )
    return told.registered_region


def age_on(born: date, day: date) -> int:
    """Full years of age."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def _next_number(region_code: str) -> str:
    prefix = f"ZC{region_code[:6]}-"
    last = Diner.objects.filter(number__startswith=prefix).aggregate(last=Max("number"))["last"]
    return f"{prefix}{int(last.rpartition('-')[2]) + 1 if last else 1:06d}"


def _fresh_code() -> str:
    while True:
        code = f"{secrets.randbelow(10**6):06d}"
        if not Diner.objects.filter(code=code).exists():
            return code


def _give_card(found: Diner, card: str) -> None:
    plain = card.strip()
    blind = keyring().digest(plain, purpose=_CARD)
    other = Diner.objects.filter(card_blind=blind).exclude(pk=found.pk).first()
    if other is not None:
        raise StepRefused("这张卡已给了别人，请换一张。", "This card belongs to somebody else; use another.")
    Diner.objects.filter(pk=found.pk).update(card_blind=blind, card_last=plain[-4:])


@transaction.atomic
def give_card(found: Diner, *, card: str, by: User) -> Diner:
    """Give a diner a card, in place of a lost one."""
    require(by, Act.CONFIRM_DINER, region_code=found.region_code)
    take_turn()
    if len(card.strip()) < 4:
        raise StepRefused("卡号至少四位。", "A card number has four characters or more.")
    _give_card(found, card)
    DinerEvent.write(by=by, kind="card", text="发放就餐卡", diner=found)
    record(by=by, act="give_card", subject=f"diner:{found.number}", region_code=found.region_code)
    return Diner.objects.get(pk=found.pk)


CHANGEABLE = {
    "phone": "电话",
    "address": "住址",
    "living": "居住情况",
    "texture": "食物质地",
    "diets": "膳食要求",
    "allergies": "过敏原",
    "illness": "病情",
    "halal": "清真",
    "delivered": "送餐上门",
    "longitude": "经度",
    "latitude": "纬度",
    "carer_name": "紧急联系人",
    "carer_phone": "紧急联系电话",
    "worker_name": "村（社区）联系人",
    "worker_phone": "村（社区）联系电话",
    "remark": "送餐提示",
}
"""What may change about a diner; name, identity, residence and category are the register's and the enrolment's."""


@transaction.atomic
def change_diner(
    found: Diner, *, rules: NetworkRules, by: User, site_code: str = "", **changes: Any
) -> list[str]:
    """Change how a diner eats and is reached (变更); gives the names of what changed, which the history keeps too."""
    require_at(by, Act.ENROL_DINER, found.site)
    take_turn()
    if strange := set(changes) - set(CHANGEABLE):
        raise StepRefused(
            f"这些内容不能在这里改：{'、'.join(sorted(strange))}。", f"Not changed here: {sorted(strange)}."
        )
    if set(changes.get("diets", ())) - set(rules.diets) or (
        "texture" in changes and changes["texture"] not in Diner.Texture.values
    ):
        raise StepRefused("请从列表选择膳食要求和质地。", "Choose diet and texture from the list.")
    found = Diner.objects.get(pk=found.pk)
    fresh = {name: value for name, value in changes.items() if getattr(found, name) != value}
    names = [CHANGEABLE[name] for name in fresh]
    if "phone" in fresh:
        fresh["phone_blind"] = keyring().digest(fresh["phone"], purpose=_PHONE) if fresh["phone"] else None
    if site_code and site_code != found.site.code:
        fresh["site"] = site(site_code, by=by)
        names.append("常去助餐点")
    if names:
        Diner.objects.filter(pk=found.pk).update(**fresh)
        # the history names what changed and repeats no telephone, address or illness
        DinerEvent.write(by=by, kind="change", text=f"变更：{'、'.join(names)}", diner=found)
        record(
            by=by,
            act="change_diner",
            subject=f"diner:{found.number}",
            region_code=found.region_code,
            detail={"fields": sorted(fresh)},
        )
    return names


@transaction.atomic
def confirm_diner(found: Diner, *, by: User) -> Diner:
    """A township says that who asked for meals may have them (核实); never the one who enrolled them."""
    require(by, Act.CONFIRM_DINER, region_code=found.region_code)
    take_turn()
    if found.enrolled_by == by.username:
        raise StepRefused(
            "登记人不能自己核实。", "Who enrolled somebody does not confirm it.", code="same_person"
        )
    _alive(registry.standing_of([found.id_number]).get(found.id_number))
    done = Diner.objects.filter(pk=found.pk, status=Diner.Status.APPLIED).update(status=Diner.Status.ACTIVE)
    if done:
        DinerEvent.write(by=by, kind="confirm", text="核实通过", diner=found)
        record(by=by, act=Act.CONFIRM_DINER, subject=f"diner:{found.number}", region_code=found.region_code)
    return Diner.objects.get(pk=found.pk)


@transaction.atomic
def leave(found: Diner, *, ground: str, by: User) -> Diner:
    """End a diner's enrolment (退出)."""
    require(by, Act.CONFIRM_DINER, region_code=found.region_code)
    take_turn()
    if len(ground.strip()) < 2:
        raise StepRefused("请写明退出原因。", "Say why.")
    done = (
        Diner.objects.filter(pk=found.pk)
        .exclude(status=Diner.Status.LEFT)
        .update(status=Diner.Status.LEFT, left_on=timezone.localdate())
    )
    if done:
        DinerEvent.write(by=by, kind="leave", text=f"退出：{ground.strip()}", diner=found)
        record(
            by=by,
            act="leave_meals",
            subject=f"diner:{found.number}",
            region_code=found.region_code,
            reason=ground,
        )
    return Diner.objects.get(pk=found.pk)


@transaction.atomic
def assess(
    found: Diner,
    *,
    assessed_on: date,
    living: str,
    mobility: str,
    cooking: str,
    way: str,
    by: User,
    note: str = "",
) -> NeedAssessment:
    """Record what an old person needs; the way that meals should come is taken over to the enrolment."""
    require(by, Act.CONFIRM_DINER, region_code=found.region_code)
    for value, allowed in ((living, LIVING), (mobility, MOBILITY), (cooking, COOKING), (way, WAYS)):
        if value not in allowed:
            raise StepRefused("请把评估各项选全。", "Choose every item of the assessment.")
    kept = NeedAssessment.objects.create(
        diner=found,
        assessed_on=assessed_on,
        living=living,
        mobility=mobility,
        cooking=cooking,
        way=way,
        note=note.strip(),
        by=by.username,
    )
    Diner.objects.filter(pk=found.pk).update(living=living, delivered=way == "送餐")
    DinerEvent.write(
        by=by, kind="assess", text=f"需求评估：{living}、{mobility}、{cooking}，{way}", diner=found
    )
    record(by=by, act="assess_diner", subject=f"diner:{found.number}", region_code=found.region_code)
    return kept


# ---- finding -----------------------------------------------------------------------------------------------------


def diners(*, by: User, text: str = "", status: str = "") -> QuerySet[Diner]:
    """Diners of the account's area, or those who eat at the places of its organisation."""
    found = registry.but_own(_inside(by), by=by, household="household_no", blind="id_blind")
    if status and status != "all":
        found = found.filter(status=status)
    plain = text.strip()
    if plain:
        found = found.filter(_means(plain))
    return found


def _inside(by: User) -> QuerySet[Diner]:
    scope = require(by, Act.VIEW_DINERS)
    return Diner.objects.select_related("site").filter(visible(scope, by))


def visible(scope: Scope, by: User) -> Q:
    """Diners who live in the account's area, or whose usual place its organisation runs."""
    return (
        reach(scope, by, "site__")
        if scope is Scope.ORGANISATION
        else Q(region_code__startswith=by.region_code)
    )


def _means(plain: str) -> Q:
    """By name, meal code, telephone or number, whatever was typed."""
    asked = Q(name__startswith=plain) | Q(code=plain) | Q(number=plain.upper())
    if plain.isdigit() and len(plain) >= 7:
        asked |= Q(phone_blind=keyring().digest(plain, purpose=_PHONE))
    number = identity.mend_id(plain)
    if number is not None:
        asked |= Q(id_blind=keyring().digest(number, purpose=_ID))
    return asked


def diner(number: str, *, by: User) -> Diner:
    """One diner whom ``by`` may see, or :class:`DinerNotFound`."""
    found = _inside(by).filter(number=number).first()
    if found is None:
        raise DinerNotFound(f"没有找到助餐对象 {number}，或不在您的范围。", f"No diner {number} for you.")
    registry.refuse_own_record(
        f"diner:{number}", by=by, household_no=found.household_no, blind=found.id_blind
    )
    return found


@transaction.atomic
def look_at_diner(number: str, *, by: User) -> Diner:
    """:func:`diner`, with the look in the audit log: diet and illness are personal."""
    found = diner(number, by=by)
    record(by=by, act=Act.VIEW_DINERS, subject=f"diner:{number}", region_code=found.region_code)
    return found


@transaction.atomic
def look_at_signature(number: str, *, by: User) -> tuple[bytes, str]:
    """The signature drawn at the enrolment, with its media type; the look is in the log."""
    found = diner(number, by=by)
    if not found.signature:
        raise DinerNotFound("登记时没有留签字。", "No signature was drawn at the enrolment.")
    record(
        by=by,
        act="look_at_signature",
        subject=f"diner:{number}",
        region_code=found.region_code,
        detail={"sha256": found.signature},
    )
    return open_attachment(found.signature)


def by_proof(key: str) -> Diner | None:
    """Who shows a card or a meal code at a till, wherever they live; for the till alone."""
    plain = key.strip()
    asked = Q(card_blind=keyring().digest(plain, purpose=_CARD))
    if len(plain) == 6 and plain.isdigit():
        asked |= Q(code=plain)
    return Diner.objects.select_related("site").filter(asked).first()


def places_for(*, by: User) -> QuerySet[Site]:
    """Open places at which somebody may be enrolled."""
    return sites(by=by).filter(state=Site.State.OPEN)


__all__ = [
    "CHANGEABLE",
    "CONSENT_WAYS",
    "COOKING",
    "LIVING",
    "MOBILITY",
    "WAYS",
    "DinerNotFound",
    "Enrolment",
    "SiteNotFound",
    "age_on",
    "assess",
    "by_proof",
    "change_diner",
    "confirm_diner",
    "diner",
    "diners",
    "enrol_diner",
    "give_card",
    "leave",
    "look_at_diner",
    "look_at_signature",
    "places_for",
]
