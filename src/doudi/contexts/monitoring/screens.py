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
from datetime import date
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from doudi import __version__
from doudi.contexts.accounts.services import Act, User, record, require
from doudi.contexts.monitoring.following import WarningChanges, follow
from doudi.contexts.monitoring.models import ScreeningRun
from doudi.contexts.registry import services as registry
from doudi.engine import screening
from doudi.engine.errors import DoudiError
from doudi.engine.feeds import SnapshotSet
from doudi.engine.feeds.snapshots import aside
from doudi.engine.packs import Pack
from doudi.engine.packs.handling import Handling
from doudi.engine.status import Status
from doudi.house.paths import home

Progress = Callable[[int, int], None]


def screen(
    pack: Pack,
    handling: Handling,
    *,
    as_of: date,
    by: User,
    chunks: int | None = None,
    full: bool = False,
    on_progress: Progress | None = None,
    **engine: Any,
) -> ScreeningRun:
    """Screen every registered household as of a date and bring the warnings up to it.

    Where an earlier screen of the same date, pack and register stands, only the households about which the loads since
    said something new are computed; the result is the same to the byte. ``full`` computes everybody.
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
        if full or engine:
            result = screening.screen(
                pack, snapshots, to=folder, chunks=chunks, on_progress=on_progress, **engine
            )
        else:
            result = screening.rescreen(
                pack,
                snapshots,
                previous=_previous(pack, evidence),
                to=folder,
                chunks=chunks,
                on_progress=on_progress,
            )
    return _take_in(pack, handling, evidence, snapshots, result, folder, by=by)


def _previous(pack: Pack, evidence: registry.Evidence) -> screening.Previous | None:
    """The latest screen of the same date and pack whose result still lies there."""
    earlier = ScreeningRun.objects.filter(
        status=ScreeningRun.Status.DONE, as_of=evidence.as_of, pack_hash=pack.hash
    ).order_by("-pk")
    for run in earlier[:3]:
        if (result_folder(run) / "result.json").is_file():
            stood_on = registry.snapshots_of(pack.feeds, evidence_of(run))
            return screening.Previous(result_folder(run), stood_on)
    return None


def evidence_of(run: ScreeningRun) -> registry.Evidence:
    """What a run stood on."""
    missing = {name: Status(status) for name, status in run.missing.items()}
    return registry.Evidence(run.as_of, tuple(run.loads), missing)


@transaction.atomic
def _take_in(
    pack: Pack,
    handling: Handling,
    evidence: registry.Evidence,
    snapshots: SnapshotSet,
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
        region_code=by.region_code or registry.office_region(),
        detail={"pack": pack.name, "pack_hash": pack.hash, "households": result.households},
    )
    run = ScreeningRun.objects.create(
        as_of=as_of,
        pack=pack.name,
        pack_version=pack.version,
        pack_hash=pack.hash,
        snapshots=snapshots.digest,
        loads=list(evidence.loads),
        result_hash=_export_hash(folder),
        doudi_version=__version__,
        result=folder.name,
        households=result.households,
        persons=result.persons,
        seconds=result.seconds,
        recomputed=result.recomputed,
        why_full=result.why_full,
        missing={name: str(status) for name, status in result.missing.items()},
        by=by.username,
    )
    newer = ScreeningRun.objects.filter(status=ScreeningRun.Status.DONE, as_of__gt=as_of).exists()
    changes = WarningChanges() if newer else follow(run, folder, pack, handling, snapshots, by)
    run.warnings = changes.to_json()
    run.status = ScreeningRun.Status.DONE
    run.finished_at = timezone.now()
    run.save()
    return run


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
    snapshots = registry.snapshots_of(pack.feeds, evidence_of(run))
    folder = home().work / secrets.token_hex(8)
    try:
        screening.screen(pack, snapshots, to=folder)
        found = _export_hash(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    with transaction.atomic():
        equal = found == run.result_hash
        record(
            by=by,
            act="replay",
            subject=f"screen:{run.as_of}",
            region_code=by.region_code or registry.office_region(),
            detail={"run": run.pk, "equal": equal},
        )
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


def per_capita_incomes(run: ScreeningRun) -> dict[str, int]:
    """Household number → monthly income per counted person in fen, as a screen found it; an undecided one is left out."""
    return {
        row["household_no"]: row["monthly_income"] // row["counted_persons"]
        for row in result_rows(run)
        if row["monthly_income"] is not None and row["counted_persons"]
    }


def export_result(*, as_of: date, to: Path, by: User) -> int:
    """Write the latest screen of ``as_of`` to a CSV file; returns the number of households.

    The file is made aside and handed out only when the entry that tells of it stands: a file without an entry is a
    leak, an entry without a file only a surprise.
    """
    require(by, Act.SCREEN)
    registry.require_whole_office(by)
    run = latest_run(as_of)
    if run is None:
        raise DoudiError(
            f"{as_of} 还没有筛查过，请先运行 doudi screen --as-of {as_of}。",
            f"No screen of {as_of} yet; run doudi screen --as-of {as_of} first.",
            code="not_screened",
        )
    with aside(to) as path:
        screening.write_export(result_folder(run), path)
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        with transaction.atomic():
            record(
                by=by,
                act="export_screening",
                subject=f"screen:{as_of}",
                region_code=by.region_code or registry.office_region(),
                detail={"run": run.pk, "rows": run.households, "sha256": digest},
            )
    return run.households


__all__ = [
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
