"""Matching a whole province's department tables to its register, in bounded memory.

In come checked rows as Parquet parts that name people (``id_number``, ``name``, the feed's columns, in any order); out
comes what :func:`~doudi.engine.feeds.resolving.build_register` and ``resolve_feed`` would make of them: a register
folder and one file per feed, sorted by household, without names and numbers. The work files are deleted with the
folder they lie in.

An identity number is matched as the whole number of its 17 digits and check character, which is exact and four
times smaller than its text; a name as 64 bits, and letter by letter where the number fits and the bits do not.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from doudi.engine.feeds.bulk_feeds import BulkGrades, resolve_bulk_feed
from doudi.engine.feeds.bulk_reading import row_count
from doudi.engine.feeds.bulk_register import resolve_register
from doudi.engine.feeds.spec import FeedSpec

Progress = Callable[[str], None]
ROWS_AT_ONCE = 1_000_000
ROWS_HELD = 6_000_000


@dataclass(frozen=True)
class BulkResolution:
    """Where the resolved register and feeds lie, and how the rows matched."""

    register: Path
    feeds: Mapping[str, Path]
    grades: Mapping[str, BulkGrades]
    households: int
    persons: int


def resolve_bulk(
    specs: Mapping[str, FeedSpec],
    register: Sequence[Path],
    feeds: Mapping[str, Sequence[Path]],
    folder: Path,
    *,
    key: bytes,
    threads: int = 2,
    at_once: int = ROWS_AT_ONCE,
    held: int = ROWS_HELD,
    on_progress: Progress | None = None,
) -> BulkResolution:
    """Resolve a register and its feeds into ``folder``; each feed's parts are one load.

    The parts hold rows that have passed :func:`~doudi.engine.feeds.validating.parse_file` (valid numbers, typed cells,
    no repeats). ``key`` is the house's secret for the ``row_digest`` of event feeds; a snapshot feed's is NULL, for its
    rows are never compared across files. The digest differs from ``resolve_feed``'s: the files of one event feed
    must all come by one road.

    Memory is about 24 bytes a register row, and for each of the ``threads`` some blocks of ``at_once`` rows and ``held``
    rows of a feed; what is more lies on the disk meanwhile.
    """
    folder.mkdir(parents=True, exist_ok=True)
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        if on_progress is not None:
            on_progress("household_register")
        people = resolve_register(register, folder / "register", work, threads=threads, at_once=at_once)
        files = {feed: folder / f"{feed}.parquet" for feed in feeds}

        def one(feed: str) -> BulkGrades:
            grades = resolve_bulk_feed(
                specs[feed], feeds[feed], people, files[feed], work, key=key, at_once=at_once, held=held
            )
            if on_progress is not None:
                on_progress(feed)
            return grades

        # the greatest first: no core waits long for the last
        order = sorted(feeds, key=lambda feed: -row_count(feeds[feed]))
        with ThreadPoolExecutor(threads) as pool:
            found = dict(zip(order, pool.map(one, order), strict=True))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    grades = {feed: found[feed] for feed in feeds}
    return BulkResolution(folder / "register", files, grades, people.households, people.persons)
