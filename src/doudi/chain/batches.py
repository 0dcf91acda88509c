"""Verification of many households at once (批量委托、定期复查)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from django.utils import timezone

from doudi.chain import packs, verifying
from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import User
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.contexts.verification import services as verification
from doudi.engine.errors import DoudiError


def request_batch(path: Path, *, file_name: str, requested_by: str, by: User) -> verification.RequestBatch:
    """Open a request for each household of a workbook, each for itself; the workbook comes back with the results (批量委托)."""
    rules = packs.verification_rules()
    file = verification.read_batch(path, rules)
    batch = verification.open_batch(
        origin="file",
        file_name=file_name[-255:],
        file_hash=hashlib.sha256(path.read_bytes()).hexdigest(),
        by=by,
    )
    told: dict[int, str] = {}
    refused = 0
    opened = verification.opened_already(batch)
    for wanted in file.wanted:
        try:
            number = opened.get(wanted.household_no) or _open(wanted, batch, requested_by, by).number
            said = f"已受理 {number}"
        except DoudiError as problem:
            if problem.code == "not_allowed":
                raise
            said, refused = problem.zh, refused + 1
        told |= dict.fromkeys(wanted.rows, said)
    return verification.close_batch(
        batch, refused=refused, marked=verification.marked_book(file, told), by=by
    )


def _open(
    wanted: verification.Wanted, batch: verification.RequestBatch, requested_by: str, by: User
) -> verification.VerificationRequest:
    if wanted.problem or not wanted.purpose:
        raise verification.StepRefused(
            wanted.problem or "没有填用途", wanted.problem or "No purpose is given."
        )
    return verifying.verify_household(
        wanted.household_no,
        declared=_by_person(wanted.household_no, wanted.declared, by),
        kind=wanted.kind,
        purpose=wanted.purpose,
        as_of=wanted.as_of or timezone.localdate(),
        requested_by=requested_by,
        batch=batch,
        by=by,
    )


def _by_person(household_no: str, declared: dict[str, dict[str, int]], by: User) -> dict[int, dict[str, int]]:
    """Declarations by person key; who is not a member is refused and not passed over."""
    if not declared:
        return {}
    household = registry.household(household_no, by=by)
    keys = {
        place.person.id_number: place.person_id
        for place in registry.people_for(household, by=by, reason="批量委托核对")
    }
    strangers = len(declared.keys() - keys.keys())
    if strangers:
        raise verification.StepRefused(
            f"有 {strangers} 个身份证号不是户 {household_no} 的成员。",
            f"{strangers} ID(s) are no members of {household_no}.",
        )
    return {keys[number]: lines for number, lines in declared.items()}


def begin_recheck(purpose: str, *, as_of: date, requested_by: str, by: User) -> verification.RequestBatch:
    """Open a periodic re-check for every household on a programme in the account's area (定期复查).

    Who has an open request for the same is left out; each household is held against what it declared last. One that
    broke off is gone on with, so that it stays one batch.
    """
    batch = verification.open_batch(origin="recheck", purpose=purpose, as_of=as_of, by=by)
    refused = 0
    opened = verification.opened_already(batch)
    for household_no in _on_programme(purpose, by):
        if household_no in opened:
            continue
        try:
            verifying.verify_household(
                household_no,
                declared=_declared_last(household_no, purpose, by),
                kind="periodic",
                purpose=purpose,
                as_of=as_of,
                requested_by=requested_by,
                batch=batch,
                by=by,
            )
        except DoudiError as problem:
            if problem.code == "not_allowed":
                raise
            refused += 1
    return verification.close_batch(batch, refused=refused, by=by)


def begin_whole_recheck(
    purpose: str, *, as_of: date, requested_by: str, by: User, since: date | None = None
) -> verification.RequestBatch:
    """Begin a re-check of everybody in one pass over loaded files (整批复查); begun again it is the one that stands.

    ``since``: the day it is held against; the day of the last pass where there was one.
    """
    held_against = since or verification.last_swept(purpose, by.region_code)
    if held_against is None:
        raise verification.StepRefused(
            "第一次整批复查，请指定与哪一天的数据比（上次逐户核对的基准日）。",
            "This is the first pass: say which day's files it is held against.",
            code="since_missing",
        )
    return verification.open_whole(
        purpose,
        as_of=as_of,
        since=held_against,
        requested_by=requested_by,
        rules=packs.verification_rules(),
        by=by,
    )


def ask_whole_batch(number: str, *, by: User) -> verification.RequestBatch:
    """Have a re-check in one pass done by the next due job (交办)."""
    return verification.ask_whole(number, pack=packs.rules()[0], rules=packs.verification_rules(), by=by)


def sweep_batch(number: str, *, by: User) -> verification.Recheck:
    """Do a re-check in one pass, and keep the pack it stands on (整批比对)."""
    pack = packs.rules()[0]
    packs.keep(pack)
    return verification.sweep(number, pack=pack, rules=packs.verification_rules(), by=by)


def sweep_waiting() -> int:
    """Do the passes that somebody asked for, in that account's name (到期任务); how many."""
    done = 0
    for number, username in verification.waiting_whole():
        try:
            sweep_batch(number, by=accounts.account(username))
        except DoudiError as problem:
            verification.say_not_done(number, why=problem.zh)
            continue
        done += 1
    return done


def check_recheck(number: str, *, by: User) -> list[dict[str, Any]]:
    """Reckon a pass again from the files and the pack of then (查验整批复查); the differences."""
    outcome = verification.outcome_of(verification.batch_of(number, by=by), by=by)
    if outcome is None:
        raise verification.StepRefused(f"批次 {number} 还没有比对。", f"Batch {number} was not compared.")
    folder = monitoring.kept_folder(outcome.pack_hash)
    return verification.check_recheck(
        number,
        pack=monitoring.kept_pack(outcome.pack_hash),
        rules=packs.verification_rules_of(folder),
        by=by,
    )


def _on_programme(purpose: str, by: User) -> Iterator[str]:
    found = packs.verification_rules().purposes.get(purpose)
    if found is None:
        raise verification.StepRefused("请选择核对用途。", "Choose a purpose.")
    for category in packs.rules()[0].categories:
        if category.code in found.categories:
            for label in category.registered_as:
                # own files stay in: each is refused by itself and counted, so that somebody else opens it
                on_it = registry.households(by=by, category=label, with_own=True)
                yield from [found.household_no for found in on_it]


def _declared_last(household_no: str, purpose: str, by: User) -> dict[int, dict[str, int]]:
    """What was declared last, of those who are members still."""
    last = verification.last_declared(household_no, purpose)
    if not last:
        return {}
    household = registry.household(household_no, by=by)
    return {
        place.person_id: last[place.person.id_number]
        for place in registry.people_for(household, by=by, reason="定期复查")
        if place.person.id_number in last
    }


def ask_batch(number: str, *, by: User) -> dict[str, int]:
    """Ask every source about the people of a batch who authorised it (批量查询); nothing goes out for the others."""
    counts = {"asked": 0, "unauthorised": 0}
    for one in verification.waiting_in(number, by=by, to="ask"):
        told = verifying.query_sources(one, by=by)
        counts["asked"] += told["asked"]
        counts["unauthorised"] += told["unauthorised"]
    return counts


def sift_batch(number: str, *, by: User) -> dict[str, int]:
    """File the re-checks of a batch that found nothing new, leave the others to people (复查比对); how many of each."""
    pack, rules = packs.rules()[0], packs.verification_rules()
    counts = {"unchanged": 0, "changed": 0, "first": 0, "incomplete": 0}
    for one in verification.waiting_in(number, by=by, to="sift"):
        counts[verification.sift(one, pack=pack, rules=rules, by=by)] += 1
    return counts
