"""What a Chinese keyboard types, and what every scalar stays: text until its declared type says otherwise."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doudi.engine.packs import check_pack, load_pack
from doudi.engine.packs.language import FormulaError, normalise, read_formula
from doudi.engine.packs.units import Kind, parse_quantity, show_money, show_quantity
from tests.engine.packs.little import RULES, little_pack


@pytest.mark.parametrize(
    ("typed", "plain"),
    [
        ("家庭月收入≤低保标准×家庭人口", "家庭月收入<=低保标准*家庭人口"),
        ("家庭月收入＜（低保标准＊家庭人口）", "家庭月收入<(低保标准*家庭人口)"),
        ("甲 ≥ 乙 且 非 丙 或 丁", "甲 >= 乙 AND NOT 丙 OR 丁"),
        ("甲 ≠ “特困”", "甲 <> '特困'"),
        ("状态 属于 ('在读'、'休学')", "状态 IN ('在读','休学')"),
        ("金额 ＞ ２０，０００元", "金额 > 元('20000')"),
        ("金额 > 2万元", "金额 > 元('20000')"),
        ("结束日期 为空", "结束日期 IS NULL"),
        ("名称 = '且或非 ≤ 元'", "名称 = '且或非 ≤ 元'"),
        ("非营运车辆 = 0", "非营运车辆 = 0"),
    ],
)
def test_what_a_chinese_keyboard_types_is_understood(typed: str, plain: str) -> None:
    assert normalise(typed) == plain


def test_an_unclosed_quote_is_refused_in_words() -> None:
    with pytest.raises(FormulaError) as refused:
        read_formula("甲 = '特困")

    assert refused.value.zh == "引号不成对"


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_and_never_breaks(text: str) -> None:
    try:
        read_formula(text)
    except FormulaError as refused:
        assert refused.zh and refused.en


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("745.00元", "元/月", 74500),
        ("745元/月", "元/月", 74500),
        ("42,000元", "元/年", 4_200_000),
        ("1.5万元", "元/年", 1_500_000),
        ("74500分", "分/月", 74500),
        ("７４５．５元", "元", 74550),
        ("60%", "%", Fraction(3, 5)),
        ("62.5%", "%", Fraction(5, 8)),
        ("1.5倍", "倍", Fraction(3, 2)),
        ("24个月", "月", 24),
        ("3人", "人", 3),
        ("745", "元/月", None),
        ("0.125元", "元", None),
        ("1_000元", "元", None),
        ("1.5人", "人", None),
        ("60", "%", None),
        ("on", "人", None),
    ],
)
def test_a_quantity_is_exact_and_bears_its_unit(text: str, unit: str, value: int | Fraction | None) -> None:
    assert parse_quantity(text, unit) == value


@given(st.integers(-(10**14), 10**14))
def test_money_shown_reads_back(fen: int) -> None:
    assert parse_quantity(show_money(fen) + "元", "元") == fen
    assert show_quantity(fen, Kind.MONEY, "元/月").endswith("元")


def test_scalars_stay_text(tmp_path: Path) -> None:
    rules = RULES.replace("县标准 第四条\n    公式", "县标准 012345\n    公式").replace(
        "{城乡: 农村, 自: 始终", "{地区: 520102, 城乡: 农村, 自: 始终"
    )

    pack = load_pack(little_pack(tmp_path, rules))

    assert pack.variables["收入低于标准"].clause == "县标准 012345"
    assert pack.parameters["标准"].values[1].region == "520102"


def test_yaml_words_are_not_truth_values(tmp_path: Path) -> None:
    little_pack(tmp_path, RULES.replace("类型: 是否", "类型: on"))

    [problem] = check_pack(tmp_path)

    assert "“on”" in problem.zh


def test_the_hash_is_blind_to_layout_and_sees_every_number(tmp_path: Path) -> None:
    plain = load_pack(little_pack(tmp_path / "a"))
    commented = load_pack(
        little_pack(tmp_path / "b", "# 说明\n" + RULES.replace("    单位: 元/月", "    单位:   元/月"))
    )
    dearer = load_pack(little_pack(tmp_path / "c", RULES.replace("600元, 文件", "601元, 文件")))

    assert plain.hash == commented.hash
    assert plain.hash != dearer.hash
