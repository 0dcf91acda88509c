"""What bodies and the county are told without asking (提醒): a month to close, a decision that is due, a need held for one.

Each matter is told once; the texts hold codes and days, never a person.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Role, User, users_of
from doudi.contexts.charity.closing import closing_due
from doudi.contexts.charity.filing import month_of
from doudi.contexts.charity.models import Claim, MonthClosing, Organisation, Resolution
from doudi.contexts.monitoring import services as monitoring
from doudi.engine.packs.linking import LinkageRules


def accounts_of(body: Organisation) -> list[User]:
    """The accounts that act for a body."""
    role = Role.MEMBER if body.kind == Organisation.Kind.MEMBER else Role.CHARITY
    return [user for user in users_of(body.region_code, role) if user.organisation == body.code]


def tell_held(claim: Claim) -> None:
    """Tell a body that a need is held for it by the county's decision; the caller holds the transaction."""
    monitoring.tell(
        accounts_of(claim.organisation),
        monitoring.Word(
            "linkage",
            f"县级民政把需求 {claim.need.code} 配给您的项目“{claim.project.name}”，请在 {claim.keep_until} 前给予或退回。",
            f"Need {claim.need.code} is held for your project; give or send it back by {claim.keep_until}.",
            f"/linkage/claims/{claim.number}/",
        ),
        key=f"claim:{claim.number}",
    )


def tell_taken_down(claim: Claim) -> None:
    """Tell a body that the need it held is gone; the caller holds the transaction."""
    monitoring.tell(
        accounts_of(claim.organisation),
        monitoring.Word(
            "linkage",
            f"需求 {claim.need.code} 已撤下，认领 {claim.number} 随之结束，请不要再给予。",
            f"Need {claim.need.code} was taken down and claim {claim.number} has ended; do not give any more.",
            f"/linkage/claims/{claim.number}/",
        ),
        key=f"down:{claim.number}",
    )


@transaction.atomic
def remind_months(rules: LinkageRules) -> int:
    """Tell member bodies of last month's closing once it can be closed, and the county once the day has passed."""
    today = timezone.localdate()
    last = month_of(today.replace(day=1) - timedelta(days=1))[0]
    due_on = closing_due(last, rules)
    closed = MonthClosing.objects.filter(month=last).values("organisation")
    told = 0
    for body in Organisation.objects.filter(kind=Organisation.Kind.MEMBER, closed_on=None).exclude(
        pk__in=closed
    ):
        late = today > due_on
        word = monitoring.Word(
            "linkage",
            f"{body.name} {last:%Y-%m} 的帮扶备案" + (f"没有在 {due_on} 前月结。" if late else f"请在 {due_on} 前月结，没有的做零报告。"),
            f"{body.code}: {last:%Y-%m} " + (f"was not closed by {due_on}." if late else f"is to be closed by {due_on}."),
            "/linkage/filings/months/",
        )  # fmt: skip
        people = accounts_of(body) + (monitoring.people(Role.COUNTY, body.region_code) if late else [])
        told += monitoring.tell(
            people, word, key=f"month:{body.code}:{last:%Y-%m}:{'late' if late else 'due'}"
        )
    return told


@transaction.atomic
def remind_resolutions(rules: LinkageRules) -> int:
    """Tell who is responsible some days before a decision of a meeting is due, and the county when it is late."""
    today = timezone.localdate()
    near = Resolution.objects.filter(
        status=Resolution.Status.OPEN, due_on__lte=today + timedelta(days=rules.remind_days)
    ).select_related("item__meeting", "responsible")
    told = 0
    for one in near:
        late = today > one.due_on
        meeting = one.item.meeting
        word = monitoring.Word(
            "linkage",
            f"联席会议议定事项“{one.what}”" + (f"已过期限 {one.due_on}。" if late else f"须在 {one.due_on} 前办结。"),
            f"A decision of meeting {meeting.number} " + (f"was due on {one.due_on}." if late else f"is due on {one.due_on}."),
            f"/linkage/meetings/{meeting.number}/",
        )  # fmt: skip
        people = accounts_of(one.responsible) if one.responsible else []
        if late or one.responsible is None:
            people += monitoring.people(Role.COUNTY, meeting.region_code)
        told += monitoring.tell(people, word, key=f"resolution:{one.pk}:{'late' if late else 'due'}")
    return told
