"""Payment files as the bank wants them, and return files that answer them to the fen or are refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from doudi.engine.benefits import BankFileRefused, Payment, load_benefits, read_return, write_payment_file

RULES = load_benefits(Path(__file__).resolve().parents[3] / "packs" / "reference")
CARD, FIXED = RULES.layouts["card"], RULES.layouts["fixed"]
PAID = [
    Payment(1, "张伟", "6222000000000000015", 124000, "低保金", "H001"),
    Payment(2, "赵敏", "6222000000000000023", 5, "低保金", "H003"),
]
SENT = {payment.serial: payment for payment in PAID}


def test_the_card_layout_is_gb18030_in_yuan_with_its_totals() -> None:
    text = write_payment_file(CARD, PAID, number="FP1", on=date(2024, 12, 10)).decode("gb18030")

    assert text.split("\r\n") == [
        "序号,姓名,卡号,金额,用途,户编号",
        "1,张伟,6222000000000000015,1240.00,低保金,H001",
        "2,赵敏,6222000000000000023,0.05,低保金,H003",
        "合计,2,,1240.05,,",
        "",
    ]


def test_the_fixed_layout_is_in_fen_with_head_and_foot() -> None:
    lines = write_payment_file(FIXED, PAID, number="FP1", on=date(2024, 12, 10)).decode().splitlines()

    assert lines[0] == "H|FP1|2|124005|20241210"
    assert lines[1] == "1|6222000000000000015|张伟|124000|低保金"
    assert lines[-1] == "T|2|124005"


def test_a_name_that_would_be_a_formula_stays_text() -> None:
    text = write_payment_file(CARD, [Payment(1, "=HYPERLINK(1)", "62", 1)], number="x", on=date(2024, 1, 1))

    assert "'=HYPERLINK(1)" in text.decode("gb18030")


def answer(*rows: str, header: str = "序号,卡号,金额,处理结果,失败原因") -> bytes:
    return "\r\n".join([header, *rows, ""]).encode("gb18030")


def test_a_return_says_who_was_paid_and_why_not() -> None:
    found = read_return(
        CARD,
        answer("1,6222000000000000015,1240.00,成功,", "2,6222000000000000023,0.05,失败,账户已销户"),
        SENT,
    )

    assert [(row.serial, row.paid, row.reason) for row in found] == [(1, True, ""), (2, False, "账户已销户")]


def test_a_return_by_column_places_skips_head_and_foot() -> None:
    content = b"H|FP1|2|124005\n1|6222000000000000015|x|124000|x|0|\n2|6222000000000000023|x|5|x|91|no such\nT|2|1\n"

    assert [row.paid for row in read_return(FIXED, content, SENT)] == [True, False]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (answer("1,6222000000000000015,1240.01,成功,"), "金额"),
        (answer("1,6222000000000000099,1240.00,成功,"), "账号"),
        (answer("3,6222000000000000015,1240.00,成功,"), "不在这一批里"),
        (answer("-1,6222000000000000015,1240.00,成功,"), "不在这一批里"),
        (answer(*["1,6222000000000000015,1240.00,成功,"] * 2), "重复"),
        (answer("1,6222000000000000015,1240.00,,"), "没有处理结果"),
        (answer("1,6222000000000000015"), "列数不够"),
        (answer(), "没有一行结果"),
        (answer("1,2,3,4,5", header="甲,乙,丙,丁,戊"), "表头缺少列"),
        ("序号\n1".encode("utf-16"), "编码|文本"),
        (b"\x00" * 100, "文本"),
        (b"\xff\xfe\xfd", "编码"),
    ],
)
def test_a_return_that_does_not_answer_is_refused_whole(content: bytes, said: str) -> None:
    with pytest.raises(BankFileRefused) as refused:
        read_return(CARD, content, SENT)

    assert any(word in refused.value.zh for word in said.split("|"))
