"""Verification of a household's economic status (核对)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from django.db import transaction

from doudi.chain import packs
from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import User, take_turn
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.contexts.verification import services as verification
from doudi.engine.errors import DoudiError
from doudi.engine.verification import Obligor


def open_verification(*, by: User, **request: Any) -> verification.VerificationRequest:
    """Open a request (建立委托单)."""
    return verification.open_request(packs.verification_rules(), by=by, **request)


@transaction.atomic
def verify_household(
    household_no: str,
    *,
    declared: dict[int, dict[str, int]],
    by: User,
    **request: Any,
) -> verification.VerificationRequest:
    """Open and accept a request for a household of the register; ``declared`` by person key (委托核对)."""
    take_turn()
    household = registry.household(household_no, by=by)
    people = [
        verification.PersonAsked(
            name=place.person.name,
            id_number=place.person.id_number,
            relation=place.relation,
            living_together=place.living_together,
            category=household.category,
            declared=declared.get(place.person_id),
        )
        for place in registry.people_for(household, by=by, reason="委托核对")
    ]
    opened = open_verification(
        people=people,
        household_no=household_no,
        region_code=household.responsible_region,
        urban_rural=household.urban_rural,
        by=by,
        **request,
    )
    return accept_verification(opened.number, by=by)


def accept_verification(
    number: str, *, by: User, seen: int | None = None
) -> verification.VerificationRequest:
    """Accept a request; its clocks run (受理)."""
    return verification.accept_request(number, rules=packs.verification_rules(), by=by, seen=seen)


def authorise_verification(*, by: User, **authorisation: Any) -> verification.Authorisation:
    """Register a signed authorisation (登记授权书)."""
    return verification.authorise(packs.verification_rules(), by=by, **authorisation)


def query_sources(number: str, *, by: User, **how: Any) -> dict[str, int]:
    """Ask every source about who authorised it (查询); those whose files are loaded here answer at once."""
    counts = verification.start_queries(number, rules=packs.verification_rules(), by=by, **how)
    try:
        told = ask_loaded(number, by=by)
    except verification.ConnectorsInvalid:
        return counts  # the source board says what is wrong with the file
    return {**counts, "answered": told["known"] + told["no_record"]}


def ask_loaded(number: str, *, by: User) -> dict[str, int]:
    """Answer what is open of a request from the files that are loaded here (本地快照)."""
    return verification.ask_loaded(
        number, rules=packs.verification_rules(), specs=packs.rules()[0].feeds, by=by
    )


def locked_query_list(source: str, *, by: User) -> tuple[verification.QueryBatch, bytes]:
    """As :func:`query_list`, in a zip that opens with the password agreed with the source (加密清单)."""
    batch, content = query_list(source, by=by)
    return batch, verification.lock_for(source, f"{batch.number}.xlsx", content, by=by)


def query_list(source: str, *, by: User) -> tuple[verification.QueryBatch, bytes]:
    """The list of a source's open queries in its own layout (查询清单)."""
    return verification.make_query_list(
        source, rules=packs.verification_rules(), specs=packs.rules()[0].feeds, by=by
    )


def take_reply(
    source: str, path: Path, *, as_of: date, by: User, file_name: str = "", complete: bool = True
) -> verification.ReplyOutcome:
    """Take a department's reply file in (回复入库)."""
    return verification.take_reply_file(
        source,
        path,
        rules=packs.verification_rules(),
        specs=packs.rules()[0].feeds,
        as_of=as_of,
        by=by,
        complete=complete,
        file_name=file_name,
    )


def ask_source(source: str, *, by: User) -> verification.AskOutcome:
    """Ask a connected source everything that is open (直连查询)."""
    return verification.ask_source(
        source, rules=packs.verification_rules(), specs=packs.rules()[0].feeds, by=by
    )


def ask_connected_sources() -> int:
    """Ask every connected source what is due, in the name of the accounts whose queries they are (到期任务); how many."""
    asked = 0
    try:
        work = verification.connected_work(packs.verification_rules())
    except verification.ConnectorsInvalid:
        return 0  # the source board says what is wrong with the file
    for source, username in work:
        try:
            asked += ask_source(source, by=accounts.account(username)).asked
        except DoudiError:
            # a source or an account that cannot be used stops neither the others nor the rest of what is due
            continue
    return asked


def entrust_check(number: str, *, peer: str, sources: Sequence[str], by: User) -> verification.EntrustedCheck:
    """Entrust another house with a check and try to deliver it at once (委托异地协查)."""
    check = verification.entrust(number, peer=peer, sources=sources, rules=packs.verification_rules(), by=by)
    return carry_entrusted(check.number, by=by)


def carry_entrusted(number: str, *, by: User) -> verification.EntrustedCheck:
    """Deliver a check or ask after it (送达、取回异地协查)."""
    return verification.carry_entrusted(
        number, rules=packs.verification_rules(), specs=packs.rules()[0].feeds, by=by
    )


def carry_every_entrusted() -> int:
    """Deliver and ask after every check that is due, in the name of who entrusted it (到期任务); how many."""
    carried = 0
    for check in list(verification.entrusted_due()):
        try:
            carry_entrusted(check.number, by=accounts.account(check.asked_by))
        except DoudiError:
            continue  # a house that is not connected any more stops no other
        carried += 1
    return carried


def take_entrusted(
    sender: verification.Sender, *, by: User, **asked: Any
) -> verification.VerificationRequest:
    """Take another house's check in (接收异地协查)."""
    return verification.take_entrusted(sender, rules=packs.verification_rules(), by=by, **asked)


def entrusted_answers(
    sender: verification.Sender, number: str, *, by: User
) -> tuple[verification.VerificationRequest, list[dict[str, Any]]]:
    """What our sources said of another house's check (答复异地协查)."""
    return verification.entrusted_answers(
        sender, number, rules=packs.verification_rules(), specs=packs.rules()[0].feeds, by=by
    )


def suspend_source(source: str, *, why: str, by: User) -> None:
    """Stop asking a source by connection (停用来源)."""
    verification.suspend_source(source, why=why, rules=packs.verification_rules(), by=by)


def mark_source_failed(number: str, source: str, *, why: str, by: User) -> int:
    """Say that a source failed for a request (失败)."""
    return verification.mark_failed(number, source, why=why, rules=packs.verification_rules(), by=by)


def preview_report(number: str, *, by: User) -> dict[str, Any]:
    """What the report would say now (比对)."""
    return verification.preview(number, pack=packs.rules()[0], rules=packs.verification_rules(), by=by)


def state_support(
    number: str, obligors: Sequence[Obligor], *, by: User, **evidence: Any
) -> verification.SupportStatement:
    """State the legal supporters who live apart (登记赡养情况)."""
    return verification.state_support(
        number, obligors, pack=packs.rules()[0], rules=packs.verification_rules(), by=by, **evidence
    )


def ask_explanations(number: str, *, by: User) -> int:
    """Ask the applicant to explain what differs (差异说明); returns how many were asked."""
    return len(
        verification.ask_explanations(number, pack=packs.rules()[0], rules=packs.verification_rules(), by=by)
    )


def issue_report(number: str, *, by: User, seen: int | None = None) -> verification.Report:
    """Issue the report and keep the pack it stands on (出具核对报告)."""
    pack = packs.rules()[0]
    packs.keep(pack)
    return verification.issue_report(number, pack=pack, rules=packs.verification_rules(), by=by, seen=seen)


def object_to_report(report_number: str, *, by: User, **objection: Any) -> verification.Objection:
    """Register an objection to a report (异议)."""
    return verification.object_to(report_number, rules=packs.verification_rules(), by=by, **objection)


def check_report(report_number: str, *, by: User, given: bytes | None = None) -> verification.Checked:
    """Compute a report again with the pack of then, and say whether it is the same (查验)."""
    report = verification.report_of(report_number, by=by)
    folder = monitoring.kept_folder(report.pack_hash)
    return verification.check_report(
        report,
        pack=monitoring.kept_pack(report.pack_hash),
        rules=packs.verification_rules_of(folder),
        given=given,
    )


def report_file(report_number: str, *, by: User) -> bytes:
    """A report's canonical content, with the export in the audit log (导出报告)."""
    return verification.export_report(report_number, rules=packs.verification_rules(), by=by)


def report_paper(report_number: str, *, form: str, address: str, by: User) -> bytes:
    """A report as PDF or Word (报告文书)."""
    return verification.report_paper(
        report_number, form=form, address=address, rules=packs.verification_rules(), by=by
    )


def report_shown(content: Mapping[str, Any], *, by: User) -> dict[str, Any]:
    """A report's content as an account may see it (按标识遮蔽)."""
    return verification.content_shown(content, sight(by=by))


def sight(*, by: User) -> verification.Sight:
    """What an account sees of the pack's data elements (敏感信息标识)."""
    return verification.sight_of(packs.verification_rules(), by)


def found_rows(number: str, *, by: User) -> list[dict[str, Any]]:
    """What each source returned, cell by cell as the account may see it (查得明细)."""
    return verification.found_rows(
        number, rules=packs.verification_rules(), specs=packs.rules()[0].feeds, by=by
    )


def source_catalogue(*, by: User) -> list[dict[str, Any]]:
    """The sources with their fields, marks, owner, basis, lag and users (来源目录)."""
    return verification.source_catalogue(packs.verification_rules(), packs.rules()[0].feeds, by=by)


def erase_raw() -> int:
    """Delete raw rows whose time is over, with proof (到期删除); how many replies."""
    return verification.erase_raw(packs.verification_rules(), packs.rules()[0].feeds)


@transaction.atomic
def watch_security() -> int:
    """Raise unusual looks and tell the county and the administrators of the area (安全预警); how many are new."""
    fresh = verification.watch(packs.verification_rules())
    for warning in fresh:
        word = monitoring.Word(
            kind="security",
            zh=f"安全预警：账号 {warning.account} {warning.get_kind_display()}（{warning.day}，{warning.count} 次），请核实",
            en=f"Security: account {warning.account}, {warning.kind} on {warning.day} ({warning.count}); find out why",
            link="/verification/security/",
        )
        who = [
            user
            for role in (accounts.Role.COUNTY, accounts.Role.ADMIN)
            for user in accounts.users_of(warning.region_code, role)
            if user.username != warning.account
        ]
        monitoring.tell(who, word, key=f"security:{warning.pk}")
    return len(fresh)
