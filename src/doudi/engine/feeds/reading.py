"""Finding the table in a department's file: which sheet, which header row, which column is which.

In comes an opened file and a feed's declaration; out comes the :class:`Layout` of its one table. Title rows, second
titles and empty sheets are passed over; an unknown or missing column is an error that names it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from doudi.engine.feeds.containers import OpenFile, open_file
from doudi.engine.feeds.errors import FeedNotRecognised, HeaderMismatch
from doudi.engine.feeds.spec import ColumnSpec, FeedSpec, normal_header
from doudi.engine.feeds.tables import Cell, Source, Table, source_name
from doudi.engine.identity import BLANK_CHARACTERS

REASON_HEADER = "退回原因"
"""The last column of a returned workbook; understood and passed over when the mended workbook comes back."""

_PASSED_OVER = frozenset({normal_header(REASON_HEADER)})


@dataclass(frozen=True)
class Layout:
    """Where the feed's columns stand: ``header_row`` counts from 0, ``places`` is column name → place in the row."""

    form: str
    table: Table
    header_row: int
    width: int
    places: Mapping[str, int]

    @property
    def first_place(self) -> int:
        """The first column of the table: 合计 stands there."""
        return min(self.places.values())


def read_layout(spec: FeedSpec, source: Source) -> Layout:
    """The one table of a file that is said to be ``spec``."""
    file = open_file(source)
    name = source_name(source)
    found = [(table, row) for table in file.tables if (row := _header_row(table, [spec])) is not None]
    if not found:
        _refuse_without_header(spec, file, name)
    layouts, problem = [], None
    for table, row in found:
        try:
            layouts.append(_layout(spec, file, table, row, name))
        except HeaderMismatch as mismatch:
            problem = problem or mismatch
    if len(layouts) > 1:
        layouts = [layout for layout in layouts if _has_rows(layout)] or layouts[:1]
    if len(layouts) > 1:
        sheets = "、".join(f"“{layout.table.sheet}”" for layout in layouts)
        raise HeaderMismatch(
            f"{name} 有几张工作表都是《{spec.label}》：{sheets}。请合到一张表里，或分成几个文件。",
            f"{name} holds {spec.label} on several sheets ({sheets}): put them on one sheet or into separate files.",
        )
    if not layouts:
        assert problem is not None
        raise problem
    return layouts[0]


def recognise(specs: Mapping[str, FeedSpec], source: Source) -> FeedSpec:
    """The feed a file holds, told by its headers; where several would fit, by the file's name.

    Raises :class:`FeedNotRecognised`, which names the nearest feed and what is missing or unknown in the file.
    """
    file = open_file(source)
    name = source_name(source)
    fitting: list[FeedSpec] = []
    nearest: tuple[int, FeedSpec, list[str]] | None = None
    for table in file.tables:
        row = _header_row(table, specs.values())
        if row is None:
            continue
        headers = [
            header for cell in table.top[row] if (header := _header(cell)) and header not in _PASSED_OVER
        ]
        for spec in specs.values():
            known = spec.by_header
            names = [known[header].name for header in headers if header in known]
            missing = [
                column.label for column in spec.columns if column.required and column.name not in names
            ]
            unknown = [header for header in headers if header not in known]
            if not missing and not unknown and spec not in fitting:
                fitting.append(spec)
            likeness = len(set(names)) - len(missing) - len(unknown)
            if nearest is None or likeness > nearest[0]:
                wrong = [f"缺少“{label}”" for label in missing] + [f"多出“{header}”" for header in unknown]
                nearest = (likeness, spec, wrong)
    if len(fitting) > 1:
        stem = normal_header(name)
        fitting = [
            spec for spec in fitting if any(normal_header(w) in stem for w in _names_of(spec))
        ] or fitting
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        kinds = "、".join(f"{spec.name}（{spec.label}）" for spec in fitting)
        raise FeedNotRecognised(
            f"{name} 的表头适合几种数据：{kinds}。请在文件名里写明，或指定种类。",
            f"The headers of {name} fit several feeds: {kinds}. Name the feed in the file name or in the command.",
        )
    if nearest is None:
        raise FeedNotRecognised(
            f"{name} 里找不到表头行（前几十行里没有“姓名”“身份证号”等表头）。",
            f"No header row was found in {name} (no 姓名, 身份证号 … in its first rows).",
        )
    raise FeedNotRecognised(
        f"{name} 不像任何一种部门数据；最接近《{nearest[1].label}》，但{'，'.join(nearest[2])}。",
        f"{name} fits no feed; nearest is {nearest[1].name}, but: {', '.join(nearest[2])}.",
    )


def _names_of(spec: FeedSpec) -> tuple[str, ...]:
    return (spec.label, *spec.aliases, spec.name)


def _header(cell: Cell) -> str:
    return normal_header(cell) if isinstance(cell, str) else ""


def _header_row(table: Table, specs: Iterable[FeedSpec]) -> int | None:
    """The row (from 0) with the most known headers, at least two; None where there is none.

    A header merged over several rows stands in each of them: the last such row counts.
    """
    words = set().union(*(spec.by_header for spec in specs))
    best, best_score = None, 1
    for number, row in enumerate(table.top):
        score = len({header for cell in row if (header := _header(cell)) in words})
        repeated = best == number - 1 and score == best_score and row == table.top[number - 1]
        if score > best_score or repeated:
            best, best_score = number, score
    return best


def _layout(spec: FeedSpec, file: OpenFile, table: Table, row: int, name: str) -> Layout:
    known = spec.by_header
    cells = table.top[row]
    places: dict[str, int] = {}
    where = (
        f"{name} 工作表“{table.sheet}”第 {row + 1} 行"
        if file.form == "workbook"
        else f"{name} 第 {row + 1} 行"
    )
    where_en = f"{name}, row {row + 1}"
    for place, cell in enumerate(cells):
        header = _header(cell)
        if header in _PASSED_OVER:
            continue
        if not header:
            if cell is None or (isinstance(cell, str) and not cell.strip(BLANK_CHARACTERS)):
                continue
            header = str(cell)
        column = known.get(header)
        if column is None:
            _refuse_unknown(spec, str(cell), place, places, where, where_en)
        if column.name in places:
            raise HeaderMismatch(
                f"{where}：“{column.label}”出现了两次（第 {places[column.name] + 1}、{place + 1} 列）。请只留一列。",
                f"{where_en}: {column.label} stands twice (columns {places[column.name] + 1} and {place + 1}).",
            )
        places[column.name] = place
    missing = [column for column in spec.columns if column.required and column.name not in places]
    if missing:
        labels = "、".join(f"“{column.label}”" for column in missing)
        raise HeaderMismatch(
            f"{where}：《{spec.label}》缺少列{labels}。请补上这一列（没有数据也要有表头）。",
            f"{where_en}: {spec.name} lacks {', '.join(f'{c.label} ({c.name})' for c in missing)}.",
        )
    return Layout(file.form, table, row, len(cells), places)


def _refuse_unknown(
    spec: FeedSpec, header: str, place: int, places: Mapping[str, int], where: str, where_en: str
) -> NoReturn:
    near = nearest_column(spec, header, taken=places)
    hint = f"是不是“{near.label}”？请改表头，或" if near else "请"
    hint_en = f" Did you mean {near.label} ({near.name})?" if near else ""
    raise HeaderMismatch(
        f"{where}第 {place + 1} 列：《{spec.label}》没有“{header.strip()}”这一列。{hint}删去这一列。",
        f"{where_en}, column {place + 1}: {spec.name} has no column {header.strip()!r}.{hint_en}",
    )


def nearest_column(spec: FeedSpec, header: str, *, taken: Mapping[str, int]) -> ColumnSpec | None:
    """The declared column, not found yet, whose header is most like ``header``; None where none is like it."""
    free = {text: column for text, column in spec.by_header.items() if column.name not in taken}
    close = difflib.get_close_matches(normal_header(header), list(free), n=1, cutoff=0.4)
    return free[close[0]] if close else None


def _has_rows(layout: Layout) -> bool:
    for block in layout.table.blocks(below=layout.header_row + 1, width=layout.width):
        return any(cell not in ("", None) for place in range(block.height) for cell in block.row(place))
    return False


def _refuse_without_header(spec: FeedSpec, file: OpenFile, name: str) -> NoReturn:
    wanted = "、".join(column.label for column in spec.columns)
    if len(file.tables) == 1:
        for number, row in enumerate(file.tables[0].top):
            texts = [str(cell).strip() for cell in row if cell not in ("", None) and str(cell).strip()]
            if len(texts) > 1:
                raise HeaderMismatch(
                    f"{name} 第 {number + 1} 行不是《{spec.label}》的表头：没有认出的列（见到：{'、'.join(texts[:8])}）。"
                    f"应有：{wanted}。",
                    f"{name}, row {number + 1} is no header row of {spec.name}. Expected: {wanted}.",
                )
    raise HeaderMismatch(
        f"{name} 里找不到《{spec.label}》的表头行。应有：{wanted}。",
        f"No header row of {spec.name} was found in {name}. Expected: {wanted}.",
    )
