"""What each kind of event does to the dated facts (业务事项): one function a kind, every change through the ledger.

Nothing here asks who may do it or writes the event: :mod:`changes` does, and runs these for the preview too.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from django.utils import timezone

from doudi.contexts.accounts.services import ID_PURPOSE
from doudi.contexts.registry.ledger import Ledger, copy_of
from doudi.contexts.registry.models import (
    AreaRecord,
    CategoryRecord,
    Household,
    Membership,
    Person,
    PersonAlias,
    SupportTie,
)
from doudi.contexts.registry.people import person_by_id
from doudi.contexts.registry.precedence import IMPORTED_ONLY, TEMPORARY_AID
from doudi.contexts.registry.standing import (
    HEAD,
    OTHER,
    SPOUSE,
    end_membership,
    homes_of,
    join_household,
    member_of,
    move_member,
    name_head,
    new_household,
    person_entered,
    refusal,
    standing_facts,
    standing_members,
)
from doudi.engine import identity
from doudi.house.keyring import keyring

RELATIONS = (SPOUSE, "子", "女", "父", "母", "孙子女", "兄弟姐妹", OTHER)
BASES = {
    "spouse": "配偶",
    "minor": "未成年子女",
    "dependent_adult": "不能独立生活的成年子女（含全日制本科及以下在读）",
    "support_duty": "有法定义务且长期共同居住",
    "independent_adult": "已能独立生活的成年子女",
    "religious": "连续三年以上脱离家庭独立生活的宗教教职人员",
    "prison": "在监狱服刑",
    "detox": "强制隔离戒毒",
    "missing": "宣告失踪",
    "other": "其他",
}
"""Why a person counts or does not count in the family that lives together (最低生活保障审核确认办法 第六、七条)."""
ID_REASONS = {"wrong": "原号码有误，更正", "renewed": "换发证件，号码变更", "fifteen": "十五位升十八位"}


# ---- the events ---------------------------------------------------------------------------------------------------


def birth(ledger: Ledger, household: Household, on: date, said: dict[str, Any]) -> None:
    """A child is born into the household (出生登记)."""
    child = person_entered(ledger, said["name"], said["id_number"], "新生儿")
    if child.born_on != on:
        raise refusal(
            "证件号里的出生日期与所填出生日期不同，请核对。",
            "The ID's birth date is not the date given; check both.",
        )
    ledger.concerns(child)
    join_household(ledger, household, child, said["relation"], on, basis="minor")


def death(ledger: Ledger, household: Household, on: date, said: dict[str, Any]) -> None:
    """A member has died: memberships, ties and labels end; the household goes on under a named head (死亡)."""
    fact = member_of(household, int(said["person"]))
    person = fact.person
    if person.died_on is not None:
        raise refusal(f"{person.name}已登记死亡（{person.died_on}）。", "The death is registered already.")
    if person.born_on is not None and on < person.born_on:
        raise refusal("死亡日期早于出生日期，请核对。", "The date of death is before the birth; check it.")
    ledger.concerns(person, *(m.person for m in standing_members(household) if fact.relation == HEAD))
    ledger.set(person, died_on=on)
    ledger.tell(f"{person.name}：{on} 死亡")
    for home in homes_of(person):
        other = ledger.touches(home.household)
        if home.relation == HEAD:
            name_head(ledger, other, on, said.get("new_head"), leaving=person.pk)
        end_membership(ledger, home, on, categories=True, why="死亡")
    for tie in (*standing_facts(SupportTie, obligor=person), *standing_facts(SupportTie, supported=person)):
        ledger.end(tie, on)


def marriage(ledger: Ledger, household: Household, on: date, said: dict[str, Any]) -> None:
    """A member marries: ties of 扶养 both ways, and who moves to whom (结婚)."""
    fact = member_of(household, int(said["person"]))
    spouse = person_entered(ledger, said["spouse_name"], said["spouse_id"], "配偶")
    if spouse.pk == fact.person_id:
        raise refusal("配偶不能是本人。", "Nobody marries himself.")
    for one in (fact.person, spouse):
        if standing_facts(SupportTie, obligor=one, kind=SupportTie.Kind.SPOUSE):
            raise refusal(
                f"{one.name}已登记有配偶，请先登记离婚或配偶死亡。",
                f"{one.name} is registered as married; record the divorce or the death first.",
            )
    ledger.concerns(fact.person, spouse)
    for obligor, supported in ((fact.person, spouse), (spouse, fact.person)):
        _tie(ledger, obligor, supported, SupportTie.Kind.SPOUSE, on)
    ledger.tell(f"{fact.person.name}与{spouse.name}：{on} 结婚")
    if said["where"] == "joins":
        for home in homes_of(spouse):
            ledger.touches(home.household)
            if home.relation == HEAD:
                name_head(ledger, home.household, on, said.get("new_head"), leaving=spouse.pk)
            end_membership(ledger, home, on, categories=True, why="因结婚迁出")
        relation = SPOUSE if fact.relation == HEAD else OTHER
        join_household(ledger, household, spouse, relation, on, basis="spouse")
    elif said["where"] == "leaves":
        if fact.relation == HEAD:
            name_head(ledger, household, on, said.get("new_head"), leaving=fact.person_id)
        homes = [home for home in homes_of(spouse) if home.registered]
        if homes:
            target = ledger.touches(homes[0].household)
            relation = SPOUSE if homes[0].relation == HEAD else OTHER
            move_member(ledger, fact, target, relation, on)
        else:
            end_membership(ledger, fact, on, categories=True, why="因结婚迁出")


def divorce(ledger: Ledger, household: Household, on: date, said: dict[str, Any]) -> None:
    """Two members divorce: their ties end; one may leave, to a household of the own. Duties to children stay (离婚)."""
    one, other = (member_of(household, int(said[name])) for name in ("person", "spouse"))
    if one.person_id == other.person_id:
        raise refusal("请选择两名不同的成员。", "Choose two different members.")
    ledger.concerns(one.person, other.person)
    for obligor, supported in ((one, other), (other, one)):
        for tie in standing_facts(
            SupportTie, obligor=obligor.person, supported=supported.person, kind=SupportTie.Kind.SPOUSE
        ):
            ledger.end(tie, on)
    ledger.tell(f"{one.person.name}与{other.person.name}：{on} 离婚")
    if said["where"] == "stays":
        for fact in (one, other):
            if fact.relation == SPOUSE:
                ledger.change(fact, on, relation=OTHER)
        return
    leaver = one if said["where"] == "person_leaves" else other
    if leaver.relation == HEAD:
        name_head(ledger, household, on, said.get("new_head"), leaving=leaver.person_id)
    if said.get("new_number"):
        move_member(ledger, leaver, new_household(ledger, said["new_number"], household), HEAD, on)
    else:
        end_membership(ledger, leaver, on, categories=True, why="离婚迁出")


def split(ledger: Ledger, household: Household, on: date, said: dict[str, Any]) -> None:
    """Some members become a household of their own (分户)."""
    going = {int(key) for key in said["people"]}
    members = standing_members(household)
    moving = [fact for fact in members if fact.person_id in going]
    if not moving or len(moving) != len(going):
        raise refusal("请选择分出去的成员。", "Choose the members who go.")
    if len(moving) == len(members):
        raise refusal("全部成员都分出去就不是分户；改户编号请另行登记。", "If all go it is no split.")
    if int(said["head"]) not in going:
        raise refusal(
            "新户的户主须是分出去的成员之一。", "The head of the new household must be one of those who go."
        )
    ledger.concerns(*(fact.person for fact in moving))
    target = new_household(ledger, said["new_number"], household)
    if any(fact.relation == HEAD for fact in moving):
        staying = [fact for fact in members if fact.person_id not in going]
        ledger.concerns(*(fact.person for fact in staying))
        head = next((fact for fact in staying if str(fact.person_id) == str(said.get("new_head"))), None)
        if head is None:
            raise refusal(
                "户主分出去，请在留下的成员中指定新户主。",
                "The head goes: name a new head among those who stay.",
            )
        for fact in moving:
            if fact.relation == HEAD:
                _name_head_of(ledger, staying, head, on)
    lead = next(fact for fact in moving if fact.person_id == int(said["head"]))
    for fact in moving:
        keeps = lead.relation == SPOUSE and fact.relation in ("子", "女")
        relation = HEAD if fact is lead else fact.relation if keeps or lead.relation == HEAD else OTHER
        move_member(ledger, fact, target, relation, on)


def _name_head_of(ledger: Ledger, staying: list[Membership], head: Membership, on: date) -> None:
    was_spouse = head.relation == SPOUSE
    for fact in staying:
        if fact is head:
            ledger.change(fact, on, relation=HEAD)
        elif not (was_spouse and fact.relation in ("子", "女", "孙子女")) and fact.relation != OTHER:
            ledger.change(fact, on, relation=OTHER)
    ledger.tell(f"{head.person.name}：自 {on} 起为户 {head.household.household_no} 的户主")


def merge_households(ledger: Ledger, household: Household, on: date, said: dict[str, Any]) -> None:
    """Another household joins this one, whose number and head stay (并户)."""
    other = Household.objects.filter(household_no=said["other_number"].strip()).first()
    if other is None or other.pk == household.pk or other.merged_into_id is not None:
        raise refusal(
            "没有找到要并入的另一户，请核对户编号。", "The other household was not found; check its number."
        )
    ledger.touches(other)
    here = {fact.person_id for fact in standing_members(household)}
    members = standing_members(other)
    if not members:
        raise refusal("要并入的户已没有成员。", "The other household has no members left.")
    ledger.concerns(*(fact.person for fact in members))
    for fact in members:
        if fact.person_id in here:
            end_membership(ledger, fact, on, categories=False)
            continue
        relation = said["relation"] if fact.relation == HEAD else OTHER
        move_member(ledger, fact, household, relation, on)
    ledger.set(other, merged_into_id=household.pk)
    ledger.tell(f"户 {other.household_no} 并入户 {household.household_no}")


def head_change(ledger: Ledger, household: Household, on: date, said: dict[str, Any]) -> None:
    """The head leaves or gives the place up; the household goes on under a named head (户主变更)."""
    members = standing_members(household)
    head = next((fact for fact in members if fact.relation == HEAD), None)
    if head is None or len(members) < 2:
        raise refusal("本户没有户主，或只有户主一人。", "The household has no head, or the head alone.")
    if str(head.person_id) == str(said["new_head"]):
        raise refusal("新户主就是现在的户主。", "The new head is the present one.")
    ledger.concerns(*(fact.person for fact in members))
    name_head(ledger, household, on, said["new_head"], leaving=head.person_id)
    if said["leaves"] == "yes":
        end_membership(ledger, head, on, categories=True, why="户主离开")
    else:
        new = member_of(household, int(said["new_head"]))
        was = next(fact for fact in members if fact.person_id == new.person_id).relation
        ledger.change(head, on, relation=SPOUSE if was == SPOUSE else OTHER)


def leave(ledger: Ledger, household: Household, on: date, said: dict[str, Any]) -> None:
    """One member leaves: to another household of the register, or out of it (成员迁出).

    A person whom a merge left in two households leaves one of them so; labels held in the other one stand once.
    """
    fact = member_of(household, int(said["person"]))
    ledger.concerns(fact.person)
    if fact.relation == HEAD:
        name_head(ledger, household, on, said.get("new_head"), leaving=fact.person_id)
    number = said.get("to_number", "").strip()
    if not number:
        end_membership(ledger, fact, on, categories=True, why="迁出")
        return
    target = Household.objects.filter(household_no=number, merged_into=None).first()
    if target is None or target.pk == household.pk:
        raise refusal(
            "没有找到要转入的户，请核对户编号。", "The household to go to was not found; check its number."
        )
    ledger.touches(target)
    if all(home.household_id != target.pk for home in homes_of(fact.person)):
        move_member(ledger, fact, target, said.get("relation") or OTHER, on)
        return
    end_membership(ledger, fact, on, categories=False)
    for record in standing_facts(CategoryRecord, household=household, person=fact.person):
        ledger.end(record, on)
        held = standing_facts(CategoryRecord, household=target, person=fact.person, category=record.category)
        if record.category and not held:
            ledger.make(copy_of(record, household=target, valid_from=on, valid_to=None, load=None))
            ledger.tell(f"{fact.person.name}：类别“{record.category}”随本人转到户 {target.household_no}")


def move(ledger: Ledger, household: Household, on: date, said: dict[str, Any]) -> None:
    """The household moves, or another area answers for it from now on; both are kept apart (迁移、人户分离)."""
    residence = said.get("region_code") or household.region_code
    responsible = said.get("responsible_region") or household.responsible_region
    if (residence, responsible) == (household.region_code, household.responsible_region):
        raise refusal("住址地区和负责地区都没有变。", "Neither area changes.")
    record_area(ledger, household, residence, responsible, on)
    ledger.set(household, region_code=residence, responsible_region=responsible)
    apart = "（人户分离）" if residence[:9] != responsible[:9] else ""
    ledger.tell(f"户 {household.household_no}：自 {on} 起住址地区 {residence}，负责地区 {responsible}{apart}")


def record_area(ledger: Ledger, household: Household, residence: str, responsible: str, on: date) -> None:
    """Date the areas; what stood before the first change is recorded as of the register that said so."""
    standing = standing_facts(AreaRecord, household=household)
    if not standing:
        first = household.memberships.order_by("valid_from", "pk").first()
        before = AreaRecord(
            household=household,
            region_code=household.region_code,
            responsible_region=household.responsible_region,
            valid_from=min(first.valid_from, on) if first else on,
            recorded_at=first.recorded_at if first else ledger.at,
            load=first.load if first else None,
        )
        before.save(force_insert=True)
        standing = [before]
    for fact in standing:
        ledger.end(fact, on)
    ledger.make(
        AreaRecord(household=household, region_code=residence, responsible_region=responsible, valid_from=on)
    )


def id_change(ledger: Ledger, household: Household, on: date, said: dict[str, Any]) -> None:
    """A member's number is corrected or renewed; the old one still finds the person (证件号更正、换发)."""
    person = member_of(household, int(said["person"])).person
    reading = identity.read_id(said["id_number"], today=timezone.localdate())
    if reading.number is None:
        raise refusal("新证件号不对，请核对。", "The new ID number is not valid; check it.")
    if reading.number == person.id_number:
        raise refusal("新证件号与现在的相同。", "The new number is the present one.")
    known = person_by_id(reading.number)
    if known is not None and known.pk != person.pk:
        raise refusal(
            "这个证件号已登记在另一人名下。如是同一人，请办理人员合并。",
            "That number belongs to another person on the register; if both are one person, merge them.",
        )
    ledger.concerns(person, asserts=False)
    old_blind, old = bytes(person.id_blind), person.id_number
    for alias in person.aliases.filter(id_blind=keyring().digest(reading.number, purpose=ID_PURPOSE)):
        alias.delete()  # the number is in use again
    ledger.set(
        person,
        id_blind=keyring().digest(reading.number, purpose=ID_PURPOSE),
        id_number=reading.number,
        born_on=identity.birth_date_of(reading.number),
        sex=identity.sex_of(reading.number),
    )
    ledger.create(PersonAlias(person=person, id_blind=old_blind, id_number=old, event=ledger.event))
    ledger.tell(
        f"{person.name}：证件号由 {identity.mask_id(old)} 改为 {identity.mask_id(reading.number)}"
        f"（{ID_REASONS[said['reason']]}），原号码仍可查到本人"
    )


def living(ledger: Ledger, household: Household, on: date, said: dict[str, Any]) -> None:
    """A member begins or ceases to count in the family that lives together; the registration stays (共同生活变更)."""
    fact = member_of(household, int(said["person"]))
    counts = said["living"] == "yes"
    if fact.living_together == counts and fact.basis == said["basis"]:
        raise refusal("该成员是否计入共同生活没有变化。", "Nothing changes for this member.")
    ledger.concerns(fact.person, asserts=fact.living_together != counts)
    ledger.change(fact, on, living_together=counts, basis=said["basis"])
    word = "计入" if counts else "不计入"
    ledger.tell(f"{fact.person.name}：自 {on} 起{word}共同生活家庭（{BASES[said['basis']]}）")


def lodger(ledger: Ledger, household: Household, on: date, said: dict[str, Any]) -> None:
    """Somebody registered elsewhere, or nowhere here, lives with this household and counts in it (他处户籍共同生活)."""
    person = person_entered(ledger, said["name"], said["id_number"], "共同生活人员")
    ledger.concerns(person)
    for home in homes_of(person):
        if home.living_together:
            ledger.touches(home.household)
            ledger.change(home, on, living_together=False, basis="other")
            ledger.tell(f"{person.name}：自 {on} 起不再计入户 {home.household.household_no} 的共同生活家庭")
    join_household(ledger, household, person, said["relation"], on, registered=False, basis=said["basis"])


def tie(ledger: Ledger, household: Household, on: date, said: dict[str, Any]) -> None:
    """A duty of support towards or of a member, with the sum where it is known (赡养、抚养、扶养)."""
    member = member_of(household, int(said["person"])).person
    other = person_entered(ledger, said["name"], said["id_number"], "对方")
    if other.pk == member.pk:
        raise refusal("双方不能是同一人。", "Both sides are the same person.")
    ledger.concerns(member, other, asserts=False)
    obligor, supported = (other, member) if said["side"] == "receives" else (member, other)
    for old in standing_facts(SupportTie, obligor=obligor, supported=supported, kind=said["kind"]):
        ledger.end(old, on)
    amount = said.get("amount_fen")
    basis = said["amount_basis"]
    if (amount is None) != (basis == SupportTie.AmountBasis.UNKNOWN):
        raise refusal(
            "写了金额就要选金额依据；不知道金额请选“未知”，不要写 0。",
            "A sum needs its basis; if it is not known, choose unknown and write no zero.",
        )
    _tie(ledger, obligor, supported, said["kind"], on, amount, basis, said.get("evidence", ""))
    shown = f"每月 {amount // 100}.{amount % 100:02d} 元" if amount is not None else "金额未知"
    ledger.tell(
        f"自 {on} 起：{obligor.name}对{supported.name}有{SupportTie.Kind(said['kind']).label}义务，{shown}"
    )


def _tie(
    ledger: Ledger,
    obligor: Person,
    supported: Person,
    kind: str,
    on: date,
    amount_fen: int | None = None,
    basis: str = SupportTie.AmountBasis.UNKNOWN,
    evidence: str = "",
) -> None:
    ledger.make(
        SupportTie(
            obligor=obligor,
            supported=supported,
            kind=kind,
            amount_fen=amount_fen,
            amount_basis=basis,
            evidence=evidence,
            valid_from=on,
        )
    )


def recognise(ledger: Ledger, household: Household, on: date, said: dict[str, Any]) -> None:
    """Members are recognised in a category by a decision; other labels stay (类别认定)."""
    category = said["category"]
    imported = category in IMPORTED_ONLY
    if imported != (said["source"] == CategoryRecord.Source.IMPORTED):
        raise refusal(
            f"“{category}”由其他部门认定，只能作为外部导入登记；其余类别由本办决定。",
            f"{category} is decided elsewhere and only imported; the other categories are decided here.",
        )
    members = {fact.person_id: fact.person for fact in standing_members(household)}
    for key in said["people"]:
        person = members.get(int(key))
        if person is None:
            raise refusal("请从本户成员中选择。", "Choose among the members of the household.")
        held = [
            r for r in standing_facts(CategoryRecord, person=person, category=category) if r.left_on is None
        ]
        if held and category != TEMPORARY_AID:
            raise refusal(
                f"{person.name}现在已是“{category}”。", f"{person.name} holds that category already."
            )
        ledger.concerns(person)
        ledger.make(
            CategoryRecord(
                household=household,
                person=person,
                category=category,
                since=said.get("decided_on") or on,
                decided_on=said.get("decided_on") or on,
                document_no=said.get("document_no", ""),
                decided_by=said["decided_by"],
                source=said["source"],
                valid_from=on,
            )
        )
        ledger.tell(f"{person.name}：自 {on} 起为“{category}”（{said['decided_by']}决定）")


def leave_category(ledger: Ledger, household: Household, on: date, said: dict[str, Any]) -> None:
    """Members leave a category, for a reason (类别退出)."""
    for key in said["people"]:
        held = [
            record
            for record in standing_facts(
                CategoryRecord, household=household, person_id=int(key), category=said["category"]
            )
            if record.left_on is None
        ]
        if not held:
            raise refusal("所选成员现在不在该类别。", "A chosen member does not hold that category now.")
        ledger.concerns(held[0].person)
        for record in held:
            ledger.change(record, on, left_on=on, exit_reason=said["exit_reason"])
        ledger.tell(f"{held[0].person.name}：自 {on} 起退出“{said['category']}”（{said['exit_reason']}）")
