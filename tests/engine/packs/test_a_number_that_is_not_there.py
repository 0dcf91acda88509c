"""A parameter without a value makes undecided what compares rows with it, and nothing else."""

from __future__ import annotations

from pathlib import Path

from doudi.engine.packs import new_pack, test_pack

RULES = """\
参数: {未定月数: {单位: 月}, 未定额: {单位: 元}}
变量:
  甲: {对象: 人员, 类型: 是否, 依据: 参考规则 试, 公式: "本人(近月(退出日期, 未定月数))"}
  刚退出: {对象: 家庭, 类型: 是否, 依据: 参考规则 试, 公式: 任一成员(甲)}
  丙:
    {对象: 人员, 类型: 金额, 单位: 元, 依据: 参考规则 试,
     公式: "合计(case when 银行存款.余额 > 未定额 then 银行存款.余额 else 未定额 end)"}
  大额: {对象: 家庭, 类型: 金额, 单位: 元, 依据: 参考规则 试, 公式: 成员合计(丙)}
  戊: {对象: 人员, 类型: 是否, 依据: 参考规则 试, 公式: "有(银行存款, 余额 > 未定额)"}
  有大额: {对象: 家庭, 类型: 是否, 依据: 参考规则 试, 公式: 任一成员(戊)}
"""
CASES = """\
例:
  - {名: 有行就待核, 日: 2024-11-15, 成员: [{与户主关系: 户主, 退出日期: 2024-11-01, 银行存款: [{余额: 100元}]}],
     应为: {刚退出: 待核, 大额: 待核, 有大额: 待核}}
  - {名: 没有行就不靠那个数, 日: 2024-11-15, 成员: [{与户主关系: 户主}], 应为: {刚退出: 否, 大额: 0元, 有大额: 否}}
"""


def test_rows_compared_with_an_absent_number_are_undecided(tmp_path: Path) -> None:
    folder = new_pack("reference", "520199", tmp_path / "county")
    (folder / "rules.yaml").write_text(RULES, encoding="utf-8")
    (folder / "cases" / "own.yaml").write_text(CASES, encoding="utf-8")

    report = test_pack(folder)

    assert [str(failure) for failure in report.failures] == []


def test_a_number_of_another_region_leaves_the_parents_cases_standing(tmp_path: Path) -> None:
    folder = new_pack("reference", "610199", tmp_path / "county")
    (folder / "parameters" / "standards.yaml").write_text(
        '参数: {低保标准: {值: [{地区: "610199", 城乡: 城镇, 为: 901元, 文件: 参考规则}]}}\n',
        encoding="utf-8",
    )

    report = test_pack(folder)

    assert report.superseded == []
    assert report.cases >= 49
