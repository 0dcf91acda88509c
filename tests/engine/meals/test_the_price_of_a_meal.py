"""Worked cases 1–5 of handbook 05 on the shipped reference pack, and what must hold of every receipt."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doudi.engine.meals import Eater, PriceScheme, SoFar, price
from doudi.engine.packs.meals import load_network, load_prices
from doudi.engine.packs.problems import PackError

PACKS = Path(__file__).resolve().parents[3] / "packs"
HERE, ELSEWHERE = "310107", "340102"


@pytest.fixture(scope="module")
def putuo() -> PriceScheme:
    return load_prices(PACKS / "reference").on(date(2025, 12, 1))


def eater(age: int, *, registered: str = HERE, category: str = "") -> Eater:
    return Eater(age, HERE, registered, category)


def test_case_1_ten_percent_off_then_two_yuan(putuo) -> None:
    got = price(putuo, eater(72), 2000)

    assert (got.discount_fen, got.subsidy_fen, got.paid_fen) == (200, 200, 1600)
    assert [line.code for line in got.lines] == ["LIST", "D60", "B", "PAID"]


def test_case_2_fifteen_percent_off_then_three_yuan_by_the_list_price(putuo) -> None:
    assert price(putuo, eater(85), 1600).paid_fen == 1060

    by_discounted = replace(putuo, base_discounted=True)
    got = price(by_discounted, eater(85), 1600)
    assert (got.paid_fen, got.subsidy_fen) == (1360, 0)
    assert "折后 13.60元 未满 15.00元" in got.lines[-2].zh


def test_case_3_the_highest_subsidy_alone(putuo) -> None:
    got = price(putuo, eater(65, category="低保"), 900)

    assert (got.subsidy_code, got.paid_fen) == ("A", 310)


def test_case_4_the_second_meal_of_the_day_has_the_discount_alone(putuo) -> None:
    got = price(putuo, eater(65, category="低保"), 900, SoFar(subsidised_today=1, fen_today=500))

    assert (got.paid_fen, got.subsidy_fen) == (810, 0)
    assert "今天已补贴 1 次" in got.lines[-2].zh


def test_case_5_registered_in_another_province_has_the_discount_alone(putuo) -> None:
    assert price(putuo, eater(70, registered=ELSEWHERE), 2000).paid_fen == 1800


def test_nobody_is_subsidised_in_hospital(putuo) -> None:
    got = price(putuo, eater(72), 2000, SoFar(stopped="2025-12-01 起住院", stopped_en="in hospital"))

    assert (got.subsidy_fen, got.paid_fen) == (0, 1800)
    assert got.lines[-2].code == "STOPPED"


def test_caps_and_the_least_payment_cut_the_subsidy(putuo) -> None:
    capped = replace(putuo, per_month_fen=12_00)
    assert price(capped, eater(65, category="低保"), 900, SoFar(fen_this_month=10_00)).subsidy_fen == 200

    rich = replace(putuo, subsidies=tuple(replace(s, amount_fen=9_00) for s in putuo.subsidies))
    assert price(rich, eater(65, category="低保"), 900).paid_fen == 100
    free = replace(rich, free_categories=frozenset({"低保"}))
    assert price(free, eater(65, category="低保"), 900).paid_fen == 0


def test_stacked_subsidies_add_up_where_the_pack_says_so(putuo) -> None:
    stacked = replace(putuo, stack=True)

    assert price(stacked, eater(65, category="低保"), 2000).subsidy_fen == 700


def test_the_discount_is_rounded_half_up_once(putuo) -> None:
    assert price(putuo, eater(70, registered=ELSEWHERE), 905).discount_fen == 91


@given(
    list_fen=st.integers(0, 10_000),
    age=st.integers(0, 110),
    category=st.sampled_from(["", "低保", "特困", "低保边缘"]),
    registered=st.sampled_from([HERE, ELSEWHERE, ""]),
    today=st.integers(0, 3),
    fen_today=st.integers(0, 2_000),
    month=st.integers(0, 20_000),
    stack=st.booleans(),
    discounted=st.booleans(),
    caps=st.tuples(*[st.none() | st.integers(0, 2_000)] * 3),
    share=st.fractions(0, 1, max_denominator=100),
)
def test_every_receipt_adds_up_line_by_line(
    putuo, list_fen, age, category, registered, today, fen_today, month, stack, discounted, caps, share
) -> None:
    scheme = replace(
        putuo,
        stack=stack,
        base_discounted=discounted,
        per_meal_fen=caps[0],
        per_day_fen=caps[1],
        per_month_fen=caps[2],
        discounts=tuple(replace(one, share=Fraction(share)) for one in putuo.discounts),
    )
    got = price(scheme, Eater(age, HERE, registered, category), list_fen, SoFar(today, fen_today, month))

    assert got.list_fen - got.discount_fen - got.subsidy_fen == got.paid_fen
    assert min(got.discount_fen, got.subsidy_fen) >= 0
    assert got.paid_fen >= min(list_fen, scheme.least_paid_fen)
    left = 0
    for line in got.lines[:-1]:
        left += line.fen
        assert line.left_fen == left or line.code not in ("LIST", "LEAST", "PRICE")
    assert left == got.paid_fen
    if today >= 1 or registered != HERE:
        assert got.subsidy_fen == 0
    for cap, used in zip(caps, (0, fen_today, month), strict=True):
        if cap is not None:
            assert got.subsidy_fen <= max(0, cap - used)


@pytest.mark.parametrize("pack", ["cn", "reference", "guizhou"])
def test_every_shipped_pack_has_meal_rules(pack: str) -> None:
    assert load_prices(PACKS / pack).schemes
    assert load_network(PACKS / pack).delivery.hot_minutes == 60


@pytest.mark.parametrize(
    ("old", "new", "says", "line"),
    [
        ("折扣: 15%", "折扣: 十五", "写法不对", 15),
        ("起付基数: 标价", "起付基数: 折前", "只能是", 6),
        ("叠加: 否", "叠加: 否\n    封顶: 5元", "不认识的键", 8),
        ('自: "2024-01-01"', '自: "2024-02-30"', "不是日期", 4),
        ("{码: C,", "{码: A,", "写了两次", 20),
    ],
)
def test_a_fault_is_told_with_its_line(tmp_path, old, new, says, line) -> None:
    (tmp_path / "pack.yaml").write_text("名称: x\n版本: '1'\n", encoding="utf-8")
    text = (PACKS / "reference" / "meal_price.yaml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "meal_price.yaml").write_text(text.replace(old, new), encoding="utf-8")

    with pytest.raises(PackError) as refused:
        load_prices(tmp_path)

    assert says in refused.value.zh
    assert refused.value.problems[0].line == line, refused.value.problems
