"""The tree of divisions: names for codes, and the path from province to village."""

from __future__ import annotations

import csv
import gzip
import io
from functools import lru_cache
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


def _lines() -> io.TextIOBase:
    if _FULL.exists():
        return gzip.open(_FULL, "rt", encoding="utf-8")  # type: ignore[return-value]
    return _COUNTIES.open(encoding="utf-8")


@transaction.atomic
def load_divisions(counties: set[str]) -> int:
    """Take in the whole country down to the county, and ``counties`` (6 digits) down to the village.

    Without the full table (set-up without npm) townships and villages stay as codes. Returns the rows added.
    """
    have = set(Region.objects.values_list("code", flat=True))
    with _lines() as lines:
        new = [
            Region(code=row["code"], name=row["name"], parent_code=parent_of(row["code"]))
            for row in csv.DictReader(lines)
            if row["code"] not in have and (len(row["code"]) <= 6 or row["code"][:6] in counties)
        ]
    Region.objects.bulk_create(new, batch_size=2000, ignore_conflicts=True)
    names.cache_clear()
    return len(new)


@lru_cache(maxsize=1)
def names() -> dict[str, str]:
    """Code → name of all divisions taken in."""
    return dict(Region.objects.values_list("code", "name"))


def region_name(code: str) -> str:
    """The name of ``code``'s own level, or the nearest known one above it with the code."""
    known = names()
    if code in known:
        return known[code]
    for above in reversed(path_of(code)[:-1]):
        if above in known:
            return f"{known[above]}（{code}）"
    return code


def region_path(code: str) -> str:
    """Names from the county down, like 南明区 新华路街道 纪念塔社区."""
    known = names()
    parts = [known[step] for step in path_of(code) if len(step) >= 6 and step in known]
    return " ".join(parts) or code


def divisions_whole() -> bool:
    """Whether set-up brought the full table, to the village."""
    return _FULL.exists()


def children(code: str) -> list[tuple[str, str]]:
    """Codes and names one level below ``code``."""
    return list(Region.objects.filter(parent_code=code).values_list("code", "name"))
