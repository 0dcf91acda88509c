"""The tree of divisions: names for codes, and the path from province to village."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from pathlib import Path

from django.db import transaction

from doudi.contexts.registry.models import Region

_FULL = Path(__file__).with_name("divisions-full.csv.gz")
_COUNTIES = Path(__file__).with_name("divisions.csv")
_LEVELS = (2, 4, 6, 9, 12)
LEVEL_NAMES = {2: "省", 4: "市（州）", 6: "县（市、区）", 9: "乡镇（街道）", 12: "村（社区）"}


def path_of(code: str) -> list[str]:
    """The codes from province down to ``code`` itself."""
    return [code[:end] for end in _LEVELS if end <= len(code)]


def parent_of(code: str) -> str:
    """The code one level up, '' above a province."""
    path = path_of(code)
    return path[-2] if len(path) > 1 else ""


def _rows(counties: set[str]) -> Iterator[tuple[str, str]]:
    """Code and name of every division to the county, and of all below ``counties``."""
    with _COUNTIES.open(encoding="utf-8", newline="") as lines:
        yield from csv.reader(islice(lines, 1, None))
    if counties and _FULL.exists():
        with gzip.open(_FULL, "rt", encoding="utf-8", newline="") as lines:
            # a look at the code before the line is parsed: two thirds of a million lines, of which few are wanted
            wanted = (line for line in lines if line[:6] in counties and line[6] != ",")
            yield from csv.reader(wanted)


@transaction.atomic
def load_divisions(counties: set[str]) -> int:
    """Take in the whole country down to the county, and ``counties`` (6 digits) down to the village.

    Without the full table (set-up without npm) townships and villages stay as codes. Returns the rows added.
    """
    have = set(Region.objects.values_list("code", flat=True))
    new_counties = {county for county in counties if not any(len(c) > 6 and c[:6] == county for c in have)}
    new = [
        Region(code=code, name=name, parent_code=parent_of(code))
        for code, name in _rows(new_counties)
        if code not in have
    ]
    Region.objects.bulk_create(new, batch_size=500, ignore_conflicts=True)
    names.cache_clear()
    return len(new)


@transaction.atomic
def name_divisions(given: Mapping[str, str]) -> None:
    """Take in divisions, code → name, that the country's table has not: abolished ones of a register, invented ones of a sample."""
    for code, name in given.items():
        Region.objects.get_or_create(code=code, defaults={"name": name, "parent_code": parent_of(code)})
    names.cache_clear()


@lru_cache(maxsize=1)
def names() -> dict[str, str]:
    """Code → name of all divisions taken in."""
    return dict(Region.objects.values_list("code", "name"))


@lru_cache(maxsize=10_000)
def _asked_again(code: str) -> bool:
    """Whether a county that this process did not know was looked up anew: another process may have taken it in."""
    if Region.objects.filter(parent_code=code[:6]).exists():
        names.cache_clear()
    return True


def _names_with(code: str) -> dict[str, str]:
    if len(code) > 6 and code[:9] not in names():
        _asked_again(code)
    return names()


def region_name(code: str) -> str:
    """The name of ``code``'s own level, or the nearest known one above it with the code."""
    known = _names_with(code)
    if code in known:
        return known[code]
    for above in reversed(path_of(code)[:-1]):
        if above in known:
            return f"{known[above]}（{code}）"
    return code


def region_known(code: str) -> bool:
    """Whether a division of that code is in the table."""
    return code in _names_with(code)


def region_path(code: str) -> str:
    """Names from the county down, like 南明区 新华路街道 纪念塔社区."""
    known = _names_with(code)
    parts = [known[step] for step in path_of(code) if len(step) >= 6 and step in known]
    return " ".join(parts) or code


def divisions_whole() -> bool:
    """Whether set-up brought the full table, to the village."""
    return _FULL.exists()


def children(code: str) -> list[tuple[str, str]]:
    """Codes and names one level below ``code``."""
    return list(Region.objects.filter(parent_code=code).values_list("code", "name"))


def counties_taken_in() -> list[tuple[str, str]]:
    """Codes and names of the counties whose townships are in the table: those this office serves."""
    below = Region.objects.filter(code__regex=r"^\d{9}$").order_by().values("parent_code").distinct()
    return list(Region.objects.filter(code__in=below).values_list("code", "name"))
