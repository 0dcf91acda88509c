"""Who bears an identity number: one table of the whole register, built once and asked by every feed.

A join builds its table anew for each of twenty feeds, which was most of resolving's time. Here numbers are spread over
buckets by a multiplicative hash and stand beside their names' hashes, so that a question costs two or three look-ups in
memory: about 24 bytes a register row, 2 GiB for eighty million.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from doudi.engine.feeds.bulk_reading import NO_NUMBER

PEOPLE = np.dtype([("number", "<i8"), ("name", "<u8"), ("person", "<i4")])
"""A register row on its way into the index: number, hash of the name, key of the person."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_AT_ONCE = 1_000_000
_NAMES_HELD = 5_000_000


@dataclass(frozen=True)
class Matches:
    """Pairs of an asked place and a register row that bears its number."""

    asked: np.ndarray
    rows: np.ndarray
    """Places in the index."""
    persons: np.ndarray
    names: np.ndarray
    """Hashes of the registered names."""


class PeopleIndex:
    """Filled in two steps: every number is counted first, then each row is put into its place."""

    def __init__(self, rows: int) -> None:
        self._bits = max(1, int(rows).bit_length() - 1)
        self._ends = np.zeros((1 << self._bits) + 1, np.int32)
        self._odd_rows, self._odd_names = np.empty(0, np.int64), np.empty(0, np.uint64)
        self._normal: np.ndarray | None = None
        self._lock = threading.Lock()

    def _bucket(self, numbers: np.ndarray) -> np.ndarray:
        return ((numbers.view(np.uint64) * _GOLDEN) >> np.uint64(64 - self._bits)).astype(np.int64)

    def count(self, numbers: np.ndarray) -> None:
        """Make room for register rows with these numbers."""
        buckets, many = np.unique(self._bucket(numbers[numbers != NO_NUMBER]), return_counts=True)
        self._ends[buckets + 1] += many.astype(np.int32)

    def fill(self, people: Path, odd_rows: np.ndarray, odd_names: np.ndarray) -> None:
        """Take in all counted rows from a file of ``PEOPLE``.

        ``odd_rows`` are the places in that file of people whose name is not its own normal spelling; ``odd_names``
        are the hashes of that spelling.
        """
        np.cumsum(self._ends, out=self._ends)
        size = int(self._ends[-1])
        # a bucket's end begins as its start and moves on with every row put into it
        self._ends[1:] = self._ends[:-1]
        self._pairs, self._persons = np.empty((size, 2), np.int64), np.empty(size, np.int32)
        moved = np.empty(len(odd_rows), np.int64)
        first = done = 0
        for rows, here, buckets, starts in self._spread(people):
            many = np.diff(np.append(starts, len(buckets)))
            places = self._ends[buckets + 1] + np.arange(len(buckets)) - np.repeat(starts, many)
            self._ends[buckets[starts] + 1] += many.astype(np.int32)
            self._pairs[places, 0] = rows["number"][here]
            self._pairs[places, 1] = rows["name"][here].view(np.int64)
            self._persons[places] = rows["person"][here]
            last = done + int(np.searchsorted(odd_rows[done:], first + len(rows)))
            if last > done:
                place_of = np.full(len(rows), NO_NUMBER, np.int64)
                place_of[here] = places
                moved[done:last] = place_of[odd_rows[done:last] - first]
            first, done = first + len(rows), last
        order = np.argsort(moved)
        self._odd_rows, self._odd_names = moved[order], odd_names[order]

    def _spread(self, people: Path) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """Rows of the file with those that have a number in the order of their buckets, and where each bucket begins; the
        next rows are put in order while these are put in their places."""

        def in_order(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
            here = np.flatnonzero(rows["number"] != NO_NUMBER)
            buckets = self._bucket(np.ascontiguousarray(rows["number"][here]))
            order = np.argsort(buckets)
            buckets = buckets[order]
            starts = np.flatnonzero(np.concatenate([[True], buckets[1:] != buckets[:-1]]))
            return rows, here[order], buckets, starts

        with ThreadPoolExecutor(1) as beside:
            waiting: Future[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] | None = None
            for rows in _read(people):
                following = beside.submit(in_order, rows)
                if waiting is not None:
                    yield waiting.result()
                waiting = following
            if waiting is not None:
                yield waiting.result()

    def match(self, numbers: np.ndarray) -> Matches:
        """Every register row that bears one of the asked numbers."""
        buckets = self._bucket(numbers)
        place = self._ends[buckets]
        left = self._ends[buckets + 1] - place
        asked = np.flatnonzero((left > 0) & (numbers != NO_NUMBER))
        found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        step = 0
        while asked.size:
            rows = place[asked] + step
            pairs = np.take(self._pairs, rows, axis=0)
            same = pairs[:, 0] == numbers[asked]
            found.append((asked[same], rows[same], pairs[same, 1].view(np.uint64)))
            step += 1
            asked = asked[left[asked] > step]
        if not found:
            none = np.empty(0, np.int64)
            return Matches(none, none, none.astype(np.int32), none.view(np.uint64))
        who, rows, names = (np.concatenate(column) for column in zip(*found, strict=True))
        return Matches(who, rows, self._persons[rows], names)

    def normal_names(self, rows: np.ndarray, names: np.ndarray) -> np.ndarray:
        """The hashes of the normal spelling of registered names, from their places and the hashes of the names."""
        if not len(self._odd_rows):
            return names
        place = np.minimum(np.searchsorted(self._odd_rows, rows), len(self._odd_rows) - 1)
        return np.where(self._odd_rows[place] == rows, self._odd_names[place], names)

    def bears_name(self, normal: np.ndarray) -> np.ndarray:
        """Whether some registered person bears a name of that normal spelling, for each hash."""
        with self._lock:
            if self._normal is None:
                self._normal = self._names()
        if not len(self._normal):
            return np.zeros(len(normal), bool)
        place = np.minimum(np.searchsorted(self._normal, normal), len(self._normal) - 1)
        return np.asarray(self._normal[place] == normal)

    def _names(self) -> np.ndarray:
        """Every name's hash once, in order. A name that is odd as it is written stands here too: it is nobody's normal
        spelling and is never asked for."""
        names, more, many = _once([self._odd_names]), [], 0
        for low in range(0, len(self._pairs), _AT_ONCE):
            more.append(_once([self._pairs[low : low + _AT_ONCE, 1].view(np.uint64)]))
            many += len(more[-1])
            if many > _NAMES_HELD:
                names, more, many = _once([names, *more]), [], 0
        return _once([names, *more])


def _once(parts: list[np.ndarray]) -> np.ndarray:
    """The different values of some arrays, in order (``np.unique`` would hold two copies more)."""
    values = np.concatenate(parts)
    values.sort()
    return values[np.concatenate([[True], values[1:] != values[:-1]])] if len(values) else values


def _read(people: Path) -> Iterator[np.ndarray]:
    with people.open("rb") as stream:
        while len(rows := np.fromfile(stream, PEOPLE, _AT_ONCE)):
            yield rows
