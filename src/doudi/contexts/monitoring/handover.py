"""Work that changes hands: one warning to another officer or township, or all of an account's when staff change."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import (
    Act,
    Role,
    User,
    account,
    is_office_hand,
    record,
    require,
    take_turn,
    users_of,
)
from doudi.contexts.monitoring.clocks import officers_of, responsible, wind
from doudi.contexts.monitoring.disposal import Outrun, StepRefused
from doudi.contexts.monitoring.models import WarningCase, WarningQuerySet
from doudi.contexts.monitoring.notices import Word, send_out, tell
from doudi.contexts.monitoring.timeline import note
from doudi.engine.errors import DoudiError
from doudi.engine.packs.handling import Handling


class WorkLeft(DoudiError):
    """An account still has open work."""

    code = "work_left"


def officer_for(username: str, region_code: str) -> User:
    """The township officer of that name, who must answer for the area."""
    found = next((one for one in officers_of(region_code) if one.username == username), None)
    if found is None:
        raise StepRefused(
            f"“{username}”不是该乡镇（街道）在用的经办账号，请重新选择。",
            f"{username!r} is no active officer of that township.",
        )
    return found


@transaction.atomic
def reassign_warning(
    case: WarningCase,
    *,
    to: str,
    assignee: str = "",
    ground: str,
    by: User,
    handling: Handling,
    seen: int | None = None,
) -> WarningCase:
    """Give a dispatched warning to another officer, or to another township whose limit to visit begins anew (改派)."""
    require(by, Act.REASSIGN_WARNING, region_code=case.region_code)
    if len(to) not in (9, 12) or not to.isdigit():
        raise StepRefused("请选择乡镇（街道）。", "Choose a township (9 or 12 digits).")
    require(by, Act.REASSIGN_WARNING, region_code=to)
    if len(ground.strip()) < 4:
        raise StepRefused("请写明改派理由（至少四个字）。", "Say why the warning changes hands.")
    take_turn()
    moved = to[:9] != case.region_code[:9]
    if assignee:
        officer_for(assignee, to)
    elif not moved and not case.assignee:
        raise StepRefused("请选择改派给谁，或另一个乡镇（街道）。", "Choose another officer or township.")
    if case.status not in (WarningCase.Status.DISPATCHED, WarningCase.Status.VISITED):
        raise StepRefused(
            f"预警现为“{case.get_status_display()}”，派单之后、办结之前才能改派。",
            f"The warning is {case.status}; it changes hands between dispatch and closing.",
        )
    version = case.version if seen is None else seen
    changes: dict[str, object] = {"assignee": assignee}
    if moved:
        changes |= {"region_code": to}
        if case.status == WarningCase.Status.DISPATCHED:
            changes |= {"dispatched_at": timezone.now()}
    done = WarningCase.objects.filter(pk=case.pk, version=version, status=case.status).update(
        version=version + 1, wound=False, **changes
    )
    if not done:
        raise Outrun(
            f"预警 {case.number} 刚被他人处理，请刷新后再办。",
            f"Warning {case.number} was just handled by somebody else; reload the page.",
        )
    case.refresh_from_db()
    wind(case, handling)
    who = account(assignee).display_name if assignee else "乡镇（街道）"
    note(case, by=by, kind="reassign", text=f"改派给{who}，时限 {case.due_on}。{ground.strip()}")
    record(
        by=by,
        act=Act.REASSIGN_WARNING,
        subject=f"household:{case.household_no}",
        region_code=case.region_code,
        reason=ground.strip(),
        detail={"warning": case.number, "to": to, "assignee": assignee},
    )
    word = Word(
        "reassign",
        f"{case.number} 改派给您，时限 {case.due_on}",
        f"{case.number} is now yours, due {case.due_on}",
        f"/warnings/{case.number}/",
    )
    key = f"reassign:{case.pk}:{case.version}"
    to_whom = responsible(case)
    tell(to_whom, word, key=key)
    send_out(
        word, key=key, region_code=case.region_code, to=to_whom, warning=case.number, due_on=f"{case.due_on}"
    )
    return case


# ---- when staff change -------------------------------------------------------------------------------------------


def open_work(username: str) -> WarningQuerySet:
    """What an account has in hand: open warnings given to it by name, and revisits still to make."""
    mine = WarningCase.objects.filter(assignee=username)
    return (mine.open() | mine.to_revisit()).order_by("due_on", "pk")


def officers_with_work(*, by: User) -> list[tuple[User, int]]:
    """The township officers of the account's area, each with how much is in hand."""
    require(by, Act.HAND_OVER)
    found = users_of(by.region_code, Role.TOWNSHIP).order_by("region_code", "username")
    return [(one, open_work(one.username).count()) for one in found]


@dataclass(frozen=True)
class Handover:
    """What would change hands, or did: how many go over, and those that cannot, each with the reason."""

    from_account: str
    to_account: str
    cases: tuple[WarningCase, ...]
    left: tuple[tuple[WarningCase, str], ...]


def preview_handover(from_account: str, to_account: str, *, by: User) -> Handover:
    """What a handover would do (交接预览); nothing changes."""
    leaving, taking = account(from_account), account(to_account)
    if not is_office_hand(by):
        require(by, Act.HAND_OVER, region_code=leaving.region_code)
        require(by, Act.HAND_OVER, region_code=taking.region_code)
    if leaving.pk == taking.pk or not taking.is_active or taking.role != Role.TOWNSHIP:
        raise StepRefused(
            "请选择另一个在用的乡镇（街道）经办账号接手。",
            "Choose another active township account to take over.",
        )
    going, left = [], []
    for case in open_work(from_account):
        if case.region_code.startswith(taking.region_code) or taking.region_code.startswith(case.region_code):
            going.append(case)
        else:
            left.append((case, f"不在{taking.display_name}的辖区"))
    return Handover(from_account, to_account, tuple(going), tuple(left))


@transaction.atomic
def hand_over(from_account: str, to_account: str, *, ground: str, by: User) -> Handover:
    """Give all open work of an account to another, each with a line on its timeline (工作交接)."""
    take_turn()
    plan = preview_handover(from_account, to_account, by=by)
    if len(ground.strip()) < 4:
        raise StepRefused("请写明交接理由（至少四个字）。", "Say why the work changes hands.")
    leaving, taking = account(from_account), account(to_account)
    for case in plan.cases:
        WarningCase.objects.filter(pk=case.pk).update(assignee=to_account, version=case.version + 1)
        note(
            case,
            by=by,
            kind="reassign",
            text=f"工作交接：{leaving.display_name}交给{taking.display_name}。{ground.strip()}",
        )
    entry = record(
        by=by,
        act=Act.HAND_OVER,
        subject=f"user:{from_account}",
        region_code=leaving.region_code,
        reason=ground.strip(),
        detail={"to": to_account, "warnings": [case.number for case in plan.cases], "left": len(plan.left)},
    )
    if plan.cases:
        word = Word(
            "reassign",
            f"{leaving.display_name}的 {len(plan.cases)} 件预警交接给您",
            f"{len(plan.cases)} warnings of {leaving.display_name} are now yours",
            "/clocks/",
        )
        tell([taking], word, key=f"handover:{entry.number}")
    return plan


def refuse_while_work_is_left(username: str) -> None:
    """An account with open work is not closed: a family would be nobody's."""
    left = open_work(username).count()
    if left:
        raise WorkLeft(
            f"账号“{username}”名下还有 {left} 件未办完的预警或回访，请先在“工作交接”里交给他人，再停用账号。",
            f"Account {username!r} has {left} open warnings or revisits; hand them over first, then close it.",
        )
