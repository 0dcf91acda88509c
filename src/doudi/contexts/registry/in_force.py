"""What is in force on a date, and matching it to the register of that date (生效数据与匹配)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from django.db.models import prefetch_related_objects
from django.utils import timezone

from doudi.contexts.accounts.services import ID_PURPOSE
from doudi.contexts.registry.models import FeedLoad, Grading
from doudi.contexts.registry.originals import opened
from doudi.engine import feeds
from doudi.engine.errors import DoudiError
from doudi.engine.feeds import FeedSpec, ParsedFile, SnapshotSet
from doudi.engine.status import Status
from doudi.house.keyring import keyring
from doudi.house.paths import home

REGISTER = "household_register"


_GRADES = ("grades", "leads", "not_registered")


@dataclass(frozen=True)
class Evidence:
    """What a screen stood on: the loads in force on a date, register first, and what was missing."""

    as_of: date
    loads: tuple[int, ...]
    missing: dict[str, Status]


def blind(texts: Any) -> list[bytes]:
    return keyring().digests(texts, purpose=ID_PURPOSE)


def register_on(as_of: date) -> FeedLoad | None:
    """The register in force on a date: the latest of that date or before."""
    return (
        FeedLoad.objects.filter(feed=REGISTER, status=FeedLoad.Status.IN_FORCE, as_of__lte=as_of)
        .order_by("-as_of", "-pk")
        .first()
    )


def loads_in_force(feed: FeedSpec, as_of: date) -> list[FeedLoad]:
    """A snapshot feed: the latest load of each source; an event feed: every file once."""
    found = FeedLoad.objects.filter(feed=feed.name, status=FeedLoad.Status.IN_FORCE, as_of__lte=as_of)
    return _newest(feed, found.order_by("as_of", "pk"))


def every_load_in_force(specs: Mapping[str, FeedSpec], as_of: date) -> dict[str, list[FeedLoad]]:
    """:func:`loads_in_force` of many feeds, read at once; a feed without any is left out."""
    found: dict[str, list[FeedLoad]] = {}
    asked = FeedLoad.objects.filter(feed__in=list(specs), status=FeedLoad.Status.IN_FORCE, as_of__lte=as_of)
    for load in asked.order_by("as_of", "pk"):
        found.setdefault(load.feed, []).append(load)
    return {name: _newest(specs[name], loads) for name, loads in found.items()}


def _newest(feed: FeedSpec, loads: Iterable[FeedLoad]) -> list[FeedLoad]:
    """Of loads from old to new, those in force."""
    latest: dict[str, FeedLoad] = {}
    for load in loads:
        latest[load.source if feed.kind == "snapshot" else load.file_hash] = load
    return sorted(latest.values(), key=lambda load: load.pk)


def evidence_on(specs: Mapping[str, FeedSpec], as_of: date) -> Evidence:
    """Which loads are in force on ``as_of`` and which feeds are missing."""
    register = register_on(as_of)
    if register is None:
        raise DoudiError(
            f"{as_of} 及以前没有装载过《低收入家庭花名册》。请先运行 doudi feed load household_register 文件 --as-of 日期。",
            f"No household register on or before {as_of}. Load one first: "
            "doudi feed load household_register FILE --as-of DATE.",
            code="register_missing",
        )
    loads = [register]
    in_force = every_load_in_force(specs, as_of)
    names = [name for name in specs if name != REGISTER]
    absent = [name for name in names if name not in in_force]
    refused = FeedLoad.objects.filter(feed__in=absent, as_of__lte=as_of, status=FeedLoad.Status.REFUSED)
    failed = set(refused.values_list("feed", flat=True)) if absent else set()
    missing = {name: Status.FAILED if name in failed else Status.NOT_ARRIVED for name in absent}
    for name in names:
        loads += in_force.get(name, [])
    return Evidence(as_of, tuple(load.pk for load in loads), missing)


def snapshots_on(specs: Mapping[str, FeedSpec], as_of: date) -> SnapshotSet:
    """Everything in force on ``as_of``, matched to the register of that date."""
    return snapshots_of(specs, evidence_on(specs, as_of))


def snapshots_of(specs: Mapping[str, FeedSpec], evidence: Evidence) -> SnapshotSet:
    """The snapshots that a piece of evidence names, made again from the sealed originals where they are gone."""
    by_key = {load.pk: load for load in FeedLoad.objects.filter(pk__in=evidence.loads)}
    loads = [by_key[key] for key in evidence.loads]
    register = next(load for load in loads if load.feed == REGISTER)
    graded = set(Grading.objects.filter(register_hash=register.file_hash).values_list("load_id", flat=True))
    files: dict[str, tuple[Path, ...]] = {}
    for load in loads:
        if load.feed != REGISTER:
            path = _resolved_path(load, register)
            if load.pk not in graded or not path.exists():
                _resolve(load, register, specs[load.feed], specs)
            files[load.feed] = (*files.get(load.feed, ()), path)
    facts = [str(evidence.as_of), *(f"{load.feed}:{load.file_hash}" for load in loads)]
    facts += [f"{name}:{status}" for name, status in evidence.missing.items()]
    digest = hashlib.sha256("\n".join(facts).encode()).hexdigest()
    folder = register_folder(register, specs)
    return SnapshotSet(
        as_of=evidence.as_of, register=folder, feeds=files, missing=evidence.missing, digest=digest
    )


def bring_up_to_date(specs: Mapping[str, FeedSpec], *, read: Mapping[int, ParsedFile] | None = None) -> None:
    """Match every load in force on its own date to the register of that date, where that has not been done.

    ``read`` are the files of loads that were read a moment ago: a million rows need not be unsealed and read again.
    """
    graded = set(Grading.objects.values_list("load_id", "register_hash"))
    registers = _registers()
    for load in (
        FeedLoad.objects.filter(status=FeedLoad.Status.IN_FORCE).exclude(feed=REGISTER).order_by("pk")
    ):
        register = _register_of(registers, load.as_of)
        spec = specs.get(load.feed)
        if spec is None or register is None:
            continue
        if (load.pk, register.file_hash) not in graded or not _resolved_path(load, register).exists():
            _resolve(load, register, spec, specs, (read or {}).get(load.pk))


def _registers() -> list[FeedLoad]:
    return list(FeedLoad.objects.filter(feed=REGISTER, status=FeedLoad.Status.IN_FORCE))


def _register_of(registers: Iterable[FeedLoad], as_of: date) -> FeedLoad | None:
    """The register a load's answer is counted against: that of its date, or the first that came after."""
    before = [one for one in registers if one.as_of <= as_of]
    if before:
        return max(before, key=lambda one: (one.as_of, one.pk))
    return min(registers, key=lambda one: (one.as_of, -one.pk), default=None)


def counts_of(load: FeedLoad) -> dict[str, Any]:
    """The counts of the contract, with the grades against the register of the load's date; {} of a refused file."""
    return _counts_of(load, _registers())


def counted(loads: Iterable[FeedLoad]) -> list[tuple[FeedLoad, dict[str, Any]]]:
    """Each load with its counts (:func:`counts_of`)."""
    shown, registers = list(loads), _registers()
    prefetch_related_objects(shown, "gradings")
    return [(load, _counts_of(load, registers)) for load in shown]


def _counts_of(load: FeedLoad, registers: Iterable[FeedLoad]) -> dict[str, Any]:
    if load.feed == REGISTER or not load.counts:
        return dict(load.counts)
    register = _register_of(registers, load.as_of)
    graded = {grading.register_hash: grading for grading in load.gradings.all()}
    grading = None if register is None else graded.get(register.file_hash)
    unmatched = {
        "grades": {"A": 0, "B": 0, "C": 0},
        "leads": 0,
        "not_registered": load.counts["good"] - load.counts["duplicates"],
    }
    matched = unmatched if grading is None else {key: grading.grades[key] for key in _GRADES}
    return {**load.counts, **matched}


def _resolved_path(load: FeedLoad, register: FeedLoad) -> Path:
    return folder_of_register(register.file_hash) / f"{load.feed}-{load.file_hash[:24]}.parquet"


def _resolve(
    load: FeedLoad,
    register: FeedLoad,
    spec: FeedSpec,
    specs: Mapping[str, FeedSpec],
    parsed: ParsedFile | None = None,
) -> None:
    """Match a load to a register, from its sealed original where its rows are not at hand, and remember the grades."""
    folder = register_folder(register, specs)
    if parsed is None:
        with opened(load) as original:
            parsed = feeds.parse_file(spec, original, today=timezone.localdate(load.loaded_at))
    grades = feeds.resolve_feed(parsed, folder, _resolved_path(load, register), blind=blind)
    answer = feeds.counts(parsed, grades)
    Grading.objects.update_or_create(
        load=load,
        register_hash=register.file_hash,
        defaults={
            "grades": {key: answer[key] for key in _GRADES}
            | {
                "different_names": list(grades.different_names),
                "held": sorted(set(grades.held["person_key"].to_pylist())),
            }
        },
    )


def folder_of_register(digest: str) -> Path:
    return home().snapshots / f"register-{digest[:24]}"


def folder_of_register_on(as_of: date) -> Path | None:
    """The snapshot folder of the register in force on a date."""
    register = register_on(as_of)
    return None if register is None else folder_of_register(register.file_hash)


def build_register(parsed: ParsedFile, folder: Path) -> feeds.RegisterBuild:
    return feeds.build_register(parsed, folder, blind=blind)


def register_folder(register: FeedLoad, specs: Mapping[str, FeedSpec]) -> Path:
    folder = folder_of_register(register.file_hash)
    if not feeds.is_whole_register(folder):
        with opened(register) as original:
            parsed = feeds.parse_file(specs[REGISTER], original, today=timezone.localdate(register.loaded_at))
            build_register(parsed, folder)
    return folder
