"""``pack check``: everything that is wrong with a pack, at its line, in words a clerk understands."""

# ruff: noqa: E501 - a table of changes reads best one to a line
from __future__ import annotations

from pathlib import Path

import pytest

from doudi.engine.packs import PackError, check_pack, load_pack
from tests.engine.packs.little import RULES, little_pack


def test_a_good_pack_has_no_problem(tmp_path: Path) -> None:
    assert check_pack(little_pack(tmp_path)) == []


def test_a_broken_pack_cannot_be_loaded_and_says_why(tmp_path: Path) -> None:
    little_pack(tmp_path, RULES.replace("    依据: 县标准 第三条\n", ""))

    with pytest.raises(PackError) as refused:
        load_pack(tmp_path)

    [problem] = refused.value.problems
    assert problem.code == "no_clause"
    assert "月收入" in problem.zh
    assert "第" in refused.value.zh and "rules.yaml" in refused.value.zh


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


CASES = {
    # a change to the little pack: (what to replace, by what, expected code, text whose line is named)
    "a number without a document": (", 为: 600元, 文件: 县标准", ", 为: 600元", "no_document", "{城乡: 城镇"),
    "a document nobody declared": ("为: 600元, 文件: 县标准", "为: 600元, 文件: 省标准", "no_document", "{城乡: 城镇"),
    "a clause of no document": ("县标准 第四条\n    公式", "某文 第四条\n    公式", "no_document", "依据: 某文"),
    "money without 元": ("为: 600元", "为: 600", "number", "{城乡: 城镇"),
    "a part of a fen": ("为: 600元", "为: 600.005元", "number", "{城乡: 城镇"),
    "an impossible day": ("{城乡: 农村, 自: 始终", "{城乡: 农村, 自: 2024-02-30", "dates", "2024-02-30"),
    "an unknown dimension": ("按: [城乡]", "按: [民族]", "dimension", "按: [民族]"),
    "a missing dimension": ("{城乡: 城镇, 自", "{自", "dimension", "{自"),
    "a unit its type cannot have": ("类型: 是否\n    依据: 县标准 第四条", "类型: 是否\n    单位: 元\n    依据: 县标准 第四条", "unit", "单位: 元\n    依据: 县标准 第四条"),
    "a name nobody declared": ("月收入 < 标准 * 人口", "年收入 < 标准 * 人口", "name", "公式: 年收入"),
    "a name nobody declared in a sentence": ("满足句: 月收入{月收入:元}, 低于", "满足句: 月收入{收入:元}, 低于", "name", "满足句: 月收入{收入"),
    "a sentence in the wrong unit": ("满足句: 月收入{月收入:元}, 低于", "满足句: 月收入{月收入:人}, 低于", "unit", "满足句: 月收入{月收入:人"),
    "money against a bare number": ("月收入 < 标准 * 人口", "月收入 < 600", "unit", "公式: 月收入 < 600"),
    "division": ("月收入 < 标准 * 人口", "月收入 ÷ 人口 < 标准", "division", "公式: 月收入 ÷"),
    "rounding inside a comparison": ("月收入 < 标准 * 人口", "整除(月收入, 2) < 标准", "division", "公式: 整除"),
    "a function nobody knows": ("成员合计(养老收入)", "平均(养老收入)", "function", "公式: 平均"),
    "a person's value in a household's formula": ("成员合计(养老收入)", "养老收入", "scope", "公式: 养老收入"),
    "a row outside an aggregate": ("合计(养老待遇.月待遇)", "养老待遇.月待遇", "scope", "公式: 养老待遇"),
    "a code the column cannot hold": ("合计(养老待遇.月待遇)", "合计(养老待遇.月待遇, 待遇类型 = '退休金')", "code", "公式: 合计(养老待遇.月待遇, 待"),
    "an identity column": ("合计(养老待遇.月待遇)", "合计(养老待遇.月待遇, 姓名 = '张三')", "name", "公式: 合计(养老待遇.月待遇, 姓"),
    "a feed nobody declared": ("合计(养老待遇.月待遇)", "合计(银行流水.金额)", "name", "公式: 合计(银行流水"),
    "a value that never arrived taken for nought": ("成员合计(养老收入)", "若空(成员合计(养老收入), 0元)", "unknown_is_not_no", "公式: 若空"),
    "an empty cell as the latest value": ("合计(养老待遇.月待遇)", "最新(失业登记.月失业金, 登记日期)", "empty_cell", "公式: 最新"),
    "a formula of another kind": ("类型: 金额\n    单位: 元/月\n    依据: 县标准 第三条", "类型: 整数\n    单位: 人\n    依据: 县标准 第三条", "kind", "公式: 成员合计(养老收入)"),
    "a full-width colon after a key": ("    公式: 成员合计", "    公式：成员合计", "full_width_colon", "公式：成员合计"),
    "a key nobody knows": ("    公式: 成员合计", "    算法: 成员合计", "structure", "算法: 成员合计"),
    "a case with a name nobody declared": ("收入低于标准: 否, 类别", "收入太低: 否, 类别", "name", "应为: {收入太低"),
    "no last category": ("  - {代码: NONE, 名: 不在类别内, 依据: 县标准 第五条}\n", "", "structure", "- {代码: DB"),
    "a rule without a case": ("应为: {收入低于标准: 否, 类别: NONE}", "应为: {人口: 1人}", "no_case", "养老收入:"),
    "a bad unit in a parameter": ("单位: 元/月\n    按", "单位: 元/旬\n    按", "unit", "单位: 元/旬"),
}  # fmt: skip


@pytest.mark.parametrize("change", CASES.values(), ids=CASES.keys())
def test_it_is_refused_at_its_line(tmp_path: Path, change: tuple[str, str, str, str]) -> None:
    old, new, code, shown = change
    assert RULES.count(old) == 1, "the change must fit one place"
    text = RULES.replace(old, new)
    little_pack(tmp_path, text)

    problems = check_pack(tmp_path)

    assert (code, line_of(text, shown)) in [(p.code, p.line) for p in problems], problems
    assert all(p.file == "rules.yaml" and p.zh and p.en for p in problems)


def test_two_values_from_one_day_are_refused(tmp_path: Path) -> None:
    row = "      - {城乡: 城镇, 自: 始终, 为: 600元, 文件: 县标准}\n"
    little_pack(tmp_path, RULES.replace(row, row * 2))

    assert [p.code for p in check_pack(tmp_path)] == ["duplicate"]


@pytest.mark.parametrize(
    ("end", "begin", "said"), [("2024-06-30", "2024-08-01", "没有值"), ("2024-07-31", "2024-07-01", "重叠")]
)
def test_dates_leave_no_gap_and_do_not_overlap(tmp_path: Path, end: str, begin: str, said: str) -> None:
    row = "      - {城乡: 城镇, 自: 始终, 为: 600元, 文件: 县标准}\n"
    two = row.replace("自: 始终", f"自: 2024-01-01, 止: {end}") + row.replace("自: 始终", f"自: {begin}")
    little_pack(tmp_path, RULES.replace(row, two))

    [problem] = check_pack(tmp_path)

    assert problem.code == "dates"
    assert said in problem.zh


def test_a_month_and_a_year_do_not_compare(tmp_path: Path) -> None:
    yearly = RULES.replace("单位: 元/月\n    按", "单位: 元/年\n    按")
    little_pack(tmp_path, yearly)

    [problem] = check_pack(tmp_path)

    assert problem.code == "unit"
    assert "元/月 和 元/年" in problem.zh
    assert "年化" in problem.zh

    little_pack(tmp_path, yearly.replace("月收入 < 标准", "年化(月收入) < 标准"))
    assert check_pack(tmp_path) == []


def test_a_circle_is_named(tmp_path: Path) -> None:
    text = RULES.replace("公式: 成员计数(是)", "公式: case when 收入低于标准 then 1 else 2 end")
    little_pack(tmp_path, text.replace("公式: 月收入 < 标准 * 人口", "公式: 人口 > 1"))

    circles = [p for p in check_pack(tmp_path) if p.code == "circle"]

    assert (
        "人口 → 收入低于标准 → 人口" in circles[0].zh or "收入低于标准 → 人口 → 收入低于标准" in circles[0].zh
    )


def test_a_category_that_is_never_reached_is_refused(tmp_path: Path) -> None:
    again = "  - {代码: BY, 名: 边缘, 条件: 月收入 < 标准 * 人口, 依据: 县标准 第六条}\n"
    same = "  - {代码: BY, 名: 边缘, 条件: 收入低于标准, 依据: 县标准 第六条}\n"
    last = "  - {代码: NONE, 名: 不在类别内, 依据: 县标准 第五条}\n"

    little_pack(tmp_path, RULES.replace(last, same + last))
    assert [p.code for p in check_pack(tmp_path)] == ["unreachable"]

    little_pack(tmp_path, RULES.replace(last, last + again))
    assert "unreachable" in [p.code for p in check_pack(tmp_path)]


def test_two_exceptions_that_disagree_are_refused(tmp_path: Path) -> None:
    exceptions = """\
    公式: 成员计数(是)
    例外:
      - {名: 甲, 当: 月收入 > 100元, 为: 2, 依据: 县标准 第七条}
      - {名: 乙, 当: 月收入 > 100元, 为: 3, 依据: 县标准 第八条}
"""
    little_pack(tmp_path, RULES.replace("    公式: 成员计数(是)\n", exceptions))

    assert [p.code for p in check_pack(tmp_path)] == ["exceptions_disagree"]


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    text = RULES.replace("文件: 县标准}\n      - {城乡: 农村", "文件: 省标准}\n      - {城乡: 农村")
    little_pack(tmp_path, text.replace("为: 500元", "为: 五百元"))

    assert {p.code for p in check_pack(tmp_path)} == {"no_document", "number"}


def test_a_folder_that_is_no_pack_is_said_to_be_none(tmp_path: Path) -> None:
    [problem] = check_pack(tmp_path)

    assert problem.code == "no_pack"
