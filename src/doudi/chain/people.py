"""People who stand in the registry twice, and what higher contexts hold of a person or a household (查重、合并、撤销)."""

from __future__ import annotations

from typing import Any

from doudi.chain import packs
from doudi.contexts.accounts.services import User
from doudi.contexts.assistance import services as assistance
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry


def possible_duplicates(**asked: Any) -> list[registry.PossibleDuplicate]:
    """Who of the registry may be the person about to be entered (录入前查重)."""
    return registry.possible_duplicates(rules=packs.duplicate_rules(), **asked)


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


def undo_change(number: str, *, ground: str, by: User) -> registry.RegistryEvent:
    """Take an event back; of a merge of people, with the references of every context (撤销变动)."""
    event = registry.change_of(number, by=by)
    if event.kind == registry.MERGE:
        return registry.unmerge(event, ground=ground, by=by)
    return registry.undo_change(number, ground=ground, by=by)


def merge_people(
    keep: registry.Person, away: registry.Person, *, ground: str, by: User
) -> registry.RegistryEvent:
    """Two records become one person, in the registry and in every context that names one (人员合并)."""
    holders = (monitoring.Doubt, monitoring.StopProposal, assistance.PaymentStop)
    return registry.merge_people(keep, away, ground=ground, by=by, holders=holders)


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
