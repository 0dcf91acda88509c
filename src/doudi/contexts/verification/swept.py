"""What a re-check in one pass came to (整批复查): its numbers, its list, and the same reckoned again years later."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from doudi.contexts.accounts.services import Act, User, require
from doudi.contexts.registry import services as registry
from doudi.contexts.registry.services import Evidence
from doudi.contexts.verification.batching import batch_of
from doudi.contexts.verification.models import (
    Recheck,
    RequestBatch,
)
from doudi.contexts.verification.requests import StepRefused
from doudi.contexts.verification.sweep_gate import (
    RESULTS,
    Listed,
    side_of,
)
from doudi.contexts.verification.sweep_judging import judge_all
from doudi.engine.feeds.snapshots import rows_of
from doudi.engine.packs import Pack
from doudi.engine.verification import Rules
from doudi.house.paths import home


def hash_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def outcome_of(batch: RequestBatch, *, by: User) -> Recheck | None:
    """What a batch in one pass came to; None while it is not done."""
    require(by, Act.VIEW_VERIFICATION, region_code=batch.region_code)
    return Recheck.objects.filter(batch=batch).first()


def list_of(
    outcome: Recheck, *, by: User, result: str, start: int = 0, most: int = 25
) -> tuple[list[dict[str, str]], int]:
    """Some rows of a pass's list in the asker's area, own files left out, and how many there are of the result."""
    require(by, Act.VIEW_VERIFICATION, region_code=outcome.batch.region_code)
    path = home().results / outcome.listed
    if not path.is_file():
        raise StepRefused(
            "名单文件不在状态目录里，请从备份恢复。",
            "The list's file is missing; restore a backup.",
            code="list_missing",
        )
    own = list(registry.own_numbers(by=by))
    with duckdb.connect(config={"threads": 1, "memory_limit": "500MB"}) as desk:
        where = (
            f"FROM {rows_of(path)} WHERE result = $result AND starts_with(region_code, $region)"
            " AND NOT list_contains($own, household_no)"
        )
        asked = {"result": result, "region": by.region_code, "own": own or [""]}
        [[total]] = desk.execute(f"SELECT count(*) {where}", asked).fetchall()
        rows = desk.execute(
            f"SELECT household_no, why, request {where} ORDER BY household_no LIMIT {int(most)} OFFSET {int(start)}",
            asked,
        ).fetchall()
    return [dict(zip(("household_no", "why", "request"), row, strict=True)) for row in rows], int(total)


def check_recheck(number: str, *, pack: Pack, rules: Rules, by: User) -> list[dict[str, Any]]:
    """Reckon a pass again from the files and the pack of then; each difference ``{"path", "stored", "recomputed"}``."""
    batch = batch_of(number, by=by)
    outcome = Recheck.objects.filter(batch=batch).first()
    if outcome is None:
        raise StepRefused(f"批次 {number} 还没有比对。", f"Batch {number} was not compared.", code="not_done")
    path = home().results / outcome.listed
    if not path.is_file() or hash_of(path) != outcome.list_hash:
        there = hash_of(path) if path.is_file() else None
        return [{"path": "list", "stored": outcome.list_hash, "recomputed": there}]
    rows = pq.read_table(path).to_pylist()
    told: list[dict[str, Any]] = []
    counts = dict.fromkeys(RESULTS, 0)
    for row in rows:
        counts[row["result"]] += 1
    told += _differing("counts", {name: outcome.counts[name] for name in RESULTS}, counts)
    assert batch.as_of is not None and batch.since is not None
    now, then = (
        side_of(pack.feeds, rules, Evidence(day, tuple(loads), {}))
        for day, loads in ((batch.as_of, outcome.loads), (batch.since, outcome.loads_then))
    )
    told += _differing("snapshots", outcome.snapshots, now.snapshots.digest)
    told += _differing("snapshots_then", outcome.snapshots_then, then.snapshots.digest)
    again = {
        row["household_no"]: Listed(
            row["household_no"],
            row["region_code"],
            "",
            "",
            doubt_then=row["doubt_then"],
            said=json.loads(row["said"]),
        )
        for row in rows
        if row["said"] is not None
    }
    judge_all(again, now, then, batch.purpose, pack, rules)
    for row in rows:
        if row["household_no"] in again:
            one = again[row["household_no"]]
            told += _differing(f"list/{row['household_no']}", row["result"], one.result)
    return told


def _differing(path: str, stored: Any, recomputed: Any) -> Iterable[dict[str, Any]]:
    return [] if stored == recomputed else [{"path": path, "stored": stored, "recomputed": recomputed}]
