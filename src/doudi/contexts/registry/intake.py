"""Taking in department files (数据装载): recognise, check, quarantine, seal, resolve, and put in force.

The database row is the moment of acceptance. Everything before it lies aside or is named by the hash of its content,
and everything after it (matching to a later register) can be made again from the sealed original; so a kill at any
point leaves the last complete snapshot in force, and the same command again gives the same end.
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from itertools import takewhile
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max, Min
from django.utils import timezone

from doudi.contexts.accounts.services import Act, NotAllowed, User, record, require
from doudi.contexts.registry import regions, roll
from doudi.contexts.registry.models import FeedLoad, Grading, Household
from doudi.contexts.registry.people import ID_PURPOSE
from doudi.engine import feeds
from doudi.engine.errors import DoudiError
from doudi.engine.feeds import FeedSpec, ParsedFile, SnapshotSet
from doudi.engine.status import Status
from doudi.house.keyring import keyring, write_aside
from doudi.house.paths import home

REGISTER = "household_register"
_ORIGINAL = "feed.original"
_RETURN = "feed.return"
_LOCK = ".lock"
_GRADES = ("grades", "leads", "not_registered")
_AN_HOUR = 3600
Progress = Callable[[str], None]


@dataclass(frozen=True)
class LoadOutcome:
    """What came of one file: its feed, the counts of the contract, and whether it was already in force."""

    load: FeedLoad | None
    feed: str
    file: str
    counts: dict[str, Any]
    unchanged: bool = False
    problem: DoudiError | None = None


@dataclass(frozen=True)
class Evidence:
    """What a screen stood on: the loads in force on a date, register first, and what was missing."""

    as_of: date
    loads: tuple[int, ...]
    missing: dict[str, Status]


@dataclass
class FolderOutcome:
    """What came of a folder of files."""

    outcomes: list[LoadOutcome] = field(default_factory=list)

    @property
    def refused(self) -> list[LoadOutcome]:
        return [outcome for outcome in self.outcomes if outcome.problem is not None]


def _blind(texts: Any) -> list[bytes]:
    return keyring().digests(texts, purpose=ID_PURPOSE)


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, hex."""
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while block := content.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def check_file(
    specs: Mapping[str, FeedSpec], feed: str | None, path: Path, *, by: User, returns: Path | None = None
) -> tuple[str, dict[str, Any]]:
    """Read and check a file, keep nothing; grades are against the register in force today, where there is one.

    ``returns`` is where the quarantine workbook goes, if wanted.
    """
    spec = spec_for(specs, feed, path)
    parsed = feeds.parse_file(spec, path, today=timezone.localdate())
    if returns is not None and parsed.quarantined:
        record(by=by, act="export_quarantine", subject=f"feed:{spec.name}", region_code=by.region_code)
        feeds.write_quarantine(parsed, path, returns)
    if spec.name == REGISTER:
        return spec.name, feeds.counts(parsed, None)
    register = register_on(timezone.localdate())
    with _work_folder() as work:
        folder = None if register is None else _register_folder(register, specs)
        grades = feeds.resolve_feed(parsed, folder, work / "check.parquet", blind=_blind)
    return spec.name, feeds.counts(parsed, grades)


def spec_for(specs: Mapping[str, FeedSpec], feed: str | None, path: Path) -> FeedSpec:
    """The declaration of ``feed`` (English name or 中文名), or the one that the file itself shows."""
    if not path.is_file():
        raise DoudiError(f"找不到文件：{path}", f"No such file: {path}", code="file_missing")
    if feed is None:
        return feeds.recognise(specs, path)
    for spec in specs.values():
        if feed in (spec.name, spec.label):
            return spec
    raise DoudiError(
        f"没有名为“{feed}”的数据种类。可用：{'、'.join(f'{s.name}（{s.label}）' for s in specs.values())}",
        f"No feed named {feed!r}. Known: {', '.join(specs)}",
        code="feed_unknown",
    )


def load_file(
    specs: Mapping[str, FeedSpec],
    feed: str | None,
    path: Path,
    *,
    as_of: date,
    by: User,
    source: str = "",
    file_name: str = "",
) -> LoadOutcome:
    """Take one file in for ``as_of``; the same file again changes nothing.

    A file that cannot be read leaves a refusal in the list of loads, raises :class:`DoudiError`, and the last
    complete snapshot stays in force.
    """
    require(by, Act.LOAD_FEEDS)
    require_whole_office(by)
    spec = spec_for(specs, feed, path)
    if spec.name == REGISTER and source:
        raise DoudiError(
            "花名册是全县一份，不能按来源单位分别装载：后一份会取代前一份。请合并后再装载。",
            "The register is one for the whole office and is not loaded by sender: merge the parts first.",
            code="register_is_one",
        )
    name = file_name or path.name
    digest = file_hash(path)
    standing = FeedLoad.objects.filter(
        feed=spec.name, as_of=as_of, source=source, file_hash=digest, status=FeedLoad.Status.IN_FORCE
    ).first()
    if standing is not None:
        bring_up_to_date(specs)
        return LoadOutcome(standing, spec.name, name, counts_of(standing), unchanged=True)
    try:
        parsed = feeds.parse_file(spec, path, today=timezone.localdate())
    except DoudiError as problem:
        refuse(spec.name, as_of=as_of, by=by, file_name=name, digest=digest, problem=problem, source=source)
        raise
    _seal_file(path, home().originals / f"{digest}.sealed", _ORIGINAL)
    if parsed.quarantined:
        with _work_folder() as work:
            workbook = work / "return.xlsx"
            feeds.write_quarantine(parsed, path, workbook)
            _seal_file(workbook, _return_path(spec.name, digest), _RETURN)
    try:
        load = _accept(spec, parsed, specs, as_of=as_of, by=by, source=source, file_name=name, digest=digest)
    except roll.HouseholdNumberShared as problem:
        refuse(spec.name, as_of=as_of, by=by, file_name=name, digest=digest, problem=problem, source=source)
        raise
    bring_up_to_date(specs)
    return LoadOutcome(load, spec.name, name, counts_of(load))


def _accept(
    spec: FeedSpec,
    parsed: ParsedFile,
    specs: Mapping[str, FeedSpec],
    *,
    as_of: date,
    by: User,
    source: str,
    file_name: str,
    digest: str,
) -> FeedLoad:
    counts = feeds.counts(parsed, None)
    rows = None
    if spec.name == REGISTER:
        folder = _folder_of_register(digest)
        rows = _build_register(parsed, folder).rows.to_pylist()
    try:
        with transaction.atomic():
            # the audit head is the lock: two registers sent at once are entered one after the other
            record(
                by=by,
                act=Act.LOAD_FEEDS,
                subject=f"feed:{spec.name}",
                region_code=by.region_code or office_region(),
                detail={"as_of": as_of, "file_hash": digest, "read": parsed.read, "good": parsed.good},
            )
            if spec.kind == "snapshot":
                FeedLoad.objects.filter(
                    feed=spec.name, as_of=as_of, source=source, status=FeedLoad.Status.IN_FORCE
                ).exclude(file_hash=digest).update(status=FeedLoad.Status.SUPERSEDED)
            load = FeedLoad.objects.create(
                feed=spec.name,
                as_of=as_of,
                source=source,
                file_name=file_name,
                file_hash=digest,
                status=FeedLoad.Status.IN_FORCE,
                counts=counts,
                loaded_by=by.username,
            )
            if rows is not None:
                regions.load_divisions({row["region_code"][:6] for row in rows})
                roll.enter_register(rows, load)
    except IntegrityError:
        # two people sent the same file at the same moment: one entered it, the other finds it entered
        return FeedLoad.objects.get(
            feed=spec.name, as_of=as_of, source=source, file_hash=digest, status=FeedLoad.Status.IN_FORCE
        )
    return load


@transaction.atomic
def refuse(
    feed: str, *, as_of: date, by: User, file_name: str, digest: str, problem: DoudiError, source: str = ""
) -> FeedLoad:
    """Keep the refusal of a file: who sent what when, and why it could not be taken."""
    load = FeedLoad.objects.create(
        feed=feed,
        as_of=as_of,
        source=source,
        file_name=file_name,
        file_hash=digest,
        status=FeedLoad.Status.REFUSED,
        problem=problem.zh,
        problem_en=problem.en,
        loaded_by=by.username,
    )
    record(
        by=by,
        act=Act.LOAD_FEEDS,
        subject=f"feed:{feed}",
        region_code=by.region_code or office_region(),
        detail={"refused": problem.code, "as_of": as_of},
    )
    return load


def load_folder(
    specs: Mapping[str, FeedSpec],
    folder: Path,
    *,
    as_of: date | None,
    by: User,
    progress: Progress | None = None,
) -> FolderOutcome:
    """Take in every file of a folder, the register first; one bad file does not hold up the others."""
    if not folder.is_dir():
        raise DoudiError(f"找不到文件夹：{folder}", f"No such folder: {folder}", code="folder_missing")
    dates = _manifest_dates(folder)
    files = sorted(
        path
        for path in folder.iterdir()
        if path.is_file()
        and path.suffix.lower() in (".xlsx", ".xls", ".xlsm", ".csv", ".txt", ".parquet")
        and not path.name.startswith((".", "~$"))
        and path.name.lower() not in ("manifest.csv", "parameters.csv", "expected.csv")
    )
    if not files:
        raise DoudiError(
            f"文件夹 {folder} 里没有可装载的文件（xlsx、xls、csv、parquet）。",
            f"No file to load in {folder} (xlsx, xls, csv, parquet).",
            code="folder_empty",
        )
    result = FolderOutcome()
    known: list[tuple[FeedSpec, Path]] = []
    for path in files:
        try:
            known.append((feeds.recognise(specs, path), path))
        except DoudiError as problem:
            result.outcomes.append(LoadOutcome(None, "", path.name, {}, problem=problem))
    known.sort(key=lambda pair: (pair[0].name != REGISTER, pair[0].name, pair[1].name))
    seen: dict[tuple[str, date | None], str] = {}
    for spec, path in known:
        when = as_of or dates.get(path.name)
        earlier = seen.setdefault((spec.name, when), path.name) if spec.kind == "snapshot" else path.name
        try:
            if when is None:
                raise date_missing(path)
            if earlier != path.name:
                raise DoudiError(
                    f"{path.name} 和 {earlier} 都是“{spec.label}”，后一份会取代前一份。"
                    "几家分别报送时，请用 --source 单位名 逐份装载。",
                    f"{path.name} and {earlier} are both {spec.name}: the second would take the place of the first. "
                    "Load them one by one with --source NAME.",
                    code="snapshot_twice",
                )
            outcome = load_file(specs, spec.name, path, as_of=when, by=by)
        except DoudiError as problem:
            outcome = LoadOutcome(None, spec.name, path.name, {}, problem=problem)
        result.outcomes.append(outcome)
        if progress is not None:
            progress(f"{spec.label} {path.name}")
    return result


def office_region() -> str:
    """The smallest area that holds every household of the register: a county's code in a county, '' before the first."""
    ends = Household.objects.current().aggregate(first=Min("region_code"), last=Max("region_code"))
    if ends["first"] is None:
        return ""
    same = takewhile(lambda pair: pair[0] == pair[1], zip(ends["first"], ends["last"], strict=False))
    shared = "".join(digit for digit, _ in same)
    return max(
        (shared[:length] for length in regions.LEVEL_NAMES if length <= len(shared)), key=len, default=""
    )


def covers_office(user: User) -> bool:
    """Whether the account's area holds every household of this office."""
    return office_region().startswith(user.region_code) or not Household.objects.current().exists()


def require_whole_office(by: User) -> None:
    """Refuse an account whose area is only a part of this office's: a department's file speaks of all of it.

    A part's register would take the place of the whole one, and the rows sent back name people of other areas.
    """
    if not covers_office(by):
        raise NotAllowed(
            f"部门数据和筛查涉及本系统的全部地区，而账号“{by.username}”的辖区只是其中一部分。请由上级经办办理。",
            f"Department files and screens concern the whole office; the area of {by.username!r} is only a part of it.",
        )


def date_missing(path: Path) -> DoudiError:
    """The refusal of a file for which nobody said the date."""
    return DoudiError(
        f"{path.name}：不知道数据日期。请用 --as-of 写明，例如 --as-of 2024-11-15。",
        f"{path.name}: the as-of date is not known; give --as-of, e.g. --as-of 2024-11-15.",
        code="as_of_missing",
    )


def _manifest_dates(folder: Path) -> dict[str, date]:
    """File name → as-of date, from a manifest.csv in the folder or beside it."""
    for place in (folder / "manifest.csv", folder.parent / "manifest.csv"):
        if place.is_file():
            with place.open(encoding="utf-8-sig") as lines:
                return {
                    Path(row["file"]).name: date.fromisoformat(row["as_of"])
                    for row in csv.DictReader(lines)
                    if row.get("file") and row.get("as_of")
                }
    return {}


# ---- what is in force, and matching it to the register -------------------------------------------------------


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
    folder = _register_folder(register, specs)
    return SnapshotSet(
        as_of=evidence.as_of, register=folder, feeds=files, missing=evidence.missing, digest=digest
    )


def bring_up_to_date(specs: Mapping[str, FeedSpec]) -> None:
    """Match every load in force on its own date to the register of that date, where that has not been done."""
    graded = set(Grading.objects.values_list("load_id", "register_hash"))
    for load in (
        FeedLoad.objects.filter(status=FeedLoad.Status.IN_FORCE).exclude(feed=REGISTER).order_by("pk")
    ):
        register = _register_for(load)
        spec = specs.get(load.feed)
        if spec is None or register is None:
            continue
        if (load.pk, register.file_hash) not in graded or not _resolved_path(load, register).exists():
            _resolve(load, register, spec, specs)


def _register_for(load: FeedLoad) -> FeedLoad | None:
    """The register a load's answer is counted against: that of its date, or the first that came after."""
    return (
        register_on(load.as_of)
        or FeedLoad.objects.filter(feed=REGISTER, status=FeedLoad.Status.IN_FORCE)
        .order_by("as_of", "-pk")
        .first()
    )


def counts_of(load: FeedLoad) -> dict[str, Any]:
    """The counts of the contract, with the grades against the register of the load's date."""
    if load.feed == REGISTER or not load.counts:
        return dict(load.counts)
    register = _register_for(load)
    grading = None if register is None else load.gradings.filter(register_hash=register.file_hash).first()
    unmatched = {
        "grades": {"A": 0, "B": 0, "C": 0},
        "leads": 0,
        "not_registered": load.counts["good"] - load.counts["duplicates"],
    }
    matched = unmatched if grading is None else {key: grading.grades[key] for key in _GRADES}
    return {**load.counts, **matched}


def _resolved_path(load: FeedLoad, register: FeedLoad) -> Path:
    return _folder_of_register(register.file_hash) / f"{load.feed}-{load.file_hash[:24]}.parquet"


def _resolve(load: FeedLoad, register: FeedLoad, spec: FeedSpec, specs: Mapping[str, FeedSpec]) -> None:
    """Match a load to a register, from its sealed original, and remember the grades."""
    folder = _register_folder(register, specs)
    with opened(load) as original:
        parsed = feeds.parse_file(spec, original, today=timezone.localdate(load.loaded_at))
        grades = feeds.resolve_feed(parsed, folder, _resolved_path(load, register), blind=_blind)
    answer = feeds.counts(parsed, grades)
    Grading.objects.update_or_create(
        load=load,
        register_hash=register.file_hash,
        defaults={
            "grades": {key: answer[key] for key in _GRADES}
            | {"different_names": list(grades.different_names)}
        },
    )


def _folder_of_register(digest: str) -> Path:
    return home().snapshots / f"register-{digest[:24]}"


def folder_of_register_on(as_of: date) -> Path | None:
    """The snapshot folder of the register in force on a date."""
    register = register_on(as_of)
    return None if register is None else _folder_of_register(register.file_hash)


def _build_register(parsed: ParsedFile, folder: Path) -> feeds.RegisterBuild:
    return feeds.build_register(parsed, folder, blind=_blind)


def _register_folder(register: FeedLoad, specs: Mapping[str, FeedSpec]) -> Path:
    folder = _folder_of_register(register.file_hash)
    if not folder.exists():
        with opened(register) as original:
            parsed = feeds.parse_file(specs[REGISTER], original, today=timezone.localdate(register.loaded_at))
            _build_register(parsed, folder)
    return folder


# ---- sealed files ---------------------------------------------------------------------------------------------


def _seal_file(source: Path, to: Path, purpose: str) -> None:
    if not to.exists():
        write_aside(to, keyring().seal(source.read_bytes(), purpose=purpose))


def _return_path(feed: str, digest: str) -> Path:
    return home().returns / f"{feed}-{digest}.sealed"


@contextmanager
def _work_folder() -> Iterator[Path]:
    folder = home().work / secrets.token_hex(8)
    folder.mkdir(mode=0o700, parents=True)
    try:
        with (folder / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def opened(load: FeedLoad) -> Iterator[Path]:
    """The original of a load as a file, for as long as it is read."""
    sealed = home().originals / f"{load.file_hash}.sealed"
    if not sealed.exists():
        raise DoudiError(
            f"{load.file_name} 的原件不在状态目录里（{sealed.name}）。请从备份恢复，或重新装载该文件。",
            f"The original of {load.file_name} is missing ({sealed.name}); restore a backup or load the file again.",
            code="original_missing",
        )
    with _work_folder() as work:
        path = work / f"original{Path(load.file_name).suffix.lower()}"
        path.write_bytes(keyring().open(sealed.read_bytes(), purpose=_ORIGINAL))
        yield path


@transaction.atomic
def quarantine_workbook(load: FeedLoad, *, by: User) -> bytes:
    """The sender's own workbook with the wrong cells marked, to send back (退回单); the taking goes into the log."""
    require(by, Act.VIEW_LOADS)
    require_whole_office(by)
    path = _return_path(load.feed, load.file_hash)
    if not path.exists():
        raise DoudiError(
            f"{load.file_name} 没有被隔离的行，不需要退回。",
            f"{load.file_name} has no quarantined rows; there is nothing to return.",
            code="nothing_quarantined",
        )
    content = keyring().open(path.read_bytes(), purpose=_RETURN)
    record(
        by=by,
        act="export_quarantine",
        subject=f"feed:{load.feed}",
        region_code=by.region_code,
        detail={"load": load.pk, "sha256": hashlib.sha256(content).hexdigest()},
    )
    return content


def sweep_work() -> int:
    """Remove what a killed process left half done, plain department files among it; returns how many things.

    A folder that a living process works in is locked and stays; other things stay for an hour.
    """
    removed = 0
    for left in home().work.iterdir():
        old = time.time() - left.stat().st_mtime > _AN_HOUR
        if left.is_file():
            if old:
                left.unlink(missing_ok=True)
                removed += 1
            continue
        lock = left / _LOCK
        if not lock.exists():
            if old:
                shutil.rmtree(left, ignore_errors=True)
                removed += 1
            continue
        with lock.open("w") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            shutil.rmtree(left, ignore_errors=True)
            removed += 1
    return removed
