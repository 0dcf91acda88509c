"""A feed is declared in data: what a declaration may say, and how a slip in it is pointed out."""

from __future__ import annotations

from pathlib import Path

import pytest

from doudi.engine.feeds import DeclarationError, load_feed_specs
from doudi.engine.feeds.spec import normal_header
from tests.engine.feeds.outbox import SPECS

GOOD = """\
名称: allotment
中文名: 公租房
方式: 快照
来源: 住建
列:
  - {名: name, 表头: 姓名, 类型: 姓名}
  - {名: id_number, 表头: 身份证号, 类型: 身份证号, 可空: 是}
  - {名: rent, 表头: 月租金, 别名: [租金], 类型: 金额}
  - {名: room, 表头: 房号, 类型: 文本}
"""


def declare(folder: Path, text: str, name: str = "allotment.yaml") -> None:
    (folder / name).write_text(text, encoding="utf-8")


def test_a_county_adds_a_feed_without_touching_python(tmp_path: Path) -> None:
    declare(tmp_path, GOOD)

    spec = load_feed_specs(tmp_path)["allotment"]

    assert (spec.label, spec.kind, spec.supplier) == ("公租房", "snapshot", "住建")
    assert [(c.name, c.type, c.nullable, c.required) for c in spec.columns] == [
        ("name", "name", False, True),
        ("id_number", "id", True, True),
        ("rent", "money", False, True),
        ("room", "text", False, True),
    ]
    assert spec.by_header["租金"].name == "rent"


def test_words_stay_words(tmp_path: Path) -> None:
    declare(tmp_path, GOOD.replace("类型: 文本}", "类型: 代码, 代码: [012345, 1_000, on, 520102]}"))

    assert load_feed_specs(tmp_path)["allotment"].column("room").codes == ("012345", "1_000", "on", "520102")


@pytest.mark.parametrize(
    ("old", "new", "line", "word"),
    [
        ("方式: 快照", "方式: 照片", 3, "照片"),
        ("方式: 快照\n", "", 1, "方式"),
        ("来源: 住建", "来源: 住建\n颜色: 红", 5, "颜色"),
        ("来源: 住建", "来源: 住建\n来源: 教育", 5, "两次"),
        ("来源: 住建", "来源：住建", None, "冒号"),
        ("类型: 金额", "类型: 钱", 8, "钱"),
        ("名: rent", "名: 租金", 8, "小写英文"),
        ("名: rent", "名: row_digest", 8, "已作他用"),
        ("表头: 房号", "表头: 租 金", 9, "同时指"),
        ("类型: 金额}", "类型: 金额, 代码: [一]}", 8, "代码表"),
        ("类型: 文本}", "类型: 文本, 可空当: {列: state, 值: 正常}}", 9, "state"),
        ("可空: 是", "可空: 对", 7, "对"),
        ("名: name", "名: nom", None, "name"),
        ("别名: [租金]", "别名: 租金", 8, "列表"),
    ],
)
def test_a_slip_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, line: int | None, word: str
) -> None:
    assert old in GOOD
    declare(tmp_path, GOOD.replace(old, new, 1))

    with pytest.raises(DeclarationError) as refused:
        load_feed_specs(tmp_path)

    assert word in refused.value.zh and "allotment.yaml" in refused.value.zh
    if line is not None:
        assert f"第 {line} 行" in refused.value.zh and f"line {line}" in refused.value.en


def test_one_name_is_declared_once(tmp_path: Path) -> None:
    declare(tmp_path, GOOD)
    declare(tmp_path, GOOD, name="again.yaml")

    with pytest.raises(DeclarationError, match="声明过"):
        load_feed_specs(tmp_path)


@pytest.mark.parametrize(
    "text", ["名称: !!python/object/apply:os.system [ls]", "- a\n- b", "", "名称: [", "\x00"]
)
def test_a_file_that_is_no_declaration(tmp_path: Path, text: str) -> None:
    declare(tmp_path, text)

    with pytest.raises(DeclarationError):
        load_feed_specs(tmp_path)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError):
        load_feed_specs(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("姓 名", "姓名"),
        ("余额（元）", "余额"),
        ("余额(万元)", "余额"),
        ("姓\n名", "姓名"),
        (" ＩＤ_number ", "id_number"),
        ("面积[m²]", "面积"),
    ],
)
def test_white_space_and_units_in_a_header_are_ignored(written: str, meant: str) -> None:
    assert normal_header(written) == meant


def test_a_header_stands_as_departments_write_it_and_its_unit_beside_it() -> None:
    housing = SPECS["real_estate"]

    assert [(housing.column(name).label, housing.column(name).unit) for name in ("area", "share")] == [
        ("面积", "平方米"),
        ("份额", "%"),
    ]


def test_every_feed_of_the_contract_names_its_person() -> None:
    for spec in SPECS.values():
        assert spec.has("id_number") and spec.has("name")
        assert spec.column("id_number").nullable == (spec.name != "household_register")
        assert {"身份证号", "身份证号码", "公民身份号码", "证件号码"} <= set(spec.by_header)


def test_the_cells_that_may_be_empty_are_those_of_the_contract() -> None:
    always = {
        "category", "category_since", "left_on", "phone", "address", "to_on", "cremated_on", "benefit", "benefit_until",
        "yearly_fee", "spouse_id_number",
    }  # fmt: skip
    columns = [column for spec in SPECS.values() for column in spec.columns if column.name != "id_number"]

    assert {column.name for column in columns if column.nullable and not column.nullable_when} == always
    assert {column.name: column.nullable_when for column in columns if column.nullable_when} == {
        "status_on": ("status", "正常")
    }
