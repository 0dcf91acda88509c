"""Taking in department files (数据装载): recognise, check, quarantine, seal, resolve, and put in force.

The database row is the moment of acceptance. Everything before it lies aside or is named by the hash of its content,
and everything after it (matching to a later register) can be made again from the sealed original; so a kill at any
point leaves the last complete snapshot in force, and the same command again gives the same end.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require
from doudi.contexts.registry import regions, roll
from doudi.contexts.registry.in_force import (
    REGISTER,
    blind,
    bring_up_to_date,
    build_register,
    counts_of,
    folder_of_register,
    register_folder,
    register_on,
)
from doudi.contexts.registry.models import FeedLoad
from doudi.contexts.registry.office import office_region, require_whole_office
from doudi.contexts.registry.originals import ORIGINAL, RETURN, return_path, seal_file, work_folder
from doudi.contexts.registry.unread import keep_unread
from doudi.engine import feeds
from doudi.engine.errors import DoudiError
from doudi.engine.feeds import FeedSpec, ParsedFile
from doudi.house.paths import home

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


@dataclass
class FolderOutcome:
    """What came of a folder of files."""

    outcomes: list[LoadOutcome] = field(default_factory=list)

    @property
    def refused(self) -> list[LoadOutcome]:
        return [outcome for outcome in self.outcomes if outcome.problem is not None]


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
    with work_folder() as work:
        folder = None if register is None else register_folder(register, specs)
        grades = feeds.resolve_feed(parsed, folder, work / "check.parquet", blind=blind)
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
    seal_file(path, home().originals / f"{digest}.sealed", ORIGINAL)
    if parsed.quarantined:
        with work_folder() as work:
            workbook = work / "return.xlsx"
            feeds.write_quarantine(parsed, path, workbook)
            seal_file(workbook, return_path(spec.name, digest), RETURN)
    try:
        load = _accept(spec, parsed, specs, as_of=as_of, by=by, source=source, file_name=name, digest=digest)
    except roll.HouseholdNumberShared as problem:
        refuse(spec.name, as_of=as_of, by=by, file_name=name, digest=digest, problem=problem, source=source)
        raise
    bring_up_to_date(specs, read={load.pk: parsed})
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
        folder = folder_of_register(digest)
        rows = build_register(parsed, folder).rows.to_pylist()
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
            keep_unread(load, parsed)
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
