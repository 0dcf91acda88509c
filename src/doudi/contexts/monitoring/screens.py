"""A screen of everyone, and what it does to the warnings (筛查与预警).

The engine finds; this module remembers. Results are checkpoints on disk named by what went in, so a killed screen goes
on where it stopped; the change of all warnings is one transaction, so it happens whole or not at all.
"""

from __future__ import annotations

import fcntl
import hashlib
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from doudi import __version__
from doudi.contexts.accounts.services import Act, User, record, require
from doudi.contexts.monitoring.models import (
    LEVEL_WORDS,
    LEVELS,
    OPEN,
    REPORTED,
    CaseEvent,
    ScreeningRun,
    Signal,
    WarningCase,
)
from doudi.contexts.registry import services as registry
from doudi.engine import screening
from doudi.engine.errors import DoudiError
from doudi.engine.packs import Pack
from doudi.engine.packs.handling import Handling
from doudi.engine.status import Status
from doudi.house.paths import home

_BATCH = 500
Progress = Callable[[int, int], None]


@dataclass
class WarningChanges:
    """How a screen changed the warnings."""

    opened: int = 0
    updated: int = 0
    closed: int = 0

    def to_json(self) -> dict[str, int]:
        return {"opened": self.opened, "updated": self.updated, "closed": self.closed}


def screen(
    pack: Pack,
    handling: Handling,
    *,
    as_of: date,
    by: User,
    chunks: int | None = None,
    on_progress: Progress | None = None,
    **engine: Any,
) -> ScreeningRun:
    """Screen every registered household as of a date and bring the warnings up to it.

    A screen of a date before the latest one is a replay: it gives its result and leaves the warnings alone.
    """
    require(by, Act.SCREEN)
    registry.require_whole_office(by)
    evidence = registry.evidence_on(pack.feeds, as_of)
    snapshots = registry.snapshots_of(pack.feeds, evidence)
    folder = home().results / hashlib.sha256(f"{pack.hash}\n{snapshots.digest}".encode()).hexdigest()[:32]
    with (home().results / f"{folder.name}.lock").open("w") as lock:
        # two screens of the same evidence write the same folder: the second waits and finds it done
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = screening.screen(
            pack, snapshots, to=folder, chunks=chunks, on_progress=on_progress, **engine
        )
    return _take_in(pack, handling, evidence, snapshots.digest, result, folder, by=by)


@transaction.atomic
def _take_in(
    pack: Pack,
    handling: Handling,
    evidence: registry.Evidence,
    digest: str,
    result: screening.ScreeningResult,
    folder: Path,
    *,
    by: User,
) -> ScreeningRun:
    as_of = evidence.as_of
    record(
        by=by,
        act=Act.SCREEN,
        subject=f"screen:{as_of}",
        region_code=by.region_code,
        detail={"pack": pack.name, "pack_hash": pack.hash, "households": result.households},
    )
    run = ScreeningRun.objects.create(
        as_of=as_of,
        pack=pack.name,
        pack_version=pack.version,
        pack_hash=pack.hash,
        snapshots=digest,
        loads=list(evidence.loads),
        result_hash=_export_hash(folder),
        doudi_version=__version__,
        result=folder.name,
        households=result.households,
        persons=result.persons,
        seconds=result.seconds,
        missing={name: str(status) for name, status in result.missing.items()},
        by=by.username,
    )
    newer = ScreeningRun.objects.filter(status=ScreeningRun.Status.DONE, as_of__gt=as_of).exists()
    changes = WarningChanges() if newer else _follow_warnings(run, folder, handling, by)
    run.warnings = changes.to_json()
    run.status = ScreeningRun.Status.DONE
    run.finished_at = timezone.now()
    run.save()
    return run


def _follow_warnings(run: ScreeningRun, folder: Path, handling: Handling, by: User) -> WarningChanges:
    """Open, merge, update and clear warnings after a screen; the caller holds the transaction."""
    changes = WarningChanges()
    standing = {case.household_no: case for case in WarningCase.objects.open().prefetch_related("signals")}
    muted = _muted(run.as_of, handling)
    fresh: list[tuple[WarningCase, list[str]]] = []
    for row in screening.read_result(folder):
        case = standing.pop(row["household_no"], None)
        if case is not None:
            _update(case, row, run, by, changes)
        elif row["warnings"] and not _is_muted(row, muted.get(row["household_no"])):
            fresh.append((_new_case(row, run, handling), list(row["warnings"])))
            if len(fresh) == _BATCH:
                _open(fresh, run, by)
                changes.opened += len(fresh)
                fresh = []
    _open(fresh, run, by)
    changes.opened += len(fresh)
    for case in standing.values():
        if _is_reported(case):
            # a family that people told of need not stand in the register
            continue
        _clear(case, [], by, changes, "该户已不在花名册")
    return changes


def _muted(as_of: date, handling: Handling) -> dict[str, tuple[int, set[str]]]:
    """Household → rank and codes of warnings closed within the mute window: seen, judged, not raised again."""
    since = as_of - timedelta(days=handling.mute_days)
    closed = (
        WarningCase.objects.filter(status=WarningCase.Status.CLOSED, closed_at__date__gte=since)
        .order_by("pk")
        .prefetch_related("signals")
    )
    muted: dict[str, tuple[int, set[str]]] = {}
    for case in closed:
        rank, codes = muted.get(case.household_no, (0, set()))
        higher = max(rank, case.level_rank, LEVELS.index(case.risk_level))
        muted[case.household_no] = (higher, codes | {signal.code for signal in case.signals.all()})
    return muted


def _is_muted(row: dict[str, Any], muted: tuple[int, set[str]] | None) -> bool:
    if muted is None:
        return False
    rank, codes = muted
    risen = max(LEVELS.index(row["level"]), LEVELS.index(row["risk_level"])) > rank
    return not risen and set(row["warnings"]) <= codes


def _new_case(row: dict[str, Any], run: ScreeningRun, handling: Handling) -> WarningCase:
    urgency = max(row["level"], row["risk_level"], key=LEVELS.index)
    return WarningCase(
        number=f"YJ{run.as_of:%Y%m%d}-{row['household_no']}",
        household_no=row["household_no"],
        region_code=row["region_code"],
        level=row["level"],
        level_rank=max(LEVELS.index(row["level"]), LEVELS.index(row["risk_level"])),
        risk_level=row["risk_level"],
        register_category=row["register_category"] or "",
        found_category=row["category"],
        change=row["change"],
        opened_on=run.as_of,
        as_of=run.as_of,
        due_on=handling.limits_of(urgency).dispatch_due(timezone.localdate()),
    )


def _open(fresh: list[tuple[WarningCase, list[str]]], run: ScreeningRun, by: User) -> None:
    cases = [case for case, _codes in fresh]
    households = registry.household_briefs([case.household_no for case in cases])
    taken = set(
        WarningCase.objects.filter(number__in=[case.number for case in cases]).values_list(
            "number", flat=True
        )
    )
    for case in cases:
        brief = households[case.household_no]
        case.head_name, case.region_code = brief.head_name, brief.responsible_region
        if case.number in taken:
            case.number = f"{case.number}-{run.pk}"
    WarningCase.objects.bulk_create(cases, batch_size=_BATCH)
    Signal.objects.bulk_create(
        [
            Signal(case=case, code=code, first_seen=run.as_of, last_seen=run.as_of)
            for case, codes in fresh
            for code in codes
        ],
        batch_size=_BATCH,
    )
    CaseEvent.objects.bulk_create(
        [
            _event(
                case,
                by,
                "open",
                f"{run.as_of} 筛查发现信号 {'、'.join(codes)}，级别{_levels(case.level, case.risk_level)}",
            )
            for case, codes in fresh
        ],
        batch_size=_BATCH,
    )


def _levels(level: str, risk: str) -> str:
    """The two sides of a warning in words: 红, 或 无（风险橙）."""
    return LEVEL_WORDS[level] + (f"（风险{LEVEL_WORDS[risk]}）" if risk != "none" else "")


def _event(case: WarningCase, by: User, kind: str, text: str) -> CaseEvent:
    return CaseEvent(
        case=case, actor=by.username, actor_name=by.display_name or by.username, kind=kind, text=text
    )


def _update(
    case: WarningCase, row: dict[str, Any], run: ScreeningRun, by: User, changes: WarningChanges
) -> None:
    """Bring an open warning to what the screen found; an undecided indicator is neither raised nor closed."""
    raised, undecided = set(row["warnings"]), set(row["undecided"])
    signals = {signal.code: signal for signal in case.signals.all()}
    held = {code for code, signal in signals.items() if signal.active and code in undecided | {REPORTED}}
    if not raised and not held and case.status == WarningCase.Status.NEW:
        _clear(case, list(signals.values()), by, changes, "信号已全部消失")
        return
    new = sorted(raised - {code for code, signal in signals.items() if signal.active})
    gone = sorted(code for code, signal in signals.items() if signal.active and code not in raised | held)
    level, risk = row["level"], row["risk_level"]
    if held:
        # what was raised before and cannot be judged now keeps the level it gave
        level = max(level, case.level, key=LEVELS.index)
        risk = max(risk, case.risk_level, key=LEVELS.index)
    if not raised and not held:
        level, risk = case.level, case.risk_level
    found = {
        "level": level,
        "risk_level": risk,
        "level_rank": max(LEVELS.index(level), LEVELS.index(risk)),
        "found_category": row["category"],
        "change": row["change"],
        "register_category": row["register_category"] or "",
    }
    changed = bool(new or gone or any(getattr(case, key) != value for key, value in found.items()))
    Signal.objects.filter(case=case, code__in=raised).update(last_seen=run.as_of, active=True)
    if not changed:
        WarningCase.objects.filter(pk=case.pk).update(as_of=run.as_of)
        return
    Signal.objects.filter(case=case, code__in=gone).update(active=False)
    Signal.objects.bulk_create(
        [
            Signal(case=case, code=code, first_seen=run.as_of, last_seen=run.as_of)
            for code in new
            if code not in signals
        ]
    )
    WarningCase.objects.filter(pk=case.pk).update(as_of=run.as_of, version=case.version + 1, **found)
    said = [f"新信号 {'、'.join(new)}"] * bool(new) + [f"信号消失 {'、'.join(gone)}"] * bool(gone)
    if case.level != level or case.risk_level != risk:
        said.append(f"级别 {_levels(case.level, case.risk_level)} → {_levels(level, risk)}")
    _event(case, by, "update", f"{run.as_of} 筛查更新：{'；'.join(said) or '类别变化'}").save()
    changes.updated += 1


def _is_reported(case: WarningCase) -> bool:
    """Whether somebody told of this family: no screen answers for that, so none clears it."""
    return any(signal.code == REPORTED and signal.active for signal in case.signals.all())


def _clear(case: WarningCase, signals: list[Signal], by: User, changes: WarningChanges, why: str) -> None:
    """Close a warning that nobody has been sent to yet; one that people work on is theirs to close."""
    Signal.objects.filter(pk__in=[signal.pk for signal in signals]).update(active=False)
    if case.status != WarningCase.Status.NEW:
        text = f"{why}，请经办人核实后办结"
        last = case.events.order_by("-pk").first()
        if last is None or last.text != text:
            _event(case, by, "update", text).save()
        return
    WarningCase.objects.filter(pk=case.pk, status=WarningCase.Status.NEW).update(
        status=WarningCase.Status.CLEARED,
        closed_at=timezone.now(),
        closing_note=why,
        due_on=None,
        version=case.version + 1,
    )
    _event(case, by, "clear", why).save()
    changes.closed += 1


def _export_hash(folder: Path) -> str:
    """SHA-256 over a result's export, the form in which two results are the same or not."""
    out = home().work / f"{secrets.token_hex(8)}.csv"
    try:
        screening.write_export(folder, out)
        digest = hashlib.sha256()
        with out.open("rb") as content:
            while block := content.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()
    finally:
        out.unlink(missing_ok=True)


@dataclass(frozen=True)
class Replay:
    """A run computed again: with the same pack and evidence, is the result the same to the byte."""

    run: int
    as_of: date
    equal: bool
    expected: str
    found: str

    def to_json(self) -> dict[str, Any]:
        return {
            "run": self.run,
            "as_of": self.as_of.isoformat(),
            "equal": self.equal,
            "expected": self.expected,
            "found": self.found,
        }


def replay(run: ScreeningRun, pack: Pack, *, by: User) -> Replay:
    """Compute a run again as of its date, with the pack ``pack`` of then and the files of then, and compare.

    The pack must be the run's own (its hash says so); files that came since do not count.
    """
    require(by, Act.SCREEN)
    if pack.hash != run.pack_hash:
        raise DoudiError(
            f"给出的政策包（{pack.hash[:12]}）不是第 {run.pk} 次筛查所用的（{run.pack_hash[:12]}）。",
            f"The pack given ({pack.hash[:12]}) is not the one of run {run.pk} ({run.pack_hash[:12]}).",
            code="pack_differs",
        )
    evidence = registry.Evidence(
        run.as_of, tuple(run.loads), {name: Status(status) for name, status in run.missing.items()}
    )
    snapshots = registry.snapshots_of(pack.feeds, evidence)
    folder = home().work / secrets.token_hex(8)
    try:
        screening.screen(pack, snapshots, to=folder)
        found = _export_hash(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    with transaction.atomic():
        equal = found == run.result_hash
        record(by=by, act="replay", subject=f"screen:{run.as_of}", detail={"run": run.pk, "equal": equal})
    return Replay(run.pk, run.as_of, equal, run.result_hash, found)


def run_of(number: int) -> ScreeningRun:
    """A finished run by its number."""
    found = ScreeningRun.objects.filter(pk=number, status=ScreeningRun.Status.DONE).first()
    if found is None:
        raise DoudiError(
            f"没有第 {number} 次筛查。用 doudi screen 的回答里的 run。",
            f"No run {number}.",
            code="run_unknown",
        )
    return found


def latest_run(as_of: date | None = None) -> ScreeningRun | None:
    """The newest finished screen, of a date where one is named."""
    runs = ScreeningRun.objects.filter(status=ScreeningRun.Status.DONE)
    if as_of is not None:
        return runs.filter(as_of=as_of).order_by("-pk").first()
    return runs.order_by("-as_of", "-pk").first()


def result_folder(run: ScreeningRun) -> Path:
    """Where a run's result lies."""
    return home().results / run.result


def result_rows(run: ScreeningRun) -> Iterator[dict[str, Any]]:
    """All rows of a run's result, by household number."""
    return screening.read_result(result_folder(run))


@transaction.atomic
def export_result(*, as_of: date, to: Path, by: User) -> int:
    """Write the latest screen of ``as_of`` to a CSV file; returns the number of households."""
    require(by, Act.SCREEN)
    registry.require_whole_office(by)
    run = latest_run(as_of)
    if run is None:
        raise DoudiError(
            f"{as_of} 还没有筛查过，请先运行 doudi screen --as-of {as_of}。",
            f"No screen of {as_of} yet; run doudi screen --as-of {as_of} first.",
            code="not_screened",
        )
    screening.write_export(result_folder(run), to)
    record(
        by=by,
        act="export_screening",
        subject=f"screen:{as_of}",
        region_code=by.region_code,
        detail={"run": run.pk, "rows": run.households, "sha256": hashlib.sha256(to.read_bytes()).hexdigest()},
    )
    return run.households


__all__ = [
    "OPEN",
    "Replay",
    "WarningChanges",
    "export_result",
    "latest_run",
    "replay",
    "result_folder",
    "result_rows",
    "run_of",
    "screen",
]
