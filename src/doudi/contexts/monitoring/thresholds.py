"""An indicator's number for a future day (阈值调整): back-tested and proposed by one, approved or returned by another.

What is approved becomes a dated, regional layer over the policy pack. Nothing of the pack is rewritten: a screen of an
earlier date, and the replay of an earlier run, find the numbers of then.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, Role, User, record, require, take_turn
from doudi.contexts.accounts.services import account as account_of
from doudi.contexts.monitoring.models import ThresholdChange
from doudi.contexts.monitoring.notices import Word, people, tell
from doudi.contexts.monitoring.whatif import BackTested
from doudi.engine.errors import DoudiError
from doudi.engine.packs import Pack, load_pack
from doudi.engine.packs.approved import ApprovedValue, digest_of, pack_sides, write_layer
from doudi.engine.packs.changing import with_parameters
from doudi.engine.screening import threshold_parameters
from doudi.house.paths import home

FRESH_SECONDS = 1.0
"""How long a process goes by what it last read of the approved changes; a screen always reads them anew."""
_Status = ThresholdChange.Status
_read: dict[Path, tuple[float, tuple[ApprovedValue, ...]]] = {}


class ThresholdRefused(DoudiError):
    """A change of a number cannot be proposed or decided so."""

    code = "threshold_refused"


def _approved() -> tuple[ApprovedValue, ...]:
    rows = ThresholdChange.objects.filter(status=_Status.APPROVED).order_by("pk")
    return tuple(_value(row) for row in rows)


def _value(row: ThresholdChange) -> ApprovedValue:
    on = timezone.localdate(row.decided_at) if row.decided_at else row.from_on
    return ApprovedValue(row.parameter, row.region_code, row.from_on, row.value, row.number, on)


def pack_in_force(base: Path, *, fresh: bool = False) -> Path:
    """The folder of the pack with what was approved laid over it; the pack itself where nothing was."""
    root, now = home().root, time.monotonic()
    read_at, values = _read.get(root, (0.0, ()))
    if fresh or root not in _read or now - read_at > FRESH_SECONDS:
        values = _approved()
        _read.clear()
        _read[root] = (now, values)
    if not values:
        return base
    folder = home().layers / f"{base.name}-{digest_of(values)}"
    if not (folder / "approved" / "pack.yaml").is_file():
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        write_layer(base, load_pack(base), values, folder)
    return folder / "approved"


def forget_read() -> None:
    """Let the next look at the pack read the approved changes anew."""
    _read.clear()


# ---- propose, decide, withdraw -----------------------------------------------------------------------------------


@transaction.atomic
def propose_threshold(
    base: Path,
    pack: Pack,
    *,
    indicator: str,
    parameter: str,
    value: str,
    from_on: date,
    ground: str,
    tested: BackTested,
    by: User,
) -> ThresholdChange:
    """Propose another value of an indicator's number for the account's own area from a future day on (提交).

    ``pack`` is the pack in force, ``tested`` the back-test of exactly this value, which the approver will see.
    """
    require(by, Act.PROPOSE_THRESHOLD, region_code=by.region_code)
    take_turn()
    if len(ground.strip()) < 10:
        raise ThresholdRefused("请写明调整理由（至少十个字）。", "Say why, in ten characters or more.")
    if from_on <= timezone.localdate():
        raise ThresholdRefused(
            "生效日期应在今天之后，已筛查过的日子不能改。", "The day it begins must lie in the future."
        )
    try:
        name, sides = pack_sides(pack, parameter)
    except KeyError:
        raise ThresholdRefused(f"没有参数“{parameter}”。", f"There is no parameter {parameter!r}.") from None
    if indicator not in pack.indicators or name not in threshold_parameters(pack, indicator):
        raise ThresholdRefused(
            f"“{parameter}”不是指标 {indicator} 的线。", f"{parameter!r} is no number of {indicator}."
        )
    value = value.strip()
    with_parameters(pack, {(parameter, by.region_code): value})
    before = pack.parameters[name].lookup(region=by.region_code, urban_rural=sides[0], on=from_on)
    present = before.text if before is not None else ""
    number = _next_number()
    proposed = ApprovedValue(parameter, by.region_code, from_on, value, number, timezone.localdate())
    _check(base, (*_approved(), proposed))
    try:
        with transaction.atomic():
            made = ThresholdChange.objects.create(
                number=number,
                indicator=indicator,
                parameter=parameter,
                region_code=by.region_code,
                before=present,
                value=value,
                from_on=from_on,
                ground=ground.strip(),
                tested=_told(tested),
                submitted_by=by.username,
                submitted_name=by.display_name or by.username,
            )
    except IntegrityError:
        raise ThresholdRefused(
            f"“{parameter}”自 {from_on} 起已有一份待审批或已批准的调整，请先撤回它。",
            f"A change of {parameter!r} from {from_on} is waiting or approved already; withdraw it first.",
        ) from None
    record(
        by=by,
        act=Act.PROPOSE_THRESHOLD,
        subject=f"threshold:{number}",
        region_code=by.region_code,
        reason=ground.strip(),
        detail={
            "indicator": indicator,
            "parameter": parameter,
            "before": present,
            "value": value,
            "from": from_on,
        },
    )
    word = Word(
        "threshold",
        f"{indicator} 的“{parameter}”拟自 {from_on} 起由 {present or '未填'} 改为 {value}，请审批（{number}）",
        f"{number}: {parameter} of {indicator} is to become {value} from {from_on}; please decide",
        f"/indicators/changes/{number}/",
    )
    tell(people(Role.DIRECTOR, by.region_code), word, key=f"threshold:{number}")
    return made


def _next_number() -> str:
    year = timezone.localdate().year
    last = ThresholdChange.objects.filter(number__startswith=f"YZ{year}-").count()
    return f"YZ{year}-{last + 1:04d}"


def _check(base: Path, values: tuple[ApprovedValue, ...]) -> None:
    """The pack's own checker on the layer as it would be; what it finds refuses the change."""
    folder = home().work / f"layer-{digest_of(values)}"
    try:
        layer = write_layer(base, load_pack(base), values, folder)
        load_pack(layer, roots=(base.parent,))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _told(tested: BackTested) -> dict[str, Any]:
    """The figures of a back-test that the approver sees: no household is named."""
    return {
        "months": [f"{month:%Y-%m}" for month in tested.test.months],
        "households": tested.test.households,
        "missing": {feed: str(status) for feed, status in tested.test.missing.items()},
        "trials": [
            {
                "label": one.trial.label,
                "total": one.trial.total,
                "by_month": [len(one.trial.new[month]) for month in tested.test.months],
                "precision": one.precision,
                **one.outcome.to_json(),
            }
            for one in tested.trials
        ],
    }


def threshold_changes(*, by: User, indicator: str = "") -> QuerySet[ThresholdChange]:
    """The changes of the account's area, newest first (阈值历史)."""
    require(by, Act.VIEW_INDICATORS)
    found = ThresholdChange.objects.filter(region_code__startswith=by.region_code)
    return found.filter(indicator=indicator) if indicator else found


def threshold_change(number: str, *, by: User) -> ThresholdChange:
    """One change within the account's area."""
    found = threshold_changes(by=by).filter(number=number).first()
    if found is None:
        raise DoudiError(
            f"没有找到阈值调整 {number}。", f"No change {number} in your area.", code="threshold_not_found"
        )
    return found


@transaction.atomic
def decide_threshold(number: str, *, approve: bool, decision: str, base: Path, by: User) -> ThresholdChange:
    """Approve a change or return it (审批); whoever submitted it cannot, and of two who decide at once one does."""
    require(by, Act.APPROVE_THRESHOLD)
    take_turn()
    change = threshold_change(number, by=by)
    require(by, Act.APPROVE_THRESHOLD, region_code=change.region_code)
    if change.submitted_by == by.username:
        raise ThresholdRefused(
            "提交人不能审批自己的调整，请由另一人审批。", "Whoever submitted a change cannot approve it."
        )
    if not approve and len(decision.strip()) < 4:
        raise ThresholdRefused("退回请写明理由（至少四个字）。", "Say why it is returned.")
    if approve and change.from_on <= timezone.localdate():
        raise ThresholdRefused(
            f"生效日期 {change.from_on} 已到，不能再批准；请退回，另定日期提交。",
            f"The day it was to begin, {change.from_on}, has come; return it to be submitted for another day.",
        )
    if approve:
        proposed = ApprovedValue(
            change.parameter, change.region_code, change.from_on, change.value, number, timezone.localdate()
        )
        _check(base, (*_approved(), proposed))
    _settle(
        change,
        from_status=_Status.SUBMITTED,
        status=_Status.APPROVED if approve else _Status.RETURNED,
        decided_by=by.username,
        decided_name=by.display_name or by.username,
        decided_at=timezone.now(),
        decision=decision.strip(),
    )
    record(
        by=by,
        act=Act.APPROVE_THRESHOLD,
        subject=f"threshold:{number}",
        region_code=change.region_code,
        reason=decision.strip(),
        detail={
            "approved": approve,
            "parameter": change.parameter,
            "value": change.value,
            "from": change.from_on,
        },
    )
    word = Word(
        "threshold",
        f"{number} {'已批准，自 ' + str(change.from_on) + ' 起生效' if approve else '已退回：' + change.decision}"[
            :300
        ],
        f"{number} was {'approved and holds from ' + str(change.from_on) if approve else 'returned'}",
        f"/indicators/changes/{number}/",
    )
    tell([account_of(change.submitted_by)], word, key=f"threshold:{number}:{change.status}")
    transaction.on_commit(forget_read)
    forget_read()
    return change


@transaction.atomic
def withdraw_threshold(number: str, *, ground: str, by: User) -> ThresholdChange:
    """Take a change back before its day has come, decided or not (撤回)."""
    require(by, Act.PROPOSE_THRESHOLD)
    take_turn()
    change = threshold_change(number, by=by)
    require(by, Act.PROPOSE_THRESHOLD, region_code=change.region_code)
    if len(ground.strip()) < 4:
        raise ThresholdRefused("请写明撤回理由（至少四个字）。", "Say why it is withdrawn.")
    if change.status == _Status.APPROVED and change.from_on <= timezone.localdate():
        raise ThresholdRefused(
            f"{number} 自 {change.from_on} 起已生效，不能撤回；请另提交一份新的调整。",
            f"{number} has been in force since {change.from_on}; propose another change instead.",
        )
    if change.status not in (_Status.SUBMITTED, _Status.APPROVED):
        raise ThresholdRefused(
            f"{number} 现为“{change.get_status_display()}”，不能撤回。", f"{number} is {change.status}."
        )
    _settle(
        change,
        from_status=change.status,
        status=_Status.WITHDRAWN,
        decision=f"{change.decision} 撤回（{by.display_name or by.username}）：{ground.strip()}".strip()[
            :300
        ],
    )
    record(
        by=by,
        act=Act.PROPOSE_THRESHOLD,
        subject=f"threshold:{number}",
        region_code=change.region_code,
        reason=ground.strip(),
        detail={"withdrawn": True},
    )
    transaction.on_commit(forget_read)
    forget_read()
    return change


def _settle(change: ThresholdChange, *, from_status: str, **changes: Any) -> None:
    if not ThresholdChange.objects.filter(pk=change.pk, status=from_status).update(**changes):
        change.refresh_from_db()
        raise ThresholdRefused(
            f"{change.number} 刚被他人处理，现为“{change.get_status_display()}”，请刷新。",
            f"{change.number} was just handled by somebody else and is now {change.status}; reload the page.",
        )
    change.refresh_from_db()


# ---- the indicators as they stand --------------------------------------------------------------------------------


@dataclass(frozen=True)
class IndicatorState:
    """One indicator with what it says now: how many open warnings, and which of its sources are missing."""

    code: str
    up: bool
    supplier: str
    open: int
    missing: Mapping[str, str]
    """Feed → why it is missing; where one is, the indicator is unknown and not all clear."""
    numbers: tuple[str, ...]


def indicator_states(
    pack: Pack, *, missing: Mapping[str, str], counts: Mapping[str, int], by: User
) -> list[IndicatorState]:
    """Every indicator of the pack, both directions, for the account's area."""
    require(by, Act.VIEW_INDICATORS)
    return [
        IndicatorState(
            code=code,
            up=indicator.up,
            supplier=indicator.supplier,
            open=counts.get(code, 0),
            missing={feed: missing[feed] for feed in sorted(pack.feeds_of(code)) if feed in missing},
            numbers=threshold_parameters(pack, code),
        )
        for code, indicator in pack.indicators.items()
    ]
