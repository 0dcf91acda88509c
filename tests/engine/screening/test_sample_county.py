"""The sample county from its department files to the export, cell for cell."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from doudi.engine.feeds import SnapshotSet
from doudi.engine.packs import load_pack
from doudi.engine.screening import Explainer, read_result, screen, write_export
from tests.engine.screening.county import REFERENCE, SAMPLE, expected_rows, load_county, on, without
from tests.engine.screening.oracle import Household
from tests.engine.screening.small_files import read_snapshots


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> SnapshotSet:
    return load_county(tmp_path_factory.mktemp("county"))


PACK = load_pack(REFERENCE)


def test_the_export_is_the_expected_file_to_the_byte(county: SnapshotSet, tmp_path: Path) -> None:
    result = screen(PACK, county, to=tmp_path / "result")

    write_export(tmp_path / "result", tmp_path / "out.csv")

    assert result.households == 400
    assert (tmp_path / "out.csv").read_bytes() == (SAMPLE / "expected.csv").read_bytes()


def test_ranges_change_nothing(county: SnapshotSet, tmp_path: Path) -> None:
    screen(PACK, county, to=tmp_path / "result", chunks=7)

    write_export(tmp_path / "result", tmp_path / "out.csv")

    assert (tmp_path / "out.csv").read_bytes() == (SAMPLE / "expected.csv").read_bytes()


# a leap day, the day before and of the new parameters of 610102, the year's end, the sample's own day
DAYS = [date(2024, 2, 29), date(2024, 6, 30), date(2024, 7, 1), date(2024, 12, 31), date(2024, 11, 15)]
GONE = [
    ("deposit",),
    ("education",),
    ("custody", "medical"),
    ("real_estate", "vehicle"),
    ("population",),
    ("social_insurance", "grant"),
    ("tax_income",),
]


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_every_household_agrees_with_the_plain_reading_of_the_rules(
    county: SnapshotSet, tmp_path: Path, day: date
) -> None:
    _agree(on(county, day), (), tmp_path)


@pytest.mark.parametrize("missing", GONE, ids="-".join)
def test_a_feed_that_never_arrived_is_unknown_and_not_nought(
    county: SnapshotSet, tmp_path: Path, missing: tuple[str, ...]
) -> None:
    _agree(without(county, missing), missing, tmp_path)


def test_with_nothing_but_the_register_only_the_register_speaks(county: SnapshotSet, tmp_path: Path) -> None:
    _agree(without(county, county.feeds), tuple(county.feeds), tmp_path)


def _agree(county: SnapshotSet, missing: tuple[str, ...], tmp_path: Path) -> None:
    households = read_snapshots(county)

    screen(PACK, county, to=tmp_path / "result")

    rows = list(read_result(tmp_path / "result"))
    assert len(rows) == 400
    for row in rows:
        expected = Household(households[row["household_no"]], county.as_of, missing).result()
        assert {key: row[key] for key in expected} == expected, row["household_no"]


def test_an_explanation_says_what_the_export_says(county: SnapshotSet) -> None:
    explainer = Explainer(PACK, county)

    for expected in expected_rows()[::40]:
        told = explainer.explain(expected["household_no"])
        values = {v.name: v for v in told.variables if v.member is None}
        assert told.category == expected["category"]
        assert ";".join(told.row["warnings"]) == expected["warnings"]
        assert values["家庭月收入"].to_json()["value"] == expected["monthly_income"]


def test_a_family_one_fen_under_the_line_is_told_so(county: SnapshotSet) -> None:
    told = Explainer(PACK, county).explain("LL00002")

    assert "家庭月收入1,279.99元，低于低保标准640元×2人=1,280元，差0.01元" in told.paragraph
    line = next(v for v in told.variables if v.name == "收入低于标准").to_json()
    assert line["value"] is True
    assert line["inputs"] == {"家庭人口": 2, "家庭月收入": "1279.99"}
    assert line["clause"] == "暂行办法 第九条"
    assert line["parameter"] == {
        "name": "低保标准", "value": "640元", "region": "610102", "urban_rural": "农村",
        "valid_from": "2024-07-01", "document": "参考规则", "clause": "", "mark": "[fictitious]",
    }  # fmt: skip


def test_an_explanation_names_the_feed_that_never_arrived(county: SnapshotSet) -> None:
    told = Explainer(PACK, without(county, ["deposit"])).explain("LL00002")

    assert told.category == "UNKNOWN"
    assert "银行存款（未到）" in told.paragraph
    assets = next(v for v in told.variables if v.name == "金融资产")
    assert assets.value is None
    assert assets.missing == ("deposit",)
    assert told.to_json()["missing"] == {"deposit": "not_arrived"}
