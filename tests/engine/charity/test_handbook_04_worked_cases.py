"""Worked cases 1–5 and 9 of the handbook's chapter on charity, with the parameters of the reference pack."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from doudi.engine.charity import Year, due_disclosures, filing_due, judge_year, qualified_from
from doudi.engine.errors import DoudiError
from doudi.engine.packs.giving import load_giving

PACKS = Path(__file__).parents[3] / "packs"
RULES = load_giving(PACKS / "reference")
MILLION = 100_000_000


def year(spent: int, admin: int, **more: int | None) -> Year:
    given = {"last_income_fen": 10 * MILLION, "mean_income_fen": 8 * MILLION, "net_fen": 0, **more}
    return Year(spent_fen=spent, admin_fen=admin, total_fen=spent, **given)


def test_case_1_a_charity_may_apply_when_it_was_registered_for_a_year() -> None:
    first = qualified_from(date(2024, 3, 1), RULES.registered_years)

    assert first == date(2025, 3, 1)
    assert date(2025, 2, 20) < first


def test_case_2_the_mean_of_three_years_may_stand_for_last_years_income() -> None:
    verdict = judge_year(year(580_000_000, 0), RULES.classes["public_foundation"])

    assert verdict.spending is True
    assert "7,000,000.00元" in verdict.spending_why and "5,600,000.00元" in verdict.spending_why


def test_case_3_administration_above_a_tenth_must_be_explained() -> None:
    verdict = judge_year(year(580_000_000, 60_000_000), RULES.classes["public_foundation"])

    assert (verdict.administration, verdict.must_explain) == (False, True)
    assert "10.3%" in verdict.administration_why


def test_exactly_the_share_is_enough_and_one_fen_less_is_not() -> None:
    rules = RULES.classes["public_foundation"]

    assert judge_year(year(560_000_000, 56_000_000), rules).must_explain is False
    assert judge_year(year(559_999_999, 0), rules).spending is False
    assert judge_year(year(580_000_000, 58_000_001), rules).administration is False


def test_an_unknown_income_is_undecided_and_never_a_nought() -> None:
    rules = RULES.classes["public_foundation"]

    assert judge_year(year(1, 0, last_income_fen=None, mean_income_fen=None), rules).spending is None
    assert judge_year(year(1, 0, mean_income_fen=None), rules).spending is None
    assert judge_year(year(1, 0, net_fen=None), RULES.classes["closed_foundation"]).spending is None


@pytest.mark.parametrize(
    ("net", "share"),
    [(60 * MILLION, "6%"), (60 * MILLION - 1, "6%"), (4 * MILLION, "7%"), (4 * MILLION - 1, "8%")],
)
def test_a_closed_foundation_is_judged_in_the_band_of_its_net_assets(net: int, share: str) -> None:
    verdict = judge_year(year(net, 0, net_fen=net), RULES.classes["closed_foundation"])

    assert f"的 {share} 为" in verdict.spending_why


def test_case_4_a_long_fundraising_owes_three_interims_and_a_final_account() -> None:
    found = due_disclosures(date(2025, 1, 1), date(2025, 10, 31), RULES.disclosure)

    assert [(due.part.value, due.due_on) for due in found] == [
        ("interim", date(2025, 4, 1)),
        ("interim", date(2025, 7, 1)),
        ("interim", date(2025, 10, 1)),
        ("final", date(2026, 1, 31)),
    ]


def test_case_5_a_short_fundraising_owes_the_final_account_alone() -> None:
    found = due_disclosures(date(2025, 1, 1), date(2025, 5, 31), RULES.disclosure)

    assert [(due.part.value, due.due_on) for due in found] == [("final", date(2025, 8, 31))]


@pytest.mark.parametrize(("end", "interims"), [(date(2025, 6, 30), 0), (date(2025, 7, 1), 2)])
def test_six_months_to_the_day_is_not_longer_than_six_months(end: date, interims: int) -> None:
    found = due_disclosures(date(2025, 1, 1), end, RULES.disclosure)

    assert len(found) - 1 == interims


def test_case_9_an_emergency_plan_may_be_filed_ten_days_after_the_start() -> None:
    starts = date(2025, 6, 3)

    assert filing_due(starts, emergency=True, grace_days=RULES.emergency_days) == date(2025, 6, 13)
    assert filing_due(starts, emergency=False, grace_days=RULES.emergency_days) == date(2025, 6, 2)


def test_a_pack_whose_bands_do_not_end_at_nought_is_refused(tmp_path: Path) -> None:
    text = (PACKS / "reference" / "giving.yaml").read_text(encoding="utf-8")
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    for name in ("pack.yaml", "linkage.yaml"):
        (wrong / name).write_text((PACKS / "reference" / name).read_text(encoding="utf-8"), encoding="utf-8")
    (wrong / "giving.yaml").write_text(text.replace("净资产起: 0元", "净资产起: 5元"), encoding="utf-8")

    with pytest.raises(DoudiError) as refused:
        load_giving(wrong)

    assert refused.value.code == "giving_invalid"
