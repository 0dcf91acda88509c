"""What a screen does to the warnings: open, attach, mute, wake, hold and clear (预警跟踪).

In comes a finished screen; out come changed cases, signals, observations and lines of the timeline, all in the
caller's transaction. The engine says what it found in one household; :mod:`levels` says what that amounts to beside
what was seen and judged before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone

from doudi.contexts.accounts.services import User
from doudi.contexts.monitoring import levels
from doudi.contexts.monitoring.levels import HOUSEHOLD, Found, Freshness, Mute
from doudi.contexts.monitoring.models import (
    LEVEL_WORDS,
    LEVELS,
    CaseEvent,
    Observation,
    ScreeningRun,
    Signal,
    WarningCase,
)
from doudi.contexts.registry import services as registry
from doudi.engine import screening
from doudi.engine.feeds import SnapshotSet
from doudi.engine.packs import Pack
from doudi.engine.packs.handling import Handling

_BATCH = 500
_CASE_FACTS = (
    "level",
    "risk_level",
    "level_rank",
    "found_category",
    "change",
    "register_category",
    "unknown",
)
_SIGNAL_FACTS = (
    "last_seen", "active", "level", "value", "in_fen", "amounts", "observations", "observed_on", "unknown",
    "name_differs",
)  # fmt: skip


@dataclass
class WarningChanges:
    """How a screen changed the warnings."""

    opened: int = 0
    updated: int = 0
    closed: int = 0

    def to_json(self) -> dict[str, int]:
        return {"opened": self.opened, "updated": self.updated, "closed": self.closed}


def freshness_on(pack: Pack, handling: Handling, as_of: date, loads: list[int]) -> Freshness:
    """What the files in force on a date (``loads``, the register first) are worth for each indicator."""
    received = registry.receipts(pack.feeds, as_of)
    late = {name for name, receipt in received.items() if receipt.is_late(handling.late_periods)}
    dates = {name: receipt.as_of for name, receipt in received.items()}
    return levels.freshness(pack, dates, late, as_of, registry.different_names(loads))


def follow(
    run: ScreeningRun, folder: Path, pack: Pack, handling: Handling, snapshots: SnapshotSet, by: User
) -> WarningChanges:
    """Bring the warnings up to a finished screen; the caller holds the transaction."""
    return _Following(run, folder, pack, handling, snapshots, by).follow()


@dataclass
class _Following:
    run: ScreeningRun
    folder: Path
    pack: Pack
    handling: Handling
    snapshots: SnapshotSet
    by: User
    changes: WarningChanges = field(default_factory=WarningChanges)
    signals: list[Signal] = field(default_factory=list)
    new_signals: list[Signal] = field(default_factory=list)
    observed: list[tuple[Signal, Found]] = field(default_factory=list)
    cases: list[WarningCase] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)
    events: list[CaseEvent] = field(default_factory=list)
    fresh: list[tuple[WarningCase, list[Found], list[str]]] = field(default_factory=list)

    def follow(self) -> WarningChanges:
        self.freshness = freshness_on(self.pack, self.handling, self.run.as_of, self.run.loads)
        self.people = registry.people_of_keys(self.snapshots, self._keys())
        standing = {
            case.household_no: case for case in WarningCase.objects.open().prefetch_related("signals")
        }
        muted = self._muted()
        for row in screening.read_result(self.folder):
            case = standing.pop(row["household_no"], None)
            if case is None and not row["warnings"]:
                continue
            found = levels.signals_of(row, self.pack, self.freshness, self.people)
            mutes = muted.get(row["household_no"], {})
            if case is not None:
                self._update(case, row, found, mutes)
            else:
                self._consider(row, found, mutes)
        for case in standing.values():
            if not any(
                signal.active and signal.code not in self.pack.indicators for signal in case.signals.all()
            ):
                self._clear(case, "该户已不在花名册")
        self._open()
        self._keep(everything=True)
        return self.changes

    def _keys(self) -> set[int]:
        """The persons whom any signal of the screen names."""
        return {
            key
            for row in screening.read_result(self.folder, only_warnings=True)
            for amounts in row["details"].values()
            for key in amounts
            if key is not None
        }

    # ---- what was judged and closed ------------------------------------------------------------------------------

    def _muted(self) -> dict[str, dict[tuple[str, str], Mute]]:
        """Household → what was closed within the mute window, signal by signal and person by person."""
        since = self.run.as_of - timedelta(days=self.handling.mute_days)
        closed = (
            WarningCase.objects.filter(status=WarningCase.Status.CLOSED, closed_at__date__gte=since)
            .order_by("pk")
            .prefetch_related("signals")
        )
        muted: dict[str, dict[tuple[str, str], Mute]] = defaultdict(dict)
        for case in closed:
            for signal in case.signals.all():
                level = signal.level or case.level
                for person, amount in (signal.amounts or {HOUSEHOLD: signal.value}).items():
                    muted[case.household_no][signal.code, person] = Mute(level, amount)
        return muted

    # ---- a household without an open case ------------------------------------------------------------------------

    def _consider(self, row: Mapping[str, Any], found: list[Found], mutes: levels.Mutes) -> None:
        waking = levels.awake(found, mutes, self.handling.wake_growth)
        if all(signal.level == "none" for signal in waking):
            return
        asleep = sorted({signal.code for signal in found} - {signal.code for signal in waking})
        self.fresh.append((self._new_case(row, waking), waking, asleep))
        if len(self.fresh) == _BATCH:
            self._open()

    def _new_case(self, row: Mapping[str, Any], found: list[Found]) -> WarningCase:
        level, risk = levels.levels_of(found, self.pack, self.handling)
        urgency = max(level, risk, key=LEVELS.index)
        return WarningCase(
            number=f"YJ{self.run.as_of:%Y%m%d}-{row['household_no']}",
            household_no=row["household_no"],
            region_code=row["region_code"],
            level=level,
            level_rank=LEVELS.index(urgency),
            risk_level=risk,
            register_category=row["register_category"] or "",
            found_category=row["category"],
            change=row["change"],
            unknown=levels.unknown_of(row, self.freshness),
            opened_on=self.run.as_of,
            as_of=self.run.as_of,
            due_on=self.handling.limits_of(urgency).dispatch_due(timezone.localdate()),
        )

    def _open(self) -> None:
        fresh, self.fresh = self.fresh, []
        cases = [case for case, _found, _asleep in fresh]
        households = registry.household_briefs([case.household_no for case in cases])
        numbers = [case.number for case in cases]
        taken = set(WarningCase.objects.filter(number__in=numbers).values_list("number", flat=True))
        for case in cases:
            brief = households[case.household_no]
            case.head_name, case.region_code = brief.head_name, brief.responsible_region
            if case.number in taken:
                case.number = f"{case.number}-{self.run.pk}"
        WarningCase.objects.bulk_create(cases, batch_size=_BATCH)
        for case, found, asleep in fresh:
            for one in found:
                self._attach(case, one)
            codes = "、".join(one.code for one in found)
            quiet = f"（{'、'.join(asleep)} 仍在静默期）" if asleep else ""
            text = f"{self.run.as_of} 筛查发现信号 {codes}{quiet}，级别{said_levels(case.level, case.risk_level)}"
            self.events.append(self._event(case, "open", text))
        self.changes.opened += len(cases)
        self._keep()

    # ---- a household with an open case ---------------------------------------------------------------------------

    def _update(
        self, case: WarningCase, row: Mapping[str, Any], found: list[Found], mutes: levels.Mutes
    ) -> None:
        """Bring an open warning to what the screen found.

        A signal that stands on the case goes on there, muted or not; one whose indicator is unknown now, or that no
        indicator answers for (a report from people), is neither raised nor closed.
        """
        unknown = levels.unknown_of(row, self.freshness)
        standing = {signal.code: signal for signal in case.signals.all()}
        active = {code for code, signal in standing.items() if signal.active}
        old = [one for one in found if one.code in active]
        raised = old + levels.awake(
            [one for one in found if one.code not in active], mutes, self.handling.wake_growth
        )
        codes = {one.code for one in raised}
        held = {code for code in active - codes if code in unknown or code not in self.pack.indicators}
        if not codes and not held and case.status == WarningCase.Status.NEW:
            self._clear(case, "信号已全部消失")
            return
        for one in raised:
            self._attach(case, one, standing.get(one.code))
        for code in active - codes:
            signal = standing[code]
            signal.active, signal.unknown = code in held, unknown.get(code, "")
            self.signals.append(signal)
        level, risk = self._levels(case, raised, [standing[code] for code in held])
        if not codes and not held:
            level, risk = case.level, case.risk_level
        facts = {
            "level": level,
            "risk_level": risk,
            "level_rank": max(LEVELS.index(level), LEVELS.index(risk)),
            "found_category": row["category"],
            "change": row["change"],
            "register_category": row["register_category"] or "",
            "unknown": unknown,
        }
        said = self._said(case, facts, sorted(codes - active), sorted(active - codes - held), sorted(held))
        if said is None:
            self.seen.append(case.pk)
        else:
            for name, value in facts.items():
                setattr(case, name, value)
            case.as_of = self.run.as_of
            self.cases.append(case)
            if said:
                # somebody who looks at the page while only a source grew late has nothing to read again
                case.version += 1
                self.events.append(self._event(case, "update", f"{self.run.as_of} 筛查更新：{said}"))
                self.changes.updated += 1
        self._keep()

    def _said(
        self, case: WarningCase, facts: Mapping[str, Any], new: list[str], gone: list[str], held: list[str]
    ) -> str | None:
        """What changed in words; None where nothing did."""
        unknown = [code for code in held if code in facts["unknown"] and code not in case.unknown]
        said = [f"新信号 {'、'.join(new)}"] * bool(new) + [f"信号消失 {'、'.join(gone)}"] * bool(gone)
        said += [f"数据来源迟到或未定，{'、'.join(unknown)} 现在不知道"] * bool(unknown)
        if (case.level, case.risk_level) != (facts["level"], facts["risk_level"]):
            before = said_levels(case.level, case.risk_level)
            said.append(f"级别 {before} → {said_levels(facts['level'], facts['risk_level'])}")
        if not said and all(getattr(case, name) == value for name, value in facts.items()):
            return None
        same = all(getattr(case, name) == value for name, value in facts.items() if name != "unknown")
        return "；".join(said) or ("" if same else "类别变化")

    def _levels(self, case: WarningCase, raised: list[Found], held: Iterable[Signal]) -> tuple[str, str]:
        """The levels of what is raised and of what was and cannot be judged now."""
        kept = []
        for signal in held:
            indicator = self.pack.indicators.get(signal.code)
            up = indicator is None or indicator.up
            level = signal.level or (case.level if up else case.risk_level)
            if indicator is not None:
                kept.append(Found(signal.code, level, up, observed_on=signal.observed_on))
                continue
            outside, risk = levels.levels_of([*raised, *kept], self.pack, self.handling)
            return max(outside, level, key=LEVELS.index), risk
        return levels.levels_of([*raised, *kept], self.pack, self.handling)

    def _attach(self, case: WarningCase, found: Found, signal: Signal | None = None) -> None:
        """Put a signal on a case, or count what came as one more observation of the signal that stands there."""
        if signal is None:
            signal = Signal(
                case=case,
                code=found.code,
                first_seen=self.run.as_of,
                last_seen=self.run.as_of,
                observations=0,
            )
            self.new_signals.append(signal)
        else:
            self.signals.append(signal)
        again = (
            signal.observed_on is None or found.observed_on is None or found.observed_on > signal.observed_on
        )
        if again or signal.amounts != found.amounts:
            self.observed.append((signal, found))
        if again and (found.observed_on is not None or not signal.observations):
            signal.observations += 1
        signal.last_seen, signal.active, signal.unknown = self.run.as_of, True, ""
        signal.level, signal.value, signal.in_fen = found.level, found.value, found.in_fen
        signal.amounts, signal.name_differs = dict(found.amounts), found.name_differs
        signal.observed_on = found.observed_on or signal.observed_on

    def _clear(self, case: WarningCase, why: str) -> None:
        """Close a warning that nobody has been sent to yet; one that people work on is theirs to close."""
        if case.status != WarningCase.Status.NEW:
            text = f"{why}，请经办人核实后办结"
            last = case.events.order_by("-pk").first()
            if last is None or last.text != text:
                self._event(case, "update", text).save()
            return
        Signal.objects.filter(case=case).update(active=False)
        WarningCase.objects.filter(pk=case.pk, status=WarningCase.Status.NEW).update(
            status=WarningCase.Status.CLEARED,
            closed_at=timezone.now(),
            closing_note=why,
            due_on=None,
            version=case.version + 1,
        )
        self._event(case, "clear", why).save()
        self.changes.closed += 1

    # ---- writing, in batches -------------------------------------------------------------------------------------

    def _event(self, case: WarningCase, kind: str, text: str) -> CaseEvent:
        return CaseEvent(
            case=case,
            actor=self.by.username,
            actor_name=self.by.display_name or self.by.username,
            kind=kind,
            text=text,
        )

    def _keep(self, *, everything: bool = False) -> None:
        """Write what has gathered once there is enough of it."""
        gathered = len(self.signals) + len(self.new_signals) + len(self.cases) + len(self.seen)
        if not everything and gathered < _BATCH:
            return
        Signal.objects.bulk_create(self.new_signals, batch_size=_BATCH)
        Signal.objects.bulk_update(self.signals, _SIGNAL_FACTS, batch_size=_BATCH)
        Observation.objects.bulk_create(
            [
                Observation(
                    signal=signal,
                    observed_on=found.observed_on or self.run.as_of,
                    seen_on=self.run.as_of,
                    level=found.level,
                    value=found.value,
                    amounts=dict(found.amounts),
                )
                for signal, found in self.observed
            ],
            batch_size=_BATCH,
            update_conflicts=True,
            update_fields=["seen_on", "level", "value", "amounts"],
            unique_fields=["signal", "observed_on"],
        )
        WarningCase.objects.bulk_update(self.cases, [*_CASE_FACTS, "as_of", "version"], batch_size=_BATCH)
        for first in range(0, len(self.seen), _BATCH):
            WarningCase.objects.filter(pk__in=self.seen[first : first + _BATCH]).update(as_of=self.run.as_of)
        CaseEvent.objects.bulk_create(self.events, batch_size=_BATCH)
        for gathered_list in (
            self.new_signals, self.signals, self.observed, self.cases, self.seen, self.events,
        ):  # fmt: skip
            gathered_list.clear()


def said_levels(level: str, risk: str) -> str:
    """The two sides of a warning in words: 红, 或 无（风险橙）."""
    return LEVEL_WORDS[level] + (f"（风险{LEVEL_WORDS[risk]}）" if risk != "none" else "")
