"""Sums by hand from the handbook (01 §1.6, 04 §4.1) against the reckoning, and what it says of itself."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from doudi.engine.benefits import Claim, Numbers, Recipient, due, load_benefits, one_off_ceiling
from doudi.engine.errors import DoudiError
from doudi.engine.packs import load_pack
from doudi.engine.packs.changing import with_parameters

PACKS = Path(__file__).resolve().parents[3] / "packs"
MONTH = date(2024, 12, 1)
ONE, TWO, THREE = (Recipient(number) for number in (1, 2, 3))


@pytest.fixture(scope="module")
def rules():
    return load_benefits(PACKS / "reference")


@pytest.fixture(scope="module")
def numbers():
    """The reference pack with the handbook's standard of 600 everywhere."""
    pack = load_pack(PACKS / "reference")
    return Numbers(with_parameters(pack, {("低保标准", ""): "600元"}, document="参考规则"))


def claim(benefit="DB", people=(ONE, TWO, THREE), **more) -> Claim:
    return Claim(benefit, "999999001001", "城镇", tuple(people), **more)


def test_worked_case_1_three_persons_at_400_get_600(rules, numbers) -> None:
    found = due(rules, numbers, claim(per_capita_fen=40000), MONTH)

    assert found.fen == 60000
    line = found.lines[0]
    assert line.text == "（标准 600元 − 人均月收入 400.00元）× 3人 = 600.00元"
    assert (line.parameter, line.clause) == ("低保标准", "暂行办法 第十二条")
    assert line.document


def test_worked_cases_2_and_3_income_at_the_standard_or_above_is_due_nothing(rules, numbers) -> None:
    for per_capita in (60000, 90000):
        assert due(rules, numbers, claim(per_capita_fen=per_capita), MONTH).fen == 0


def test_the_uplift_adds_a_share_of_the_standard_once_for_each_person(rules, numbers) -> None:
    people = (Recipient(1, needs=("elderly", "ill")), Recipient(2, needs=("minor",)), THREE)

    found = due(rules, numbers, claim(people=people, per_capita_fen=40000), MONTH)

    assert found.fen == 60000 + 2 * 12000
    assert sum(line.fen or 0 for line in found.lines) == found.fen


def test_a_band_pays_a_fixed_sum_for_each_person(rules, numbers) -> None:
    assert due(rules, numbers, claim(band="B", per_capita_fen=40000), MONTH).fen == 3 * 42000
    assert due(rules, numbers, claim(band="Z"), MONTH).fen is None


@pytest.mark.parametrize(("failed", "care"), [(0, 5000), (1, 30000), (3, 30000), (4, 60000), (6, 60000)])
def test_worked_case_10_hardship_support_is_the_base_and_care_by_failed_items(
    rules, numbers, failed: int, care: int
) -> None:
    found = due(rules, numbers, claim("TK", (Recipient(1, failed_items=failed),)), MONTH)

    assert found.fen == 78000 + care  # 1.3 × 600


def test_without_a_self_care_test_the_base_is_due_and_the_line_says_why_no_more(rules, numbers) -> None:
    found = due(rules, numbers, claim("TK", (ONE,)), MONTH)

    assert found.fen == 78000
    assert "未作生活自理能力评估" in found.lines[-1].text


def test_a_person_alone_is_reckoned_alone(rules, numbers) -> None:
    found = due(rules, numbers, claim(people=(ONE,), per_capita_fen=10000, single=True), MONTH)

    assert found.fen == 50000
    assert found.lines[-1].item == "单人保"


def test_who_is_no_longer_counted_takes_the_own_share_along(rules, numbers) -> None:
    whole = claim(per_capita_fen=40000)
    assert due(rules, numbers, whole, MONTH, recipients=(ONE, TWO)).fen == 40000
    assert due(rules, numbers, whole, MONTH, recipients=()).fen == 0
    tail = claim(fixed_fen=60000, taper=True)
    assert due(rules, numbers, tail, MONTH, recipients=(ONE, TWO)).fen == 40000


def test_a_number_the_pack_does_not_hold_is_not_nought(numbers) -> None:
    cn = Numbers(load_pack(PACKS / "cn"))

    found = due(load_benefits(PACKS / "cn"), cn, claim(), MONTH)

    assert found.fen is None
    assert "低保标准" in found.missing


def test_worked_case_7_of_04_temporary_aid_is_at_most_5400(rules, numbers) -> None:
    ceiling, line = one_off_ceiling(rules, numbers, claim("LS"), MONTH)

    assert ceiling == 540000
    assert line is not None and "600元 × 3人 × 3个月" in line.text


def test_the_standard_of_the_month_counts(rules) -> None:
    numbers = Numbers(load_pack(PACKS / "reference"))
    there = Claim("DB", "610102001", "城镇", (ONE,))

    assert due(rules, numbers, there, date(2024, 6, 1)).fen == 70000
    assert due(rules, numbers, there, date(2024, 7, 1)).fen == 78000


@pytest.mark.parametrize(
    ("before", "after", "where"),
    [
        ("算法: 补差", "算法: 猜", "算法"),
        ("月数: 12, 标: 假定}", "月数: 十二, 标: 假定}", "月数"),
        ("- [TK, DB]", "- [TK, XX]", "XX"),
        ("编码: gb18030", "编码: big5", "编码"),
    ],
)
def test_a_section_that_is_not_as_it_should_be_is_refused_with_its_place(
    tmp_path: Path, before: str, after: str, where: str
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "pack.yaml").write_text("名称: own\n版本: '1'\n上级: reference\n", encoding="utf-8")
    text = (PACKS / "reference" / "benefits.yaml").read_text("utf-8")
    assert before in text
    (tmp_path / "own" / "benefits.yaml").write_text(text.replace(before, after, 1), encoding="utf-8")

    with pytest.raises(DoudiError) as refused:
        load_benefits(tmp_path / "own")

    assert where in refused.value.zh
