"""A little pack to break: two persons' feeds, three rules, one category, its cases."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
REFERENCE = ROOT / "packs" / "reference"

PACK = """\
名称: {name}
版本: "1"
虚构: 是
输出: {{counted_persons: 人口, monthly_income: 月收入}}
文件:
  县标准: {{全称: 关于县低保标准的通知(虚构), 文号: 县民发〔2024〕1号}}
"""
RULES = """\
参数:
  标准:
    单位: 元/月
    按: [城乡]
    值:
      - {城乡: 城镇, 自: 始终, 为: 600元, 文件: 县标准}
      - {城乡: 农村, 自: 始终, 为: 500元, 文件: 县标准}
变量:
  养老收入:
    对象: 人员
    类型: 金额
    单位: 元/月
    依据: 县标准 第一条
    公式: 合计(养老待遇.月待遇)
  人口:
    对象: 家庭
    类型: 整数
    单位: 人
    依据: 县标准 第二条
    公式: 成员计数(是)
  月收入:
    对象: 家庭
    类型: 金额
    单位: 元/月
    依据: 县标准 第三条
    公式: 成员合计(养老收入)
  收入低于标准:
    对象: 家庭
    类型: 是否
    依据: 县标准 第四条
    公式: 月收入 < 标准 * 人口
    满足句: 月收入{月收入:元}, 低于标准
    不满足句: 月收入{月收入:元}, 不低于标准
类别:
  - {代码: DB, 名: 低保, 登记名: [低保], 次序: 1, 条件: 收入低于标准, 依据: 县标准 第四条}
  - {代码: NONE, 名: 不在类别内, 依据: 县标准 第五条}
例:
  - 名: 一人刚好到线
    城乡: 城镇
    成员: [{与户主关系: 户主, 养老待遇: [{待遇类型: 职工养老金, 月待遇: 600元}]}]
    应为: {收入低于标准: 否, 类别: NONE}
"""


def little_pack(folder: Path, rules: str = RULES, *, name: str = "little", header: str = PACK) -> Path:
    """Write a pack folder with the given rules and the feeds it needs."""
    (folder / "feeds").mkdir(parents=True, exist_ok=True)
    for feed in ("household_register", "pension", "unemployment", "death"):
        shutil.copy(REFERENCE / "feeds" / f"{feed}.yaml", folder / "feeds")
    (folder / "pack.yaml").write_text(header.format(name=name), "utf-8")
    (folder / "rules.yaml").write_text(rules, "utf-8")
    return folder


def child_pack(folder: Path, rules: str, *, parent: str = "little") -> Path:
    """Write a layer over ``little`` in the same place."""
    folder.mkdir(parents=True, exist_ok=True)
    header = f'名称: {folder.name}\n版本: "1"\n上级: {parent}\n地区: "520102"\n文件:\n  本县: {{全称: 本县通知(虚构)}}\n'
    (folder / "pack.yaml").write_text(header, "utf-8")
    (folder / "rules.yaml").write_text(rules, "utf-8")
    return folder
