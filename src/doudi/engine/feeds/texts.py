"""Opening a text of comma-separated values (.csv), in UTF-8, UTF-16 or GB18030.

In comes a file; out comes its one table. The fast reader takes even rows; from the first uneven one on a patient
reader goes on, so that a short 合计 line at the end costs nothing.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from doudi.engine.feeds.errors import FileUnreadable
from doudi.engine.feeds.tables import (
    PIECE,
    TOP_ROWS,
    Block,
    Cell,
    Source,
    Table,
    TornRow,
    blocks_of_rows,
    nothing_inside,
    open_source,
    undecodable,
)

_BLOCK_BYTES = 8 << 20
_MANY_LETTERS = 16


def open_text(source: Source, name: str, head: bytes) -> Table:
    """The table of a text file whose first bytes are ``head``."""
    encoding = _encoding_of(source, name, head)
    sample = [",".join(record) for record in islice(_Text(source, name, encoding, ",").records(), TOP_ROWS)]
    delimiter = max(",\t;", key=lambda sign: sum(line.count(sign) for line in sample))
    text = _Text(source, name, encoding, delimiter)
    top = [list(record) for record in islice(text.records(), TOP_ROWS)]
    if not any(cell.strip() for row in top for cell in row):
        raise nothing_inside(name)
    return Table(Path(name).stem or "Sheet1", [[*row] for row in top], 0, (), text.blocks)


@dataclass(frozen=True)
class _Text:
    source: Source
    name: str
    encoding: str
    delimiter: str

    def records(self) -> Iterator[list[str]]:
        """Every record, by the patient reader."""
        for _, record in self._numbered():
            yield record

    def _numbered(self) -> Iterator[tuple[int, list[str]]]:
        with open_source(self.source) as raw, io.TextIOWrapper(raw, self.encoding, newline="") as text:
            reader = csv.reader(text, delimiter=self.delimiter, strict=True)
            try:
                for record in reader:
                    yield reader.line_num, record
            except UnicodeDecodeError as problem:
                raise undecodable(self.name) from problem
            except csv.Error as problem:
                raise FileUnreadable(
                    f"{self.name} 第 {reader.line_num} 行附近有一格没有结尾的引号或过长，读不下去。"
                    "请用 Excel 另存为 .xlsx 再发。",
                    f"{self.name} has an unclosed quote or an overlong cell near line {reader.line_num}: "
                    "save it as .xlsx.",
                ) from problem

    def blocks(self, below: int, width: int, fill: frozenset[int]) -> Iterator[Block]:
        done = yield from self._even_blocks(below, width)
        if done is not None:
            yield from blocks_of_rows(
                self._last_torn(islice(self.records(), done, None), width), done + 1, width
            )

    def _last_torn(self, records: Iterator[list[str]], width: int) -> Iterator[Sequence[Cell]]:
        """The records, the last one marked where the file was cut: shorter than the one before it and with no end of line.

        What is left of its last cell may read as a good value (300 of 30000). A file whose rows all leave out their last
        cells, or whose last line merely has no end, is whole.
        """
        before = width
        record = next(records, None)
        while record is not None:
            after = next(records, None)
            cut = after is None and len(record) < min(before, width) and not self._ends_a_line()
            yield TornRow(record) if cut else record
            before, record = len(record), after

    def _ends_a_line(self) -> bool:
        with open_source(self.source) as raw:
            end = raw.seek(0, io.SEEK_END)
            raw.seek(max(0, end - 4))
            return raw.read().rstrip(b"\x00 \t\x1a")[-1:] in (b"\n", b"\r")

    def _even_blocks(self, below: int, width: int) -> Generator[Block, None, int | None]:
        """The rows up to the first that is not ``width`` cells long, many times faster.

        Returns how many records have been given out, titles and header included; None where that was all.
        """
        lines_above = next((line for line, _ in islice(self._numbered(), below - 1, None)), 0)
        first_row = below + 1
        names = [str(place) for place in range(width)]
        with open_source(self.source) as raw, suppress(pa.ArrowInvalid, UnicodeDecodeError):
            reader = pa.csv.open_csv(
                raw,
                pa.csv.ReadOptions(
                    use_threads=False,
                    block_size=_BLOCK_BYTES,
                    skip_rows=lines_above,
                    column_names=names,
                    encoding=self.encoding.removesuffix("-sig"),
                ),
                pa.csv.ParseOptions(
                    delimiter=self.delimiter, newlines_in_values=True, ignore_empty_lines=False
                ),
                pa.csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
                ),
            )
            for batch in reader:
                if any(pc.any(pc.match_substring(column, "\n")).as_py() for column in batch.columns):
                    # a stray quote swallows the lines after it, which the patient reader notices
                    return first_row - 1
                yield Block(first_row, batch.columns)
                first_row += batch.num_rows
            return None
        return first_row - 1


def _encoding_of(source: Source, name: str, head: bytes) -> str:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    decoder = codecs.getincrementaldecoder("utf-8")()
    letters = 0
    try:
        with open_source(source) as stream:
            while piece := stream.read(PIECE):
                text = decoder.decode(piece)
                letters += 0 if text.isascii() else _MANY_LETTERS
            decoder.decode(b"", final=True)
    except UnicodeDecodeError as problem:
        # a pair or two of GBK bytes can pass for UTF-8 by chance, many letters cannot
        good = problem.object[: problem.start].decode("utf-8", "ignore")
        letters += sum(not sign.isascii() for sign in good)
        if letters >= _MANY_LETTERS:
            raise undecodable(name) from problem
        return "gb18030"
    return "utf-8-sig"
