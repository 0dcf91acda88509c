"""Who is who: keys from the register, grades A, B and C, leads, and people the register does not know."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from doudi.engine.feeds import Grades, build_register, is_whole_register, resolve_feed
from doudi.engine.identity import birth_date_of
from tests.engine.feeds.outbox import MEDICAL, REGISTER, bill, blind, csv_file, member, number, read

PEOPLE = [
    member("买买提·艾力", number(1), "LL2", region="520102002"),
    member("虚小二", number(2), "LL2", "子", region="520102002"),
    member("虚小三", number(3), "LL1", "配偶", region="520102003"),
    member("虚小四", number(4), "LL1", "户主", region="520102003"),
    member("虚小二", number(2), "LL1", "其他", region="520102003"),
]


@pytest.fixture
def register(tmp_path: Path) -> Path:
    folder = tmp_path / "register"
    build_register(read("household_register", csv_file(tmp_path, [REGISTER, *PEOPLE])), folder, blind=blind)
    return folder


def resolve(
    folder: Path, register: Path | None, rows: list[list[Any]]
) -> tuple[Grades, list[dict[str, Any]]]:
    to = folder / "medical.parquet"
    grades = resolve_feed(read("medical", csv_file(folder, [MEDICAL, *rows])), register, to, blind=blind)
    return grades, pq.read_table(to).to_pylist()


def test_households_and_persons_are_numbered_in_the_agreed_order(tmp_path: Path) -> None:
    parsed = read("household_register", csv_file(tmp_path, [REGISTER, *PEOPLE]))

    built = build_register(parsed, tmp_path / "register", blind=blind)

    assert (built.households, built.persons) == (2, 5)
    households = pq.read_table(tmp_path / "register" / "households.parquet").to_pylist()
    assert [(h["household_key"], h["household_no"], h["persons"]) for h in households] == [
        (0, "LL2", 2),
        (1, "LL1", 3),
    ]
    members = pq.read_table(tmp_path / "register" / "members.parquet")
    assert members["household_key"].to_pylist() == [0, 0, 1, 1, 1]
    assert members["person_key"].to_pylist() == [0, 1, 2, 3, 4]
    assert members["is_head"].to_pylist() == [True, False, False, False, True]
    assert built.rows["id_number"].to_pylist() == [number(n) for n in (1, 2, 2, 3, 4)]


def test_a_register_of_an_earlier_version_gets_the_births_it_lacks_and_keeps_what_lies_beside(
    tmp_path: Path,
) -> None:
    parsed = read("household_register", csv_file(tmp_path, [REGISTER, *PEOPLE]))
    folder = tmp_path / "register"
    build_register(parsed, folder, blind=blind)
    whole = pq.read_table(folder / "members.parquet")
    pq.write_table(whole.drop_columns(["birth_on"]), folder / "members.parquet")
    (folder / "death-1.parquet").write_bytes(b"resolved")
    assert not is_whole_register(folder)

    build_register(parsed, folder, blind=blind)

    assert is_whole_register(folder)
    assert pq.read_table(folder / "members.parquet").equals(whole)
    assert whole["birth_on"].to_pylist() == [birth_date_of(number(n)) for n in (1, 2, 2, 3, 4)]
    assert (folder / "death-1.parquet").read_bytes() == b"resolved"


def test_the_members_file_has_the_agreed_columns(register: Path) -> None:
    schema = pq.read_schema(register / "members.parquet")

    assert {field.name: str(field.type) for field in schema} == {
        "household_key": "int64",
        "person_key": "int64",
        "relation": "string",
        "living_together": "bool",
        "left_on": "date32[day]",
        "category": "string",
        "category_since": "date32[day]",
        "urban_rural": "string",
        "region_code": "string",
        "is_head": "bool",
        "birth_on": "date32[day]",
    }


def test_without_a_head_the_smallest_number_stands_for_the_household(tmp_path: Path) -> None:
    rows = [
        member("虚小九", number(9), "LL9", "子", region="610102"),
        member("虚小八", number(8), "LL9", "女", region="520102"),
    ]

    build_register(
        read("household_register", csv_file(tmp_path, [REGISTER, *rows])), tmp_path / "register", blind=blind
    )

    household = pq.read_table(tmp_path / "register" / "households.parquet").to_pylist()[0]
    assert household["region_code"] == "520102"


def test_no_category_is_an_empty_word_in_the_register(tmp_path: Path) -> None:
    row = member("虚小一", number(1), "LL1")
    row[7] = ""

    build_register(
        read("household_register", csv_file(tmp_path, [REGISTER, row])), tmp_path / "register", blind=blind
    )

    assert pq.read_table(tmp_path / "register" / "members.parquet")["category"].to_pylist() == [""]


def test_grades_leads_and_strangers(tmp_path: Path, register: Path) -> None:
    grades, rows = resolve(
        tmp_path,
        register,
        [
            bill("买买提·艾力", number(1), paid="1"),
            bill("买买提艾力", number(1), paid="2"),
            bill("别人", number(1), paid="4"),
            bill("虚 小三", "", paid="8"),
            bill("谁也不是", "", paid="16"),
            bill("虚小五", number(5), paid="32"),
        ],
    )

    assert (grades.a, grades.b, grades.c, grades.leads, grades.not_registered) == (1, 1, 1, 1, 2)
    assert [(row["person_key"], row["own_paid"]) for row in rows] == [(0, 100), (0, 200)]
    assert grades.held.to_pylist() == [{"row_no": 4, "household_key": 0, "person_key": 0}]


def test_a_person_in_two_households_is_one_row_counted_and_two_rows_resolved(
    tmp_path: Path, register: Path
) -> None:
    grades, rows = resolve(tmp_path, register, [bill("虚小二", number(2))])

    assert (grades.a, grades.not_registered) == (1, 0)
    assert [(row["household_key"], row["person_key"]) for row in rows] == [(0, 1), (1, 2)]


def test_the_resolved_file_has_the_agreed_types(tmp_path: Path, register: Path) -> None:
    header = ["姓名", "身份证号", "不动产单元号", "用途", "面积", "份额", "登记日期"]
    row = ["虚小四", number(4), "F001", "住宅", "89.5㎡", "50%", "2020/5/1"]
    parsed = read("real_estate", csv_file(tmp_path, [header, row]))

    resolve_feed(parsed, register, tmp_path / "real_estate.parquet", blind=blind)

    table = pq.read_table(tmp_path / "real_estate.parquet")
    assert [str(kind) for kind in table.schema.types] == [
        "int64", "int64", "string", "string", "decimal128(18, 4)", "decimal128(18, 4)", "date32[day]", "int64",
    ]  # fmt: skip
    found = table.drop_columns(["row_digest"]).to_pylist()[0]
    assert found == {
        "household_key": 1,
        "person_key": 4,
        "unit_no": "F001",
        "use": "住宅",
        "area": Decimal("89.5"),
        "share": Decimal(50),
        "registered_on": date(2020, 5, 1),
    }


def test_rows_lie_by_household_and_person(tmp_path: Path, register: Path) -> None:
    rows = [
        bill(name, number(n), paid=str(p))
        for p in range(20)
        for n, name in ((4, "虚小四"), (3, "虚小三"), (2, "虚小二"))
    ]

    _, resolved = resolve(tmp_path, register, rows)

    keys = [(row["household_key"], row["person_key"]) for row in resolved]
    assert keys == sorted(keys) and len(keys) == 80


def test_before_any_register_everybody_is_unregistered(tmp_path: Path) -> None:
    grades, rows = resolve(tmp_path, None, [bill("虚小二", number(2)), bill("虚小二", "")])

    assert (grades.a, grades.leads, grades.not_registered, rows) == (0, 0, 2, [])


def test_a_later_register_grades_the_same_file_again(tmp_path: Path, register: Path) -> None:
    parsed = read("medical", csv_file(tmp_path, [MEDICAL, bill("虚小七", number(7))]))
    later = csv_file(tmp_path, [REGISTER, *PEOPLE, member("虚小七", number(7), "LL3")], name="later.csv")
    build_register(read("household_register", later), tmp_path / "later", blind=blind)

    first = resolve_feed(parsed, register, tmp_path / "first.parquet", blind=blind)
    again = resolve_feed(parsed, tmp_path / "later", tmp_path / "again.parquet", blind=blind)

    assert (first.not_registered, again.a) == (1, 1)


def test_one_event_in_two_files_has_one_digest_and_it_is_keyed(tmp_path: Path, register: Path) -> None:
    row = bill("虚小四", number(4))
    _, one = resolve(tmp_path, register, [row])
    _, two = resolve(tmp_path, register, [bill("虚小三", number(3)), row])
    parsed = read("medical", csv_file(tmp_path, [MEDICAL, row]))

    assert one[0]["row_digest"] == two[1]["row_digest"]
    assert one[0]["row_digest"] != parsed.rows["row_digest"][0].as_py()


def test_integers_will_do_for_digests(tmp_path: Path) -> None:
    def numbers(texts: Any) -> list[int]:
        return [int.from_bytes(digest[:8], "big", signed=True) for digest in blind(texts)]

    parsed = read("household_register", csv_file(tmp_path, [REGISTER, *PEOPLE]))
    build_register(parsed, tmp_path / "register", blind=numbers)
    medical = read("medical", csv_file(tmp_path, [MEDICAL, bill("虚小四", number(4))]))

    assert resolve_feed(medical, tmp_path / "register", tmp_path / "m.parquet", blind=numbers).a == 1


def test_an_interrupted_write_leaves_what_stood_before(
    tmp_path: Path, register: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve(tmp_path, register, [bill("虚小四", number(4))])
    before = (tmp_path / "medical.parquet").read_bytes()

    def fall_over(*_: Any, **__: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(pq, "write_table", fall_over)
    with pytest.raises(OSError, match="no space"):
        resolve(tmp_path, register, [bill("虚小三", number(3))])
    with pytest.raises(OSError, match="no space"):
        build_register(
            read("household_register", csv_file(tmp_path, [REGISTER, *PEOPLE])), tmp_path / "new", blind=blind
        )

    assert (tmp_path / "medical.parquet").read_bytes() == before
    assert not (tmp_path / "new").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_building_the_same_register_again_changes_nothing(tmp_path: Path, register: Path) -> None:
    before = {path.name: path.read_bytes() for path in register.iterdir()}

    again = build_register(
        read("household_register", csv_file(tmp_path, [REGISTER, *PEOPLE])), register, blind=blind
    )

    assert {path.name: path.read_bytes() for path in register.iterdir()} == before
    assert again.rows.num_rows == 5


def test_an_empty_register_has_no_households(tmp_path: Path) -> None:
    built = build_register(
        read("household_register", csv_file(tmp_path, [REGISTER])), tmp_path / "register", blind=blind
    )

    assert (built.households, built.persons, built.rows.num_rows) == (0, 0, 0)
    grades, _ = resolve(tmp_path, tmp_path / "register", [bill("虚小四", number(4))])
    assert grades.not_registered == 1
    assert isinstance(built.rows, pa.Table)
