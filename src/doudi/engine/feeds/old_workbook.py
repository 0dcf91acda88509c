"""Reads one old workbook (.xls) in a process of its own, for :mod:`workbooks`.

The format lets a file of a few kilobytes claim billions of cells, and the reader believes it and dies. So it dies here,
under a memory limit, and not in the office's server. In comes a file on standard input; out comes JSON on standard
output: one object per filled sheet. This file is run by its path and imports nothing of doudi, so that it starts fast.
"""

from __future__ import annotations

import io
import json
import sys
from datetime import date, datetime
from typing import Any

LARGEST_MEMORY = 2 << 30
MOST_SECONDS = 20
LARGEST_SHEET = 65_536 * 64
"""Rows of the format by as many columns as any department's table could have."""

PASSWORD, TOO_LARGE, BROKEN = 3, 4, 5
"""Exit statuses that say why there is no answer; a killed process has one of its own."""


def main() -> int:
    """Write every filled sheet: name, first column, merged areas and rows."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (LARGEST_MEMORY, LARGEST_MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, ValueError):
        pass  # Windows has no such limits; the process is a separate one all the same
    from python_calamine import PasswordError, load_workbook

    try:
        book = load_workbook(io.BytesIO(sys.stdin.buffer.read()))
        sheets = []
        for place, name in enumerate(book.sheet_names):
            if "WorkSheet" not in str(book.sheets_metadata[place].typ):
                continue
            sheet = book.get_sheet_by_index(place)
            if sheet.start is None or sheet.end is None:
                continue
            if (sheet.end[0] + 1) * (sheet.end[1] - sheet.start[1] + 1) > LARGEST_SHEET:
                return TOO_LARGE
            rows = [[_plain(cell) for cell in row] for row in sheet.iter_rows()]
            merges = [list(map(list, area)) for area in sheet.merged_cell_ranges or ()]
            sheets.append({"name": name, "left": sheet.start[1], "merges": merges, "rows": rows})
    except PasswordError:
        return PASSWORD
    except MemoryError:
        return TOO_LARGE
    except Exception:
        return BROKEN
    json.dump(sheets, sys.stdout, ensure_ascii=True)
    return 0


def _plain(cell: Any) -> Any:
    if isinstance(cell, datetime):
        return {"moment": cell.isoformat()}
    if isinstance(cell, date):
        return {"day": cell.isoformat()}
    return cell if isinstance(cell, str | float | int | bool) else str(cell)


if __name__ == "__main__":
    sys.exit(main())
