"""From a department's file to a screen, and what a screen says of one household (装载、筛查、解释、测算)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.utils import timezone

from doudi.chain import packs
from doudi.contexts.accounts.services import User
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.engine import screening
from doudi.engine.feeds import SnapshotSet
from doudi.engine.packs import Pack


@dataclass(frozen=True)
class _Evidence:
    """A pack and the snapshots it is put to, known by their digests, so that a warm explainer is found again."""

    digest: str
    pack: Pack = field(compare=False)
    snapshots: Callable[[], SnapshotSet] = field(compare=False)


@lru_cache(maxsize=2)
def _explainer(evidence: _Evidence) -> screening.Explainer:
    return screening.Explainer(evidence.pack, evidence.snapshots())


def check_file(
    feed: str | None, path: Path, *, by: User, returns: Path | None = None
) -> tuple[str, dict[str, Any]]:
    """Check a file and keep nothing (试装)."""
    return registry.check_file(packs.rules()[0].feeds, feed, path, by=by, returns=returns)


def take_in_file(
    feed: str | None, path: Path, *, as_of: date, by: User, source: str = "", file_name: str = ""
) -> registry.LoadOutcome:
    """Take one department file in (装载); a death among recipients asks whether payment stops."""
    outcome = registry.load_file(
        packs.rules()[0].feeds, feed, path, as_of=as_of, by=by, source=source, file_name=file_name
    )
    _follow([outcome.feed], by)
    return outcome


def _follow(feeds: Collection[str], by: User) -> None:
    """What follows from files that were taken in: questions about the dead, and who the lists know as disabled."""
    monitoring.propose_stops(packs.doubt_rules(), by=by)
    file = packs.disabilities()
    if file is not None and {file.feed, registry.REGISTER} & set(feeds):
        registry.follow_disabilities(file, packs.rules()[0].feeds, on=timezone.localdate())


def take_in_folder(
    folder: Path, *, as_of: date | None, by: User, progress: Callable[[str], None] | None = None
) -> registry.FolderOutcome:
    """Take a whole folder in, the register first (批量装载); then as :func:`take_in_file`."""
    outcome = registry.load_folder(packs.rules()[0].feeds, folder, as_of=as_of, by=by, progress=progress)
    _follow([one.feed for one in outcome.outcomes], by)
    return outcome


def screen(*, as_of: date, by: User, **options: Any) -> monitoring.ScreeningRun:
    """Screen everyone and bring the warnings up to date (筛查)."""
    pack, handling = packs.rules_now()
    packs.keep(pack)
    run = monitoring.screen(pack, handling, as_of=as_of, by=by, **options)
    monitoring.propose_stops(packs.doubt_rules(), by=by)
    monitoring.run_clocks(handling)
    return run


def replay(run_number: int, *, by: User) -> monitoring.Replay:
    """Compute a screen again with the pack and the files of then, and say whether it is the same (重演)."""
    run = monitoring.run_of(run_number)
    return monitoring.replay(run, monitoring.kept_pack(run.pack_hash), by=by)


def explain(household_no: str, *, as_of: date) -> screening.Explanation:
    """Why a household is what it is on a date (解释), by the same compiled query as the screen."""
    pack, _handling = packs.rules()
    snapshots = registry.snapshots_on(pack.feeds, as_of)
    return _explain(household_no, pack, snapshots.digest, lambda: snapshots)


def explain_screened(household_no: str, *, as_of: date) -> screening.Explanation:
    """What the screen of a date saw in a household (解释): files that came since count from the next screen on.

    Where no screen was of that date, as :func:`explain`.
    """
    run = monitoring.latest_run(as_of)
    if run is None:
        return explain(household_no, as_of=as_of)
    pack, _handling = packs.rules()
    return _explain(
        household_no,
        pack,
        run.snapshots,
        lambda: registry.snapshots_of(pack.feeds, monitoring.evidence_of(run)),
    )


def _explain(
    household_no: str, pack: Pack, digest: str, snapshots: Callable[[], SnapshotSet]
) -> screening.Explanation:
    return _explainer(_Evidence(f"{pack.hash}:{digest}", pack, snapshots)).explain(household_no)


def export_screening(*, as_of: date, to: Path, by: User) -> int:
    """Write the latest screen of a date as CSV, with the export in the audit log; returns the rows (导出)."""
    return monitoring.export_result(as_of=as_of, to=to, by=by)


def simulate(
    *, as_of: date, changes: dict[tuple[str, str], str], by: User, region_code: str = ""
) -> screening.Simulation:
    """What other parameters would do to everyone of an area on a date (测算); nothing is kept."""
    return monitoring.simulate(packs.rules()[0], as_of=as_of, changes=changes, by=by, region_code=region_code)


def back_test(
    indicator: str,
    *,
    as_of: date,
    alternatives: list[dict[tuple[str, str], str]],
    months: int = 12,
    by: User,
    region_code: str = "",
) -> monitoring.BackTested:
    """What a warning would have raised at other thresholds, and what came of it (回测); nothing is kept."""
    return monitoring.back_test(
        packs.rules()[0],
        indicator=indicator,
        alternatives=alternatives,
        as_of=as_of,
        months=months,
        by=by,
        region_code=region_code,
    )
