"""Ordering a service for a household, giving it to a provider, and proving each visit (服务类救助).

The provider learns the name and address and nothing else of the family. A visit counts only with the receiver's
confirmation: a code that the family holds, or a signature; where the pack says so also with a picture.
"""

from __future__ import annotations

import hmac
import secrets
from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import F, Sum
from django.utils import timezone

from doudi.contexts.accounts.services import Act, Scope, User, record, require, take_turn
from doudi.contexts.assistance.care_models import (
    CareComplaint,
    CareEvent,
    CareLine,
    CareOrder,
    CareQuerySet,
    CareSettlement,
    CareVisit,
)
from doudi.contexts.assistance.errors import StepRefused
from doudi.contexts.assistance.rosters import SamePerson
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.engine.packs.care_services import CareRules
from doudi.house.attachments import keep_attachment, open_attachment

State = CareOrder.State
Proof = CareVisit.Proof
Complaint = CareComplaint.State
LONGEST = 366
"""Days of one order; a longer need is looked at again."""


class CareNotFound(DoudiError):
    """No such order, visit or complaint that the asker may see."""

    code = "care_not_found"


def care_orders(*, by: User, state: str = "", household_no: str = "") -> CareQuerySet:
    """Orders of the asker's area, a provider's own ones alone, newest first; none of one's own or kin's families."""
    found = registry.but_own(_within(by), by=by, household="household_no")
    if state:
        found = found.filter(state=state)
    return found.filter(household_no=household_no) if household_no else found


def care_order(number: str, *, by: User) -> CareOrder:
    """One order that the asker may see, or :class:`CareNotFound`; one's own and kin's is refused and flagged."""
    found = _within(by).filter(number=number).first()
    if found is None:
        raise CareNotFound(
            f"没有找到服务单 {number}，或不在您的辖区。", f"No service order {number} in your area."
        )
    registry.refuse_own_file(found.household_no, by=by)
    return found


def _within(by: User) -> CareQuerySet:
    return CareOrder.objects.visible_to(by, require(by, Act.VIEW_CARE))


@transaction.atomic
def look_at_care(number: str, *, by: User) -> CareOrder:
    """:func:`care_order` for a page that shows name and address; the look is in the audit log."""
    found = care_order(number, by=by)
    _log(found, by, Act.VIEW_CARE, fields=["receiver", "address", "visits"])
    return found


def is_provider(by: User) -> bool:
    """Whether the asker sees orders as a provider: without the code and the family's number."""
    return require(by, Act.VIEW_CARE) is Scope.ORGANISATION


@transaction.atomic
def order_care(
    *,
    rules: CareRules,
    household_no: str,
    person_id: int,
    item: str,
    units: int,
    starts_on: date,
    ends_on: date,
    address: str,
    consent_on: date,
    consent: str,
    by: User,
) -> CareOrder:
    """Order a service for a member of a household with the family's consent; the same again is the same order."""
    home = registry.household(household_no, by=by)
    require(by, Act.ORDER_CARE, region_code=home.responsible_region)
    registry.refuse_own_file(household_no, by=by)
    take_turn()
    chosen = rules.item(item)
    if chosen.price_fen is None:
        raise StepRefused(
            f"政策包里没有“{chosen.label}”的单价，不能下单。请先在 care_services.yaml 里填写。",
            f"The pack sets no price for {chosen.code}; set it in care_services.yaml first.",
        )
    person = next((one for one in registry.counted_members(household_no) if one.person_id == person_id), None)
    if person is None or person.died_on is not None:
        raise StepRefused(
            "请选择这户共同生活、在世的成员。",
            "Choose a living member of this household.",
            code="not_a_member",
        )
    today = timezone.localdate()
    if len(consent.strip()) < 2 or not consent_on <= today:
        raise StepRefused(
            "请写明同意的凭据，同意日期不能晚于今天。没有本人或监护人同意不能把姓名和地址交给服务机构。",
            "Say what the consent is; it is not in the future. Without it no provider learns name and address.",
        )
    if not 1 <= units <= 1000:
        raise StepRefused("数量应为 1–1000。", "Between 1 and 1000 units.")
    if not (starts_on >= consent_on and starts_on <= ends_on <= starts_on + timedelta(days=LONGEST)):
        raise StepRefused(
            "开始日期不能早于同意日期，结束日期不能早于开始日期，一单最长一年。",
            "The order begins after the consent and lasts a year at most.",
        )
    if not address.strip():
        raise StepRefused("请填写服务地址和联系方式。", "Give the address.")
    same = CareOrder.objects.filter(
        household_no=household_no, person_id=person_id, item=item, starts_on=starts_on, ends_on=ends_on,
        units=units, ordered_by=by.username,
    ).exclude(state=State.ENDED).first()  # fmt: skip
    if same is not None:
        return same
    found = CareOrder.objects.create(
        number=f"FW{today:%Y%m%d}-{CareOrder.objects.count() + 1:05d}",
        household_no=household_no,
        person_id=person_id,
        receiver=person.name,
        address=address.strip()[:200],
        region_code=home.responsible_region,
        item=item,
        item_label=chosen.label,
        unit=chosen.unit,
        price_fen=chosen.price_fen,
        payer=chosen.payer,
        photo=chosen.photo,
        units=units,
        starts_on=starts_on,
        ends_on=ends_on,
        consent_on=consent_on,
        consent=consent.strip()[:200],
        code=_new_code(),
        state=State.ORDERED,
        ordered_by=by.username,
    )
    _say(found, by, "order", f"下单：{chosen.label} {units}{chosen.unit}；同意凭据：{found.consent}")
    _log(found, by, Act.ORDER_CARE, item=item, units=units)
    return found


def _new_code() -> str:
    return f"{secrets.randbelow(1_000_000):06d}"


@transaction.atomic
def renew_code(number: str, *, by: User) -> CareOrder:
    """Give the family another confirmation code (换发确认码): the old one was lost, seen, or typed wrong too often."""
    found = care_order(number, by=by)
    require(by, Act.ORDER_CARE, region_code=found.region_code)
    take_turn()
    CareOrder.objects.filter(pk=found.pk).update(code=_new_code(), wrong_codes=0)
    found.refresh_from_db()
    _say(found, by, "code", "换发确认码")
    _log(found, by, "renew_care_code")
    return found


@transaction.atomic
def assign_care(number: str, *, provider: str, provider_name: str, by: User) -> CareOrder:
    """Give an order to a provider (派单): another person than who ordered; the caller has looked the provider up."""
    found = care_order(number, by=by)
    require(by, Act.ASSIGN_CARE, region_code=found.region_code)
    take_turn()
    if found.ordered_by == by.username:
        raise SamePerson("服务单须由下单人以外的人派单。", "Who ordered does not choose the provider.")
    if found.state == State.ASSIGNED and found.provider == provider:
        return found
    if not CareOrder.objects.filter(pk=found.pk, state=State.ORDERED).update(
        state=State.ASSIGNED, provider=provider, provider_name=provider_name[:120], assigned_by=by.username
    ):
        raise StepRefused("这张服务单已派出或已结束。", "The order is assigned or ended already.")
    found.refresh_from_db()
    _say(found, by, "assign", f"派给 {provider_name}")
    _log(found, by, Act.ASSIGN_CARE, provider=provider)
    return found


@transaction.atomic
def end_care(number: str, *, reason: str, by: User) -> CareOrder:
    """End an order (结束服务), done or not; visits already proven are settled all the same."""
    found = care_order(number, by=by)
    require(by, Act.ORDER_CARE, region_code=found.region_code)
    take_turn()
    if len(reason.strip()) < 2:
        raise StepRefused("请写明结束的原因。", "Say why it ends.")
    if CareOrder.objects.filter(pk=found.pk).exclude(state=State.ENDED).update(state=State.ENDED):
        found.refresh_from_db()
        _say(found, by, "end", f"结束：{reason.strip()}")
        _log(found, by, "end_care")
    return found


@transaction.atomic
def end_due_care(*, rules: CareRules, by: User) -> int:
    """End the orders whose last day lies further back than the pack's days for late proofs (到期结束); returns how many."""
    require(by, Act.ORDER_CARE)
    take_turn()
    last = timezone.localdate() - timedelta(days=rules.grace_days)
    over = CareOrder.objects.filter(ends_on__lt=last).exclude(state=State.ENDED)
    ended = list(over)
    for found in ended:
        why = "服务期满" if found.state == State.ASSIGNED else "服务期满，一直没有派单"
        CareOrder.objects.filter(pk=found.pk).update(state=State.ENDED)
        _say(found, by, "end", f"结束：{why}，用去 {used_units(found)}/{found.units} {found.unit}")
        _log(found, by, "end_care", due=True)
    return len(ended)


# ---- visits -----------------------------------------------------------------------------------------------------------


def used_units(order: CareOrder) -> int:
    """Units of an order that visits have used up."""
    return order.visits.filter(reverses=None, reversed_by=None).aggregate(n=Sum("units"))["n"] or 0


def record_care_visit(
    number: str,
    *,
    rules: CareRules,
    begun_at: datetime,
    place: str,
    units: int,
    worker: str,
    by: User,
    code: str = "",
    photo: bytes = b"",
    signature: bytes = b"",
    note: str = "",
) -> CareVisit:
    """Prove a visit (服务凭证); the same visit again is the same proof.

    A wrong code is counted even though the visit is refused: after the pack's number of them the township gives a new one.
    """
    found = care_order(number, by=by)
    require(by, Act.PROVE_CARE, region_code=found.region_code, organisation=found.provider)
    if code.strip() and not signature:
        _check_code(found, code.strip(), rules)
    return _record(
        found, begun_at=begun_at, place=place, units=units, worker=worker, by=by, code=code.strip(), photo=photo,
        signature=signature, note=note,
    )  # fmt: skip


def _check_code(found: CareOrder, code: str, rules: CareRules) -> None:
    # counted before it is compared: two guesses at once are two
    counted = CareOrder.objects.filter(pk=found.pk, wrong_codes__lt=rules.wrong_codes).update(
        wrong_codes=F("wrong_codes") + 1
    )
    if not counted:
        raise StepRefused(
            "确认码输错次数过多，已停用。请由家庭签字，或请乡镇换发确认码。",
            "Too many wrong codes; take a signature or ask the township for a new code.",
            code="care_code_locked",
        )
    if not hmac.compare_digest(found.code.encode(), code.encode()):
        raise StepRefused(
            "确认码不对，请向服务对象核对。", "The code is wrong; ask the receiver.", code="care_code_wrong"
        )
    CareOrder.objects.filter(pk=found.pk).update(wrong_codes=0)


@transaction.atomic
def _record(
    found: CareOrder,
    *,
    begun_at: datetime,
    place: str,
    units: int,
    worker: str,
    by: User,
    code: str,
    photo: bytes,
    signature: bytes,
    note: str,
) -> CareVisit:
    take_turn()
    found.refresh_from_db()
    before = found.visits.filter(begun_at=begun_at, reverses=None, reversed_by=None).first()
    if before is not None:
        if before.recorded_by == by.username and before.units == units:
            return before
        raise StepRefused("这个时间已登记过一次服务。", "A visit of this time is recorded.")
    if found.state != State.ASSIGNED:
        raise StepRefused("这张服务单不在服务中。", "The order is not being served.")
    if begun_at > timezone.now() or not found.starts_on <= timezone.localdate(begun_at) <= found.ends_on:
        raise StepRefused(
            f"服务时间应在 {found.starts_on} 至 {found.ends_on} 之间，且不晚于现在。",
            "The visit lies within the order's days and not in the future.",
        )
    if not place.strip() or not worker.strip():
        raise StepRefused("请填写地点和服务人员。", "Give place and worker.")
    if units < 1 or used_units(found) + units > found.units:
        raise StepRefused(
            f"数量超过这张服务单剩下的 {found.units - used_units(found)}{found.unit}。",
            "More units than the order has left.",
            code="care_units",
        )
    if not code and not signature:
        raise StepRefused(
            "请填写服务对象的确认码，或上传签字。", "A confirmation code or a signature is needed."
        )
    if found.photo and not photo:
        raise StepRefused("这项服务要有现场照片。", "This service is proven by a picture too.")
    visit = CareVisit.objects.create(
        order=found,
        begun_at=begun_at,
        place=place.strip()[:120],
        units=units,
        worker=worker.strip()[:60],
        note=note.strip(),
        photo=keep_attachment(photo).digest if photo else "",
        proof=Proof.SIGNATURE if signature else Proof.CODE,
        signature=keep_attachment(signature).digest if signature else "",
        recorded_by=by.username,
    )
    _say(found, by, "visit", f"服务 {units}{found.unit}，{visit.worker}，{visit.get_proof_display()}确认")
    _log(found, by, Act.PROVE_CARE, visit=visit.pk, units=units, proof=visit.proof)
    return visit


def care_visit(pk: int, *, by: User) -> CareVisit:
    """One visit of an order that the asker may see."""
    found = CareVisit.objects.select_related("order").filter(pk=pk, order__in=care_orders(by=by)).first()
    if found is None:
        raise CareNotFound("没有找到这次服务。", "No such visit.")
    return found


@transaction.atomic
def care_proof(pk: int, which: str, *, by: User) -> tuple[bytes, str]:
    """The ``photo`` or ``signature`` of a visit with its media type; the look is in the log."""
    visit = care_visit(pk, by=by)
    digest = {"photo": visit.photo, "signature": visit.signature}.get(which, "")
    if not digest:
        raise CareNotFound("这次服务没有这份凭证。", "The visit has no such proof.")
    _log(visit.order, by, Act.VIEW_CARE, visit=pk, proof=which)
    return open_attachment(digest)


@transaction.atomic
def reverse_care_visit(pk: int, *, reason: str, by: User) -> CareVisit:
    """Take a wrongly recorded visit back, before it stands in a settlement (冲正)."""
    take_turn()
    visit = care_visit(pk, by=by)
    require(by, Act.PROVE_CARE, region_code=visit.order.region_code, organisation=visit.order.provider)
    if visit.reverses_id is not None:
        raise StepRefused("这一条本身是冲正。", "This row is a counter-entry.")
    undone = CareVisit.objects.filter(reverses=visit).first()
    if undone is not None:
        return undone
    if len(reason.strip()) < 2:
        raise StepRefused("请写明原因。", "Say why.")
    settled = visit.lines.filter(state=CareLine.State.DUE).exclude(
        settlement__state=CareSettlement.State.WITHDRAWN
    )
    if settled.exists():
        raise StepRefused(
            "这次服务已列入结算，请由县级按投诉处理。", "The visit stands in a settlement already."
        )
    made = CareVisit.objects.create(
        order=visit.order, begun_at=visit.begun_at, place=visit.place, units=visit.units, worker=visit.worker,
        note=reason.strip(), proof=visit.proof, recorded_by=by.username, reverses=visit,
    )  # fmt: skip
    _say(
        visit.order,
        by,
        "reverse",
        f"冲正 {timezone.localtime(visit.begun_at):%Y-%m-%d %H:%M}：{reason.strip()}",
    )
    _log(visit.order, by, "reverse_care_visit", visit=pk)
    return made


# ---- complaints -------------------------------------------------------------------------------------------------------


@transaction.atomic
def complain_of_care(
    number: str, *, kind: str, said_on: date, text: str, by: User, visit: int | None = None
) -> CareComplaint:
    """Record a complaint or that nobody came (投诉、爽约); a visit it is about is not paid until it is decided."""
    found = care_order(number, by=by)
    require(by, Act.ORDER_CARE, region_code=found.region_code)
    take_turn()
    if kind not in CareComplaint.Kind.values:
        raise StepRefused("请选择投诉的种类。", "Choose a kind.")
    if len(text.strip()) < 4 or said_on > timezone.localdate():
        raise StepRefused(
            "请写明投诉内容（至少四个字），日期不能晚于今天。", "Say what happened; not in the future."
        )
    about = None
    if visit is not None:
        about = found.visits.filter(pk=visit, reverses=None).first()
        if about is None:
            raise CareNotFound("这张服务单没有这次服务。", "No such visit of this order.")
    if kind == CareComplaint.Kind.FALSE and about is None:
        raise StepRefused("凭证不实的，请选择是哪一次服务。", "Say which visit is untrue.")
    same = found.complaints.filter(
        kind=kind, said_on=said_on, text=text.strip(), visit=about, recorded_by=by.username
    ).first()
    if same is not None:
        return same
    made = CareComplaint.objects.create(
        order=found, visit=about, kind=kind, said_on=said_on, text=text.strip(), recorded_by=by.username
    )
    _say(found, by, "complaint", f"{made.get_kind_display()}：{made.text}")
    _log(found, by, "complain_of_care", complaint=made.pk, kind=kind)
    return made


@transaction.atomic
def decide_care_complaint(pk: int, *, upheld: bool, finding: str, by: User) -> CareComplaint:
    """Decide a complaint: another person than who wrote it down; the same decision again changes nothing."""
    take_turn()
    found = CareComplaint.objects.select_related("order").filter(pk=pk, order__in=care_orders(by=by)).first()
    if found is None:
        raise CareNotFound("没有找到这条投诉。", "No such complaint.")
    require(by, Act.ASSIGN_CARE, region_code=found.order.region_code)
    state = Complaint.UPHELD if upheld else Complaint.REJECTED
    if found.state != Complaint.OPEN:
        if (found.state, found.decided_by) == (state, by.username):
            return found
        raise StepRefused("这条投诉已经处理。", "The complaint is decided.")
    if found.recorded_by == by.username:
        raise SamePerson("投诉须由登记人以外的人处理。", "Who wrote a complaint down does not decide it.")
    if len(finding.strip()) < 4:
        raise StepRefused("请写明处理结果（至少四个字）。", "Say what was found.")
    found.state, found.finding, found.decided_by = state, finding.strip(), by.username
    found.decided_at = timezone.now()
    found.save()
    _say(found.order, by, "complaint", f"投诉{found.get_state_display()}：{found.finding}")
    _log(found.order, by, "decide_care_complaint", complaint=pk, upheld=upheld)
    return found


def _say(order: CareOrder, by: User, kind: str, text: str) -> None:
    CareEvent.write(order=order, by=by, kind=kind, text=text)


def _log(order: CareOrder, by: User, act: Act | str, **detail: object) -> None:
    record(
        by=by,
        act=act,
        subject=f"household:{order.household_no}",
        region_code=order.region_code,
        detail={"care": order.number, **detail},
    )
