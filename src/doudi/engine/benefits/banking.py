"""Payment files out to the bank and return files in, in the layout that the pack describes (一卡通代发与回盘).

A return file answers rows of a payment file by their serial number; whatever does not answer one exactly (another sum,
another account, twice, never sent) refuses the whole file and names every such row: money is never guessed.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from doudi.engine.benefits.rules import Layout
from doudi.engine.csvfile import harmless
from doudi.engine.errors import DoudiError
from doudi.engine.money import format_yuan, parse_fen

MAX_BYTES = 64 << 20
MAX_ROWS = 500_000
_TOLD = 10


class BankFileRefused(DoudiError):
    """A bank file that cannot be taken: the message names the rows."""

    code = "bank_file_refused"


@dataclass(frozen=True)
class Payment:
    """One payment of a batch: its serial number in the file, whom, to which account, how many fen."""

    serial: int
    name: str
    account: str
    amount_fen: int
    purpose: str = ""
    household_no: str = ""
    bank: str = ""


@dataclass(frozen=True)
class Outcome:
    """What the bank says of one payment."""

    serial: int
    paid: bool
    reason: str


def write_payment_file(layout: Layout, payments: Sequence[Payment], *, number: str, on: date) -> bytes:
    """The payment file of a batch: head line, rows in the order of their serial numbers, foot line.

    A name the encoding does not know is refused, not mangled: the bank compares it with the holder's.
    """
    total = sum(payment.amount_fen for payment in payments)
    frame = {
        "批号": number,
        "笔数": str(len(payments)),
        "金额": _amount(layout, total),
        "日期": f"{on:%Y%m%d}",
    }
    out = io.StringIO()
    if layout.head:
        out.write(layout.head.format(**frame) + layout.newline)
    writer = csv.writer(out, delimiter=layout.separator, lineterminator=layout.newline)
    if layout.header:
        writer.writerow(layout.columns.values())
    for payment in payments:
        cells = {
            "序号": str(payment.serial),
            "姓名": _one_line(payment.name),
            "账号": payment.account,
            "金额": _amount(layout, payment.amount_fen),
            "摘要": _one_line(payment.purpose),
            "户编号": _one_line(payment.household_no),
            "开户行": _one_line(payment.bank),
        }
        writer.writerow([cells[field] for field in layout.columns])
    if layout.foot:
        out.write(layout.foot.format(**frame) + layout.newline)
    try:
        return out.getvalue().encode(layout.encoding)
    except UnicodeEncodeError as fault:
        bad = fault.object[fault.start : fault.end]
        raise BankFileRefused(
            f"“{bad}”这个字在银行要求的编码 {layout.encoding} 里没有，代发文件没有生成。请与银行约定写法后在收款账户里改姓名。",
            f"{bad!r} does not exist in the bank's encoding {layout.encoding}; agree with the bank how the name is written.",
        ) from None


def _amount(layout: Layout, fen: int) -> str:
    return str(fen) if layout.in_fen else format_yuan(fen)


def _one_line(text: str) -> str:
    """A cell that no spreadsheet takes for a formula and no reader for two lines."""
    return harmless(" ".join(text.split()))


def read_return(layout: Layout, content: bytes, sent: Mapping[int, Payment]) -> list[Outcome]:
    """What a return file says of the payments that were ``sent`` (serial number → payment).

    Raises :class:`BankFileRefused` for a file that is too large, not in the layout's encoding, or holds a row that does
    not answer a payment to the fen.
    """
    if len(content) > MAX_BYTES:
        raise BankFileRefused("回盘文件超过 64 MB，不像回盘文件。", "The return file is larger than 64 MB.")
    rows = list(_rows(layout, content))
    if not rows:
        raise BankFileRefused(
            "回盘文件里没有一行结果。请核对是否选错文件。", "The return file holds no result."
        )
    found: dict[int, Outcome] = {}
    faults: list[str] = []
    for place, cells in rows:
        fault = _answer(layout, cells, sent, found)
        if fault:
            faults.append(f"第{place}行：{fault}")
    if faults:
        more = f"……共{len(faults)}处" if len(faults) > _TOLD else ""
        raise BankFileRefused(
            f"回盘文件与代发文件对不上，整份没有受理。{'；'.join(faults[:_TOLD])}{more}。请与银行核对后重新上传。",
            f"The return file does not answer the payment file ({len(faults)} rows); nothing was taken. Ask the bank.",
        )
    return [found[serial] for serial in sorted(found)]


def _answer(
    layout: Layout, cells: Mapping[str, str], sent: Mapping[int, Payment], found: dict[int, Outcome]
) -> str:
    """Take one row in, or say what is wrong with it."""
    written = cells["序号"]
    serial = int(written) if written.isascii() and written.isdigit() and len(written) < 10 else 0
    payment = sent.get(serial)
    if payment is None:
        return f"序号“{written[:20]}”不在这一批里"
    if serial in found:
        return f"序号 {serial} 重复"
    if cells["账号"] != payment.account:
        return f"序号 {serial} 的账号与代发文件不同"
    fen = _fen(layout, cells["金额"])
    if fen != payment.amount_fen:
        return (
            f"序号 {serial} 的金额“{cells['金额'][:20]}”与代发的 {_amount(layout, payment.amount_fen)} 不同"
        )
    paid = cells["结果"] in layout.success
    if not paid and not cells["结果"]:
        return f"序号 {serial} 没有处理结果"
    found[serial] = Outcome(serial, paid, "" if paid else (cells["原因"] or cells["结果"])[:200])
    return ""


def _fen(layout: Layout, text: str) -> int | None:
    if layout.in_fen:
        return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None
    fen, fault = parse_fen(text)
    return None if fault is not None else fen


def _rows(layout: Layout, content: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows that answer payments, with their place in the file; head and foot lines are told by having no such cells."""
    try:
        text = content.decode("utf-8-sig" if layout.encoding == "utf-8" else layout.encoding)
    except UnicodeDecodeError:
        raise BankFileRefused(
            f"回盘文件不是约定的编码 {layout.encoding}。请向银行要原始文件，不要用 Excel 另存。",
            f"The return file is not {layout.encoding}; ask the bank for the original.",
        ) from None
    if "\x00" in text:
        raise BankFileRefused("回盘文件不是文本文件。", "The return file is not a text file.")
    columns: dict[str, int] | None = _by_place(layout)
    named = columns is None
    header = next(iter(layout.head.split("{", 1)), "")
    footer = next(iter(layout.foot.split("{", 1)), "")
    try:
        for place, row in enumerate(csv.reader(io.StringIO(text), delimiter=layout.separator), 1):
            if place > MAX_ROWS:
                raise BankFileRefused("回盘文件超过五十万行。", "The return file has more than 500,000 rows.")
            cells = [cell.strip().lstrip("'").strip() for cell in row]
            line = layout.separator.join(cells)
            if not any(cells) or (header and line.startswith(header)) or (footer and line.startswith(footer)):
                continue
            if columns is None:
                columns = _by_name(layout, cells)
                continue
            if named and len(cells) <= max(columns[field] for field in ("序号", "账号", "金额", "结果")):
                raise BankFileRefused(
                    f"回盘文件第{place}行列数不够，文件可能不完整。请向银行重新要。",
                    f"Row {place} of the return file is cut short; ask the bank for it again.",
                )
            yield place, {field: cells[at] if at < len(cells) else "" for field, at in columns.items()}
    except csv.Error as fault:
        raise BankFileRefused(
            f"回盘文件读不出来（{fault}）。请向银行要原始文件。", f"The return file cannot be read: {fault}."
        ) from None


def _by_place(layout: Layout) -> dict[str, int] | None:
    if not all(text.isdigit() for text in layout.returned.values()):
        return None
    return {field: int(text) - 1 for field, text in layout.returned.items()}


def _by_name(layout: Layout, cells: list[str]) -> dict[str, int]:
    missing = [text for text in layout.returned.values() if text not in cells]
    if missing:
        raise BankFileRefused(
            f"回盘文件的表头缺少列“{'、'.join(missing)}”。请核对银行版式，或在政策包 benefits.yaml 里改列名。",
            f"The header of the return file lacks {', '.join(missing)}; check the layout.",
        )
    return {field: cells.index(text) for field, text in layout.returned.items()}
