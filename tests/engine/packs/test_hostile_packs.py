"""A pack from a stranger: no word of it reaches Python, SQL, a file or a network; it is refused, not run."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from doudi.engine.packs import check_pack
from tests.engine.packs.little import PACK, RULES, little_pack

FORMULA = "月收入 < 标准 * 人口"
FORMULAS = {
    "a query": "(select 1) = 1",
    "a subquery in IN": "月收入 in (select 1)",
    "a file": "人口 = (select count(*) from read_csv('/etc/passwd'))",
    "a table function": "read_text('/etc/passwd') = 'x'",
    "a second statement": "月收入 < 标准; drop table households",
    "a comment": "月收入 < 标准 -- 人口",
    "a block comment": "月收入 /* x */ < 标准",
    "an injection through a quote": "人口 = 1 or '' = ''; copy households to '/tmp/x' --",
    "a quoted identifier": '"household_no" = "household_no"',
    "an inner column": "household_key = 1",
    "a cast": "月收入::varchar = 'x'",
    "cast as a function": "cast(月收入 as varchar) = 'x'",
    "a setting": "current_setting('threads') = 1",
    "an environment variable": "getenv('HOME') = 'x'",
    "a lambda": "list_transform([1], x -> x) = 1",
    "a parameter marker": "$lo = 1",
    "a struct": "{'a': 1}.a = 1",
    "an extension": "install httpfs",
    "attach": "attach 'x.db'",
    "a window function": "row_number() over () = 1",
    "a like": "月收入 like '%'",
    "a regular expression": "regexp_matches('a', '(a+)+$')",
    "python": "__import__('os').system('true')",
    "a dotted path": "main.households.household_no = '1'",
    "an aggregate of SQL": "sum(月收入) < 标准",
    "a number beyond 15 digits": "人口 < 9999999999999999999",
    "a decimal": "人口 < 1.5",
    "an exponent": "人口 < 1e9",
    "arithmetic on words": "'a' + 'b' = 'ab'",
    "brackets without end": "(" * 200 + "月收入" + ")" * 200 + " < 标准",
    "a formula without end": " + ".join(["月收入"] * 3000) + " < 标准",
    "a null": "月收入 = null",
}


@pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS.keys())
def test_a_formula_that_reaches_out_is_refused(tmp_path: Path, formula: str) -> None:
    quoted = "'" + formula.replace("'", "''") + "'"
    little_pack(tmp_path, RULES.replace(f"公式: {FORMULA}", f"公式: {quoted}"))
    line = RULES[: RULES.index(f"公式: {FORMULA}")].count("\n") + 1

    problems = check_pack(tmp_path)

    assert line in [p.line for p in problems], problems


FILES = {
    "a python object": ("x: !!python/object/apply:os.system ['true']\n", "tag"),
    "a local tag": ("参数: !file /etc/passwd\n", "tag"),
    "an include": ("参数: !include /etc/passwd\n", "tag"),
    "an anchor": ("说明: &a x\n", "anchor"),
    "a bomb": (
        "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b]\n",
        "anchor",
    ),
    "a merge key": ("参数: {<<: {标准: {}}}\n", "structure"),
    "a deep nest": ("参数: " + "[" * 5000 + "]" * 5000 + "\n", "too_large"),
    "a huge file": ("说明: " + "x" * (1 << 21) + "\n", "too_large"),
    "a list where rules stand": ("- 1\n- 2\n", "not_a_mapping"),
    "plain text": ("什么都不是", "not_a_mapping"),
    "two documents": ("参数: {}\n---\n参数: {}\n", "yaml"),
    "an open bracket": ("参数: {标准: [\n", "yaml"),
    "a tab": ("参数:\n\t标准: x\n", "yaml"),
    "a key twice": ("变量: {}\n变量: {}\n", "duplicate_key"),
    "code in a name": (
        "变量:\n  'a\"; drop table x; --': {对象: 家庭, 类型: 是否, 公式: 是, 依据: 县标准 一}\n",
        "structure",
    ),
    "a quote in a category's code": ('类别:\n  - {代码: "D\'B", 名: 坏, 依据: 县标准 一}\n', "structure"),
    "an unknown section": ("导入: /etc/passwd\n", "structure"),
    "latin bytes": (b"\xff\xfe\xe9\x00", "encoding"),
}


@pytest.mark.parametrize("file", FILES.values(), ids=FILES.keys())
def test_a_file_that_is_no_rule_is_refused(tmp_path: Path, file: tuple[str | bytes, str]) -> None:
    text, code = file
    little_pack(tmp_path)
    (tmp_path / "stranger.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    began = time.monotonic()

    problems = check_pack(tmp_path)

    assert code in [p.code for p in problems if p.file == "stranger.yaml"], problems
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("parent", ["../other", "/etc", "..", "a/b", "file:///etc", "nobody-there"])
def test_a_parent_is_a_name_and_never_a_path(tmp_path: Path, parent: str) -> None:
    folder = little_pack(tmp_path / "one", header=PACK + f"上级: '{parent}'\n")
    little_pack(tmp_path / "other")

    assert check_pack(folder)[0].code in ("structure", "parent")


def test_parents_in_a_circle_are_refused(tmp_path: Path) -> None:
    one = little_pack(tmp_path / "one", header=PACK + "上级: two\n", name="one")
    little_pack(tmp_path / "two", header=PACK + "上级: one\n", name="two")

    assert [p.code for p in check_pack(one)] == ["circle"]


def test_a_link_out_of_the_pack_is_refused(tmp_path: Path) -> None:
    folder = little_pack(tmp_path / "one")
    secret = tmp_path / "secret.yaml"
    secret.write_text("说明: 不能读\n", "utf-8")
    (folder / "link.yaml").symlink_to(secret)

    assert "link" in [p.code for p in check_pack(folder)]


def test_a_pack_of_too_many_files_is_refused(tmp_path: Path) -> None:
    folder = little_pack(tmp_path)
    for number in range(401):
        (folder / f"f{number}.yaml").write_text("变量: {}\n", "utf-8")

    assert "too_large" in [p.code for p in check_pack(folder)]


def test_text_in_a_case_is_data_and_not_sql(tmp_path: Path) -> None:
    evil = "'); drop table households; --"
    case = f'  - {{名: "{evil}", 城乡: 城镇, 月收入: 1元, 人口: 1人, 应为: {{收入低于标准: 是}}}}\n'
    folder = little_pack(tmp_path, RULES + case)

    from doudi.engine.packs import test_pack

    assert test_pack(folder).passed
