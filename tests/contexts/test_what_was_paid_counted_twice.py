"""Monthly tables: the same number by two roads, as a workbook, against the budget, and the year to come."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path

import openpyxl
import pytest

from doudi import chain
from doudi.contexts.accounts.services import NotAllowed
from doudi.contexts.assistance import payroll
from doudi.contexts.registry import services as registry
from doudi.engine.benefits import Recipient
from tests.cast import assemble
from tests.payday import COUNTY, DEC, NOV, PayOffice, open_office


@pytest.fixture
def pay(county: Path) -> PayOffice:
    office = open_office(assemble())
    office.decide("H001")
    office.decide(
        "H003", benefit="TK", persons=[Recipient(office.people("H003")[0].person_id, failed_items=6)]
    )
    office.frozen(NOV)
    office.decide(
        "H001", "change", per_capita_income_fen=5000, starts_on=NOV, ground="更正", decision_no="调"
    )
    office.decide("H002", benefit="LS", amount_fen=60000, decided_on=date(2024, 11, 9))
    office.frozen(DEC)
    return office


def test_each_cell_is_the_list_behind_it(pay: PayOffice) -> None:
    table = chain.benefit_rules().tables["monthly"]

    found = payroll.monthly_table(table, month=DEC, by=pay.cast.auditor)

    for line in (*found.lines, None):
        for column, value in zip(table.columns, line.values if line else found.total, strict=True):
            rows = list(
                payroll.cell_rows(
                    column, month=DEC, by=pay.cast.auditor, township=line.region_code if line else ""
                )
            )
            by_hand = {
                "户数": len({row.household_no for row in rows}),
                "人数": sum(row.persons for row in rows),
                "行数": len(rows),
                "金额": sum(row.amount_fen for row in rows),
            }[column.counts]
            assert value == by_hand, (line, column.code)
    by_code = {column.code: value for column, value in zip(table.columns, found.total, strict=True)}
    assert (by_code["db_homes"], by_code["db_people"]) == (1, 2)
    assert by_code["back_fen"] == 2 * 5000 + 60000  # the change of November, and November's emergency
    roster = payroll.rosters(by=pay.cast.auditor).first()
    assert roster is not None and by_code["all_fen"] == roster.total_fen


def test_a_household_registered_with_the_county_alone_is_not_counted_in_a_township_too(
    pay: PayOffice,
) -> None:
    found = registry.household_briefs(["H002"])["H002"]
    found.responsible_region = COUNTY
    found.save()
    pay.decide("H002", per_capita_income_fen=30000)
    january = date(2025, 1, 1)
    pay.frozen(january)
    table = chain.benefit_rules().tables["monthly"]
    column = table.columns[0]

    lines = payroll.monthly_table(table, month=january, by=pay.cast.county).lines

    assert [(line.region_code, line.values[0]) for line in lines] == [
        (COUNTY, 1),
        ("520102016", 1),
        ("520102017", 0),
    ]
    for line in lines:
        behind = payroll.cell_rows(column, month=january, by=pay.cast.county, township=line.region_code)
        assert behind.count() == line.values[0]


def test_a_township_counts_its_own(pay: PayOffice) -> None:
    table = chain.benefit_rules().tables["monthly"]

    found = payroll.monthly_table(table, month=DEC, by=pay.cast.township, region_code="520102017")

    assert [line.region_code for line in found.lines] == ["520102016"]


def test_the_workbook_says_what_the_page_says(pay: PayOffice) -> None:
    table = chain.benefit_rules().tables["monthly"]
    found = payroll.monthly_table(table, month=DEC, by=pay.cast.county)

    book = openpyxl.load_workbook(io.BytesIO(payroll.export_table(found, by=pay.cast.county)))

    last = [cell.value for cell in list(book.active.rows)[-1]]
    assert last[0] == "合计"
    assert round(last[-1] * 100) == found.total[-1]


def test_the_year_is_what_was_paid_and_the_last_month_going_on(pay: PayOffice) -> None:
    told = {"year": 2024, "region_code": COUNTY, "rules": chain.benefit_rules()}
    payroll.record_budget(benefit="DB", amount_fen=300000, document="预算1", by=pay.cast.county, **told)
    payroll.record_budget(benefit="DB", amount_fen=200000, document="预算2", by=pay.cast.county, **told)
    with pytest.raises(NotAllowed):
        payroll.record_budget(benefit="DB", amount_fen=1, document="x", by=pay.cast.director, **told)

    found = {one.benefit: one for one in payroll.forecast(**told, by=pay.cast.director)}

    assert found["DB"].spent_fen == 129000 + 10000 + 139000
    assert (found["DB"].rostered, found["DB"].to_come_fen) == (12, 0)
    assert found["DB"].left_fen == 200000 - 278000
    assert found["TK"].budget_fen is None
    next_year = payroll.forecast(
        year=2025, region_code=COUNTY, rules=chain.benefit_rules(), by=pay.cast.director
    )
    assert [one.year_fen for one in next_year if one.benefit == "DB"] == [12 * 139000]
    assert [one.year_fen for one in next_year if one.benefit == "LS"] == [0]


def test_the_townships_years_are_the_countys_year(pay: PayOffice) -> None:
    told = {"region_code": COUNTY, "rules": chain.benefit_rules()}

    for year in (2024, 2025):
        towns = payroll.forecast_by_township(year=year, **told, by=pay.cast.director)
        whole = payroll.forecast(year=year, **told, by=pay.cast.director)
        assert [one.region_code for one in towns] == ["520102016", "520102017"]
        assert sum(one.spent_fen for one in towns) == sum(one.spent_fen for one in whole)
        assert sum(one.year_fen for one in towns) == sum(one.year_fen for one in whole)
    # 2025: the allowance of December twelve times, and no temporary aid that nobody decided
    assert (towns[0].spent_fen, towns[0].to_come_fen) == (0, 12 * 139000)
    own = payroll.forecast_by_township(
        year=2025, region_code="520102016", rules=told["rules"], by=pay.cast.township
    )
    assert own == towns[:1]


def test_aid_per_head_stands_by_layer_and_only_of_the_own_area(pay: PayOffice) -> None:
    found = {one.layer: one for one in payroll.aid_per_head(by=pay.cast.director, on=DEC)}

    rostered = sum(roster.total_fen for roster in payroll.rosters(by=pay.cast.director, status="frozen"))
    # 张家 and 赵家 with two each; 王强 holds no category and stands in a line of its own
    assert (found["DB"].households, found["DB"].people) == (2, 4)
    assert found["DB"].aid_fen == rostered - 60000
    assert found["DB"].per_head_fen == round(found["DB"].aid_fen / 4)
    assert (found[""].households, found[""].per_head_fen) == (1, 60000)
    (theirs,) = payroll.aid_per_head(by=pay.cast.other_township, on=DEC)
    assert (theirs.layer, theirs.people, theirs.aid_fen) == ("DB", 2, found["DB"].aid_fen - 278000)
    assert payroll.aid_per_head(by=pay.cast.director, on=date(2026, 1, 1)) == []
