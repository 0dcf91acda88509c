"""A returned workbook as it lies there (表格回传): its header row, its rows as text, and the rows as they once left.

Nothing here judges; :mod:`returning` does.
"""

from __future__ import annotations

import hashlib
import io
import re
import secrets
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl

from doudi.contexts.accounts.services import Act, User, require
from doudi.contexts.registry.exporting import KEY_LABEL, original_of
from doudi.contexts.registry.models import ListExport
from doudi.engine.errors import DoudiError
from doudi.engine.feeds.tables import broken
from doudi.engine.feeds.workbooks import inspect_package, open_workbook
from doudi.house.keyring import SealBroken
from doudi.house.paths import home
from doudi.house.sealed_files import open_file, seal_file

MOST_ROWS = 20_000
"""More rows are sent back in parts: somebody is to read what is about to change."""
_HEADER_WITHIN = 10
_MOST_COLUMNS = 60
_NUMBER = re.compile(rf"{KEY_LABEL}\s*DC0*(\d{{1,12}})")


class ReturnRefused(DoudiError):
    """A workbook that cannot be taken back as it is; the message says why."""

    code = "return_refused"


class ReturnNotFound(DoudiError):
    """No workbook is waiting under this mark, or it is somebody else's."""

    code = "return_not_found"


@dataclass(frozen=True)
class Line:
    """One row: its cells by header, which of them are formulas, its mark, and the cells as they came."""

    number: int
    values: dict[str, str]
    formulas: frozenset[str]
    key: str
    raw: tuple[Any, ...]


@dataclass(frozen=True)
class Book:
    """The sender's workbook: its header row and the rows below it."""

    number: int
    header: tuple[str, ...]
    header_line: int
    above: tuple[tuple[Any, ...], ...]
    columns: dict[str, int]
    """Label → place."""
    lines: tuple[Line, ...]
    digest: str


def open_returned(path: Path) -> Book:
    """Read a returned workbook, or refuse it with the reason."""
    if not zipfile.is_zipfile(path):
        raise ReturnRefused(
            "请回传导出的 .xlsx 表格本身；改存成 .xls、.csv 或其他格式的，请另存为 .xlsx 再传。",
            "Send the exported .xlsx itself back; save other formats as .xlsx first.",
        )
    content = path.read_bytes()
    inspect_package(content, path.name)
    try:
        sheets = openpyxl.load_workbook(io.BytesIO(content), read_only=True).worksheets
        for sheet in sheets:
            sheet.reset_dimensions()
            rows = [
                [*row]
                for row in sheet.iter_rows(max_row=MOST_ROWS + _HEADER_WITHIN + 1, max_col=_MOST_COLUMNS)
            ]
            found = _book_of(rows, hashlib.sha256(content).hexdigest())
            if found is not None:
                return found
    except (KeyError, ValueError, TypeError, AttributeError, zipfile.BadZipFile, OSError) as problem:
        raise broken(path.name) from problem
    raise ReturnRefused(
        f"没有找到“{KEY_LABEL}”列，不知道每一行是谁。请用导出的表格修改，不要删除这一列。",
        "The column of row marks is missing, so nobody knows whose row is whose; change the exported workbook itself.",
        code="row_keys_missing",
    )


def _book_of(rows: list[list[Any]], digest: str) -> Book | None:
    for place, row in enumerate(rows[:_HEADER_WITHIN]):
        header = tuple(text_of(cell.value) for cell in row)
        key_at = next((at for at, label in enumerate(header) if label.startswith(KEY_LABEL)), None)
        if key_at is None:
            continue
        number = _NUMBER.match(header[key_at])
        if number is None:
            return None
        labels = [label for label in header if label]
        if twice := {label for label in labels if labels.count(label) > 1}:
            raise ReturnRefused(
                f"表头“{'、'.join(sorted(twice))}”有两列，请删去多出的一列。",
                f"Two columns are headed {', '.join(sorted(twice))}; remove one.",
            )
        body = rows[place + 1 :]
        while body and not any(text_of(cell.value) for cell in body[-1]):
            body.pop()
        if len(body) > MOST_ROWS:
            raise ReturnRefused(
                f"一次最多回传 {MOST_ROWS} 行，请分成几份。",
                f"At most {MOST_ROWS} rows at once; send it in parts.",
            )
        lines = tuple(
            Line(
                place + 2 + below,
                {header[at]: text_of(cell.value) for at, cell in enumerate(cells) if at < len(header)},
                frozenset(
                    header[at]
                    for at, cell in enumerate(cells)
                    if at < len(header) and cell.value is not None and cell.data_type == "f"
                ),
                text_of(cells[key_at].value) if key_at < len(cells) else "",
                tuple(cell.value for cell in cells),
            )
            for below, cells in enumerate(body)
        )
        above = tuple(tuple(cell.value for cell in row) for row in rows[:place])
        columns = {label: at for at, label in enumerate(header) if label}
        return Book(int(number[1]), header, place + 1, above, columns, lines, digest)
    return None


def text_of(value: Any) -> str:
    """A cell as text, the same whether it left as text, number or date."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        return value.date().isoformat() if (value.hour, value.minute) == (0, 0) else value.isoformat()
    return value.isoformat() if isinstance(value, date) else str(value).strip()


def rows_as_left(export: ListExport, keys: set[str]) -> tuple[dict[str, dict[str, str]], int]:
    """The rows as they left, of the marks that came back, and how many left at all."""
    width = len(export.columns)
    found: dict[str, dict[str, str]] = {}
    count = 0
    with original_of(export) as path:
        for table in open_workbook(path, path.name):
            for block in table.blocks(below=2, width=width + 1):
                count += block.height
                for place, key in enumerate(block.columns[width]):
                    if str(key) in keys:
                        values = block.row(place)
                        found[str(key)] = {
                            column: text_of(values[at]) for at, column in enumerate(export.columns)
                        }
    return found, count


def hold_return(path: Path, *, by: User) -> str:
    """Keep a returned workbook, sealed, until its sender has confirmed it; gives its mark. It is swept after an hour."""
    require(by, Act.RETURN_LIST)
    token = secrets.token_hex(12)
    seal_file(path, _held_at(token), purpose=_held_for(token, by))
    return token


@contextmanager
def held_return(token: str, *, by: User) -> Iterator[Path]:
    """The workbook that its sender's mark stands for, opened for this moment."""
    sealed = _held_at(token) if re.fullmatch(r"[0-9a-f]{24}", token) else None
    if sealed is None or not sealed.exists():
        raise ReturnNotFound(
            "这份回传表已超过一小时或不存在，请重新上传。",
            "No such workbook, or it is over an hour old; send it again.",
        )
    plain = home().work / f"{secrets.token_hex(8)}.xlsx"
    try:
        plain.touch(mode=0o600)
        try:
            with plain.open("wb") as out:
                out.writelines(open_file(sealed, purpose=_held_for(token, by)))
        except SealBroken:
            raise ReturnNotFound("没有这份回传表。", "No such workbook.") from None
        yield plain
    finally:
        plain.unlink(missing_ok=True)


def _held_at(token: str) -> Path:
    return home().work / f"returned-{token}.sealed"


def _held_for(token: str, by: User) -> str:
    return f"returned:{by.username}:{token}"
