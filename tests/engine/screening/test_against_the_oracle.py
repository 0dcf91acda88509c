"""Random families: the batch, the single case and the plain reading of the rules never differ."""

from __future__ import annotations

import os
import tempfile
from datetime import date
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doudi.engine.packs import load_pack
from doudi.engine.screening import Explainer, read_result, screen
from tests.engine.screening.county import REFERENCE
from tests.engine.screening.families import DAYS, FEEDS, Families
from tests.engine.screening.oracle import Household
from tests.engine.screening.small_files import write_snapshots

PACK = load_pack(REFERENCE)
# DOUDI_ORACLE_RUNS=200 compares 100,000 families
RUNS = int(os.environ.get("DOUDI_ORACLE_RUNS", "3"))
FAMILIES = 500


@settings(max_examples=RUNS, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 2**32),
    day=st.sampled_from(DAYS),
    missing=st.lists(st.sampled_from(FEEDS), max_size=3, unique=True),
)
def test_no_family_is_read_two_ways(seed: int, day: date, missing: list[str]) -> None:
    families = Families(seed, day).some(FAMILIES)
    with tempfile.TemporaryDirectory() as folder:
        snapshots = write_snapshots(families, Path(folder), PACK.feeds, as_of=day, missing=missing)
        screen(PACK, snapshots, to=Path(folder) / "result", chunks=1 + seed % 3)
        rows = list(read_result(Path(folder) / "result"))
        explainer = Explainer(PACK, snapshots)
        told = {key: explainer.explain_key(key) for key in (seed % FAMILIES, (seed * 7) % FAMILIES)}
        explainer.close()

    assert len(rows) == FAMILIES
    for row, family in zip(rows, families, strict=True):
        expected = Household(family, day, missing).result()
        assert {key: row[key] for key in expected} == expected, (row["household_no"], family)
    for key, explanation in told.items():
        assert {name: explanation.row[name] for name in explanation.row} == {
            name: rows[key][name] for name in explanation.row
        }
