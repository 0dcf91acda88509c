"""What happens to people and what follows from it; who stands in the registry twice (登记变动、查重、合并、撤销).

And what higher contexts hold of a person or a household.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from django.db import transaction
from django.utils import timezone

from doudi.chain import packs
from doudi.contexts.accounts.services import User, take_turn
from doudi.contexts.assistance import services as assistance
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry


def possible_duplicates(**asked: Any) -> list[registry.PossibleDuplicate]:
    """Who of the registry may be the person about to be entered (录入前查重)."""
    return registry.possible_duplicates(rules=packs.duplicate_rules(), **asked)


def possible_duplicates_of(
    people: Iterable[tuple[str, str]], *, by: User
) -> list[registry.PossibleDuplicate]:
    """Who of the registry may be one of those about to be entered by an event or at the window (录入时查重)."""
    return registry.possible_duplicates_of(people, rules=packs.duplicate_rules(), by=by)


def find_duplicates(*, by: User, region_code: str = "") -> registry.SearchOutcome:
    """Search an area for people who stand twice (批量查重)."""
    return registry.find_duplicates(
        packs.duplicate_rules(), by=by, region_code=region_code, merge=merge_people
    )


def decide_pair(pk: int, **decision: Any) -> registry.DuplicatePair:
    """Say whether two records are one person, who is then merged (判定)."""
    return registry.decide_pair(pk, merge=merge_people, **decision)


def reopen_pair(pk: int, *, ground: str, by: User) -> registry.DuplicatePair:
    """Take a decision back; merged people are two again (撤销判定)."""
    return registry.reopen_pair(pk, ground=ground, by=by)


@transaction.atomic
def record_change(
    household_no: str, kind: str, *, on: date, said: dict[str, Any], ground: str, by: User, token: str = ""
) -> registry.RegistryEvent:
    """Record an event (登记变动); the death of a recipient asks whether payment stops, at a township's word already."""
    take_turn()
    stood = _where_stood(kind, said)
    event = registry.change(household_no, kind, on=on, said=said, ground=ground, by=by, token=token)
    _ask_for_stops(event, stood, by)
    return event


@transaction.atomic
def confirm_change(number: str, *, by: User, note: str = "") -> registry.RegistryEvent:
    """The county's yes to a township's proposal (确认变动)."""
    take_turn()
    proposed = registry.changes(by=by).filter(number=number).first()
    stood = _where_stood(proposed.kind, registry.said_in(proposed)) if proposed is not None else []
    event = registry.confirm_change(number, by=by, note=note)
    _ask_for_stops(event, stood, by)
    return event


@transaction.atomic
def refuse_change(number: str, *, by: User, note: str) -> registry.RegistryEvent:
    """The county's no (不同意变动); what hung on a death that was not is answered too."""
    take_turn()
    event = registry.refuse_change(number, by=by, note=note)
    monitoring.withdraw_stops(number, ground=note, by=by)
    return event


@transaction.atomic
def undo_change(number: str, *, ground: str, by: User) -> registry.RegistryEvent:
    """Take an event back (撤销变动); of a merge of people, with the references of every context.

    Of a death the open proposals go with it; what a file says of that person is read again.
    """
    take_turn()
    event = registry.change_of(number, by=by)
    if event.kind == registry.MERGE:
        undone = registry.unmerge(event, ground=ground, by=by)
        _follow_disabilities()
    else:
        undone = registry.undo_change(number, ground=ground, by=by)
    monitoring.withdraw_stops(number, ground=ground, by=by)
    if event.kind == _DEATH:
        dead = {int(registry.said_in(event)["person"])}
        monitoring.propose_stops(packs.doubt_rules(), by=by, anew=dead)
    return undone


@transaction.atomic
def settle_difference(
    difference: int, *, follow_register: bool, ground: str, by: User
) -> registry.RegistryEvent:
    """Say whose word stands, the office's or the register's (处理不一致); with a death that falls, its proposals do."""
    take_turn()
    event = registry.settle(difference, follow_register=follow_register, ground=ground, by=by).event
    if follow_register:
        monitoring.withdraw_stops(event.number, ground=ground, by=by)
    return event


def _follow_disabilities() -> None:
    """Whose certificates the files tell of, once people are one or two."""
    file = packs.disabilities()
    if file is not None:
        registry.follow_disabilities(file, packs.rules()[0].feeds, on=timezone.localdate())


_DEATH = "death"


def _where_stood(kind: str, said: dict[str, Any]) -> list[registry.Reported]:
    """Where the person stands of whose death an event tells; nobody for other events, or where nobody is named."""
    person = str(said.get("person", ""))
    return registry.where_registered(int(person)) if kind == _DEATH and person.isdecimal() else []


def _ask_for_stops(event: registry.RegistryEvent, stood: list[registry.Reported], by: User) -> None:
    monitoring.propose_stops_of(
        event.number, stood, died_on=event.happened_on, rules=packs.doubt_rules(), by=by
    )


@transaction.atomic
def merge_people(
    keep: registry.Person, away: registry.Person, *, ground: str, by: User
) -> registry.RegistryEvent:
    """Two records become one person, in the registry and in every context that names one (人员合并).

    Where the record that goes is known to be of a dead person, the one that stays is asked about like any death.
    """
    take_turn()
    holders = (monitoring.Doubt, monitoring.StopProposal, assistance.PaymentStop)
    event = registry.merge_people(keep, away, ground=ground, by=by, holders=holders)
    _follow_disabilities()
    if keep.died_on is None and away.died_on is not None:
        stood = registry.where_registered(keep.pk)
        monitoring.propose_stops_of(
            event.number, stood, died_on=away.died_on, rules=packs.doubt_rules(), by=by
        )
    return event


REFERENCES: dict[str, str] = {
    "meals.Diner.household_no": "kept until the next comparison with the register, which knows merged people by their number",
    "accounts.AuditEntry.subject": "kept: the log says what was looked at then",
    "registry.Household.household_no": "the household itself",
    "registry.Household.merged_into": "the way from a merged household",
    "registry.Person.merged_into": "the way from a merged record",
    "registry.PersonAlias.person": "turned to the kept person",
    "registry.RegistryEvent.household": "kept: where it was recorded",
    "registry.EventPerson.person": "kept: whom it concerned then",
    "registry.Membership.household": "recorded anew by the event",
    "registry.Membership.person": "recorded anew under the kept person",
    "registry.SupportTie.obligor": "recorded anew under the kept person",
    "registry.SupportTie.supported": "recorded anew under the kept person",
    "registry.AreaRecord.household": "kept with its household",
    "registry.CategoryRecord.household": "recorded anew by the event",
    "registry.CategoryRecord.person": "recorded anew under the kept person",
    "registry.DuplicatePair.first": "kept: the two records that were compared",
    "registry.DuplicatePair.second": "kept: the two records that were compared",
    "registry.Disability.person": "made again from the files, which know the number of either record",
    "registry.SearchTerm.household": "made again by the index",
    "registry.SearchTerm.person": "made again by the index",
    "registry.ListColumns.subject": "names a list and nobody on it",
    "registry.ListExport.subject": "names a list and nobody on it",
    "registry.SavedList.subject": "names a list and nobody on it",
    "registry.ListChange.household": "kept: what was changed then",
    "registry.ListChange.person": "kept: whose cell was changed then",
    "verification.VerificationRequest.household_no": "kept with its household",
    "monitoring.DoubtRound.household_no": "kept: a check of that household",
    "monitoring.Doubt.subject": "kept: what was doubted then",
    "monitoring.Doubt.household_no": "kept with its household",
    "monitoring.Doubt.person_id": "turned to the kept person, and back",
    "monitoring.StopProposal.household_no": "kept with its household",
    "monitoring.StopProposal.person_id": "turned to the kept person, and back",
    "monitoring.WarningCase.household_no": "kept with its household",
    "assistance.PaymentStop.household_no": "kept with its household",
    "assistance.PaymentStop.person_id": "turned to the kept person, and back",
    "assistance.Recovery.household_no": "kept with its household",
    "assistance.MeasureGiven.household_no": "kept: a ledger entry",
    "assistance.Application.household_no": "kept with its household",
    "assistance.Decision.household_no": "kept: what was decided then",
    "assistance.Referral.household_no": "kept with its household",
    "assistance.BenefitDecision.household_no": "kept: what was decided then",
    "assistance.PayAccount.household_no": "kept with its household",
    "assistance.PayAccount.person_id": "kept: whose account was proven then; serves the kept record until that has one of its own",
    "assistance.RosterRow.household_no": "kept: a frozen row",
    "assistance.RosterRow.person_id": "kept: a frozen row; reckoning reads it as the kept record",
    "assistance.PayItem.household_no": "kept: what the bank was told",
    "assistance.PayItem.person_id": "kept: what the bank was told",
    "assistance.OffsetAgreement.household_no": "kept with its household",
    "assistance.CareOrder.household_no": "kept with its household",
    "assistance.CareOrder.person_id": "kept: whom it was ordered for; settling reads it as the kept record",
    "assistance.UpwardRow.household_no": "kept: what was reported then",
    "assistance.FollowUp.household_no": "kept with its household",
    "assistance.Review.household_no": "kept with its household",
    "assistance.WorkRefusal.household_no": "kept with its household",
    "assistance.WorkRefusal.person_id": "kept: an offer made to that record; counted with the kept one",
    "charity.AidFiling.household_no": "kept: a filing is corrected by reversal",
    "charity.Need.household_no": "kept with its household",
    "assistance.WebhookEvent.subject": "the number of a referral, and nobody of the registry",
    "charity.AgendaItem.subject": "names a matter and nobody of the registry",
}
"""Every column that points to a person or a household, and what becomes of it when two people are merged."""
