"""A person's own view of the own data: who looked and why, and what the person once agreed to (个人信息)."""

from __future__ import annotations

from datetime import date

from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import GivenConsent, Look, User
from doudi.contexts.assistance import services as assistance
from doudi.contexts.charity import services as charity
from doudi.contexts.meals import services as meals
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.contexts.registry.services import PersonToTell
from doudi.contexts.verification import services as verification
from doudi.engine import identity
from doudi.house.documents import Paper, table, text, to_pdf


def who_looked(
    id_number: str, *, reason: str, by: User, act_words: dict[str, str] | None = None
) -> tuple[PersonToTell, list[Look], list[GivenConsent]]:
    """Who looked at a person's data and why, and what the person agreed to; told at the window to the person alone."""
    numbers = registry.numbers_meant(id_number)
    known = [*assistance.known_as(numbers), *charity.known_as(numbers), *meals.known_as(numbers)]
    person = registry.person_to_tell(id_number, by=by, known=known)
    homes = person.household_nos
    subjects = {
        *(f"household:{number}" for number in homes),
        *(f"verification:{number}" for number in verification.numbers_of(homes)),
        *(f"report:{number}" for number in monitoring.reports_about(homes)),
        *assistance.traces_of(homes, numbers),
        *charity.traces_of(homes, numbers),
        *meals.traces_of(numbers),
    }
    looks = accounts.looks_at(
        subjects,
        persons=set(person.persons),
        by=by,
        reason=reason,
        subject=f"household:{max(homes)}" if homes else min(subjects),
        region_code=person.region_code,
        act_words=act_words,
    )
    return person, looks, [*_authorised(id_number), *charity.consents_of(homes), *meals.consents_of(numbers)]


def _authorised(id_number: str) -> list[GivenConsent]:
    number = identity.read_id(id_number).number or ""
    return [
        GivenConsent(
            kind="授权核对",
            number=one.number,
            given_on=one.signed_on,
            valid_to=one.valid_to,
            withdrawn_on=one.withdrawn_at.date() if one.withdrawn_at else None,
            scope="、".join([*one.purposes, *one.sources]),
        )
        for one in verification.authorisations_by(number)
    ]


def looks_paper(person: PersonToTell, looks: list[Look], consents: list[GivenConsent], *, on: date) -> bytes:
    """What was told, as a paper for the person (PDF)."""
    return to_pdf(
        Paper(
            title="个人信息查阅记录告知单",
            subtitle=f"{identity.mask_name(person.name)}　截至 {on:%Y年%m月%d日}",
            blocks=(
                text("依据个人信息保护法第四十四条、第四十五条，告知您本人的信息由谁、何时、因何查阅或办理。"),
                table(
                    ("时间", "人员", "单位", "事项", "事由", "涉及信息"),
                    [(look.at, look.who, registry.region_name(look.office) if look.office.isdigit() else look.office,
                      look.act, look.reason, look.fields) for look in looks],
                ),
                text("您作出过的授权和同意："),
                table(
                    ("种类", "编号", "日期", "有效至", "撤回", "范围"),
                    [(one.kind, one.number, f"{one.given_on}", f"{one.valid_to or ''}", f"{one.withdrawn_on or ''}", one.scope)
                     for one in consents],
                ),
                text("对记录有疑问，可以当场提出，或提出更正、删除、撤回同意的请求，期限内答复。"),
            ),
            foot=(f"共 {len(looks)} 条", f"{on:%Y-%m-%d}"),
        )
    )  # fmt: skip
