"""Decisions (决定): finding them, and the changes and ends that follow one; none is ever altered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, NotAllowed, User, record, require, take_turn
from doudi.contexts.assistance.application_models import Decision
from doudi.contexts.assistance.applications import is_township, note
from doudi.contexts.assistance.errors import StepRefused
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError

_MIN_GROUND = 4


class DecisionNotFound(DoudiError):
    """No such decision in the asker's area."""

    code = "decision_not_found"


def decisions(*, by: User, household_no: str = "", result: str = "") -> Any:
    """Decisions of the asker's area but those on own files, newest first."""
    found = registry.but_own(_inside(by), by=by, household="household_no", blind="application__id_blind")
    if household_no:
        found = found.filter(household_no=household_no)
    return found.filter(result=result) if result else found


def _inside(by: User) -> QuerySet[Decision]:
    require(by, Act.VIEW_APPLICATIONS)
    return Decision.objects.filter(region_code__startswith=by.region_code).order_by("-pk")


def decision(number: str, *, by: User) -> Decision:
    """One decision of the asker's area, or :class:`DecisionNotFound`."""
    found: Decision | None = (
        _inside(by).filter(number=number).select_related("application", "follows").first()
    )
    if found is None:
        raise DecisionNotFound(
            f"没有找到决定 {number}，或不在您的辖区。", f"No decision {number} in your area."
        )
    registry.refuse_own_record(
        f"decision:{number}",
        by=by,
        household_no=found.household_no,
        blind=found.application.id_blind if found.application is not None else None,
    )
    return found


@transaction.atomic
def look_at_decision(number: str, *, by: User) -> Decision:
    """:func:`decision`, with the look in the audit log."""
    found = decision(number, by=by)
    record(
        by=by,
        act=Act.VIEW_APPLICATIONS,
        subject=f"household:{found.household_no}" if found.household_no else f"decision:{number}",
        region_code=found.region_code,
        detail={"decision": number},
    )
    return found


# ---- what follows a decision -------------------------------------------------------------------------------------


@transaction.atomic
def end_decision(
    number: str, *, ends_on: date, ground: str, clause: str, by: User, change_sentence: str = ""
) -> Decision:
    """End a benefit or recognition from the first of a month on (停发); its members leave the category."""
    take_turn()
    earlier = _followed(number, ends_on, by)
    if len(ground.strip()) < _MIN_GROUND or not clause.strip():
        raise StepRefused("请写明停止的理由和依据条文。", "State the ground and the clause.")
    made = _follow(
        earlier, Decision.Result.STOPPED, ends_on, ground, clause, by, change_sentence=change_sentence
    )
    if earlier.category and earlier.registry_event:
        registry.record_end(
            earlier.household_no,
            number=made.number,
            category=earlier.category,
            people=earlier.persons,
            ends_on=ends_on,
            why=ground.strip(),
            by=by,
        )
    log_decision(made, by)
    return made


@transaction.atomic
def change_decision(
    number: str,
    *,
    from_on: date,
    ground: str,
    clause: str,
    by: User,
    income_fen: int | None = None,
    counted: int | None = None,
    persons: Sequence[int] | None = None,
) -> Decision:
    """Change what a benefit is reckoned on from the first of a month on (变更): income, persons counted, who it covers."""
    take_turn()
    earlier = _followed(number, from_on, by)
    if len(ground.strip()) < _MIN_GROUND or not clause.strip():
        raise StepRefused("请写明变更的理由和依据条文。", "State the ground and the clause.")
    members = {key for key, *_rest in registry.people_of_household(earlier.household_no)}
    wanted = [int(key) for key in persons] if persons is not None else list(earlier.persons)
    if not wanted or not set(wanted) <= members:
        raise StepRefused("对象须是本户现有成员。", "Whom it covers must be members of the household.")
    changed = {
        "income_fen": earlier.income_fen if income_fen is None else income_fen,
        "counted": earlier.counted if counted is None else counted,
        "persons": wanted,
    }
    if changed == {
        "income_fen": earlier.income_fen,
        "counted": earlier.counted,
        "persons": list(earlier.persons),
    }:
        raise StepRefused("没有任何变化。", "Nothing changes.")
    made = _follow(earlier, Decision.Result.CHANGED, from_on, ground, clause, by, **changed)
    left = sorted(set(earlier.persons) - set(wanted))
    if left and earlier.category and earlier.registry_event:
        registry.record_end(
            earlier.household_no,
            number=made.number,
            category=earlier.category,
            people=left,
            ends_on=from_on,
            why=ground.strip(),
            by=by,
        )
    log_decision(made, by)
    return made


@transaction.atomic
def end_expired(*, by: User) -> int:
    """End the recognitions whose time has run out (认定有效期满, as of rigid-expenditure households); returns how many."""
    require(by, Act.DECIDE_APPLICATION)
    take_turn()
    over = Decision.objects.filter(
        result__in=(Decision.Result.GRANTED, Decision.Result.CHANGED),
        amount_fen=None,
        valid_to__lte=timezone.localdate(),
        followed_by=None,
    )
    ended = list(over)
    for made in ended:
        assert made.valid_to is not None
        end_decision(
            made.number,
            ends_on=made.valid_to,
            ground="认定有效期满；仍有困难的可以重新申请",
            clause=made.clause,
            change_sentence="重新申请并经核对仍符合条件的，可以再次认定。",
            by=by,
        )
    return len(ended)


def _followed(number: str, on: date, by: User) -> Decision:
    earlier = decision(number, by=by)
    require(by, Act.DECIDE_APPLICATION, region_code=earlier.region_code)
    if is_township(by) and not earlier.delegated:
        raise NotAllowed("县级作出的决定由县级变更或停止。", "The county changes its own decisions.")
    if (
        earlier.result not in (Decision.Result.GRANTED, Decision.Result.CHANGED)
        or earlier.amount_fen is not None
    ):
        raise StepRefused("这项决定不能变更或停止。", "This decision cannot be changed or ended.")
    if Decision.objects.filter(follows=earlier).exists():
        raise StepRefused("这项决定之后已有决定，请对最新的一项办理。", "A later decision follows it.")
    assert earlier.valid_from is not None
    if on.day != 1 or on < earlier.valid_from:
        raise StepRefused(
            "从某月一日起，且不早于原决定生效之日。", "From the first of a month, not before it began."
        )
    return earlier


def _follow(
    earlier: Decision, result: str, on: date, ground: str, clause: str, by: User, **changed: Any
) -> Decision:
    facts = {
        name: getattr(earlier, name)
        for name in (
            "application", "kind", "category", "household_no", "region_code", "urban_rural", "persons", "income_fen",
            "counted", "report_number", "registry_event", "delegated",
        )
    }  # fmt: skip
    today = timezone.localdate()
    made = Decision.objects.create(
        **{
            **facts,
            "number": number_of_today(today),
            "follows": earlier,
            "result": result,
            "decided_on": today,
            "valid_from": on,
            "valid_to": earlier.valid_to if result == Decision.Result.CHANGED else None,
            "ground": ground.strip(),
            "sentence": ground.strip(),
            "clause": clause.strip()[:300],
            **signed(by),
            **changed,
        }
    )
    if earlier.application is not None:
        note(
            earlier.application,
            by=by,
            kind="follow",
            text=f"{made.get_result_display()}（{made.number}），自 {on} 起：{made.ground}",
        )
    return made


# ---- shared with deciding --------------------------------------------------------------------------------


def number_of_today(today: date) -> str:
    prefix = f"JD{today:%Y%m%d}-"
    return f"{prefix}{Decision.objects.filter(number__startswith=prefix).count() + 1:04d}"


def signed(by: User) -> dict[str, str]:
    return {"decided_by": by.username, "decided_by_name": by.display_name or by.username}


def log_decision(made: Decision, by: User) -> None:
    record(
        by=by,
        act=Act.DECIDE_APPLICATION,
        subject=f"household:{made.household_no}" if made.household_no else f"decision:{made.number}",
        region_code=made.region_code,
        detail={
            "decision": made.number,
            "result": made.result,
            "kind": made.kind,
            "amount_fen": made.amount_fen,
            "departs": made.departs,
        },
    )
